"""A pod's folder, environment, process and calls, on the host's side; names imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypods.pods.cursor_proxies import limit_prefetch
    from pypods.pods.description import FunctionDescription
    from pypods.pods.environment import Environment, ensure_environment, environment_status
    from pypods.pods.folder import PodFolder, create_pod_folder, find_pod_folder, list_pod_folders
    from pypods.pods.imports import PodImports, install_imports
    from pypods.pods.interpreters import Interpreter, find_interpreter, list_interpreters
    from pypods.pods.isolated_function import IsolatedFunction, isolated
    from pypods.pods.pod import Pod, PodFunction, describe
    from pypods.pods.script import run_script
    from pypods.worker.listener import PodListener

    # The project's own, where "pypods stubs" has written one, else the one of loader.py.
    from pypods_types import PodLoader

_HOMES = {
    "Environment": "pypods.pods.environment",
    "FunctionDescription": "pypods.pods.description",
    "Interpreter": "pypods.pods.interpreters",
    "IsolatedFunction": "pypods.pods.isolated_function",
    "Pod": "pypods.pods.pod",
    "PodFolder": "pypods.pods.folder",
    "PodFunction": "pypods.pods.pod",
    "PodImports": "pypods.pods.imports",
    "PodListener": "pypods.worker.listener",
    "PodLoader": "pypods.pods.loader",
    "create_pod_folder": "pypods.pods.folder",
    "describe": "pypods.pods.pod",
    "ensure_environment": "pypods.pods.environment",
    "environment_status": "pypods.pods.environment",
    "find_interpreter": "pypods.pods.interpreters",
    "find_pod_folder": "pypods.pods.folder",
    "limit_prefetch": "pypods.pods.cursor_proxies",
    "install_imports": "pypods.pods.imports",
    "isolated": "pypods.pods.isolated_function",
    "list_interpreters": "pypods.pods.interpreters",
    "list_pod_folders": "pypods.pods.folder",
    "run_script": "pypods.pods.script",
}

__all__ = [
    # pods
    "Pod",
    "PodFunction",
    "PodImports",
    "PodListener",
    "PodLoader",
    "describe",
    "FunctionDescription",
    "limit_prefetch",
    "install_imports",
    "run_script",
    # functions without a folder
    "IsolatedFunction",
    "isolated",
    # folders and environments
    "Environment",
    "PodFolder",
    "create_pod_folder",
    "ensure_environment",
    "environment_status",
    "find_pod_folder",
    "list_pod_folders",
    # interpreters
    "Interpreter",
    "find_interpreter",
    "list_interpreters",
]


def __getattr__(name: str) -> object:
    """Import a name of `__all__` from the module that defines it (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names without importing them."""
    return sorted({*globals(), *__all__})

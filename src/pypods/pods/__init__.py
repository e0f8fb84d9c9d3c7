"""A pod's folder, environment, process and calls, on the host's side; names imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypods.pods.description import FunctionDescription
    from pypods.pods.environment import Environment, ensure_environment, environment_status
    from pypods.pods.folder import PodFolder, create_pod_folder, find_pod_folder, list_pod_folders
    from pypods.pods.interpreters import Interpreter, find_interpreter, list_interpreters
    from pypods.pods.loader import PodLoader
    from pypods.pods.pod import Pod, PodFunction, describe
    from pypods.pods.script import run_script
    from pypods.worker.listener import PodListener

_HOMES = {
    "Environment": "pypods.pods.environment",
    "FunctionDescription": "pypods.pods.description",
    "Interpreter": "pypods.pods.interpreters",
    "Pod": "pypods.pods.pod",
    "PodFolder": "pypods.pods.folder",
    "PodFunction": "pypods.pods.pod",
    "PodListener": "pypods.worker.listener",
    "PodLoader": "pypods.pods.loader",
    "create_pod_folder": "pypods.pods.folder",
    "describe": "pypods.pods.pod",
    "ensure_environment": "pypods.pods.environment",
    "environment_status": "pypods.pods.environment",
    "find_interpreter": "pypods.pods.interpreters",
    "find_pod_folder": "pypods.pods.folder",
    "list_interpreters": "pypods.pods.interpreters",
    "list_pod_folders": "pypods.pods.folder",
    "run_script": "pypods.pods.script",
}

__all__ = [
    # pods
    "Pod",
    "PodFunction",
    "PodListener",
    "PodLoader",
    "describe",
    "FunctionDescription",
    "run_script",
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

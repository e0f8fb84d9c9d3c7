"""Table of contents of pypods; each name is imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypods.errors import (
        InterpreterNotFoundError,
        PodCallError,
        PodDiedError,
        PodEnvironmentError,
        PodError,
        PodNotFoundError,
        PodStartError,
        PodTimeoutError,
        ProtocolError,
        ValueTransferError,
    )
    from pypods.pods import (
        Pod,
        PodListener,
        PodLoader,
        describe,
        install_imports,
        isolated,
        run_script,
    )

__version__ = "1.0.0.dev0"

__all__ = [
    # pods
    "Pod",
    "PodListener",
    "PodLoader",
    "describe",
    "install_imports",
    "isolated",
    "run_script",
    # errors
    "InterpreterNotFoundError",
    "PodCallError",
    "PodDiedError",
    "PodEnvironmentError",
    "PodError",
    "PodNotFoundError",
    "PodStartError",
    "PodTimeoutError",
    "ProtocolError",
    "ValueTransferError",
    # this package
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a name of `__all__` from the floor that defines it (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "pypods.errors" if name.endswith("Error") else "pypods.pods"
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names without importing them."""
    return sorted({*globals(), *__all__})

"""Table of contents of the command line; importing it loads neither typer nor a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypods.cli.app import main

__all__ = ["main"]


def __getattr__(name: str) -> object:
    if name == "main":
        from pypods.cli.app import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

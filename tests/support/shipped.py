"""Modules of shipped connectors' pods, in this process."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

SHIPPED = Path(__file__).resolve().parents[2] / "pods"


def shipped_module(connector: str, name: str) -> ModuleType:
    """Return a module of a connector's pod, which finds those beside it as it does there."""
    package_name = f"pypods_test_shipped_{connector}"
    if package_name not in sys.modules:
        package = ModuleType(package_name)
        package.__path__ = [str(SHIPPED / connector)]
        sys.modules[package_name] = package
    return import_module(f"{package_name}.{name}")

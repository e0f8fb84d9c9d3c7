"""Operations moved from sources to targets by connector pods; names are imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypods.errors import IntegrationError, OperationError, VerificationError
    from pypods.integrator.events import EVENTS, Event
    from pypods.integrator.history import History
    from pypods.integrator.integrator import Integrator
    from pypods.integrator.memory import Memory
    from pypods.integrator.operation import (
        BadRows,
        Integration,
        Operation,
        Retries,
        Source,
        Target,
    )
    from pypods.integrator.operation_file import operation_schema, read_operation
    from pypods.integrator.page import report_page
    from pypods.integrator.report import ExecutionReport, IntegrationReport

_HOMES = {
    "BadRows": "pypods.integrator.operation",
    "EVENTS": "pypods.integrator.events",
    "Event": "pypods.integrator.events",
    "ExecutionReport": "pypods.integrator.report",
    "History": "pypods.integrator.history",
    "Integration": "pypods.integrator.operation",
    "IntegrationError": "pypods.errors",
    "IntegrationReport": "pypods.integrator.report",
    "Integrator": "pypods.integrator.integrator",
    "Memory": "pypods.integrator.memory",
    "Operation": "pypods.integrator.operation",
    "OperationError": "pypods.errors",
    "Retries": "pypods.integrator.operation",
    "Source": "pypods.integrator.operation",
    "Target": "pypods.integrator.operation",
    "VerificationError": "pypods.errors",
    "operation_schema": "pypods.integrator.operation_file",
    "read_operation": "pypods.integrator.operation_file",
    "report_page": "pypods.integrator.page",
}

__all__ = [
    # what is to be done
    "Operation",
    "Integration",
    "Source",
    "Target",
    "BadRows",
    "Retries",
    "Memory",
    "read_operation",
    "operation_schema",
    # doing it
    "Integrator",
    "Event",
    "EVENTS",
    # what was done
    "ExecutionReport",
    "IntegrationReport",
    "History",
    "report_page",
    # errors
    "OperationError",
    "IntegrationError",
    "VerificationError",
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

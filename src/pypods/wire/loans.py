"""Blocks of shared memory in use, and how their end is noticed; needs ctypes, so loaded late."""

from __future__ import annotations

import os
from ctypes import c_char
from weakref import WeakSet, ref

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.arena import ArenaReader

__all__ = ["lend"]


def lend(reader: ArenaReader, mapping: Any, serial: int, offset: int, length: int) -> memoryview:
    """Return a writable view of a block; its last user's end returns it to the reader."""
    # Whatever looks into this object's memory keeps it, and it keeps the mapping.
    block = (c_char * length).from_buffer(mapping, offset)
    reader.loans[serial] = _Loan(block, reader, serial)
    _readers.add(reader)
    return memoryview(block).cast("B")


class _Loan(ref):  # type: ignore[type-arg]
    """A weak reference to a block in use here."""

    __slots__ = ("loans", "returned", "serial")

    if TYPE_CHECKING:
        loans: dict[int, Any]
        returned: Any
        serial: int

    def __new__(cls, block: Any, reader: ArenaReader, serial: int) -> Any:
        loan = ref.__new__(cls, block, _finish)
        loan.serial = serial
        # Not the reader itself: the user of the block may outlive it.
        loan.loans = reader.loans
        loan.returned = reader.returned
        return loan

    def __init__(self, block: Any, *_: Any) -> None:
        ref.__init__(self, block, _finish)  # type: ignore[call-arg]


def _finish(loan: Any) -> None:
    loan.loans.pop(loan.serial, None)
    loan.returned.append(loan.serial)


_readers: WeakSet[ArenaReader] = WeakSet()


def _pin_all() -> None:
    for reader in list(_readers):
        reader.pin()


if hasattr(os, "register_at_fork"):
    # The child sees the same memory, and nobody will tell when it has done with it.
    os.register_at_fork(before=_pin_all)

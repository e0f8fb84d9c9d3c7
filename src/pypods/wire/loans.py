"""Blocks of shared memory in use, and how their end is noticed; needs ctypes, so loaded late."""

from __future__ import annotations

import os
from ctypes import (
    POINTER,
    PYFUNCTYPE,
    Structure,
    addressof,
    byref,
    c_char,
    c_char_p,
    c_int,
    c_ssize_t,
    c_void_p,
    py_object,
    pythonapi,
)
from weakref import WeakSet, ref

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.arena import Arena, ArenaReader

__all__ = ["address_of", "find", "holder_of", "lend"]


#: The loans by the identity of their blocks. Before all else: while one thread imports this module,
#: another may look here.
_by_block: dict[int, Any] = {}


def lend(
    reader: ArenaReader, mapping: Any, serial: int, offset: int, length: int, arena: Arena
) -> memoryview:
    """Return a writable view of a block; its last user's end returns it to the reader."""
    # Whatever looks into this object's memory keeps it, and it keeps the mapping.
    block = (c_char * length).from_buffer(mapping, offset)
    loan: Any = _Loan(block, reader, serial)
    loan.arena, loan.offset, loan.address = arena, offset, addressof(block)
    reader.loans[serial] = loan
    _by_block[loan.block_id] = loan
    _readers.add(reader)
    return memoryview(block).cast("B")


def find(owner: Any, address: int | None = None) -> tuple[Any, int] | None:
    """Return the loan that a read-only view looks into, and where in its block; or None.

    ``owner`` is the view, or with the ``address`` of the bytes what they belong to.
    """
    block: Any = owner.obj if type(owner) is memoryview else owner
    while getattr(block, "base", None) is not None:  # As NumPy's arrays have it.
        block = block.base
    loan = _by_block.get(id(block))
    if loan is None or loan() is not block:
        return None
    if address is None:
        if not owner.readonly:
            return None
        address = address_of(owner)
    return loan, address - loan.address


def holder_of(address: int, length: int) -> Any:
    """Return the block in which so many bytes are, None for bytes that were not lent here."""
    for loan in list(_by_block.values()):
        block = loan()
        if block is not None and 0 <= address - loan.address <= len(block) - length:
            return block
    return None


class _Buffer(Structure):
    """CPython's Py_buffer."""

    _fields_ = [
        ("buf", c_void_p),
        ("obj", py_object),
        ("len", c_ssize_t),
        ("itemsize", c_ssize_t),
        ("readonly", c_int),
        ("ndim", c_int),
        ("format", c_char_p),
        ("shape", c_void_p),
        ("strides", c_void_p),
        ("suboffsets", c_void_p),
        ("internal", c_void_p),
    ]


# Prototypes of our own: the attributes of ctypes.pythonapi are everybody's.
_get_buffer = PYFUNCTYPE(c_int, py_object, POINTER(_Buffer), c_int)(
    ("PyObject_GetBuffer", pythonapi)
)
_release_buffer = PYFUNCTYPE(None, POINTER(_Buffer))(("PyBuffer_Release", pythonapi))


def address_of(data: Any) -> int:
    """Return where the bytes of a buffer are; they stay there while a view of it lives."""
    buffer = _Buffer()
    _get_buffer(data, byref(buffer), 0)
    address: int = buffer.buf or 0
    _release_buffer(byref(buffer))
    return address


class _Loan(ref):  # type: ignore[type-arg]
    """A weak reference to a block in use here."""

    __slots__ = ("address", "arena", "block_id", "loans", "offset", "returned", "serial")

    if TYPE_CHECKING:
        #: The arena in which the block is, at this offset; and where this process has it.
        arena: Arena
        offset: int
        address: int
        block_id: int
        loans: dict[int, Any]
        returned: Any
        serial: int

    def __new__(cls, block: Any, reader: ArenaReader, serial: int) -> Any:
        loan: Any = ref.__new__(cls, block, _finish)
        loan.serial = serial
        loan.block_id = id(block)
        # Not the reader itself: the user of the block may outlive it.
        loan.loans = reader.loans
        loan.returned = reader.returned
        return loan

    def __init__(self, block: Any, *_: Any) -> None:
        ref.__init__(self, block, _finish)  # type: ignore[call-arg]


def _finish(loan: Any) -> None:
    loan.loans.pop(loan.serial, None)
    block_id = loan.block_id
    if _by_block.get(block_id) is loan:
        del _by_block[block_id]
    loan.returned.append(loan.serial)


_readers: WeakSet[ArenaReader] = WeakSet()


def _pin_all() -> None:
    for reader in list(_readers):
        reader.pin()
    _by_block.clear()


if hasattr(os, "register_at_fork"):
    # The child sees the same memory, and nobody will tell when it has done with it.
    os.register_at_fork(before=_pin_all)

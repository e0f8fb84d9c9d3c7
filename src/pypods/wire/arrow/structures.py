"""The C data interface's structures and their capsules, with ctypes; nothing of what they mean."""

from __future__ import annotations

import sys
from ctypes import (
    CFUNCTYPE,
    POINTER,
    PYFUNCTYPE,
    Structure,
    addressof,
    byref,
    c_char_p,
    c_int64,
    c_void_p,
    cast,
    py_object,
    pythonapi,
    sizeof,
)

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

if sys.implementation.name != "cpython":
    raise ImportError("Arrow's capsules are made and read with CPython's own interface")

# A structure may be released when the interpreter has all but ended. What does that uses names of
# its own module alone: by then the names in ctypes are gone.

__all__ = [
    "ARRAY_CAPSULE",
    "SCHEMA_CAPSULE",
    "STREAM_CAPSULE",
    "ArrowArray",
    "ArrowArrayStream",
    "ArrowSchema",
    "callback",
    "capsule_pointer",
    "immortal",
    "new_capsule",
    "release",
]


class ArrowSchema(Structure):
    """A type: format, name, metadata and the types inside it."""


class ArrowArray(Structure):
    """An array: how many items, and where its buffers are."""


class ArrowArrayStream(Structure):
    """A source of arrays of one type."""


# Function pointers are addresses here: so whether there is one is plain to see.
ArrowSchema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_void_p),  # Not text: it has lengths in it.
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(ArrowSchema))),
    ("dictionary", POINTER(ArrowSchema)),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
ArrowArray._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(ArrowArray))),
    ("dictionary", POINTER(ArrowArray)),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
ArrowArrayStream._fields_ = [
    ("get_schema", c_void_p),
    ("get_next", c_void_p),
    ("get_last_error", c_void_p),
    ("release", c_void_p),
    ("private_data", c_void_p),
]

# Prototypes of our own: the attributes of ctypes.pythonapi are everybody's.
_keep = PYFUNCTYPE(None, py_object)(("Py_IncRef", pythonapi))
_let_go = PYFUNCTYPE(None, c_void_p)(("Py_DecRef", pythonapi))
_releaser = CFUNCTYPE(None, c_void_p)


def release(structure: Any) -> None:
    """Let a structure's producer have it back, unless it has it already."""
    if structure.release:
        _releaser(structure.release)(addressof(structure))


def immortal(value: Any) -> Any:
    """Return a value that is never freed: C code may still call it when the interpreter ends."""
    _keep(value)
    return value


# Capsules --------------------------------------------------------------------------------------

# A capsule keeps the pointer to its name.
SCHEMA_CAPSULE = immortal(b"arrow_schema")
ARRAY_CAPSULE = immortal(b"arrow_array")
STREAM_CAPSULE = immortal(b"arrow_array_stream")
_STRUCTURES = {
    SCHEMA_CAPSULE: ArrowSchema,
    ARRAY_CAPSULE: ArrowArray,
    STREAM_CAPSULE: ArrowArrayStream,
}

_new = PYFUNCTYPE(py_object, c_void_p, c_char_p, c_void_p)(("PyCapsule_New", pythonapi))
_pointer = PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", pythonapi))
_pointer_at = PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", pythonapi))
_name_at = PYFUNCTYPE(c_char_p, c_void_p)(("PyCapsule_GetName", pythonapi))

#: The structures that capsules point to, by address.
_in_capsules: dict[int, Any] = {}


def capsule_pointer(capsule: Any, name: bytes) -> Any:
    """Return the structure in a capsule of that name. Raises ValueError if it is another one."""
    return _STRUCTURES[name].from_address(_pointer(capsule, name))


def new_capsule(structure: Any, name: bytes) -> Any:
    """Return a capsule of a structure, which is released with it unless it was moved out."""
    address = addressof(structure)
    _in_capsules[address] = structure
    return _new(address, name, _destructor_address)


def _destroy(capsule: int) -> None:
    structure = _in_capsules.pop(_pointer_at(capsule, _name_at(capsule)), None)
    if structure is not None:
        release(structure)


# Callbacks -------------------------------------------------------------------------------------

# An exception that is on its way: type, value and traceback.
_exception = (c_void_p * 3)()
_exception_parts = [byref(_exception, index * sizeof(c_void_p)) for index in range(3)]
# Without argument types, whose check would be the first thing to fail.
_fetch = PYFUNCTYPE(None)(("PyErr_Fetch", pythonapi))


def callback(function: Any, result: Any, *arguments: Any) -> Any:
    """Return the address at which C code can call a function.

    C code may do so while an exception is on its way: a library drops its data while it unwinds.
    Python code cannot run then, nor can it put the exception back for its caller: so that is
    logged, and the caller gets a SystemError. With pyarrow loaded none of this is used.
    """

    def call(
        *arguments: Any,
        # Any other call would fail while there is an exception, and so would a look at a global.
        fetch: Any = _fetch,
        type_at: Any = _exception_parts[0],
        value_at: Any = _exception_parts[1],
        traceback_at: Any = _exception_parts[2],
    ) -> Any:
        fetch(type_at, value_at, traceback_at)
        if _exception[0]:
            _log_exception()
        return function(*arguments)

    return cast(immortal(CFUNCTYPE(result, *arguments)(call)), c_void_p).value


def _log_exception() -> None:
    from logging import getLogger

    parts = [cast(address, py_object).value if address else None for address in _exception]
    for index, address in enumerate(_exception):
        if address:
            _let_go(address)
        _exception[index] = None
    getLogger("pypods").error(
        "this was raised while a library let go of Arrow data, and is lost to its caller",
        exc_info=parts[1] if isinstance(parts[1], BaseException) else None,
    )


# It gets an address and not the object, whose last reference is gone.
_destructor_address = callback(_destroy, None, c_void_p)

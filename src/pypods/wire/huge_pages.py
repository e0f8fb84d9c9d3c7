"""Large copies into new memory, in huge pages; needs ctypes, so loaded late.

The first touch of a page costs the kernel more than its copy. New memory is told to come in huge
pages (madvise(2), MADV_HUGEPAGE), as NumPy does for its arrays. Where that cannot be, it is a copy
like any other.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["copy_block"]

PAGE_BYTES = 4096
MADV_HUGEPAGE = 14


def copy_plainly(mapping: Any, offset: int, length: int) -> bytes:
    """Return a copy of a part of a mapping."""
    copied: bytes = mapping[offset : offset + length]
    return copied


def _make_copier() -> Callable[[Any, int, int], bytes]:
    if sys.implementation.name != "cpython" or not sys.platform.startswith("linux"):
        return copy_plainly
    try:
        import ctypes

        library = ctypes.CDLL(None)
        advise, copy_memory = library.madvise, library.memcpy
    except (ImportError, OSError, AttributeError):
        return copy_plainly
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    copy_memory.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    copy_memory.restype = ctypes.c_void_p
    # Prototypes of our own: the attributes of ctypes.pythonapi are everybody's.
    new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
        ("PyBytes_FromStringAndSize", ctypes.pythonapi)
    )
    address_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(
        ("PyBytes_AsString", ctypes.pythonapi)
    )

    def copy_into_huge_pages(mapping: Any, offset: int, length: int) -> bytes:
        copied: bytes = new_bytes(None, length)
        start = address_of(copied)
        first = -(-start // PAGE_BYTES) * PAGE_BYTES
        advise(first, (start + length - first) // PAGE_BYTES * PAGE_BYTES, MADV_HUGEPAGE)
        source = ctypes.c_char.from_buffer(mapping, offset)
        copy_memory(start, ctypes.addressof(source), length)  # Other threads run meanwhile.
        return copied

    return copy_into_huge_pages


#: Return a copy of a part of a mapping: ``copy_block(mapping, offset, length)``.
copy_block = _make_copier()

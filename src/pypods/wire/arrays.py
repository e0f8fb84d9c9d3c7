"""NumPy's arrays and scalars to a kind and a content and back; needs no NumPy to pass them on.

====  ====================  =============================================
kind  type                  content
====  ====================  =============================================
A     numpy.ndarray         document: dtype, shape, order ("C", "F"), data
g     a scalar of NumPy     document: dtype, data
====  ====================  =============================================

A dtype is a text such as ``<f8``, ``|S5`` or ``<M8[ns]``; a subarray is the array of a dtype and a
shape; a structure is a document of names, formats, offsets, titles, itemsize and aligned. Nothing
else is one: it is checked here, before NumPy sees it. Where NumPy cannot be imported the value
arrives as :class:`ArrayValue` or :class:`ScalarValue`, and is the real thing again on a side that
has it.
"""

from __future__ import annotations

import sys
from struct import Struct

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.buffers import Reference, as_view, check_inline, check_shape, place
from pypods.wire.context import SHARED_MINIMUM_BYTES, current
from pypods.wire.installed import find_library
from pypods.wire.pieces import LARGE_BYTES, InlineBinary

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "STRUCT_CODES",
    "ArrayValue",
    "ScalarValue",
    "find_numpy",
    "native_bytes",
    "rebuild_ndarray",
    "rebuild_scalar",
    "reduce_ndarray",
]

MAX_ITEM_BYTES = 2**31 - 1
MAX_FIELDS = 4096
MAX_DTYPE_DEPTH = 16
_KINDS = frozenset("biufcmMSUV")
_STRUCTURE_KEYS = ["names", "formats", "offsets", "titles", "itemsize", "aligned"]
STRUCT_CODES = {
    "b1": "?",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "c8": "ff",
    "c16": "dd",
}


#: Dtypes without fields that were described, and such descriptions that were checked.
_known_texts: dict[Any, str] = {}
_known_dtypes: dict[str, Any] = {}
MAX_KNOWN = 256


# Stand-ins -------------------------------------------------------------------------------------


class ArrayValue:
    """An array on a side without NumPy: its dtype's description, shape, order and bytes."""

    __slots__ = ("data", "dtype", "order", "shape")

    def __init__(self, dtype: Any, shape: tuple[int, ...], order: str, data: memoryview) -> None:
        self.dtype = dtype
        self.shape = shape
        self.order = order
        #: The items in this order, as a view of bytes; it keeps them where they are.
        self.data = data

    @property
    def nbytes(self) -> int:
        """How many bytes the items take."""
        return self.data.nbytes

    def tobytes(self) -> bytes:
        """Return the items' bytes, in this value's order."""
        return self.data.tobytes()

    def __eq__(self, other: object) -> bool:
        if type(other) is not ArrayValue:
            return NotImplemented
        return (self.dtype, self.shape, self.order) == (
            other.dtype,
            other.shape,
            other.order,
        ) and self.data == other.data

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<array {self.dtype} {self.shape} without NumPy>"


class ScalarValue:
    """A NumPy scalar on a side without NumPy; ``item`` returns what Python has for it."""

    __slots__ = ("data", "dtype")

    def __init__(self, dtype: Any, data: bytes) -> None:
        self.dtype = dtype
        self.data = data

    def item(self) -> Any:
        """Return the nearest of Python's own values. Raises TypeError where there is none."""
        dtype = self.dtype if isinstance(self.dtype, str) else ""
        order, kind = dtype[:1], dtype[1:2]
        if kind == "S":
            return self.data
        if kind == "U":
            encoding = "utf-32-be" if order == ">" else "utf-32-le"
            return self.data.decode(encoding, "surrogatepass")
        codes = STRUCT_CODES.get(dtype[1:])
        if codes is None:
            raise TypeError(f"without NumPy there is no value of dtype {self.dtype}")
        parts = Struct((">" if order == ">" else "<") + codes).unpack(self.data)
        return complex(*parts) if kind == "c" else parts[0]

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __eq__(self, other: object) -> bool:
        if type(other) is not ScalarValue:
            return NotImplemented
        return bool((self.dtype, self.data) == (other.dtype, other.data))

    def __hash__(self) -> int:
        return hash((str(self.dtype), self.data))

    def __repr__(self) -> str:
        return f"<scalar {self.dtype} {self.data!r:.40} without NumPy>"


# Reducing --------------------------------------------------------------------------------------


def reduce_ndarray(value: Any) -> Any:
    """Return kind and content of an array; what is not contiguous is made so."""
    description = _describe(value.dtype)
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return b"A", {
        "dtype": description,
        "shape": list(value.shape),
        "order": order,
        "data": _place_array(value, order),
    }


def _place_array(value: Any, order: str) -> Any:
    length = value.nbytes
    parcel = current.arena
    if parcel is not None and length >= SHARED_MINIMUM_BYTES:
        handed = _hand_on(parcel, value)
        if handed is not None:
            return Reference(handed)
        block = parcel.reserve(length)
        if block is not None:
            numpy = sys.modules["numpy"]
            mapping, offset = block[2], block[1]
            if value.flags.forc:
                # That is one memcpy, without Python's lock, whatever the dtype.
                target = numpy.frombuffer(mapping, numpy.uint8, length, offset)
                numpy.copyto(target, native_bytes(value, order))
            else:
                numpy.copyto(numpy.ndarray(value.shape, value.dtype, mapping, offset), value)
            return Reference(parcel.refer(b"v", block, length))
    check_inline(length)
    if length >= LARGE_BYTES and value.flags.forc:
        return InlineBinary(memoryview(native_bytes(value, order)))
    return value.tobytes(order)


def native_bytes(value: Any, order: str) -> Any:
    """Return a contiguous array's own memory as an array of bytes."""
    return (value if order == "C" else value.T).reshape(-1).view(sys.modules["numpy"].uint8)


def _hand_on(parcel: Any, value: Any) -> Any:
    """Return what refers to the memory of an array that looks into what was lent, else None."""
    if value.flags.writeable or not value.flags.forc:
        return None
    return parcel.hand_on(value, value.nbytes, value.__array_interface__["data"][0])


def reduce_scalar(value: Any) -> Any:
    """Return kind and content of a NumPy scalar."""
    # NumPy's own bytes of a text lack zeros at its end, and those of an empty one have a character.
    if isinstance(value, str):
        dtype, data = f"<U{len(value)}", value.encode("utf-32-le", "surrogatepass")
    elif isinstance(value, bytes):
        dtype, data = f"|S{len(value)}", bytes(value)
    else:
        dtype, data = _describe(value.dtype), value.tobytes()
    return b"g", {"dtype": dtype, "data": place(data, len(data))}


def reduce_array_value(value: Any) -> Any:
    """Return kind and content of what stands in for an array."""
    return b"A", {
        "dtype": value.dtype,
        "shape": list(value.shape),
        "order": value.order,
        "data": place(value.data, value.data.nbytes),
    }


def reduce_scalar_value(value: Any) -> Any:
    """Return kind and content of what stands in for a scalar."""
    return b"g", {"dtype": value.dtype, "data": value.data}


def _describe(dtype: Any) -> Any:
    """Return the description of a dtype. Raises ValueTransferError where it has none."""
    known = _known_texts.get(dtype)
    if known is not None:
        return known
    if dtype.hasobject:
        raise ValueTransferError(
            f"an array of dtype {dtype} cannot cross by value: it holds Python objects; "
            "pass a list, or an array of another dtype"
        )
    description = _describe_part(dtype)
    numpy = sys.modules["numpy"]
    try:
        _check_dtype(description)
        same = description is not None and _build_dtype(numpy, description) == dtype
    except (ProtocolError, TypeError, ValueError):
        same = False
    if not same:
        raise ValueTransferError(f"an array of dtype {dtype!r:.200} cannot cross by value")
    if type(description) is str and len(_known_texts) < MAX_KNOWN:
        _known_texts[dtype] = description
    return description


def _describe_part(dtype: Any) -> Any:
    numpy = sys.modules["numpy"]
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_describe_part(base), list(shape)]
    if dtype.names is None:
        return dtype.str if dtype.kind in _KINDS else None
    if dtype.type is not numpy.void:
        return None
    fields = [dtype.fields[name] for name in dtype.names]
    titles = [field[2] if len(field) > 2 else None for field in fields]
    return {
        "names": list(dtype.names),
        "formats": [_describe_part(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": titles if any(title is not None for title in titles) else None,
        "itemsize": dtype.itemsize,
        "aligned": bool(dtype.isalignedstruct),
    }


# Checking --------------------------------------------------------------------------------------


def _check_dtype(description: Any) -> int:
    """Return the item size of a dtype's description. Raises ProtocolError for what is none."""
    if type(description) is str:
        known = _known_dtypes.get(description)
        if known is not None:
            size: int = known.itemsize
            return size
    return _check_part(description, 0, [MAX_FIELDS])


def _check_part(description: Any, depth: int, budget: list[int]) -> int:
    if type(description) is str:
        size = _check_text(description)
    elif depth >= MAX_DTYPE_DEPTH:
        raise ProtocolError("a dtype is nested too deeply")
    elif type(description) is list and len(description) == 2:
        size = _check_part(description[0], depth + 1, budget) * check_shape(description[1])
    elif type(description) is dict and list(description) == _STRUCTURE_KEYS:
        size = _check_structure(description, depth, budget)
    else:
        raise ProtocolError(f"there is no dtype {description!r:.80}")
    if size > MAX_ITEM_BYTES:
        raise ProtocolError("an item of a dtype takes too many bytes")
    return size


def _check_text(text: str) -> int:
    digits, _, unit = text[2:].partition("[")
    if (
        not text.isascii()
        or len(text) > 40
        or text[:1] not in ("<", ">", "|")
        or text[1:2] not in _KINDS
        or not digits.isdigit()
        or (unit and (text[1] not in "mM" or not unit.endswith("]") or not unit[:-1].isalnum()))
        or (not unit and "[" in text)
    ):
        raise ProtocolError(f"there is no dtype {text!r:.80}")
    return int(digits) * (4 if text[1] == "U" else 1)


def _check_structure(description: Any, depth: int, budget: list[int]) -> int:
    names, formats, offsets, titles, itemsize, aligned = description.values()
    parts = [names, formats, offsets] if titles is None else [names, formats, offsets, titles]
    if any(type(part) is not list or len(part) != len(names) for part in parts):
        raise ProtocolError("a structure's names, formats, offsets and titles do not fit together")
    texts = names if titles is None else names + [title for title in titles if title is not None]
    if any(type(name) is not str for name in texts) or len(set(texts)) != len(texts):
        raise ProtocolError("a structure's names are no texts, or not unique")
    if type(itemsize) is not int or type(aligned) is not bool:
        raise ProtocolError("a structure without itemsize or aligned")
    budget[0] -= len(names)
    if budget[0] < 0:
        raise ProtocolError("a structure of too many fields")
    for part, offset in zip(formats, offsets):
        size = _check_part(part, depth + 1, budget)
        if type(offset) is not int or offset < 0 or offset + size > itemsize:
            raise ProtocolError("a field of a structure lies outside it")
    return max(itemsize, 0)


def _build_dtype(numpy: Any, description: Any) -> Any:
    """Return the dtype of a checked description. Raises TypeError or ValueError."""
    if type(description) is str:
        dtype = _known_dtypes.get(description)
        if dtype is None:
            dtype = numpy.dtype(description)
            if len(_known_dtypes) < MAX_KNOWN:
                _known_dtypes[description] = dtype
        return dtype
    if type(description) is list:
        return numpy.dtype((_build_dtype(numpy, description[0]), tuple(description[1])))
    options = dict(description)
    align = options.pop("aligned")
    if options["titles"] is None:
        del options["titles"]
    options["formats"] = [_build_dtype(numpy, part) for part in options["formats"]]
    return numpy.dtype(options, align=align)


# Rebuilding ------------------------------------------------------------------------------------


def find_numpy() -> Any:
    """Return NumPy where it can be imported, else None."""
    return find_library("numpy")


def rebuild_ndarray(content: Any, classes: Any) -> Any:
    """Return the array of a content, read-only unless asked otherwise, or its stand-in."""
    description, shape, order = content["dtype"], content["shape"], content["order"]
    data = as_view(content["data"], classes)
    if check_shape(shape) * _check_dtype(description) != data.nbytes or order not in ("C", "F"):
        raise ProtocolError("an array's dtype, shape and order do not fit its bytes")
    numpy = find_numpy()
    if numpy is None:
        return ArrayValue(description, tuple(shape), order, data)
    try:
        dtype = _build_dtype(numpy, description)
        return numpy.ndarray(tuple(shape), dtype, data, order=order)
    except (TypeError, ValueError) as exc:
        raise _cannot_arrive(numpy, description, exc) from None


def rebuild_scalar(content: Any, classes: Any) -> Any:  # noqa: ARG001 - the table's signature
    """Return the scalar of a content, or its stand-in."""
    description = content["dtype"]
    data = bytes(content["data"]) if type(content["data"]) is memoryview else content["data"]
    if type(data) is not bytes or _check_dtype(description) != len(data):
        raise ProtocolError("a scalar's dtype does not fit its bytes")
    numpy = find_numpy()
    if numpy is None:
        return ScalarValue(description, data)
    if type(description) is str and description[1] in "SU":
        text = ScalarValue(description, data).item()
        return numpy.bytes_(text) if description[1] == "S" else numpy.str_(text)
    try:
        return numpy.ndarray((), _build_dtype(numpy, description), data)[()]
    except (TypeError, ValueError) as exc:
        raise _cannot_arrive(numpy, description, exc) from None


def _cannot_arrive(numpy: Any, description: Any, exc: Exception) -> ValueTransferError:
    return ValueTransferError(
        f"a value of dtype {description!r:.200} cannot arrive here: NumPy "
        f"{getattr(numpy, '__version__', '?')} refuses it ({exc})"
    )

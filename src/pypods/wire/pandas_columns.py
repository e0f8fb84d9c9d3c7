"""A frame on a side without pandas as Arrow data over the same memory; needs no library.

As pyarrow's ``Table.from_pandas`` has it: each column by its label as a text, then the index unless
it is a range, which is in the metadata alone. Numbers, dates and Arrow's own stay where they are.
"""

from __future__ import annotations

import sys
from array import array as numbers_of
from itertools import accumulate

from pypods.errors import ProtocolError
from pypods.wire.arrays import ArrayValue, native_bytes
from pypods.wire.arrow.nodes import Node
from pypods.wire.arrow.schemas import Field
from pypods.wire.arrow.values import ArrowValue
from pypods.wire.pandas_contents import NOT_A_TIME, UNITS

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, List, Tuple

    from pypods.wire.pandas_stand_ins import PandasValue

    #: A type, and the arrays of it that follow one another.
    Column = Tuple[Field, List[Node]]

__all__ = ["arrow_of"]

NULLABLE, ORDERED = 2, 1
_FORMATS = {
    "i1": "c",
    "u1": "C",
    "i2": "s",
    "u2": "S",
    "i4": "i",
    "u4": "I",
    "i8": "l",
    "u8": "L",
    "f2": "e",
    "f4": "f",
    "f8": "g",
}
_UNIT_LETTERS = {unit: unit[0] for unit in UNITS}
_SWAPPED = ">" if sys.byteorder == "little" else "<"
#: Flags of a byte each to the digits of a bitmap: what is not zero is set, or is not.
_IF_SET = bytes([48]) + bytes([49]) * 255
_UNLESS_SET = bytes([49]) + bytes([48]) * 255


class _Batches(ArrowValue):
    """Arrays that were made here, where others were sent."""

    def __init__(self, origin: str, field: Field, nodes: list[Node]) -> None:
        super().__init__(origin, "stream", field.to_content(), [], trusted=True)
        self._known_field = field
        self._nodes = nodes

    def nodes(self) -> Any:
        """Return the arrays; each of their buffers has its own memory."""
        return iter([(node, memoryview(b"")) for node in self._nodes])


def arrow_of(value: PandasValue) -> ArrowValue:
    """Return a frame, or the values of a series or an index, as Arrow data.

    Raises TypeError, with the column, for what Arrow has no type for.
    """
    if value.type == "DataFrame":
        return _frame(value)
    if value.type not in ("Series", "Index"):
        raise TypeError(f"a {value.type} is no column of Arrow data")
    field, nodes = _column(value.content["values"])
    return _Batches(f"pandas.{value.type}", field, nodes)


def _frame(frame: PandasValue) -> ArrowValue:
    columns: list[Column] = []
    for label, (values, row) in zip(frame.columns, frame.columns_in_order()):
        columns.append(_named(_column, str(label), getattr(values, "content", values), row))
    index_columns = _index(frame.content["index"], columns)
    fields = [field for field, _ in columns]
    whole = Field("+s", "", 0, _metadata(index_columns), fields, None)
    return _Batches("pandas.DataFrame", whole, _batches(whole, columns, frame.shape[0]))


def _named(make: Any, name: str, *arguments: Any) -> Column:
    try:
        field, nodes = make(*arguments)
    except (TypeError, UnicodeEncodeError) as exc:
        raise TypeError(f"column {name!r:.80}: {exc}") from None
    field.name = name.replace("\0", "")
    return field, nodes


def _batches(whole: Field, columns: list[Column], rows: int) -> list[Node]:
    """Return the batches: a new one wherever a column has a new array."""
    ends = {0, rows}
    for _, nodes in columns:
        lengths = list(accumulate(node.length for node in nodes))
        if (lengths[-1] if lengths else 0) != rows:
            raise ProtocolError("a column has more or fewer values than there are rows")
        ends.update(lengths)
    batches = []
    places = sorted(ends)
    for start, end in zip(places, places[1:]) if rows else [(0, 0)]:
        batch = Node(whole, end - start, 0, 0)
        batch.buffers = [None]
        batch.children = [_part(nodes, start, end) for _, nodes in columns if nodes]
        if len(batch.children) == len(columns):
            batches.append(batch)
    return batches


def _part(nodes: list[Node], start: int, end: int) -> Node:
    """Return the items from a row to another, which one array has."""
    first = 0
    for node in nodes:
        if first <= start and end <= first + node.length:
            break
        first += node.length
    length = end - start
    if length == node.length:
        return node
    nulls = length if node.field.format == "n" else -1 if node.null_count else 0
    part = Node(node.field, length, nulls, node.offset + start - first)
    part.buffers, part.children, part.dictionary = node.buffers, node.children, node.dictionary
    return part


# The index -------------------------------------------------------------------------------------


def _index(index: PandasValue, columns: list[Column]) -> list[Any]:
    """Add the columns of an index, and return what the metadata say of it."""
    content = index.content
    if index.type == "RangeIndex":
        numbers = {name: content[name] for name in ("start", "stop", "step")}
        return [{"kind": "range", "name": _text_or_none(content["name"]), **numbers}]
    taken = {field.name for field, _ in columns}
    if index.type == "Index":
        levels: list[Any] = [(content["name"], _column, (content["values"],))]
    else:
        parts = zip(content["names"], content["levels"], content["codes"])
        levels = [(name, _level, (level, codes)) for name, level, codes in parts]
    described = []
    for number, (name, make, arguments) in enumerate(levels):
        label = str(name)
        if name is None or label in taken:
            label = f"__index_level_{number}__"
        taken.add(label)
        columns.append(_named(make, label, *arguments))
        described.append({"name": _text_or_none(name), "field_name": label})
    return described


def _text_or_none(name: Any) -> str | None:
    return None if name is None else str(name)


def _metadata(index_columns: list[Any]) -> list[bytes]:
    """Return what pyarrow reads to have the index again: key and value."""
    import json

    unknown = {"pandas_type": "empty", "numpy_type": "object", "metadata": None}
    document = {
        "index_columns": [each.get("field_name", each) for each in index_columns],
        "column_indexes": [],
        "columns": [{**each, **unknown} for each in index_columns if "field_name" in each],
        "creator": {"library": "pypods", "version": ""},
        "pandas_version": "",
    }
    return [b"pandas", json.dumps(document).encode()]


def _level(level: PandasValue, codes: Any) -> Column:
    """Return a level of a MultiIndex, item by item."""
    if level.type == "RangeIndex":
        numbers = numbers_of("q", level.tolist())
        column = _numbers("<i8", memoryview(numbers).cast("B"))
    else:
        column = _column(level.content["values"])
    field, nodes = column
    family = field.layout.family
    if len(nodes) != 1 or family not in ("fixed", "binary") or nodes[0].dictionary is not None:
        raise TypeError("a level of an index of several keys is neither numbers, dates nor texts")
    places = _code_list(codes, len(level))
    pick = _pick_fixed if family == "fixed" else _pick_joined
    validity = nodes[0].buffers[0]
    offset = nodes[0].offset
    flags = bytes(
        place >= 0
        and (validity is None or validity[(offset + place) >> 3] >> (offset + place & 7) & 1)
        for place in places
    )
    buffers = pick(field, nodes[0], places)
    return _made(field, len(places), _bitmap(flags, _IF_SET) if 0 in flags else None, *buffers)


def _pick_fixed(field: Field, node: Node, places: list[int]) -> list[Any]:
    width = field.layout.width
    data = bytes(node.buffers[1])[node.offset * width :]
    items = [data[start : start + width] for start in range(0, node.length * width, width)]
    items.append(bytes(width))  # Of those that are missing, whose place is -1.
    return [b"".join([items[place] for place in places])]


def _pick_joined(field: Field, node: Node, places: list[int]) -> list[Any]:
    code = "i" if field.layout.width == 4 else "q"
    offsets = _as_numbers(node.buffers[1], code)[node.offset :]
    data = b"" if node.buffers[2] is None else bytes(node.buffers[2])
    items = [data[offsets[place] : offsets[place + 1]] for place in range(node.length)]
    items.append(b"")
    picked = [items[place] for place in places]
    return [_offsets(map(len, picked), code), b"".join(picked)]


# Columns ---------------------------------------------------------------------------------------


def _made(field: Field, length: int, *buffers: Any) -> Column:
    # How many are null is counted by whoever wants to know.
    node = Node(field, length, 0 if buffers and buffers[0] is None else -1, 0)
    node.buffers = list(buffers)
    return field, [node]


def _type(text: str) -> Field:
    return Field(text, "", NULLABLE, None, [], None)


def _bitmap(flags: Any, digits: bytes) -> bytes:
    """Return flags of a byte each as bits, the first one lowest."""
    count = len(flags)
    if not count:
        return b""
    return int(bytes(flags)[::-1].translate(digits), 2).to_bytes((count + 7) // 8, "little")


def _as_numbers(data: Any, code: Any) -> Any:
    view: Any = memoryview(data)
    return view.cast(code)


def _offsets(lengths: Any, code: str = "q") -> bytes:
    return numbers_of(code, [0, *accumulate(lengths)]).tobytes()


def _column(values: Any, row: int | None = None) -> Column:
    """Return an array, or the content of one of pandas' own, as a column."""
    if type(values) is not dict:
        return _numbers(*_items(values, row))
    make = _COLUMNS.get(values["type"])
    if make is None:
        raise TypeError(f"Arrow has no type for {values['type']}")
    column: Column = make(values)
    return column


def _items(values: Any, row: int | None) -> tuple[Any, Any]:
    """Return dtype and bytes of an array, or of one of its rows."""
    if type(values) is not ArrayValue:  # NumPy's, where there is NumPy and no pandas.
        numpy = sys.modules["numpy"]
        array = numpy.ascontiguousarray(values if row is None else values[row])
        return array.dtype.str, memoryview(native_bytes(array, "C"))
    data = values.data
    if row is None or not data.nbytes:
        return values.dtype, data
    count, height = values.shape
    size = data.nbytes // (count * height)
    if values.order == "C":
        return values.dtype, data[row * height * size : (row + 1) * height * size]
    code: Any = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(size)
    if code is None:
        raise TypeError(f"Arrow has no type for dtype {values.dtype}")
    return values.dtype, memoryview(data.cast(code)[row::count].tobytes())


def _numbers(dtype: Any, data: Any, zone: str = "") -> Column:
    kind = dtype[1:] if type(dtype) is str else ""
    unit = _UNIT_LETTERS.get(kind[3:-1]) if kind[:2] in ("M8", "m8") else None
    if kind == "b1":
        return _made(_type("b"), len(data), None, _bitmap(data, _IF_SET))
    if unit is not None:
        text = f"ts{unit}:{zone}" if kind[0] == "M" else f"tD{unit}"
    elif kind in _FORMATS:
        text = _FORMATS[kind]
    else:
        raise TypeError(f"Arrow has no type for dtype {dtype}")
    field = _type(text)
    if dtype[0] == _SWAPPED:
        swapped = numbers_of({1: "B", 2: "H", 4: "I", 8: "Q"}[field.layout.width], data.tobytes())
        swapped.byteswap()
        data = memoryview(swapped).cast("B")
    validity = None if unit is None else _validity_of_times(data)
    return _made(field, len(data) // field.layout.width, validity, data)


def _validity_of_times(data: Any) -> bytes | None:
    """Return which of some dates there are, None for all of them."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        there = numpy.frombuffer(data, "i8") != NOT_A_TIME
        return None if there.all() else numpy.packbits(there, bitorder="little").tobytes()
    numbers = data.cast("q").tolist()
    if NOT_A_TIME not in numbers:
        return None
    return _bitmap(bytes(number != NOT_A_TIME for number in numbers), _IF_SET)


def _masked(content: Any) -> Column:
    field, (node,) = _numbers(*_items(content["values"], None))
    if content["mask"] is not None:
        _, flags = _items(content["mask"], None)
        if len(flags) != node.length:
            raise ProtocolError("an array and its mask are not of one length")
        node.buffers[0] = _bitmap(flags, _UNLESS_SET)
        node.null_count = -1
    return field, [node]


def _objects(content: Any) -> Column:
    values, missing = content["values"], content["missing"]
    types = set(map(type, values))
    validity = None if missing is None else _bitmap(missing, _UNLESS_SET)
    count = len(values) if missing is None else len(missing)
    if not types:
        field, node = _type("n"), Node(_type("n"), count, count, 0)
        return field, [node]
    if types == {str}:
        return _joined(_type("U"), values, missing, validity)
    if types == {bytes}:
        return _joined(_type("Z"), values, missing, validity)
    names = " and ".join(sorted(cls.__name__ for cls in types))
    raise TypeError(f"objects of type {names} are not sent as Arrow data")


def _text(content: Any) -> Column:
    values = content["values"]
    if type(values) is not list:
        return _arrow(content)
    missing = bytes(value is None for value in values)
    if 1 not in missing:
        return _joined(_type("U"), values, None, None)
    present = [value for value in values if value is not None]
    return _joined(_type("U"), present, missing, _bitmap(missing, _UNLESS_SET))


def _joined(field: Field, present: list[Any], missing: Any, validity: Any) -> Column:
    """Return a column of texts or bytes; ``missing`` says where there is none."""
    encoded = [value.encode() for value in present] if field.format == "U" else present
    lengths = list(map(len, encoded))
    if missing is not None:
        each = iter(lengths)
        lengths = [0 if code else next(each) for code in missing]
    return _made(field, len(lengths), validity, _offsets(lengths), b"".join(encoded))


def _categorical(content: Any) -> Column:
    categories = content["categories"]
    if categories.type != "Index":
        numbers = numbers_of("q", categories.tolist())
        inside, nodes = _numbers("<i8", memoryview(numbers).cast("B"))
    else:
        inside, nodes = _column(categories.content["values"])
    if len(nodes) != 1:
        raise TypeError("the categories are Arrow data in several parts")
    # Another process may change the codes after they were looked at: these are our own.
    codes = numbers_of("q", _code_list(content["codes"], len(categories)))
    flags = NULLABLE | (ORDERED if content["ordered"] else 0)
    field = Field("l", "", flags, None, [], inside)
    validity = None
    if codes and min(codes) < 0:
        validity = _bitmap(bytes(code >= 0 for code in codes), _IF_SET)
    field, (node,) = _made(field, len(codes), validity, codes.tobytes())
    node.dictionary = nodes[0]
    return field, [node]


def _code_list(codes: Any, limit: int) -> list[int]:
    dtype, data = _items(codes, None)
    code = {"i1": "b", "i2": "h", "i4": "i", "i8": "q"}.get(dtype[1:])
    if code is None or dtype[0] == _SWAPPED:
        raise TypeError(f"Arrow has no type for codes of dtype {dtype}")
    places: list[int] = _as_numbers(data, code).tolist()
    if places and not -1 <= min(places) <= max(places) < limit:
        raise ProtocolError("a code is out of range")
    return places


def _zoned(content: Any) -> Column:
    zone = content["zone"]
    if zone[:1] in (b"k", b"p", b"z"):
        name = zone[1:].decode("ascii")
    else:
        minutes, rest = divmod(int.from_bytes(zone[1:9], "little", signed=True), 60_000_000)
        if rest or zone[:1] not in (b"o", b"n"):
            raise TypeError("a zone whose offset is not whole minutes has no name in Arrow")
        sign = "-" if minutes < 0 else "+"
        name = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "UTC"
    return _numbers(*_items(content["values"], None), name)


def _arrow(content: Any) -> Column:
    value = content["values"]
    field = Field(*_unnamed(value.field))
    return field, [_resolved(node, data) for node, data in value.nodes()]


def _unnamed(field: Field) -> list[Any]:
    return [
        field.format,
        "",
        NULLABLE | field.flags,
        field.metadata,
        field.children,
        field.dictionary,
    ]


def _resolved(node: Node, data: Any) -> Node:
    """Give each buffer of an array its own memory, in place of where it is in the data."""
    node.buffers = [
        data[buffer[0] : buffer[0] + buffer[1]] if type(buffer) is tuple else buffer
        for buffer in node.buffers
    ]
    for child in node.children:
        _resolved(child, data)
    if node.dictionary is not None:
        _resolved(node.dictionary, data)
    return node


_COLUMNS = {
    "objects": _objects,
    "text": _text,
    "arrow": _arrow,
    "masked": _masked,
    "categorical": _categorical,
    "zoned": _zoned,
}

"""What stands for an object of pandas where there is no pandas; it needs no NumPy either.

The types and their contents are described in :mod:`pypods.wire.pandas_values`.
"""

from __future__ import annotations

import struct
import sys
from math import nan

from pypods.errors import ProtocolError
from pypods.wire.arrays import STRUCT_CODES, ArrayValue, ScalarValue
from pypods.wire.pandas_arrow import chunked_of
from pypods.wire.pandas_contents import (
    ARRAYS,
    INDEXES,
    MISSING,
    NOT_A_TIME,
    UNITS,
    check_blocks,
    check_content,
)
from pypods.wire.rebuilding import rebuild_zone

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PandasValue"]


class PandasValue:
    """An object of pandas on a side without it, as its ``content``, whose ``type`` says what.

    A frame hands out its columns, ``value["price"]``, as lists of plain values, and a series or an
    index its items, ``value.tolist()``. What is missing is None there, NaN aside. A date that
    Python's own do not hold is a stand-in as well. With pandas it is the real thing again.
    """

    __slots__ = ("content",)

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    @property
    def type(self) -> str:
        """What it is: DataFrame, Series, Index, Timestamp and so on."""
        name: str = self.content["type"]
        return name

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows, and of a frame how many columns. Raises TypeError for a scalar."""
        content, kind = self.content, self.type
        if kind == "DataFrame":
            return (len(content["index"]), len(content["columns"]))
        if kind == "RangeIndex":
            return (len(range(content["start"], content["stop"], content["step"])),)
        if kind == "objects" and content["missing"] is not None:
            return (len(content["missing"]),)
        for name in ("values", "codes", "left", "index"):
            if name in content and kind != "Interval":
                part = _part(content[name][0] if kind == "MultiIndex" else content[name])
                return tuple(part.shape) if hasattr(part, "shape") else (len(part),)
        raise TypeError(f"a {kind} has no length")

    def __len__(self) -> int:
        return self.shape[0]

    # Else it would be false where it is empty, and no scalar could be asked.
    def __bool__(self) -> bool:
        return True

    @property
    def columns(self) -> list[Any]:
        """The labels of a frame's columns."""
        labels: list[Any] = self.content["columns"].tolist()
        return labels

    @property
    def index(self) -> list[Any]:
        """The labels of the rows of a frame or series."""
        labels: list[Any] = self.content["index"].tolist()
        return labels

    @property
    def dtypes(self) -> list[str]:
        """The names of the dtypes of a frame's columns, in order."""
        return [_dtype_name(values) for values, _ in self.columns_in_order()]

    def __getitem__(self, label: Any) -> Any:
        if self.type != "DataFrame":
            return self.tolist()[label]
        positions = [place for place, each in enumerate(self.columns) if each == label]
        if len(positions) != 1:
            raise KeyError(label)
        values, row = self.columns_in_order()[positions[0]]
        return _plain(values, row)

    def tolist(self) -> list[Any]:
        """Return the items of a series, an index or an array; of a frame its rows, as tuples."""
        content, kind = self.content, self.type
        if kind == "DataFrame":
            return list(zip(*(_plain(values, row) for values, row in self.columns_in_order())))
        if kind == "RangeIndex":
            return list(range(content["start"], content["stop"], content["step"]))
        if kind == "MultiIndex":
            parts = zip(content["levels"], content["codes"])
            return list(zip(*(_pick(level.tolist(), _plain(codes)) for level, codes in parts)))
        if kind in ("Series", "Index"):
            return _plain(_part(content["values"]))
        if kind == "array":
            return content["index"].tolist()  # type: ignore[no-any-return]
        if kind in ARRAYS:
            return _plain_array(kind, content)
        raise TypeError(f"a {kind} has no items")

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of a frame, or of the values of a series or an index, as Arrow data.

        So ``pyarrow.table``, ``polars.DataFrame`` and duckdb take a frame without pandas, and its
        numbers without a copy. Raises TypeError, with the column, for what Arrow has no type for.
        """
        from pypods.wire.pandas_columns import arrow_of

        return arrow_of(self).__arrow_c_stream__(requested_schema)

    def item(self) -> Any:
        """Return the datetime, timedelta or None that a scalar is, or itself if it is none."""
        content, kind = self.content, self.type
        if kind in ("NaT", "NA"):
            return None
        if kind in ("Timestamp", "Timedelta"):
            zone = content.get("zone", b"")
            unit, (number,) = _moments(content["value"])
            value = _moment(kind, unit, number, zone)
            if type(value) is PandasValue:
                return self
            return value.replace(fold=1) if content.get("fold") and not zone else value
        return self

    def columns_in_order(self) -> list[tuple[Any, int | None]]:
        """Return the values of each column of a frame, and which row of them it is."""
        places: dict[int, tuple[Any, int | None]] = {}
        for positions, part in self.content["blocks"]:
            values = _part(part)
            for row, position in enumerate(positions):
                places[position] = values, row if len(values.shape) == 2 else None
        return [places[position] for position in range(len(places))]

    def _encoded(self) -> bytes:
        from pypods.wire.documents import encode_document

        return encode_document({"value": self})

    def __eq__(self, other: object) -> bool:
        if type(other) is not PandasValue:
            return NotImplemented
        return self._encoded() == other._encoded()

    def __hash__(self) -> int:
        if "value" in self.content or len(self.content) == 1 or self.type in ("Period", "Interval"):
            return hash(self._encoded())
        raise TypeError(f"a {self.type} is not hashable")

    def __repr__(self) -> str:
        kind = self.type
        if kind == "DataFrame":
            rows, count = self.shape
            names = [f"{each!r} {dtype}" for each, dtype in zip(self.columns, self.dtypes[:8])]
            shown = ", ".join([*names, *(["…"] if count > len(names) else [])])
            return f"<DataFrame of {rows} rows: {shown}; without pandas>"
        if "index" in self.content or kind in INDEXES or kind in ARRAYS:
            values = _part(self.content.get("values"))
            dtype = "" if values is None or type(values) is list else _dtype_name(values) + " "
            return f"<{kind} of {len(self)} {dtype}items, without pandas>"
        inside = {name: each for name, each in self.content.items() if name != "type"}
        return f"<{kind} {inside!r:.80} without pandas>"

    def check(self) -> None:
        """Raise ProtocolError where the parts do not fit together."""
        content, kind = self.content, self.type
        if kind == "DataFrame":
            _expect(content["index"], INDEXES)
            _expect(content["columns"], INDEXES)
            blocks = [[places, _expect_values(values)] for places, values in content["blocks"]]
            check_blocks(blocks, len(content["columns"]), len(content["index"]))
        elif kind in ("Series", "Index"):
            values = _expect_values(content["values"], dimensions=1)
            if kind == "Series":
                _expect(content["index"], INDEXES)
                _same_length(values, content["index"])
        elif kind == "MultiIndex":
            _check_levels(content)
        elif kind == "array":
            _expect(content["index"], INDEXES)
        elif kind in ("Timestamp", "Timedelta"):
            _moments(content["value"])
        elif kind == "masked":
            _expect_array(content["values"])
            if content["mask"] is not None:
                _expect_array(content["mask"])
                _same_length(content["values"], content["mask"])
        elif kind == "categorical":
            _expect_array(content["codes"])
            _expect(content["categories"], INDEXES)
            _check_codes(content["codes"], content["categories"])
        elif kind in ("zoned", "periods"):
            _expect_array(content["values"])
            if kind == "zoned":
                _moments(content["values"])
        elif kind == "intervals":
            _expect(content["left"], INDEXES)
            _expect(content["right"], INDEXES)
            _same_length(content["left"], content["right"])


def _expect(part: Any, kinds: frozenset[str]) -> None:
    if type(part) is not PandasValue or part.type not in kinds:
        raise ProtocolError("a part of an object of pandas is of a wrong type")


def _is_array(part: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return type(part) is ArrayValue or (numpy is not None and type(part) is numpy.ndarray)


def _expect_array(part: Any) -> None:
    if not _is_array(part) or len(part.shape) != 1:
        raise ProtocolError("an array of an object of pandas is none, or not of one dimension")


def _expect_values(part: Any, dimensions: int = 2) -> Any:
    """Return values that are right in themselves, as what has a shape."""
    if type(part) is dict:
        if check_content(part) not in ARRAYS:
            raise ProtocolError("values of a type that is none of values")
        value = PandasValue(part)
        value.check()
        return value
    if not _is_array(part) or not 1 <= len(part.shape) <= dimensions:
        raise ProtocolError("values are no array, or of too many dimensions")
    return part


def _part(values: Any) -> Any:
    return PandasValue(values) if type(values) is dict else values


def _same_length(one: Any, other: Any) -> None:
    if one.shape[0] != other.shape[0]:
        raise ProtocolError("the parts of an object of pandas are not of one length")


def _check_codes(codes: Any, choices: PandasValue) -> None:
    numbers = _plain(codes)
    if numbers and (
        type(numbers[0]) is not int or min(numbers) < -1 or max(numbers) >= len(choices)
    ):
        raise ProtocolError("a code is out of range")


def _check_levels(content: Any) -> None:
    levels, codes = content["levels"], content["codes"]
    if not levels or len(levels) != len(codes) or len(levels) != len(content["names"]):
        raise ProtocolError("an index's levels, codes and names do not fit together")
    for level, numbers in zip(levels, codes):
        _expect(level, INDEXES)
        _expect_array(numbers)
        _same_length(numbers, codes[0])
        _check_codes(numbers, level)


# Plain values ----------------------------------------------------------------------------------


def _plain(values: Any, row: int | None = None) -> list[Any]:
    """Return the items of an array, or of one of its rows."""
    if type(values) is PandasValue:
        return values.tolist()
    if type(values) is not ArrayValue:  # NumPy's, where there is NumPy and no pandas.
        array = values if row is None else values[row]
        values, row = (
            ArrayValue(array.dtype.str, array.shape, "C", memoryview(array.tobytes())),
            None,
        )
    if type(values.dtype) is str and values.dtype[1:2] in "mM":
        unit, numbers = _moments(values)
        kind = "Timestamp" if values.dtype[1] == "M" else "Timedelta"
        items = [_moment(kind, unit, number) for number in numbers]
    else:
        items = _numbers(values)
    if row is None:
        return items
    height = values.shape[1]
    return (
        items[row * height : (row + 1) * height]
        if values.order == "C"
        else items[row :: values.shape[0]]
    )


def _numbers(values: ArrayValue) -> list[Any]:
    dtype = values.dtype if type(values.dtype) is str else ""
    code = STRUCT_CODES.get(dtype[1:])
    if code is None:
        raise TypeError(f"without NumPy there are no values of dtype {values.dtype}")
    order = ">" if dtype[0] == ">" else "<"
    count = values.nbytes // struct.calcsize(order + code)
    if len(code) == 1:
        return list(struct.unpack(f"{order}{count}{code}", values.data))
    return [complex(*parts) for parts in struct.iter_unpack(order + code, values.data)]


def _moments(value: Any) -> tuple[str, list[int]]:
    """Return the unit and the numbers of an array or a scalar of dates or durations."""
    if type(value) is ScalarValue or type(value) is ArrayValue:
        dtype, data = value.dtype, bytes(value.data)
    else:
        dtype, data = value.dtype.str, value.tobytes()
    unit = dtype[4:-1] if type(dtype) is str and dtype[1:4] in ("m8[", "M8[") else ""
    if unit not in UNITS:
        raise ProtocolError(f"there is no date in pandas of dtype {dtype!r:.80}")
    order = ">" if dtype[0] == ">" else "<"
    return unit, list(struct.unpack(f"{order}{len(data) // 8}q", data))


def _moment(kind: str, unit: str, number: int, zone: bytes = b"") -> Any:
    """Return what Python has for a moment, None for none, and else a stand-in."""
    from datetime import datetime, timedelta, timezone

    if number == NOT_A_TIME:
        return None
    microseconds, rest = divmod(number * 10**6, UNITS[unit])
    try:
        if not rest:
            duration = timedelta(microseconds=microseconds)
            if kind == "Timedelta":
                return duration
            if not zone:
                return datetime(1970, 1, 1) + duration  # noqa: DTZ001 - it has no zone
            moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + duration
            return moment.astimezone(rebuild_zone(b"z" + zone[1:] if zone[:1] in b"kp" else zone))
    except OverflowError:
        pass
    letter = "m" if kind == "Timedelta" else "M"
    value = ScalarValue(f"<{letter}8[{unit}]", struct.pack("<q", number))
    if kind == "Timedelta":
        return PandasValue({"type": kind, "value": value})
    return PandasValue({"type": kind, "value": value, "zone": zone, "fold": 0})


def _plain_array(kind: str, content: Any) -> list[Any]:
    if kind == "objects" and content["missing"] is not None:
        each = iter(content["values"])
        missing = {MISSING["NaN"]: nan}
        return [missing.get(code) if code else next(each) for code in content["missing"]]
    if kind in ("text", "arrow") and type(content["values"]) is not list:
        return _plain_arrow(content["values"])
    if kind in ("objects", "text"):
        return list(content["values"])
    if kind == "masked":
        items, mask = _plain(content["values"]), content["mask"]
        if mask is None:
            return items
        return [None if hidden else item for item, hidden in zip(items, _plain(mask))]
    if kind == "categorical":
        return _pick(content["categories"].tolist(), _plain(content["codes"]))
    if kind == "zoned":
        unit, numbers = _moments(content["values"])
        return [_moment("Timestamp", unit, number, content["zone"]) for number in numbers]
    if kind == "periods":
        return [
            None
            if number == NOT_A_TIME
            else PandasValue({"type": "Period", "ordinal": number, "freq": content["freq"]})
            for number in _plain(content["values"])
        ]
    sides = zip(content["left"].tolist(), content["right"].tolist())
    return [
        None
        if left is None or left != left
        else PandasValue(
            {"type": "Interval", "left": left, "right": right, "closed": content["closed"]}
        )
        for left, right in sides
    ]


def _plain_arrow(value: Any) -> list[Any]:
    from pypods.wire.arrow.items import SIMPLE_FORMATS, items_of

    if value.field.format in SIMPLE_FORMATS and value.field.dictionary is None:
        return items_of(value)
    chunked = chunked_of(value)
    if chunked is None:
        raise TypeError(
            f"without pyarrow there are no plain values of Arrow format {value.field.format!r:.40}"
        )
    items: list[Any] = chunked.to_pylist()
    return items


def _pick(choices: list[Any], codes: list[int]) -> list[Any]:
    return [None if code < 0 else choices[code] for code in codes]


def _dtype_name(values: Any) -> str:
    if type(values) is PandasValue:
        return values.type
    return str(values.dtype)

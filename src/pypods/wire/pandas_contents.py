"""What the content of a pandas object must be, whether or not there is pandas; makes no object.

The types and their contents are described in :mod:`pypods.wire.pandas_values`.
"""

from __future__ import annotations

from pypods.errors import ProtocolError
from pypods.wire.pandas_arrow import check_arrow

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "ARRAYS",
    "INDEXES",
    "MISSING",
    "NOT_A_TIME",
    "OFFSETS",
    "UNITS",
    "check_blocks",
    "check_content",
]

#: What a byte of ``missing`` says; 0 is a value that is there.
MISSING = {"None": 1, "NaN": 2, "NaT": 3, "NA": 4}
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MAX_COUNT = 2**31
#: The value of a missing date.
NOT_A_TIME = -(2**63)

#: The classes of frequencies, and what each is given besides how many and whether normalized.
OFFSETS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(["Day", "Hour", "Minute", "Second", "Milli", "Micro", "Nano"], ()),
    **dict.fromkeys(["BusinessDay", "MonthEnd", "MonthBegin"], ()),
    **dict.fromkeys(["BusinessMonthEnd", "BusinessMonthBegin"], ()),
    **dict.fromkeys(["QuarterEnd", "QuarterBegin", "BQuarterEnd"], ("startingMonth",)),
    "BQuarterBegin": ("startingMonth",),
    **dict.fromkeys(["YearEnd", "YearBegin", "BYearEnd", "BYearBegin"], ("month",)),
    "Week": ("weekday",),
    "WeekOfMonth": ("week", "weekday"),
    "LastWeekOfMonth": ("weekday",),
    **dict.fromkeys(["SemiMonthEnd", "SemiMonthBegin"], ("day_of_month",)),
}

_NONE = type(None)
_ANY = object
_FRAME_FIELDS = {"attrs": dict, "unique_labels": bool}
#: The types of each content's plain fields; ``object`` where it depends.
_FIELDS: dict[str, dict[str, Any]] = {
    "DataFrame": {"index": _ANY, "columns": _ANY, "blocks": list, **_FRAME_FIELDS},
    "Series": {"values": _ANY, "index": _ANY, "name": _ANY, **_FRAME_FIELDS},
    "Index": {"values": _ANY, "name": _ANY, "freq": (list, _NONE)},
    "RangeIndex": {"start": int, "stop": int, "step": int, "name": _ANY},
    "MultiIndex": {"levels": list, "codes": list, "names": list, "sortorder": (int, _NONE)},
    "Timestamp": {"value": _ANY, "zone": bytes, "fold": int},
    "Timedelta": {"value": _ANY},
    "NaT": {},
    "NA": {},
    "Period": {"ordinal": int, "freq": list},
    "Interval": {"left": _ANY, "right": _ANY, "closed": str},
    "array": {"index": _ANY},
    "objects": {"values": list, "missing": (bytes, _NONE)},
    "text": {"values": _ANY, "storage": str, "nan": bool},
    "arrow": {"values": _ANY},
    "masked": {"values": _ANY, "mask": _ANY},
    "categorical": {"codes": _ANY, "categories": _ANY, "ordered": bool},
    "zoned": {"values": _ANY, "zone": bytes},
    "periods": {"values": _ANY, "freq": list},
    "intervals": {"left": _ANY, "right": _ANY, "closed": str},
}
_CLOSED = frozenset({"left", "right", "both", "neither"})
INDEXES = frozenset({"Index", "RangeIndex", "MultiIndex"})
ARRAYS = frozenset(
    {"objects", "text", "arrow", "masked", "categorical", "zoned", "periods", "intervals"}
)


def check_content(content: Any) -> str:
    """Return the type of a content. Raises ProtocolError where its fields are not that type's.

    What is nested in it has been rebuilt by then, and is not looked into.
    """
    kind = content.get("type")
    fields = _FIELDS.get(kind) if type(kind) is str else None
    if fields is None or len(content) != len(fields) + 1:
        raise ProtocolError(f"there is no object of pandas of type {kind!r:.80} and these fields")
    for name, types in fields.items():
        wanted = types if type(types) is tuple else (types,)
        if name not in content or (types is not _ANY and type(content[name]) not in wanted):
            raise ProtocolError(f"the {name} of a {kind} is missing or of a wrong type")
    if content.get("closed", "left") not in _CLOSED:
        raise ProtocolError("an interval is closed on no side that there is")
    if content.get("fold", 0) not in (0, 1):
        raise ProtocolError("a fold is neither 0 nor 1")
    if content.get("freq") is not None:
        _check_freq(content["freq"])
    if kind == "objects" and content["missing"] is not None:
        present = content["missing"].count(0)
        if present != len(content["values"]) or max(content["missing"], default=0) > 4:
            raise ProtocolError("what is missing does not fit what is there")
    if kind == "RangeIndex":
        numbers = content["start"], content["stop"], content["step"]
        if any(not -(2**63) <= number < 2**63 for number in numbers):
            raise ProtocolError("a range of more than 64 bits")
        len(range(*numbers))  # What is no range, or is too long to have a length, ends here.
    if kind in ("text", "arrow"):
        _check_texts(kind, content["values"])
    return str(kind)


def _check_texts(kind: str, values: Any) -> None:
    if kind == "arrow":
        check_arrow(values)
    elif type(values) is not list:
        from pypods.wire.arrow.items import TEXT_FORMATS

        check_arrow(values, TEXT_FORMATS)
    elif not {str, _NONE}.issuperset(map(type, values)):
        raise ProtocolError("a text among texts is none")


def _check_freq(freq: list[Any]) -> None:
    """Check that this is a class of frequencies and what it takes."""
    given = OFFSETS.get(freq[0]) if freq and type(freq[0]) is str else None
    if given is None or len(freq) != 3 + len(given) or type(freq[2]) is not bool:
        raise ProtocolError(f"there is no frequency {freq!r:.80}")
    for number in (freq[1], *freq[3:]):
        # A week on no day of the week is None.
        if type(number) is not int and not (number is None and freq[0] == "Week"):
            raise ProtocolError("what a frequency is given is no number")
        if number is not None and abs(number) >= MAX_COUNT:
            raise ProtocolError("a frequency is too high")


def check_blocks(blocks: list[Any], width: int, height: int) -> None:
    """Check that the blocks have each column once and all rows. Their values have a shape."""
    seen: list[int] = []
    for block in blocks:
        if type(block) is not list or len(block) != 2:
            raise ProtocolError("a block is not positions and values")
        positions, values = block
        positions = list(positions)
        if {int} != set(map(type, positions)):
            raise ProtocolError("a block's positions are no numbers")
        shape = tuple(values.shape)
        if shape != (len(positions), height) and (shape != (height,) or len(positions) != 1):
            raise ProtocolError("a block's positions and shape do not fit the frame")
        seen += positions
    if len(seen) != width or sorted(seen) != list(range(width)):
        raise ProtocolError("the blocks do not have each column once")

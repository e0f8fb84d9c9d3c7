"""What an Arrow format string says of an array's buffers and children; no memory is touched.

The grammar is of https://arrow.apache.org/docs/format/CDataInterface.html#format-strings.
"""

from __future__ import annotations

import re

from pypods.errors import ProtocolError, ValueTransferError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["INDEX_FORMATS", "INLINE_VIEW_BYTES", "Layout", "layout_of"]

_FIXED_BYTES = {
    "c": 1,
    "C": 1,
    "s": 2,
    "S": 2,
    "i": 4,
    "I": 4,
    "l": 8,
    "L": 8,
    "e": 2,
    "f": 4,
    "g": 8,
    "tdD": 4,
    "tdm": 8,
    "tts": 4,
    "ttm": 4,
    "ttu": 8,
    "ttn": 8,
    "tDs": 8,
    "tDm": 8,
    "tDu": 8,
    "tDn": 8,
    "tiM": 4,
    "tiD": 8,
    "tin": 16,
}
_OFFSET_BYTES = {"z": 4, "u": 4, "Z": 8, "U": 8, "+l": 4, "+L": 8, "+m": 4}
_DECIMAL = re.compile(r"d:\d{1,4},-?\d{1,4}(?:,(32|64|128|256))?\Z")
_TIMESTAMP = re.compile(r"ts[smun]:.{0,200}\Z")
_SIZED = re.compile(r"(w|\+w):(\d{1,9})\Z")
_UNION = re.compile(r"\+u([ds]):((?:\d{1,3}(?:,\d{1,3})*)?)\Z")
#: The bytes of a text or binary that lies in its view, see Arrow's "variable-size binary view".
INLINE_VIEW_BYTES = 12
#: How many indices a dictionary's array has room for, by format.
INDEX_FORMATS = frozenset("cCsSiIlL")


class Layout:
    """How an array of one format lies in memory.

    ``family`` is one of null, bool, fixed, binary, view, list, listview, fixedlist, struct,
    dense, sparse, runs. ``width`` is the bytes of an item (fixed), of an offset (binary, list,
    listview), or the items of a list (fixedlist); ``children`` their number, None for any.
    """

    __slots__ = ("children", "family", "type_ids", "width")

    def __init__(
        self,
        family: str,
        width: int = 0,
        children: int | None = 0,
        type_ids: tuple[int, ...] = (),
    ) -> None:
        self.family = family
        self.width = width
        self.children = children
        self.type_ids = type_ids

    @property
    def has_validity(self) -> bool:
        """Whether the first buffer is a bitmap of which items are valid."""
        return self.family not in ("null", "dense", "sparse", "runs")


_OTHERS = {
    "n": Layout("null"),
    "b": Layout("bool"),
    "vz": Layout("view", 16),
    "vu": Layout("view", 16),
    "+vl": Layout("listview", 4, 1),
    "+vL": Layout("listview", 8, 1),
    "+s": Layout("struct", 0, None),
    "+r": Layout("runs", 0, 2),
}
for _format, _width in _FIXED_BYTES.items():
    _OTHERS[_format] = Layout("fixed", _width)
for _format, _width in _OFFSET_BYTES.items():
    _OTHERS[_format] = Layout("list", _width, 1) if _format[0] == "+" else Layout("binary", _width)


def layout_of(text: Any) -> Layout:
    """Return the layout of a format. Raises ValueTransferError for one that is not known."""
    if type(text) is not str:
        raise ProtocolError("an Arrow format is no text")
    known = _OTHERS.get(text)
    if known is not None:
        return known
    if _TIMESTAMP.match(text) and text.isprintable():
        return _OTHERS["l"]
    match = _DECIMAL.match(text)
    if match:
        return Layout("fixed", int(match.group(1) or 128) // 8)
    match = _SIZED.match(text)
    if match:
        width = int(match.group(2))
        return Layout("fixed", width) if match.group(1) == "w" else Layout("fixedlist", width, 1)
    match = _UNION.match(text)
    if match:
        ids = tuple(map(int, match.group(2).split(","))) if match.group(2) else ()
        if len(set(ids)) == len(ids) and all(each < 128 for each in ids):
            family = "dense" if match.group(1) == "d" else "sparse"
            return Layout(family, 0, len(ids), ids)
    raise ValueTransferError(f"an Arrow array of format {text!r:.80} cannot cross")

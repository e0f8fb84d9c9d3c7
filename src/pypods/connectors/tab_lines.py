"""Columns of texts to lines of tab-separated values, as COPY and LOAD DATA read them.

A tab is between values and a line feed behind each row; both, carriage returns and backslashes are
escaped by a backslash where they are part of a value. NULL is a backslash and an N.
"""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["tab_lines"]

NULL = "\\N"
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def tab_lines(columns: Any, *, plain: Any = ()) -> Any:
    """Return a buffer of the lines, in UTF-8, for arrays of texts.

    ``plain`` are the places of columns in which nothing has to be escaped: numbers, say.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

    ready = []
    for at, column in enumerate(columns):
        if at not in plain:
            for pattern, replacement in _ESCAPES:
                column = pc.replace_substring(column, pattern, replacement)
        ready.append(pc.fill_null(column, NULL))
    if not len(ready[0]):
        return pa.py_buffer(b"")
    lines = pc.binary_join_element_wise(*ready, "\t") if len(ready) > 1 else ready[0]
    lines = pc.binary_join_element_wise(lines, "", "\n").cast(pa.large_utf8())
    # The texts of an array lie one behind the other.
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("q")
    start, end = ends[lines.offset], ends[lines.offset + len(lines)]
    return data.slice(start, end - start)

"""Sheets as rows: every cell as text first, then what its column's type is.

A sheet is in memory as a whole while it is read: its size is Excel's limit, not ours. A text of two
quotation marks and nothing else is the empty text, and one of more of them is one mark shorter than
it looks; an empty cell is NULL.
"""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from python_calamine import CalamineWorkbook

from pypods.connectors.errors import (
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
)
from pypods.connectors.text_forms import array_from_text
from pypods.connectors.types import field_from_text

__all__ = ["Sheet", "infer", "read", "sheet_names"]

#: Integers below that are numbers that Excel shows with all their digits.
EXACT_BELOW = 10**15
MIDNIGHT = " 00:00:00"
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - only its clock is used


def open_workbook(store, path):
    """Open a workbook. Raises DataError for a file that is none."""
    try:
        return CalamineWorkbook.from_path(store.resolve(path))
    except OSError:
        raise
    except Exception as exc:  # noqa: BLE001 - its errors have no common class in all versions
        raise DataError(f"{path} is no workbook that can be read: {exc}") from None


def sheet_names(store, path):
    """Return the names of a workbook's sheets."""
    workbook = open_workbook(store, path)
    try:
        return list(workbook.sheet_names)
    finally:
        workbook.close()


class Sheet:
    """One sheet of a workbook: its names, and its rows of cells."""

    def __init__(self, source, path, declared):
        self.source = source
        self.path = path
        self.has_header = source.settings["header"]
        workbook = open_workbook(source.store, path)
        try:
            self.name = self._choose(workbook.sheet_names, source.stream.inner)
            sheet = workbook.get_sheet_by_name(self.name)
            start = sheet.start or (0, 0)
            # Without a header an empty first column is one; with one, what is left of the names
            # is no part of the table.
            self.rows = sheet.to_python(skip_empty_area=bool(self.has_header))
        finally:
            workbook.close()
        self.first_line = (start[0] if self.has_header else 0) + 1
        self.first_column = start[1] if self.has_header else 0
        self.names = self._names(declared)
        if self.has_header:
            self.rows = self.rows[1:]
            self.first_line += 1

    def _choose(self, names, wanted):
        if wanted is None:
            if len(names) == 1:
                return names[0]
            shown = ", ".join(f"{self.path}/{name}" for name in names)
            raise SettingsError(f"{self.path} has {len(names)} sheets; name one: {shown}")
        if wanted not in names:
            raise StreamNotFoundError(
                f"{self.path} has no sheet {wanted!r}; it has {', '.join(map(repr, names))}"
            )
        return wanted

    def _names(self, declared):
        width = max((len(row) for row in self.rows), default=0)
        if not self.has_header:
            if declared and width > len(declared):
                raise SchemaError(
                    f"{self.path} has {width} columns, and {len(declared)} are declared"
                )
            return declared or [f"column_{at}" for at in range(1, width + 1)]
        if not self.rows:
            raise SchemaError(f"{self.path}, sheet {self.name!r} is empty: there are no names")
        names = [text_of_cell(cell) or f"column_{at}" for at, cell in enumerate(self.rows[0], 1)]
        for name in names:
            if names.count(name) > 1:
                raise SchemaError(f"{self.path}, sheet {self.name!r} has a column twice: {name!r}")
        return names

    def column(self, name, rows):
        """Return the cells of a column; None where a row is too short."""
        if name not in self.names:
            return [None] * len(rows)
        at = self.names.index(name)
        return [row[at] if at < len(row) else None for row in rows]

    def place(self, name, row):
        """Return a cell's name, as B12."""
        if name not in self.names:
            return f"in line {self.first_line + row}"
        at = self.names.index(name) + self.first_column
        letters = ""
        at += 1
        while at:
            at, left = divmod(at - 1, 26)
            letters = chr(ord("A") + left) + letters
        return f"{letters}{self.first_line + row}"


def text_of_cell(cell):
    """Return a cell as text, in the forms that ``array_from_text`` reads; None if it is empty."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        if cell == cell and abs(cell) < EXACT_BELOW and cell == int(cell):
            return "-0.0" if cell == 0 and str(cell)[0] == "-" else str(int(cell))
        return repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, (dt.date, dt.time)):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        if dt.timedelta(0) <= cell < dt.timedelta(days=1):
            return (EPOCH + cell).time().isoformat()
        return str(cell)
    text = str(cell)
    if text == '""':
        return ""
    return text[1:] if len(text) > 1 and text == '"' * len(text) else text


def read(sheet, schema, batch_rows):
    """Yield a sheet's rows in a schema's columns and types."""
    for start in range(0, len(sheet.rows), batch_rows):
        rows = sheet.rows[start : start + batch_rows]
        if not len(schema):
            yield pa.record_batch([pa.nulls(len(rows))], names=[""]).select([])
            continue
        columns = [_column(sheet, field, rows, start) for field in schema]
        yield pa.record_batch(columns, schema=schema)


def _column(sheet, field, rows, start):
    texts = [text_of_cell(cell) for cell in sheet.column(field.name, rows)]
    if pa.types.is_date(field.type):
        # A date cell may be shown with its time, which is none.
        texts = [
            text[: -len(MIDNIGHT)] if text is not None and text.endswith(MIDNIGHT) else text
            for text in texts
        ]
    try:
        typed = array_from_text(pa.array(texts, pa.utf8()), field)
        if not field.nullable and typed.null_count:
            raise DataError("", position=typed.is_null().index(True).as_py())
    except DataError as error:
        row = start + error.position
        shown = texts[error.position]
        why = "is empty" if shown is None else f"has {shown[:80]!r}, which is no {field.type}"
        raise DataError(
            f"{sheet.path}, sheet {sheet.name!r}, cell {sheet.place(field.name, row)}, column "
            f"{field.name!r}: it {why}; declare another type, or correct the cell",
            position=row,
            column=field.name,
        ) from None
    return typed


def infer(source, names):
    """Return a field for each of these columns: what all their cells are."""
    if not names:
        return {}
    kinds = {name: set() for name in names}
    for file in source.files:
        sheet = Sheet(source, file.path, list(source.format.declared(source.settings)))
        for name in names:
            kinds[name].update(_kind(cell) for cell in sheet.column(name, sheet.rows))
    return {name: field_from_text(name, _type_of(kinds[name] - {None})) for name in names}


def _kind(cell):
    if cell is None or cell == "":
        return None
    if isinstance(cell, float):
        return (
            "int64" if cell == cell and abs(cell) < EXACT_BELOW and cell == int(cell) else "float64"
        )
    return {
        bool: "bool", int: "int64", dt.date: "date", dt.datetime: "timestamp(us)",
        dt.time: "time(us)",
    }.get(type(cell), "utf8")  # fmt: skip


def _type_of(kinds):
    if len(kinds) == 1:
        return next(iter(kinds))
    for both in ({"int64", "float64"}, {"date", "timestamp(us)"}):
        if kinds == both:
            return max(both)
    return "utf8"

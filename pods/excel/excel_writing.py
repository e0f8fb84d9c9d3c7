"""Rows as cells. What Excel would round or cannot hold is text, in the forms of ``text_forms``.

Numbers are cells as long as they have 15 digits (floats 16), dates from 1 March 1900 on, times and
timestamps with whole milliseconds. All that is read back as it was where its type is declared.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow.compute as pc
import pyarrow.types as is_
import xlsxwriter

from pypods.connectors.errors import DataError, SchemaError, SettingsError
from pypods.connectors.text_forms import text_from_array
from pypods.connectors.types import kind_of

__all__ = ["MAX_LINES", "SHEET", "check_batch", "check_names", "write"]

SHEET = "Sheet1"
MAX_LINES = 1_048_576
MAX_COLUMNS = 16_384
MAX_CELL_CHARACTERS = 32_767
MAX_SHEET_NAME = 31
NUMBER_LIMIT = 10**15
#: Before that Excel counts a 29 February 1900, which there was not.
FIRST_DAY = dt.date(1900, 3, 1)
FORMATS = {
    "date": "yyyy-mm-dd",
    "timestamp": "yyyy-mm-dd hh:mm:ss.000",
    "time": "hh:mm:ss.000",
}


def check_names(schema, sheet):
    """Raise SchemaError for names that a sheet cannot have."""
    if len(schema) > MAX_COLUMNS:
        raise SchemaError(f"there are {len(schema)} columns, and a sheet has {MAX_COLUMNS}")
    for name in schema.names:
        if not name or _length(name) > MAX_CELL_CHARACTERS:
            raise SchemaError(f"{name[:80]!r} cannot be a name in a sheet's first row")
    if sheet is not None and (
        not 0 < len(sheet) <= MAX_SHEET_NAME
        or any(char in sheet for char in "[]:*?/\\")
        or sheet[0] == "'"
        or sheet[-1] == "'"
    ):
        raise SettingsError(
            f"{sheet!r} cannot be the name of a sheet: at most {MAX_SHEET_NAME} characters, none "
            f"of []:*?/\\, no ' at its ends"
        )


def check_batch(batch):
    """Raise DataError for the first text that is too long for a cell, or that XML cannot have."""
    for column, field in zip(batch.columns, batch.schema):
        if not _is_written_as_text(field):
            continue
        texts = text_from_array(column, field)
        if pc.max(pc.utf8_length(texts)).as_py() in (None, 0):
            continue
        # A character outside of the first 65,536 counts twice for Excel.
        suspects = pc.or_kleene(
            pc.greater(pc.utf8_length(texts), MAX_CELL_CHARACTERS // 2),
            pc.match_substring_regex(texts, "[\ufffe\uffff]"),
        )
        for at in pc.indices_nonzero(suspects.fill_null(False)).to_pylist():
            text = texts[at].as_py()
            length = _length(_cell_text(text))
            why = None
            if length > MAX_CELL_CHARACTERS:
                why = f"{length} characters, and a cell holds {MAX_CELL_CHARACTERS}"
            elif "\ufffe" in text or "\uffff" in text:
                why = "a character that no cell can hold (U+FFFE or U+FFFF)"
            if why is not None:
                raise DataError(
                    f"row {at} (from 0), column {field.name!r}: {why}",
                    position=at,
                    column=field.name,
                )


def _length(text):
    return len(text.encode("utf-16-le")) // 2


def _is_written_as_text(field):
    type_ = field.type
    return bool(
        kind_of(field) or is_.is_string(type_) or is_.is_nested(type_) or is_.is_binary(type_)
        or is_.is_fixed_size_binary(type_)
    )  # fmt: skip


def _cell_text(text):
    """Return a text as it stands in a cell: the empty one, and those of quotes, one mark longer."""
    if not text:
        return '""'
    return text + '"' if len(text) > 1 and text == '"' * len(text) else text


def write(source, path, file, schema, batches):
    """Write a workbook with one sheet, row by row."""
    sheet_name = source.stream.inner or SHEET
    options = {"constant_memory": True, "strings_to_numbers": False, "in_memory": False}
    workbook = xlsxwriter.Workbook(file, options)
    try:
        sheet = workbook.add_worksheet(sheet_name)
        formats = {name: workbook.add_format({"num_format": t}) for name, t in FORMATS.items()}
        line = 0
        if source.settings["header"]:
            bold = workbook.add_format({"bold": True})
            for at, name in enumerate(schema.names):
                sheet.write_string(0, at, _cell_text(name), bold)
            sheet.freeze_panes(1, 0)
            line = 1
        writers = [_writer(workbook, sheet, formats, field) for field in schema]
        first = line
        for batch in batches:
            line = _write_batch(path, sheet, writers, batch, line, first)
    finally:
        # Also after an error: it removes its temporary files. What it wrote is not used then.
        workbook.close()


def _write_batch(path, sheet, writers, batch, line, first):
    if line + batch.num_rows > MAX_LINES:
        row = MAX_LINES - first
        raise DataError(
            f"{path}: row {row} (from 0) is one too many, a sheet has {MAX_LINES} lines; write a "
            f"folder of workbooks, or Parquet",
            position=row,
        )
    columns = []
    for column, field in zip(batch.columns, batch.schema):
        texts = text_from_array(column, field).to_pylist()
        zoned = is_.is_timestamp(field.type) and field.type.tz is not None
        as_text = zoned or _is_written_as_text(field)
        columns.append((texts if as_text else column.to_pylist(), texts))
    for at in range(batch.num_rows):
        is_empty = True
        for place, (write_cell, (values, texts)) in enumerate(zip(writers, columns)):
            if values[at] is not None:
                write_cell(line, place, values[at], texts[at])
                is_empty = False
        if is_empty:
            # A cell with nothing in it, else the row would not be there if it is the last one.
            sheet.write_string(line, 0, "")
        line += 1
    return line


def _writer(workbook, sheet, formats, field):
    """Return a function that writes a value of a column, given its text too."""
    type_ = field.type

    def text(line, place, _, shown):
        sheet.write_string(line, place, _cell_text(shown))

    def number_if(is_exact, style=None):
        def write_number(line, place, value, shown):
            if is_exact(value):
                sheet.write_number(line, place, value, style)
            else:
                sheet.write_string(line, place, shown)

        return write_number

    def moment_if(is_exact, style):
        def write_moment(line, place, value, shown):
            if is_exact(value):
                sheet.write_datetime(line, place, value, style)
            else:
                sheet.write_string(line, place, shown)

        return write_moment

    if kind_of(field):
        return text
    if is_.is_boolean(type_):
        return lambda line, place, value, _: sheet.write_boolean(line, place, value)
    if is_.is_integer(type_):
        return number_if(lambda value: abs(value) < NUMBER_LIMIT)
    if is_.is_floating(type_):
        # The digits that XlsxWriter writes.
        return number_if(lambda value: value - value == 0 and float(f"{value:.16G}") == value)
    if is_.is_decimal(type_):
        places = "0." + "0" * type_.scale if type_.scale > 0 else "0"
        style = workbook.add_format({"num_format": places})
        return number_if(_fits_a_number, style)
    if is_.is_date(type_):
        return moment_if(lambda value: value >= FIRST_DAY, formats["date"])
    if is_.is_time(type_):
        return moment_if(lambda value: value.microsecond % 1000 == 0, formats["time"])
    if is_.is_timestamp(type_) and type_.tz is None:
        return moment_if(
            lambda value: value.date() >= FIRST_DAY and value.microsecond % 1000 == 0,
            formats["timestamp"],
        )
    return text


def _fits_a_number(value: Decimal) -> bool:
    digits = value.as_tuple()
    return len(str(int("".join(map(str, digits.digits))))) <= 15 and not (
        value == 0 and digits.sign
    )

"""Rows of CSV files: read as texts by pyarrow, then made what their column's type is."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io

import pyarrow as pa
from pyarrow import csv as arrow_csv

from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.text_forms import array_from_text

__all__ = ["column_names", "delimiter_of", "nulls_of", "open_bytes", "read", "read_texts"]

#: A row is not longer than that; it is also what is parsed at once.
BLOCK_BYTES = 8 * 2**20
CHUNK_BYTES = 2**20


def delimiter_of(settings, path):
    """Return what is between the values of a file."""
    return settings["delimiter"] or ("\t" if ".tsv" in path.lower() else ",")


def nulls_of(settings):
    """Return the texts that stand for NULL."""
    return settings["nulls"].split("|")


def is_plain_encoding(settings):
    """Whether a line end, and other ASCII, is the one byte that it is in ASCII."""
    name = codecs.lookup(settings["encoding"]).name
    return name in ("utf-8", "utf-8-sig", "ascii", "latin-1") or name.startswith(
        ("iso8859", "cp125", "koi8", "mac-")
    )


def has_utf8(settings):
    """Whether bytes are UTF-8 already."""
    return codecs.lookup(settings["encoding"]).name in ("utf-8", "utf-8-sig", "ascii")


@contextlib.contextmanager
def open_bytes(source, path):
    """Open a file's bytes, unpacked."""
    with source.store.open(path) as file:
        lower = path.lower()
        kind = "gzip" if lower.endswith(".gz") else "zstd" if lower.endswith(".zst") else None
        if kind is None:
            yield file
            return
        with pa.CompressedInputStream(file, kind) as unpacked:
            yield unpacked


class Counted(io.RawIOBase):
    """The bytes of a file from one place to another, whose quotes are counted on the way."""

    def __init__(self, file, start, end, quote):
        super().__init__()
        self._file = file
        self._left = None if end is None else end - start
        self._quote = quote
        self.quotes = 0
        if start:
            file.seek(start)

    def readable(self):
        """Say that it can be read."""
        return True

    def read(self, size=-1):
        """Return the next bytes."""
        if self._left is not None:
            size = self._left if size is None or size < 0 else min(size, self._left)
        raw = self._file.read(size) if size is None or size >= 0 else self._file.read()
        if self._left is not None:
            self._left -= len(raw)
        if self._quote:
            self.quotes += raw.count(self._quote)
        return raw


# --- names --------------------------------------------------------------------------------------


def column_names(source, path, declared):
    """Return the names of a file's columns: in its first line, or declared, or column_1, ..."""
    with contextlib.ExitStack() as stack:
        first = next(_records(source, path, stack, strict=False), (0, None))[1]
    if not source.settings["header"]:
        if declared:
            if first is not None and first and len(first) != len(declared):
                raise SchemaError(
                    f"{path} has {len(first)} columns, and {len(declared)} are declared"
                )
            return declared
        return [f"column_{at}" for at in range(1, len(first or ()) + 1)]
    if not first:
        raise SchemaError(f"{path} has no first line with names; set header to false, or remove it")
    names = [name or f"column_{at}" for at, name in enumerate(first, 1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SchemaError(f"{path} has a column twice: {twice!r}")
    return names


def _records(source, path, stack, *, strict, start=0):
    """Yield (line that it begins in, values) of each record, slowly; for names and messages."""
    settings = source.settings
    file = stack.enter_context(open_bytes(source, path))
    lines = 0
    if start:
        left = start
        while left:
            raw = file.read(min(CHUNK_BYTES, left))
            lines += raw.count(b"\n")
            left -= len(raw)
    encoding = "utf-8-sig" if has_utf8(settings) and not start else settings["encoding"]
    # newline: line ends in quotes are as they are in the file.
    text = io.TextIOWrapper(_Buffered(file), encoding=encoding, newline="")
    csv.field_size_limit(BLOCK_BYTES)
    quote = settings["quote"]
    reader = csv.reader(
        text,
        delimiter=delimiter_of(settings, path),
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        strict=strict,
    )
    while True:
        line = lines + reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            raise DataError(f"{path}, line {line}: {exc}") from None
        except UnicodeDecodeError:
            raise _not_decodable(source, path) from None
        yield line, values


class _Buffered(io.RawIOBase):
    """A file of pyarrow for TextIOWrapper, which is left open."""

    def __init__(self, file):
        super().__init__()
        self._file = file

    def readable(self):
        return True

    def readinto(self, buffer):
        raw = self._file.read(len(buffer))
        buffer[: len(raw)] = raw
        return len(raw)

    def read1(self, size=-1):
        return self._file.read(size if size >= 0 else CHUNK_BYTES)


# --- rows ---------------------------------------------------------------------------------------


def read(source, piece, schema, batch_rows):
    """Yield the rows of a file, or of a range of its bytes, in a schema's columns and types."""
    row = 0
    binary = source.settings["binary"]
    names = schema.names
    for batch in read_texts(source, piece, names):
        for start in range(0, batch.num_rows, batch_rows):
            part = batch.slice(start, batch_rows)
            if not names:
                yield part
                continue
            try:
                columns = [_typed(part.column(name), schema.field(name), binary) for name in names]
            except DataError as error:
                at = row + start + error.position
                raise _located(source, piece, at, error) from None
            yield pa.record_batch(columns, schema=schema)
        row += batch.num_rows


def _typed(column, field, binary):
    typed = array_from_text(column, field, binary=binary)
    if not field.nullable and typed.null_count:
        at = typed.is_null().index(True).as_py()
        raise DataError(
            f"column {field.name!r} is NULL and is declared as not null",
            position=at,
            column=field.name,
        )
    return typed


def _located(source, piece, row, error):
    """Return an error for a row of a piece, with the line that it begins in."""
    line = line_of(source, piece, row)
    # Without the row that it had in its batch.
    text = str(error).partition(", column ")[2] or str(error)
    text = f"column {text}" if text != str(error) else text
    return DataError(
        f"{piece['path']}, line {line}, {text}"
        + ("; declare another type, or correct the file" if " is no " in text else ""),
        position=row,
        column=error.column,
    )


def line_of(source, piece, row):
    """Return the line, from 1, in which a row of a file or a range begins; None if not found."""
    start = piece.get("from") or 0
    skip = 1 if source.settings["header"] and not start else 0
    several = len(source.format.names(source)) > 1
    with contextlib.ExitStack() as stack:
        at = -skip
        for line, values in _records(source, piece["path"], stack, strict=False, start=start):
            # pyarrow passes over empty lines, but where they are a single column's NULL.
            if not values and several:
                continue
            if at == row:
                return line
            at += 1
    return None


def read_texts(source, piece, names):
    """Yield the rows of a file, or of a range, as columns of texts and nulls.

    With no names, batches have no columns, but their number of rows.
    """
    settings, path = source.settings, piece["path"]
    start, end = piece.get("from") or 0, piece.get("to")
    quote = settings["quote"]
    every = column_names(source, path, list(source.format.declared(settings)))
    if not every:
        return
    missing = [name for name in names if name not in every]
    there = [name for name in names if name in every]
    with open_bytes(source, path) as file:
        counted = Counted(file, start, end, quote.encode() if is_plain_encoding(settings) else b"")
        invalid = []
        try:
            reader = arrow_csv.open_csv(
                counted,
                read_options=arrow_csv.ReadOptions(
                    # Else rows have no numbers in messages.
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    column_names=every,
                    skip_rows_after_names=1 if settings["header"] and not start else 0,
                    encoding="utf8" if has_utf8(settings) else settings["encoding"],
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=delimiter_of(settings, path),
                    quote_char=quote or False,
                    newlines_in_values=bool(quote),
                    ignore_empty_lines=len(every) > 1,
                    invalid_row_handler=lambda row: invalid.append(row) or "error",
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=there or every[:1],
                    column_types=dict.fromkeys(every, pa.utf8()),
                    null_values=nulls_of(settings),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            for batch in reader:
                if batch.num_rows:
                    yield _with_missing(batch.select(there), missing, batch.num_rows)
        except pa.ArrowInvalid as exc:
            if "Empty CSV file" not in str(exc) and _has_rows(source, piece):
                raise _explained(source, piece, exc, invalid, len(every)) from None
        except UnicodeDecodeError as exc:
            raise _not_decodable(source, path) from exc
        except OSError as exc:
            if isinstance(exc, FileNotFoundError) or file.closed:
                raise
            raise DataError(f"{path} is damaged: {exc}") from None
        if counted.quotes % 2:
            _refuse_open_quote(source, path, start)


def _with_missing(batch, missing, rows):
    for name in missing:
        columns = [*batch.columns, pa.nulls(rows, pa.utf8())]
        batch = pa.record_batch(columns, names=[*batch.schema.names, name])
    return batch


def _has_rows(source, piece):
    """Whether there is anything behind the names: pyarrow refuses a file without a line end."""
    if not source.settings["header"] or piece.get("from"):
        return True
    with contextlib.ExitStack() as stack:
        records = _records(source, piece["path"], stack, strict=False)
        next(records, None)
        return next(records, None) is not None


def _explained(source, piece, error, invalid, width):
    """Return the error for a file that cannot be parsed."""
    path, text = piece["path"], str(error)
    if invalid:
        row = invalid[0]
        start = piece.get("from") or 0
        # Rows are counted from 1, with the header.
        number = None if row.number is None else row.number - 1
        if number is not None and source.settings["header"] and not start:
            number -= 1
        line = None if number is None else line_of(source, piece, number)
        return DataError(
            f"{path}, line {line}: there are {row.actual_columns} values, and {width} columns: "
            f"{row.text[:80]!r}",
            position=number,
        )
    if "UTF8" in text:
        return _not_decodable(source, path)
    if "straddl" in text:
        return DataError(
            f"{path} has a row of more than {BLOCK_BYTES} bytes; is a quote missing somewhere?"
        )
    return DataError(f"{path}: {text}")


def _not_decodable(source, path):
    """Return the error for the first line that is not in the file's encoding."""
    encoding = source.settings["encoding"]
    with open_bytes(source, path) as file:
        lines = io.BufferedReader(_Buffered(file)) if is_plain_encoding(source.settings) else ()
        for number, line in enumerate(lines, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as exc:
                return DataError(
                    f"{path}, line {number}: byte {exc.object[exc.start]:#04x} is not "
                    f"{encoding}; set the file's encoding"
                )
    return DataError(f"{path} is not {encoding}; set the file's encoding")


def _refuse_open_quote(source, path, start):
    """Raise DataError if a quote is opened and never closed; an odd one may also be a text's."""
    with contextlib.ExitStack() as stack:
        try:
            for _ in _records(source, path, stack, strict=True, start=start):
                pass
        except DataError as error:
            if "unexpected end of data" in str(error):
                raise DataError(f"{path}: a quote is opened and never closed: {error}") from None

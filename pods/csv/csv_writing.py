"""Rows as lines of CSV: whole columns at a time, quoted where something would be taken amiss.

A text is quoted that has a delimiter, a quote, a line end or spaces around it, that is empty, or
that stands for NULL; so NULL and the empty text differ, as they do when they are read.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as is_

from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.text_forms import text_from_array
from pypods.connectors.types import kind_of

from .csv_reading import (
    CHUNK_BYTES,
    _refuse_open_quote,
    delimiter_of,
    has_utf8,
    is_plain_encoding,
    nulls_of,
    open_bytes,
    read_texts,
)

__all__ = ["check_batch", "check_texts", "extend", "texts_of_names", "write"]

#: Delimiters that no number and no date has in it.
SAFE_DELIMITERS = ",;\t|"
#: Rows that are made one text at once.
LINES = 16384


def write(settings, path, file, schema, batches):
    """Write a file with its header."""
    with _packed(path, file) as out:
        if settings["header"]:
            out.write(_encoded(settings, _lines(settings, path, [texts_of_names(schema)]), True))
        _write_rows(settings, path, out, batches, not settings["header"])


def extend(source, path, file, schema, batches):
    """Write the bytes of the source's only file as they are, and rows behind them.

    Where columns are new, its values are written as the texts that they are.
    """
    settings = source.settings
    old = source.files[0].path
    if source.format.names(source) != schema.names:
        texts = pa.schema([pa.field(name, pa.utf8()) for name in schema.names])
        rows = (
            pa.record_batch([batch.column(name) for name in schema.names], schema=texts)
            for batch in read_texts(source, {"path": old}, schema.names)
        )
        write(settings, path, file, schema, itertools.chain(rows, batches))
        return
    quote = settings["quote"].encode()
    quotes, last, size = 0, b"", 0
    with open_bytes(source, old) as opened, _packed(path, file) as out:
        while True:
            raw = opened.read(CHUNK_BYTES)
            if not raw:
                break
            out.write(raw)
            quotes += raw.count(quote) if quote else 0
            last, size = (last + raw)[-8:], size + len(raw)
        if quotes % 2 and is_plain_encoding(settings):
            _refuse_open_quote(source, old, 0)
        line_end = _encoded(settings, "\n", size == 0)
        if size and not last.endswith(line_end):
            out.write(line_end)
        _write_rows(settings, path, out, batches, size == 0)


def _write_rows(settings, path, out, batches, first):
    for batch in batches:
        for start in range(0, batch.num_rows, LINES):
            part = batch.slice(start, LINES)
            columns = [
                _quoted(settings, path, text_from_array(column, field, binary=settings["binary"]),
                        _may_need_quotes(settings, path, field))
                for column, field in zip(part.columns, part.schema)
            ]  # fmt: skip
            out.write(_encoded(settings, _joined(settings, path, columns), first))
            first = False


def _lines(settings, path, rows):
    columns = [
        _quoted(settings, path, pa.array(list(column), pa.utf8()), True) for column in zip(*rows)
    ]
    return _joined(settings, path, columns)


def _joined(settings, path, columns):
    """Return the lines of columns of texts."""
    delimiter = delimiter_of(settings, path)
    null = nulls_of(settings)[0]
    joined = columns[0].fill_null(null)
    if len(columns) > 1:
        joined = pc.binary_join_element_wise(
            *columns, delimiter, null_handling="replace", null_replacement=null
        )
    lines = pa.ListArray.from_arrays(pa.array([0, len(joined)], pa.int32()), joined)
    return pc.binary_join(lines, "\n")[0].as_py() + "\n"


def _may_need_quotes(settings, path, field):
    if delimiter_of(settings, path) not in SAFE_DELIMITERS or any(nulls_of(settings)):
        return True
    return bool(is_.is_string(field.type) or is_.is_binary(field.type)
                or is_.is_nested(field.type) or kind_of(field))  # fmt: skip


def _quoted(settings, path, texts, may_need):
    """Return texts as they stand in the file."""
    quote = settings["quote"]
    if not may_need or not quote:
        return texts
    needs = _needs_quotes(settings, path, texts)
    if not pc.any(needs).as_py():
        return texts
    doubled = pc.replace_substring(texts, pattern=quote, replacement=quote * 2)
    quoted = pc.binary_join_element_wise(quote, doubled, quote, "")
    return pc.if_else(needs, quoted, texts)


def _needs_quotes(settings, path, texts):
    """Return which texts would not be read as they are."""
    inside = [re.escape(delimiter_of(settings, path)), r"\r", r"\n"]
    if settings["quote"]:
        inside.append(re.escape(settings["quote"]))
    nulls = [each for each in nulls_of(settings) if each]
    # Other programs may pass over spaces around a value, and a byte order mark.
    forms = ["[" + "".join(inside) + "]", r"^\s", r"\s$", "^$", "^\ufeff"]
    forms += [f"^{re.escape(each)}$" for each in nulls]
    return pc.match_substring_regex(texts, "|".join(forms))


def _encoded(settings, text, first):
    """Return a text's bytes; a byte order mark, where the encoding has one, only at the start."""
    if has_utf8(settings):
        raw = text.encode("utf-8")
        if first and codecs.lookup(settings["encoding"]).name == "utf-8-sig":
            raw = codecs.BOM_UTF8 + raw
        return raw
    encoding = codecs.lookup(settings["encoding"]).name
    raw = text.encode(encoding)
    if not first and encoding in ("utf-16", "utf-32"):
        raw = raw[len("".encode(encoding)) :]
    return raw


@contextlib.contextmanager
def _packed(path, file):
    """Compress what is written, as the file's name says."""
    lower = path.lower()
    kind = "gzip" if lower.endswith(".gz") else "zstd" if lower.endswith(".zst") else None
    if kind is None:
        yield file
        return
    with pa.CompressedOutputStream(pa.PythonFile(_Unclosed(file), "w"), kind) as packed:
        yield packed


class _Unclosed:
    """A file that stays open when the stream around it is closed."""

    def __init__(self, file):
        self._file = file
        self.closed = False

    def write(self, raw):
        return self._file.write(raw)

    def flush(self):
        self._file.flush()

    def close(self):
        self.closed = True


# --- what cannot be written ----------------------------------------------------------------------


def texts_of_names(schema):
    """Return the texts of the header."""
    return [field.name for field in schema]


def check_texts(settings, texts, path):
    """Raise SchemaError for names that the header cannot have."""
    if any(not text for text in texts):
        raise SchemaError("a column has no name, and a header needs one")
    found = _misfit(settings, path, pa.array(texts, pa.utf8()))
    if found is not None:
        raise SchemaError(f"column {texts[found[0]]!r}: {found[1]}")


def check_batch(settings, batch):
    """Raise DataError for the first text that cannot be written."""
    if has_utf8(settings) and settings["encoding"] != "ascii" and settings["quote"]:
        return
    for column, field in zip(batch.columns, batch.schema):
        texts = text_from_array(column, field, binary=settings["binary"])
        # No file's path is known here: a comma and a tab are both looked for.
        found = _misfit(settings, "", texts)
        if found is not None:
            at, why = found
            raise DataError(
                f"row {at} (from 0), column {field.name!r}: {why}", position=at, column=field.name
            )


def _misfit(settings, path, texts):
    """Return (place, reason) of the first text that cannot be written, or None."""
    encoding = settings["encoding"]
    if not has_utf8(settings) or codecs.lookup(encoding).name == "ascii":
        for at, text in enumerate(texts.to_pylist()):
            try:
                (text or "").encode(encoding)
            except UnicodeEncodeError as exc:
                char = exc.object[exc.start]
                return at, f"{char!r} cannot be written in {encoding}; use utf-8"
    if not settings["quote"]:
        at = pc.index(_needs_quotes(settings, path, texts), True).as_py()
        if at >= 0:
            return at, f"{texts[at].as_py()[:80]!r} cannot be written without quotes; set quote"
    return None

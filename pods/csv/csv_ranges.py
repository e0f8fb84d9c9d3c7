"""Ranges of a CSV file's bytes that begin and end between two rows; nothing is parsed.

A line end is one between rows if it is not in quotes: that is, if an even number of quotes is
before it. That holds only while quotes are nowhere but around values, which is looked at too.
"""

from __future__ import annotations

import re

from .csv_reading import delimiter_of, is_plain_encoding

__all__ = ["row_ranges"]

SCAN_BYTES = 2**20
#: Smaller ranges are not worth a worker.
LEAST_BYTES = 2**20


def row_ranges(source, file, count):
    """Return (start, end) of at most ``count`` ranges; [(0, None)] where it cannot be split."""
    settings = source.settings
    count = min(count, file.size // LEAST_BYTES)
    if count < 2 or file.path.lower().endswith((".gz", ".zst")) or not is_plain_encoding(settings):
        return [(0, None)]
    wanted = [file.size * at // count for at in range(1, count)]
    bounds = []
    quote = settings["quote"].encode()
    delimiter = delimiter_of(settings, file.path).encode()
    with source.store.open(file.path) as opened:
        for end in _row_ends(opened, quote, delimiter):
            if end is None:
                return [(0, None)]
            while wanted and end >= wanted[0]:
                wanted.pop(0)
                if 0 < end < file.size and end not in bounds:
                    bounds.append(end)
            if not wanted:
                break
    edges = [0, *bounds, file.size]
    return list(zip(edges, edges[1:])) if bounds else [(0, None)]


def _row_ends(file, quote, delimiter):
    """Yield places after rows, one in each mebibyte or so; None where there is no telling."""
    at, left = 0, b""
    start = True
    while True:
        raw = file.read(SCAN_BYTES)
        if not raw:
            return
        raw = left + raw
        if start and raw.startswith(b"\xef\xbb\xbf"):
            at, raw = 3, raw[3:]
        start = False
        end = _last_row_end(raw, quote)
        if end == 0:
            if len(raw) > 32 * SCAN_BYTES:
                yield None
                return
            left = raw
            continue
        rows = raw[:end]
        if quote and quote in rows and not _is_regular(rows, quote, delimiter):
            yield None
            return
        at, left = at + end, raw[end:]
        yield at


def _is_regular(raw, quote, delimiter):
    """Whether quotes are only around values, and doubled in them; so that an even number tells."""
    ends = (delimiter, b"\n", b"\r")
    plain = raw.replace(quote * 2, b"")
    if any(one + quote + other in plain for one in ends for other in ends):
        # A value in quotes that begins or ends with a delimiter: it takes a closer look.
        return quote not in _quoted_values(quote, delimiter).sub(b"", raw)
    # Each quote has a delimiter on one side at the most. One that has none is a part of a text.
    opened = plain.startswith(quote) + sum(plain.count(each + quote) for each in ends)
    closed = plain.endswith(quote) + sum(plain.count(quote + each) for each in ends)
    return opened == closed and opened + closed == plain.count(quote)


def _quoted_values(quote, delimiter):
    """Return what finds a value in quotes, between two delimiters or line ends."""
    around, mark = re.escape(delimiter) + rb"\r\n", re.escape(quote)
    inside = rb"[^" + mark + rb"]*"
    value = mark + inside + rb"(?:" + mark * 2 + inside + rb")*" + mark
    return re.compile(rb"(?:(?<=[" + around + rb"])|\A)" + value + rb"(?=[" + around + rb"]|\Z)")


def _last_row_end(raw, quote):
    """Return the place after the last line end that is not in quotes, or 0."""
    end = raw.rfind(b"\n")
    if not quote:
        return end + 1
    odd = raw.count(quote, 0, end) % 2 if end >= 0 else 0
    while end >= 0 and odd:
        before = raw.rfind(b"\n", 0, end)
        odd = (odd + raw.count(quote, max(before, 0), end)) % 2
        end = before
    return end + 1

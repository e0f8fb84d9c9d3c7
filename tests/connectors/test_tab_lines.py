"""Columns of texts as the lines that COPY and LOAD DATA read."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods.connectors.tab_lines import tab_lines


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        ([["a", None], ["b", ""]], b"a\tb\n\\N\t\n"),
        ([["\\", "\\N", "\t", "\n", "\r", "ü"]], b"\\\\\n\\\\N\n\\t\n\\n\n\\r\n\xc3\xbc\n"),
        ([[], []], b""),
        ([[""]], b"\n"),
    ],
)
def test_values_are_escaped_and_told_apart(columns, lines):
    assert bytes(tab_lines([pa.array(each, pa.utf8()) for each in columns])) == lines


def test_columns_in_which_nothing_has_to_be_escaped_are_left_alone():
    columns = [pa.array(["\\x00"]), pa.array(["\\x00"])]
    assert bytes(tab_lines(columns, plain=[0])) == b"\\x00\t\\\\x00\n"


def test_part_of_an_array_is_that_part_only():
    column = pa.array(["a", "b", "c"]).slice(1, 1)
    assert bytes(tab_lines([column])) == b"b\n"

"""Names of streams are taken apart, put together and quoted."""

from __future__ import annotations

import pytest

from pypods.connectors.errors import SchemaError, SettingsError
from pypods.connectors.names import check_columns, join_stream, quote, short_hash, split_stream


@pytest.mark.parametrize(
    ("stream", "parts"),
    [
        ("t", ["t"]),
        ("s.t", ["s", "t"]),
        ("db.s.t", ["db", "s", "t"]),
        ('"odd.name"."t"', ["odd.name", "t"]),
        ('s."a""b"', ["s", 'a"b']),
        ('""""', ['"']),
        (["a.b", 'c"d'], ["a.b", 'c"d']),
        (("a",), ["a"]),
    ],
)
def test_a_stream_is_taken_apart(stream, parts):
    assert split_stream(stream) == parts
    assert split_stream(join_stream(parts)) == parts


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "a.",
        ".a",
        "a..b",
        'a"b',
        '"a',
        '"a"b',
        '"a".',
        "a.b.c.d",
        [],
        [""],
        [1],
        5,
        None,
        "a\0b",
    ],
)
def test_what_is_no_stream_is_refused(stream):
    with pytest.raises(SettingsError):
        split_stream(stream)


@pytest.mark.parametrize(
    ("mark", "quoted"), [('"', '"a""b`c]"'), ("`", '`a"b``c]`'), ("[", '[a"b`c]]]')]
)
def test_a_name_is_quoted_with_its_quotes_doubled(mark, quoted):
    assert quote('a"b`c]', mark) == quoted


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_cannot_be_a_name_is_refused(name):
    with pytest.raises(SettingsError):
        quote(name)


def test_columns_are_all_or_those_that_are_there():
    assert check_columns(None, ["a", "b"], "t") == ["a", "b"]
    assert check_columns("b", ["a", "b"], "t") == ["b"]
    with pytest.raises(SchemaError, match=r"t has no column 'c'; it has 'a', 'b'"):
        check_columns(["a", "c"], ["a", "b"], "t")


def test_a_hash_tells_its_texts_apart():
    assert len(short_hash("a")) == 16
    assert len({short_hash("ab", "c"), short_hash("a", "bc"), short_hash("abc")}) == 3

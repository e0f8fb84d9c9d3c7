"""Texts and values of a statement stay apart, in each driver's own style."""

from __future__ import annotations

import pytest

from pypods.connectors.sql.statement import Statement, Value, join

PIECES = Statement('select "50%?" where a = ', Value(1), " and b = ", Value("x' or 1"))


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("qmark", 'select "50%?" where a = ? and b = ?'),
        ("format", 'select "50%%?" where a = %s and b = %s'),
        ("numeric", 'select "50%?" where a = :1 and b = :2'),
        ("dollar", 'select "50%?" where a = $1 and b = $2'),
    ],
)
def test_values_are_marked_and_never_in_the_text(style, text):
    assert PIECES.render(style) == (text, [1, "x' or 1"])


def test_a_statement_without_values_is_sent_as_it_is():
    assert Statement('select "50%"').render("format") == ('select "50%"', [])


def test_values_are_bound_by_what_the_driver_wants():
    assert PIECES.render("qmark", lambda value: repr(value.value))[1] == ["1", '"x\' or 1"']


def test_parts_are_joined():
    joined = join(", ", [Value(1), "b", Statement("c", Value(2))])
    assert joined.render("qmark") == ("?, b, c?", [1, 2])
    assert not Statement()


def test_a_plain_value_is_no_piece():
    with pytest.raises(TypeError, match="int"):
        Statement("a = ", 1)

"""Words of the command line as values."""

from __future__ import annotations

import shlex

import pytest

from pypods.cli.arguments import ArgumentError, parse_argument, parse_keywords


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("2.5", 2.5),
        ("-1e-3", -0.001),
        ("true", True),
        ("false", False),
        ("null", None),
        ('"Ada"', "Ada"),
        ('"3"', "3"),
        ("[1, [2, null]]", [1, [2, None]]),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        (" 7 ", 7),
        (str(10**40), 10**40),
    ],
)
def test_json_is_read(word: str, value: object) -> None:
    read = parse_argument(word)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "word", ["Ada", "", "select 1", "nullable", "trueish", "NaN", "Infinity", "é", "./a/b", "a=1"]
)
def test_what_does_not_look_like_json_is_text(word: str) -> None:
    assert parse_argument(word) == word


@pytest.mark.parametrize(
    "word",
    ["2024-01-31", "[1, 2", "{a: 1}", '"Ada', "'Ada'", "1.2.3", "-1x"],
)
def test_what_looks_like_json_and_is_not_is_refused(word: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_argument(word)
    assert str(caught.value).startswith(f"{word} is not JSON (")


@pytest.mark.parametrize("word", ["--timout", "-x", "-", "-Infinity"])
def test_a_mistyped_option_is_called_that(word: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{word} is neither an option nor JSON; "):
        parse_argument(word)


def test_the_error_says_where_the_slip_is() -> None:
    with pytest.raises(ArgumentError, match=r"\(extra data at character 5\)"):
        parse_argument("2024-01-31")


@pytest.mark.parametrize("word", ["2024-01-31", '"Ada', "'it is'", "-x", "True"])
def test_the_error_says_what_to_type_for_the_text(word: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_argument(word)
    advice = str(caught.value).rpartition(" write ")[2]
    (typed,) = shlex.split(advice)
    assert parse_argument(typed) == word


@pytest.mark.parametrize(("word", "json"), [("True", "true"), ("False", "false"), ("None", "null")])
def test_pythons_words_are_refused_with_jsons(word: str, json: str) -> None:
    with pytest.raises(ArgumentError, match=f"{word} is written {json} in JSON"):
        parse_argument(word)


def test_json_too_deep_to_read_is_refused() -> None:
    with pytest.raises(ArgumentError, match="is not JSON"):
        parse_argument("[" * 100_000)


def test_keywords_are_read_by_name() -> None:
    assert parse_keywords(["size=3", 'query="a=b"', "who=Ada", "none="]) == {
        "size": 3,
        "query": "a=b",
        "who": "Ada",
        "none": "",
    }


@pytest.mark.parametrize("pair", ["size", "=3", "two words=3", "1st=3", ""])
def test_a_keyword_without_a_name_is_refused(pair: str) -> None:
    with pytest.raises(ArgumentError, match="is not of the form name=JSON"):
        parse_keywords([pair])


def test_a_keyword_given_twice_is_refused() -> None:
    with pytest.raises(ArgumentError, match="size is given twice"):
        parse_keywords(["size=3", "size=4"])


def test_a_keywords_value_is_as_strict_as_an_argument() -> None:
    with pytest.raises(ArgumentError, match="is not JSON"):
        parse_keywords(["day=2024-01-31"])

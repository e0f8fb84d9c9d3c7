"""Exceptions become documents that always cross, however odd they are."""

from __future__ import annotations

import sys
import threading

import pytest

from pypods.wire.documents import decode_document, encode_document
from pypods.wire.failures import (
    MAX_CHAIN,
    MAX_EXCEPTIONS,
    MAX_TEXT_CHARACTERS,
    describe_failure,
    shortened_failure,
)


def caught(function: object, *args: object) -> BaseException:
    try:
        function(*args)
    except BaseException as exc:
        return exc
    raise AssertionError("nothing was raised")


def described(error: BaseException) -> dict[str, object]:
    document = describe_failure(error)
    assert decode_document(encode_document(document)) == document
    return document


def fail(error: BaseException) -> None:
    raise error


def test_an_exception_is_described_whole():
    document = described(caught(fail, ValueError("no", 5)))
    trace = document.pop("traceback")
    assert document == {
        "module": "builtins",
        "type": "ValueError",
        "builtin": "ValueError",
        "args": ["no", 5],
        "text": "('no', 5)",
        "notes": [],
        "cause": None,
        "context": None,
        "suppress_context": False,
        "class": None,
        "attributes": {},
        "exceptions": [],
    }
    assert trace.startswith("Traceback (most recent call last):\n")
    assert "in fail\n    raise error\n" in trace
    assert trace.endswith("ValueError: ('no', 5)\n")


class OwnError(KeyError):
    def __str__(self) -> str:
        return "own text"


def test_a_class_of_the_pods_own_names_the_nearest_builtin():
    document = described(OwnError(1))
    assert (document["module"], document["type"]) == (__name__, "OwnError")
    assert (document["builtin"], document["text"]) == ("KeyError", "own text")


def test_a_class_that_only_bears_a_builtins_name_is_not_it():
    fake = type("ValueError", (Exception,), {})
    assert described(fake())["builtin"] == "Exception"
    assert described(KeyboardInterrupt())["builtin"] == "KeyboardInterrupt"


def test_an_argument_that_cannot_cross_is_its_repr():
    lock = threading.Lock()
    assert described(ValueError(lock, [lock], 1))["args"] == [repr(lock), repr([lock]), 1]


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise OSError("not even this")

    __repr__ = __str__


def test_an_exception_that_cannot_be_printed_is_described_all_the_same():
    document = described(caught(fail, UnprintableError(UnprintableError())))
    assert document["text"] == "<UnprintableError whose str() raised OSError>"
    assert document["args"] == ["<UnprintableError whose repr() raised OSError>"]
    assert "UnprintableError" in document["traceback"]


def test_a_traceback_that_cannot_be_printed_says_so(monkeypatch):
    import traceback

    def broken(*_: object, **__: object) -> list[str]:
        raise RecursionError("too deep")

    monkeypatch.setattr(traceback, "format_exception", broken)
    text = described(ValueError())["traceback"]
    assert text == "ValueError (its traceback cannot be printed: RecursionError('too deep'))"


def test_long_texts_are_cut():
    document = described(ValueError("x" * (MAX_TEXT_CHARACTERS + 5)))
    assert len(document["text"]) == MAX_TEXT_CHARACTERS + 1
    assert document["text"].endswith("…")
    assert len(document["traceback"]) == MAX_TEXT_CHARACTERS


def test_notes_are_kept_whatever_they_are():
    error = ValueError()
    error.__notes__ = ["one", 2, UnprintableError()]
    expected = ["one", "2", "<UnprintableError whose str() raised OSError>"]
    assert described(error)["notes"] == expected
    error.__notes__ = 7
    assert described(error)["notes"] == []


def raise_from() -> None:
    try:
        raise KeyError("inner")
    except KeyError as exc:
        raise ValueError("outer") from exc


def raise_during() -> None:
    try:
        raise KeyError("inner")
    except KeyError:
        raise ValueError("outer")  # noqa: B904


def raise_from_none() -> None:
    try:
        raise KeyError("inner")
    except KeyError:
        raise ValueError("outer") from None


def test_a_cause_that_is_the_context_too_is_described_once():
    document = described(caught(raise_from))
    assert document["cause"]["text"] == "'inner'"
    assert document["context"] == "cause"
    assert document["suppress_context"] is True
    assert "direct cause" in document["traceback"]
    assert "direct cause" not in document["cause"]["traceback"]


def test_a_context_is_described():
    document = described(caught(raise_during))
    assert (document["cause"], document["suppress_context"]) == (None, False)
    assert document["context"]["type"] == "KeyError"


def test_a_suppressed_context_is_described_as_such():
    document = described(caught(raise_from_none))
    assert (document["cause"], document["suppress_context"]) == (None, True)
    assert document["context"]["type"] == "KeyError"


def count(document: object) -> int:
    if not isinstance(document, dict):
        return 0
    linked = [document["cause"], document["context"], *document["exceptions"]]
    return 1 + sum(map(count, linked))


def test_a_chain_of_causes_is_as_long_as_it_is_and_cut_in_the_end():
    def chain(length: int) -> BaseException:
        error = ValueError(0)
        for number in range(1, length):
            outer = ValueError(number)
            outer.__cause__ = outer.__context__ = error
            error = outer
        return error

    assert count(described(chain(20))) == 20
    assert count(described(chain(100))) == MAX_CHAIN


def test_a_tree_of_causes_and_contexts_is_bounded():
    def tree(depth: int) -> BaseException:
        error = ValueError(depth)
        if depth:
            error.__cause__, error.__context__ = tree(depth - 1), tree(depth - 1)
        return error

    assert count(described(tree(9))) == MAX_EXCEPTIONS


def test_a_cycle_of_causes_ends():
    one, two = ValueError(1), ValueError(2)
    one.__cause__, two.__cause__ = two, one
    assert count(described(one)) == 2
    one.__context__ = one.__cause__ = one
    assert count(described(one)) == 1


def test_the_exceptions_of_a_group_are_described():
    group = ExceptionGroup("both", [ValueError(1), ExceptionGroup("deeper", [OwnError(2)])])
    document = described(group)
    assert (document["builtin"], document["text"]) == ("ExceptionGroup", "both (2 sub-exceptions)")
    first, second = document["exceptions"]
    assert (first["text"], second["exceptions"][0]["text"]) == ("1", "own text")
    many = described(ExceptionGroup("many", [ValueError(i) for i in range(1000)]))
    assert count(many) == MAX_EXCEPTIONS


def test_exceptions_that_are_none_are_left_out():
    error = ValueError()
    error.exceptions = (1, ValueError(2), error)
    assert [each["text"] for each in described(error)["exceptions"]] == ["2"]
    error.exceptions = "ab"
    assert described(error)["exceptions"] == []


@pytest.mark.parametrize("limit", [2000, 100_000])
def test_a_shortened_failure_fits(limit):
    group = ExceptionGroup("é" * 50_000, [ValueError(b"x" * 10**6)])
    group.__cause__ = ValueError("\ud800" * 50_000)
    group.add_note("n" * 10**6)
    short = shortened_failure(described(caught(fail, group)), limit)
    assert len(encode_document({"kind": "failure", "error": short})) < limit
    assert short["type"] == "ExceptionGroup"
    assert short["args"] == [short["text"]]
    assert short["text"].startswith("ééé")


def test_a_pods_traceback_begins_in_the_pods_own_code(zoo):
    with pytest.raises(ValueError, match="no good") as info:
        zoo.call("fail", "no good")
    lines = info.value.remote_traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "zoo/pod.py" in lines[1]
    assert lines[-1] == "ValueError: no good"


def test_a_pods_chain_arrives_with_every_link(zoo):
    with pytest.raises(ValueError, match="last") as info:
        zoo.call("fail_in_chain")
    own = info.value.__context__
    assert (own.type_name, str(own), own.args) == ("pods.zoo.pod.OwnError", "own text", ("key", 7))
    assert isinstance(own, KeyError)
    assert isinstance(own.__cause__, KeyError)
    assert own.__context__ is own.__cause__
    assert own.__suppress_context__


def test_a_pod_that_raises_what_ends_a_process_goes_on(zoo):
    from pypods.errors import PodCallError

    for name, args, type_name in [
        ("leave", (3,), "SystemExit"),
        ("interrupt_me", (), "KeyboardInterrupt"),
    ]:
        with pytest.raises(PodCallError) as info:
            zoo.call(name, *args)
        assert info.value.type_name == type_name
        assert not isinstance(info.value, (SystemExit, KeyboardInterrupt))
    assert zoo.call("add", 1) == 3
    assert sys.exc_info() == (None, None, None)

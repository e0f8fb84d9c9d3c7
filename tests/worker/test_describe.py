"""What a function looks like, as values that cross."""

from __future__ import annotations

import functools

from pypods.wire.documents import decode_document, encode_document
from pypods.worker.describe import describe_function


def described(function: object, name: str = "f") -> dict[str, object]:
    document = describe_function(name, function)
    assert decode_document(encode_document(document)) == document
    return document


def test_a_function_is_described_whole():
    def greet(name: str, /, greeting="hello", *more: int, loud: bool = False, **rest) -> str:
        """Greet someone.

        Or more than one.
        """

    document = described(greet)
    assert document == {
        "name": "f",
        "doc": "Greet someone.\n\nOr more than one.",
        "parameters": [
            {"name": "name", "kind": 0, "annotation": "str"},
            {"name": "greeting", "kind": 1, "annotation": None, "default": "hello"},
            {"name": "more", "kind": 2, "annotation": "int"},
            {"name": "loud", "kind": 3, "annotation": "bool", "default": False},
            {"name": "rest", "kind": 4, "annotation": None},
        ],
        "returns": "str",
    }


def test_a_function_without_anything_is_described_so():
    assert described(lambda: None) == {"name": "f", "doc": None, "parameters": [], "returns": None}


def test_annotations_are_texts_and_defaults_that_cannot_cross_are_their_source():
    def function(a, b=object, c=dict):
        pass

    function.__annotations__ = {"a": list[int], "b": "written as text", "return": None}
    first, second, third = described(function)["parameters"]
    assert first["annotation"] == "list[int]"
    assert second["annotation"] == "written as text"
    assert second["default_text"] == "<class 'object'>"
    assert third["default_text"] == "<class 'dict'>"
    assert described(function)["returns"] == "None"


def test_what_python_cannot_tell_is_none():
    assert described(max)["parameters"] is None
    assert described(max)["doc"].startswith("max(")


def test_a_callable_that_wraps_one_is_described_as_python_does():
    def base(a, b):
        """Base."""

    @functools.wraps(base)
    def wrapper(*args, **kwargs):
        pass

    assert [p["name"] for p in described(wrapper)["parameters"]] == ["a", "b"]
    assert [p["name"] for p in described(functools.partial(base, 1))["parameters"]] == ["b"]


def test_a_default_that_cannot_even_be_printed_hides_the_parameters_alone():
    class NoRepr:
        def __repr__(self):
            raise OSError

    def function(a=NoRepr()):  # noqa: B008
        """Documented."""

    document = described(function)
    assert (document["parameters"], document["doc"]) == (None, "Documented.")


def test_a_docstring_that_is_no_text_is_none():
    class Strange:
        __doc__ = 5

        def __call__(self, a):
            pass

    assert described(Strange())["doc"] is None


def test_a_pod_describes_one_and_all(zoo):
    (add,) = zoo.session.describe("add", 60)
    assert (add.name, add.doc) == ("add", "Add two numbers.")
    assert str(add.signature) == "(a, b=2, *, times=1)"
    names = [each.name for each in zoo.session.describe(None, 60)]
    assert names == zoo.session.functions
    assert "double" in names  # Imported into pod.py, so offered.
    assert "OwnError" not in names

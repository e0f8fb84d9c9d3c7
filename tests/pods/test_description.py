"""Descriptions become signatures that print as in the pod, and nothing is evaluated to do so."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import ProtocolError
from pypods.pods.description import FunctionDescription, description_from_document
from pypods.worker.describe import describe_function


def there_and_back(function: object) -> FunctionDescription:
    return description_from_document(describe_function("f", function))


def test_a_signature_prints_as_it_does_in_the_pod():
    def function(
        a: int, /, b: list[str], c=dict, *more: bytes, d: None = None, e=(1,), **rest: object
    ) -> dict[str, int]:
        """Do it."""

    function.__annotations__["b"] = list[str]
    function.__annotations__["return"] = dict[str, int]
    description = there_and_back(function)
    assert (description.name, description.doc) == ("f", "Do it.")
    expected = (
        "(a: int, /, b: list[str], c=<class 'dict'>, *more: bytes, d: None = None, e=(1,), "
        "**rest: object) -> dict[str, int]"
    )
    assert str(description.signature) == expected
    description.signature.bind(1, [], d=None)


def test_builtin_types_are_themselves_and_others_are_texts():
    def function(a: int, b: inspect.Signature, c: None) -> FunctionDescription:
        pass

    function.__annotations__ = {"a": int, "b": inspect.Signature, "c": None, "return": "later"}
    parameters = there_and_back(function).signature.parameters
    assert parameters["a"].annotation is int
    assert repr(parameters["b"].annotation) == "inspect.Signature"
    assert parameters["c"].annotation is None
    again = there_and_back(function).signature.parameters["b"].annotation
    assert again == parameters["b"].annotation
    assert hash(again) == hash(parameters["b"].annotation)
    assert again != "inspect.Signature"
    assert again != there_and_back(function).signature.return_annotation


def test_a_function_without_a_signature_has_none():
    description = there_and_back(max)
    assert description.signature is None
    assert description.doc.startswith("max(")


def test_a_function_without_annotations_has_none():
    signature = there_and_back(lambda a: a).signature
    assert signature.parameters["a"].annotation is inspect.Parameter.empty
    assert signature.return_annotation is inspect.Signature.empty


GOOD = {
    "name": "f",
    "doc": None,
    "parameters": [{"name": "a", "kind": 1, "annotation": None}],
    "returns": None,
}
PARAMETER = GOOD["parameters"][0]
MALFORMED = {
    "no document": 5,
    "nothing": {},
    "a name that is no text": {**GOOD, "name": 5},
    "a doc that is no text": {**GOOD, "doc": 5},
    "parameters that are no list": {**GOOD, "parameters": 5},
    "a parameter that is no document": {**GOOD, "parameters": [5]},
    "a parameter without a kind": {**GOOD, "parameters": [{"name": "a"}]},
    "a parameter of a kind that does not exist": {**GOOD, "parameters": [{**PARAMETER, "kind": 9}]},
    "a parameter that is no identifier": {**GOOD, "parameters": [{**PARAMETER, "name": "a b"}]},
    "a parameter that is a keyword": {**GOOD, "parameters": [{**PARAMETER, "name": "class"}]},
    "a parameter whose name is no text": {**GOOD, "parameters": [{**PARAMETER, "name": []}]},
    "an annotation that is no text": {**GOOD, "parameters": [{**PARAMETER, "annotation": 5}]},
    "a parameter twice": {**GOOD, "parameters": [PARAMETER, PARAMETER]},
    "a default for *args": {**GOOD, "parameters": [{**PARAMETER, "kind": 2, "default": 1}]},
    "returns that is no text": {**GOOD, "returns": 5},
    "a kind that is a list": {**GOOD, "parameters": [{**PARAMETER, "kind": []}]},
}


def test_the_good_one_is_good():
    assert str(description_from_document(GOOD).signature) == "(a)"


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_description_is_a_protocol_error(name):
    with pytest.raises(ProtocolError):
        description_from_document(MALFORMED[name])


ANYTHING = st.recursive(
    st.none() | st.integers(0, 5) | st.sampled_from(["a", "b", "int", "x y", "eval('1')"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "kind", "annotation", "default", "default_text"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(fields=st.dictionaries(st.sampled_from(list(GOOD)), ANYTHING))
def test_whatever_a_pod_says_is_a_description_or_a_protocol_error(fields):
    try:
        description = description_from_document({**GOOD, **fields})
    except ProtocolError:
        return
    assert isinstance(str(description.signature), str)

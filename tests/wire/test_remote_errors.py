"""A pod's failures become exceptions of the host's own, whatever the pod says."""

from __future__ import annotations

import builtins
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.errors import PodCallError, PodError, ProtocolError
from pypods.wire import remote_errors
from pypods.wire.failures import describe_failure
from pypods.wire.remote_errors import error_from_document


def failure(**fields: object) -> dict[str, object]:
    return {
        "module": "builtins",
        "type": "ValueError",
        "builtin": "ValueError",
        "args": ["no"],
        "text": "no",
        "traceback": "Traceback …\nValueError: no\n",
        "notes": [],
        "cause": None,
        "context": None,
        "suppress_context": False,
        "exceptions": [],
        **fields,
    }


def error_of(document: dict[str, object], origin: str = "") -> PodCallError:
    return error_from_document(document, pod_name="p", origin=origin)


def test_a_builtin_is_that_builtin_and_a_pod_call_error():
    error = error_of(failure(), 'pod "p" (Python 3.8.18, pid 7)')
    assert isinstance(error, ValueError)
    assert isinstance(error, PodCallError)
    assert isinstance(error, PodError)
    assert (error.args, str(error), error.text) == (("no",), "no", "no")
    assert (error.pod_name, error.type_name) == ("p", "ValueError")
    assert error.remote_traceback == "Traceback …\nValueError: no\n"
    assert error.__notes__ == [
        'Raised in pod "p" (Python 3.8.18, pid 7):\nTraceback …\nValueError: no'
    ]
    assert "ValueError: no" in "".join(traceback.format_exception(error))


BUILTINS = [
    name
    for name, cls in vars(builtins).items()
    if isinstance(cls, type) and issubclass(cls, Exception) and cls.__name__ == name
]
PLACE = ("pod.py", 3, 1, "def (:\n")
ARGUMENTS = {
    "SyntaxError": ("invalid syntax", PLACE),
    "IndentationError": ("unexpected indent", PLACE),
    "TabError": ("inconsistent tabs", PLACE),
    "UnicodeDecodeError": ("utf-8", b"\xff", 0, 1, "bad"),
    "UnicodeEncodeError": ("utf-8", "\ud800", 0, 1, "bad"),
    "UnicodeTranslateError": ("\ud800", 0, 1, "bad"),
    "ExceptionGroup": ("both", [ValueError(1), KeyError("k")]),
}


@pytest.mark.parametrize("name", BUILTINS)
def test_every_builtin_arrives_as_itself(name):
    cls = getattr(builtins, name)
    original = cls(*ARGUMENTS.get(name, ("a", 2)))
    error = error_of(describe_failure(original))
    assert isinstance(error, cls)
    assert isinstance(error, PodCallError)
    assert str(error) == str(original)
    if name != "ExceptionGroup":
        assert error.args == original.args


@pytest.mark.parametrize("name", ["UnicodeDecodeError", "ExceptionGroup", "SyntaxError", "OSError"])
@pytest.mark.parametrize("args", [[], [1], [None] * 6, [[], {}, "x"]])
def test_a_builtin_with_arguments_it_would_not_take_is_an_error_all_the_same(name, args):
    error = error_of(failure(builtin=name, type=name, args=args, text="as it was"))
    assert str(error) == "as it was"
    assert error.args == tuple(args)
    assert (error.type_name, isinstance(error, PodCallError)) == (name, True)
    assert "as it was" in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "name",
    ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "Exception", "eval", ""],
)
def test_what_would_end_the_host_or_is_no_error_is_a_pod_call_error(name):
    error = error_of(failure(builtin=name, type=name, text="x"))
    assert type(error) is PodCallError
    assert str(error) == "x"


def test_a_class_of_the_pods_own_is_named_in_full():
    error = error_of(failure(module="pods.p.pod", type="Own", builtin="KeyError", text="own text"))
    assert isinstance(error, KeyError)
    assert error.type_name == "pods.p.pod.Own"
    assert str(error) == "own text"


def test_names_that_a_pod_makes_up_are_not_remembered():
    before = remote_errors._mirrored_class.cache_info().currsize
    for number in range(10):
        error_of(failure(builtin=f"MadeUp{number}"))
    assert remote_errors._mirrored_class.cache_info().currsize == before


def test_one_class_mirrors_a_builtin():
    assert type(error_of(failure())) is type(error_of(failure(args=[2])))


def test_causes_contexts_and_notes_are_kept():
    inner = failure(builtin="KeyError", type="KeyError", args=["k"], text="'k'")
    error = error_of(failure(cause=inner, context=failure(text="c"), notes=["one", "two"]))
    assert isinstance(error.__cause__, KeyError)
    assert str(error.__context__) == "c"
    assert error.__suppress_context__ is False
    assert error.__notes__ == ["one", "two"]
    same = error_of(failure(cause=inner, context="cause", suppress_context=True))
    assert same.__context__ is same.__cause__
    assert same.__suppress_context__ is True


def test_a_group_holds_its_exceptions():
    inner = ExceptionGroup("inner", [KeyError("k")])
    error = error_of(describe_failure(ExceptionGroup("outer", [ValueError(1), inner])))
    assert isinstance(error, ExceptionGroup)
    first, second = error.exceptions
    assert (type(first).__name__, first.type_name) == ("ValueError", "ValueError")
    assert isinstance(second.exceptions[0], KeyError)
    with pytest.raises(ExceptionGroup) as info:
        raise error
    assert info.group_contains(KeyError)


def test_a_chain_without_end_is_cut():
    document = failure()
    for number in range(500):
        document = failure(text=str(number), cause=document, context=document)
        document["context"] = None
    error: BaseException | None = error_of(document)
    links = 0
    while error is not None:
        error, links = error.__cause__, links + 1
    assert links == remote_errors.MAX_CHAIN
    group = failure(builtin="ExceptionGroup", args=["g"])
    for _ in range(50):
        group = failure(builtin="ExceptionGroup", args=["g"], exceptions=[group])
    assert isinstance(error_of(group), PodCallError)


@pytest.mark.parametrize("field", ["module", "type", "builtin", "text", "traceback"])
@pytest.mark.parametrize("value", [None, 5, []])
def test_a_field_that_is_no_text_is_a_protocol_error(field, value):
    with pytest.raises(ProtocolError, match=f"a failure's {field} is no text"):
        error_of(failure(**{field: value}))


@pytest.mark.parametrize(
    "fields",
    [{"args": 5}, {"args": None}, {"notes": 7}, {"exceptions": [1]}, {"exceptions": "ab"}],
    ids=repr,
)
def test_lists_that_are_none_are_protocol_errors(fields):
    with pytest.raises(ProtocolError, match="a failure's"):
        error_of(failure(**fields))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    fields=st.dictionaries(
        st.sampled_from([*failure(), "more"]), ANYTHING | st.sampled_from(BUILTINS), max_size=6
    )
)
def test_whatever_a_pod_says_is_an_error_or_a_protocol_error(fields):
    try:
        error = error_of(failure(**fields), "somewhere")
    except ProtocolError:
        return
    assert isinstance(error, PodCallError)
    assert isinstance(str(error), str)

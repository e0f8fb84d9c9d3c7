"""What a user holds: a pod's functions as if they were imported."""

from __future__ import annotations

import copy
import functools
import inspect
import pydoc
from collections.abc import Callable
from typing import Any

import pytest

from pypods.errors import PodCallError, PodDiedError
from pypods.pods import FunctionDescription, Pod, PodFunction, describe

LoadPod = Callable[..., Any]

SIGNATURES = """
import functools
from typing import Optional

class Unsendable:
    def __repr__(self): return "Unsendable()"

def plain(a, b): "Add two."; return a + b
def defaults(a, b=2, *rest, c: int = 3, **more) -> Optional[str]: ...
def positional(a, /, b, *, c): ...
def unsendable(x=Unsendable(), y: "later" = (1, None, "s", 2.5)): ...
def undocumented(): ...
def long():
    '''First line.

        Indented on the second.
    '''
@functools.wraps(plain)
def wrapped(*args, **kwargs): return plain(*args, **kwargs)
partly = functools.partial(plain, 1)
no_signature = max
"""


@pytest.fixture(scope="module")
def pod(module_loader: LoadPod) -> Any:
    """Return one pod for all the tests that change nothing in it."""
    return module_loader(SIGNATURES).load_pod()


# Signature, docstring, name --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("plain", "(a, b)"),
        ("defaults", "(a, b=2, *rest, c: int = 3, **more) -> Optional[str]"),
        ("positional", "(a, /, b, *, c)"),
        ("unsendable", "(x=Unsendable(), y: later = (1, None, 's', 2.5))"),
        ("undocumented", "()"),
        ("wrapped", "(a, b)"),
        ("partly", "(b)"),
    ],
)
def test_a_function_keeps_its_signature(pod: Any, name: str, signature: str) -> None:
    assert str(inspect.signature(getattr(pod, name))) == signature


def test_defaults_are_values_and_builtin_annotations_types(pod: Any) -> None:
    parameters = inspect.signature(pod.defaults).parameters
    assert (parameters["b"].default, parameters["c"].annotation) == (2, int)
    assert inspect.signature(pod.unsendable).parameters["y"].default == (1, None, "s", 2.5)


def test_a_function_written_in_c_may_have_no_signature(pod: Any) -> None:
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(pod.no_signature)
    assert pod.no_signature([3, 5]) == 5


def test_a_function_keeps_its_docstring_and_name(pod: Any) -> None:
    assert pod.plain.__doc__ == "Add two."
    assert pod.undocumented.__doc__ is None
    assert pod.long.__doc__ == "First line.\n\nIndented on the second."
    assert pod.plain.__name__ == pod.plain.__qualname__ == "plain"
    assert pod.plain.__module__ == "pods.subject.pod"


def test_help_shows_a_function_as_one(pod: Any) -> None:
    text = pydoc.plain(pydoc.render_doc(pod.plain))
    assert "plain(a, b)" in text
    assert "Add two." in text
    assert inspect.isroutine(pod.plain)


def test_a_function_can_be_wrapped_and_be_a_class_attribute(pod: Any) -> None:
    @functools.wraps(pod.plain)
    def wrapper(*args: Any) -> Any:
        return pod.plain(*args)

    class Holder:
        add = pod.plain

    assert (wrapper.__name__, wrapper.__doc__, wrapper(1, 2)) == ("plain", "Add two.", 3)
    assert Holder().add(1, 2) == 3


def test_describe_tells_all_in_one_go(pod: Any) -> None:
    descriptions = {each.name: each for each in describe(pod)}
    assert set(descriptions) < set(dir(pod))
    assert all(isinstance(getattr(pod, name), PodFunction) for name in descriptions)
    assert descriptions["plain"] == FunctionDescription(
        "plain", inspect.signature(pod.plain), "Add two."
    )
    assert descriptions["no_signature"].signature is None


def test_a_function_whose_signature_cannot_be_had_does_not_hide_the_others(
    bare_pod: LoadPod,
) -> None:
    pod = bare_pod(
        """
        __all__ = ["Odd", "odd", "f"]
        class Odd:
            def __call__(self): return 7
            @property
            def __signature__(self): raise RuntimeError("no")
        odd = Odd()
        def f(): "About f."
        """
    )
    described = {each.name: each.doc for each in describe(pod)}
    assert described["f"] == "About f."
    assert pod.odd() == 7


# Calls -----------------------------------------------------------------------------------------


def test_arguments_by_position_and_name(pod: Any) -> None:
    assert pod.plain(1, 2) == pod.plain(1, b=2) == pod.plain(b=2, a=1) == 3
    assert pod.plain("a", b="b") == "ab"
    assert pod.undocumented() is None


@pytest.mark.parametrize(
    "name", ["self", "args", "kwargs", "name", "timeout", "id", "kind", "$ref"]
)
def test_a_keyword_may_have_any_name(bare_pod: LoadPod, name: str) -> None:
    pod = bare_pod("def keywords(**given): return given")
    assert pod.keywords(**{name: 1}) == {name: 1}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1,), {}, "missing 1 required positional argument: 'b'"),
        ((1, 2, 3), {}, "takes 2 positional arguments but 3 were given"),
        ((1, 2), {"c": 3}, "unexpected keyword argument 'c'"),
        ((1,), {"a": 1}, "multiple values for argument 'a'"),
    ],
)
def test_wrong_arguments_are_a_type_error_as_python_has_it(
    pod: Any, args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        pod.plain(*args, **kwargs)
    assert isinstance(caught.value, PodCallError)
    assert "plain()" in str(caught.value)


def test_a_function_that_went_is_an_attribute_error_with_the_names_there_are(
    bare_pod: LoadPod,
) -> None:
    pod = bare_pod("def f(): return 1\ndef g(): return 2")
    orphan = PodFunction(pod._pypods_source, "gone")
    with pytest.raises(AttributeError, match=r"no 'gone'.*f, g"):
        orphan()


# Options ---------------------------------------------------------------------------------------


def test_options_leave_the_function_as_it_is(pod: Any) -> None:
    hasty = pod.plain.options(timeout=30)
    assert hasty(1, 2) == pod.plain(1, 2) == 3
    assert hasty is not pod.plain
    assert hasty.__doc__ == "Add two."


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_positive(pod: Any, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        pod.plain.options(timeout=timeout)


def test_options_have_names(pod: Any) -> None:
    with pytest.raises(TypeError):
        pod.plain.options(3)


# The pod as an object --------------------------------------------------------------------------


def test_a_function_is_the_same_whenever_it_is_looked_at(pod: Any) -> None:
    assert pod.plain is pod.plain
    assert repr(pod.plain) == "<function plain of 'subject' RUNNING>"


def test_protocols_that_look_for_special_names_find_none(pod: Any) -> None:
    assert not hasattr(pod, "__len__")
    assert not hasattr(pod, "__array__")
    assert bool(pod)


def test_a_pod_that_is_copied_halfway_raises_attribute_errors_alone() -> None:
    empty = Pod.__new__(Pod)
    with pytest.raises(AttributeError):
        assert empty.anything


def test_a_copy_calls_the_same_pod(pod: Any) -> None:
    assert copy.copy(pod).plain(1, 2) == 3


def test_a_description_is_asked_for_once(bare_loader: LoadPod) -> None:
    loader = bare_loader("def f(): 'About f.'")
    pod = loader.load_pod()
    assert pod.f.__doc__ == "About f."
    loader.unload_pod()
    assert pod.f.__doc__ == "About f."


def test_describing_a_pod_that_dies_of_it_is_no_replay(bare_pod: LoadPod) -> None:
    pod = bare_pod(
        """
        import os
        class Deadly:
            def __call__(self): pass
            @property
            def __signature__(self): os._exit(4)
        __all__ = ["deadly"]
        deadly = Deadly()
        """
    )
    with pytest.raises(PodDiedError) as caught:
        describe(pod)
    assert caught.value.exit_status == 4
    with pytest.raises(PodDiedError):
        inspect.signature(pod.deadly)

"""What a pod raises, as its caller sees it."""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from pypods.errors import PodCallError, PodError, ValueTransferError
from pypods.wire.remote_errors import error_from_document

LoadPod = Callable[..., Any]

SOURCE = """
import builtins

class Own(Exception): pass
class OwnValue(ValueError): pass
class OwnKey(LookupError, Own): pass

# What each class that checks its arguments is given here.
ARGUMENTS = {
    "UnicodeDecodeError": ("utf-8", b"\\xff", 0, 1, "invalid start byte"),
    "UnicodeEncodeError": ("ascii", "\\xe9", 0, 1, "ordinal not in range"),
    "UnicodeTranslateError": ("\\xe9", 0, 1, "no reason"),
    "SyntaxError": ("broken", ("file.py", 3, 7, "def (:")),
    "OSError": (9999, "No such file"),  # A number that stands for no class of its own.
}
for name, value in list(vars(builtins).items()):
    if isinstance(value, type) and issubclass(value, SyntaxError):
        ARGUMENTS[name] = ARGUMENTS["SyntaxError"]
    elif isinstance(value, type) and issubclass(value, OSError):
        ARGUMENTS[name] = ARGUMENTS["OSError"]
    elif name.endswith("ExceptionGroup"):
        ARGUMENTS[name] = ("several", [ValueError(1), KeyError("two")])

def raise_builtin(name):
    raise getattr(builtins, name)(*ARGUMENTS.get(name, ("first", 2)))

def text_of(name):
    return str(getattr(builtins, name)(*ARGUMENTS.get(name, ("first", 2))))

def raise_own(name, *args): raise globals()[name](*args)

def missing_file(): open("/nowhere/at/all")

def chain():
    try:
        try:
            1 / 0
        except ZeroDivisionError as exc:
            raise KeyError("cause") from exc
    except KeyError:
        raise Own("top")

def suppressed():
    try:
        1 / 0
    except ZeroDivisionError:
        raise ValueError("alone") from None

def noted():
    error = ValueError("with notes")
    error.__notes__ = ["first note", "second note"]
    raise error

def group():
    inner = ExceptionGroup("inner", [OSError(5, "io")])
    error = KeyError("k")
    error.__cause__ = Own("cause of one")
    raise ExceptionGroup("outer", [ValueError(1), error, inner])

def ending_group():
    raise BaseExceptionGroup("ending", [KeyboardInterrupt(), ValueError(1)])

def deep(n):
    try:
        if n: deep(n - 1)
        else: raise ValueError("bottom")
    except Exception as exc:
        raise RuntimeError(n) from exc

def cycle():
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    raise a

async def wait(): pass
def waiting(): raise ValueError([wait()])
def unsendable(): raise ValueError(object, [lambda: 1])

class Rude(Exception):
    def __str__(self): raise RuntimeError("no text")
    __repr__ = __str__
def rude(): raise Rude(1)

def big(n): raise ValueError("x" * n, "y" * n)

class OddDecode(UnicodeDecodeError):
    def __init__(self, *args): pass
def odd(*args): raise OddDecode(*args)

def recurse(): recurse()
def alive(): return True
"""

ALL = {
    name: cls
    for name, cls in vars(builtins).items()
    if isinstance(cls, type) and issubclass(cls, BaseException)
}
MIRRORED = sorted(name for name, cls in ALL.items() if issubclass(cls, Exception))
ENDING = ["GeneratorExit", "KeyboardInterrupt", "SystemExit"]


@pytest.fixture(scope="module")
def pod(module_loader: LoadPod) -> Any:
    """Return one pod for all: none of what it raises may end it."""
    return module_loader(SOURCE).load_pod()


def catch(call: Callable[..., Any], *args: Any) -> PodCallError:
    with pytest.raises(PodCallError) as caught:
        call(*args)
    return caught.value


# Builtin exceptions ----------------------------------------------------------------------------


def test_the_table_is_complete() -> None:
    assert set(MIRRORED) | {"BaseException", "BaseExceptionGroup", *ENDING} == set(ALL)
    assert len(MIRRORED) > 60


@pytest.mark.parametrize("name", MIRRORED)
def test_a_builtin_exception_is_caught_as_itself_and_as_a_pods(pod: Any, name: str) -> None:
    cls = ALL[name]
    with pytest.raises(cls) as caught:
        pod.raise_builtin(name)
    error = caught.value
    assert isinstance(error, PodCallError)
    assert isinstance(error, PodError)
    assert error.type_name == cls.__name__
    assert type(error).__name__ in (cls.__name__, "PodCallError")
    assert str(error) == pod.text_of(name)
    assert error.pod_name == "subject"
    assert f"{cls.__name__}: " in error.remote_traceback
    assert "in raise_builtin" in error.remote_traceback
    if issubclass(cls, OSError):
        assert error.args == (9999, "No such file")
        assert error.errno == 9999
    elif issubclass(cls, SyntaxError):
        assert (error.msg, error.lineno) == ("broken", 3)
    elif issubclass(cls, UnicodeError) and cls is not UnicodeError:
        assert error.start == 0
    elif not issubclass(cls, ExceptionGroup):
        assert error.args == ("first", 2)


@pytest.mark.parametrize("name", [*ENDING, "BaseException"])
def test_what_would_end_the_host_arrives_as_a_pods_error_alone(pod: Any, name: str) -> None:
    error = catch(pod.raise_builtin, name)
    assert type(error) is PodCallError
    assert error.type_name == name
    assert pod.alive()


@pytest.mark.parametrize(
    ("name", "caught_as", "not_as"),
    [
        ("Own", Exception, ValueError),
        ("OwnValue", ValueError, KeyError),
        ("OwnKey", LookupError, KeyError),
    ],
)
def test_a_class_of_the_pods_own_is_caught_as_the_builtin_it_extends(
    pod: Any, name: str, caught_as: type[Exception], not_as: type[Exception]
) -> None:
    error = catch(pod.raise_own, name, 1, "two", None)
    assert isinstance(error, caught_as)
    assert not isinstance(error, not_as)
    assert error.type_name == f"pods.subject.pod.{name}"
    assert error.args == (1, "two", None)


def test_text_is_the_originals_where_args_do_not_make_it(pod: Any) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        pod.missing_file()
    assert str(caught.value) == "[Errno 2] No such file or directory: '/nowhere/at/all'"
    assert (caught.value.errno, caught.value.strerror) == (2, "No such file or directory")


def test_a_builtin_that_refuses_the_arguments_is_the_builtin_all_the_same(pod: Any) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        pod.odd("only one", 2)
    assert caught.value.args == ("only one", 2)
    assert isinstance(caught.value, PodCallError)


def test_a_group_without_its_exceptions_is_a_pods_error(pod: Any) -> None:
    document = {
        "module": "builtins",
        "type": "ExceptionGroup",
        "builtin": "ExceptionGroup",
        "args": ["several", []],
        "text": "several",
        "traceback": "",
    }
    error = error_from_document(document, pod_name="subject")
    assert type(error) is PodCallError
    assert (str(error), error.args) == ("several", ("several", []))


# Tracebacks and chains -------------------------------------------------------------------------


def test_the_printed_traceback_shows_the_pods_frames_and_no_others(pod: Any) -> None:
    error = catch(pod.chain)
    assert error.remote_traceback.startswith("Traceback (most recent call last):")
    assert "pod.py" in error.remote_traceback
    assert "worker" not in error.remote_traceback
    assert "ZeroDivisionError" in error.remote_traceback
    printed = "".join(traceback.format_exception(error))
    assert "raise Own" in printed
    assert 'pod "subject"' in printed


def test_cause_and_context_are_kept(pod: Any) -> None:
    error = catch(pod.chain)
    assert error.__cause__ is None
    assert not error.__suppress_context__
    context = error.__context__
    assert isinstance(context, KeyError)
    assert context.args == ("cause",)
    assert isinstance(context.__cause__, ZeroDivisionError)
    assert context.__context__ is context.__cause__
    assert context.__suppress_context__


def test_a_suppressed_context_stays_suppressed(pod: Any) -> None:
    error = catch(pod.suppressed)
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert isinstance(error.__context__, ZeroDivisionError)


def test_notes_are_kept(pod: Any) -> None:
    assert catch(pod.noted).__notes__[:2] == ["first note", "second note"]


def test_a_group_arrives_as_a_group(pod: Any) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        pod.group()
    group = caught.value
    assert isinstance(group, PodCallError)
    assert group.message == "outer"
    first, second, third = group.exceptions
    assert isinstance(first, ValueError)
    assert isinstance(second.__cause__, PodCallError)
    assert second.__cause__.type_name == "pods.subject.pod.Own"
    assert isinstance(third, ExceptionGroup)
    assert isinstance(third.exceptions[0], OSError)
    matched, rest = group.split(KeyError)  # As "except*" does.
    assert matched is not None
    assert rest is not None
    assert (matched.exceptions, rest.exceptions[0]) == ((second,), first)


def test_a_group_that_would_end_the_host_does_not(pod: Any) -> None:
    error = catch(pod.ending_group)
    assert type(error) is PodCallError
    assert "KeyboardInterrupt" in error.remote_traceback


# Errors that are hard to tell of ---------------------------------------------------------------


def test_a_long_chain_is_cut_and_not_exponential(pod: Any) -> None:
    error: BaseException | None = catch(pod.deep, 200)
    length = 0
    while error is not None:
        error, length = error.__cause__, length + 1
    assert 10 < length < 100


def test_a_cycle_of_causes_ends(pod: Any) -> None:
    error = catch(pod.cycle)
    assert error.args == ("a",)
    assert error.__cause__ is not None
    assert error.__cause__.args == ("b",)
    assert error.__cause__.__cause__ is None


def test_arguments_that_cannot_be_copied_are_references(pod: Any) -> None:
    error = catch(pod.unsendable)
    assert isinstance(error, ValueError)
    assert repr(error.args[0]) == "<class 'builtins.object' in pod 'subject'>"
    assert error.args[1][0]() == 1


def test_arguments_that_cannot_cross_are_told_as_text(pod: Any) -> None:
    error = catch(pod.waiting)
    assert isinstance(error, ValueError)
    assert error.args[0].startswith("[<coroutine object ")


def test_an_exception_without_a_text_is_told_all_the_same(pod: Any) -> None:
    error = catch(pod.rude)
    assert error.type_name == "pods.subject.pod.Rude"
    assert error.args == (1,)


def test_an_exception_larger_than_a_frame_is_shortened(bare_pod: LoadPod) -> None:
    pod = bare_pod(SOURCE, max_frame_bytes=20_000)
    with pytest.raises(ValueError, match="xxx") as caught:
        pod.big(1_000_000)
    assert isinstance(caught.value, PodCallError)
    assert pod.alive()


def test_endless_recursion_is_a_recursion_error(pod: Any) -> None:
    with pytest.raises(RecursionError):
        pod.recurse()
    assert pod.alive()


def test_a_result_that_cannot_cross_is_an_error_that_names_its_place(bare_pod: LoadPod) -> None:
    pod = bare_pod("async def w(): pass\ndef f(x=0): return {'a': [1, w()]}\ndef g(x): return x")
    with pytest.raises(ValueTransferError, match=r'result\["a"\]\[1\]: coroutine cannot cross'):
        pod.f()
    with pytest.raises(ValueTransferError, match=r'args\[0\]\["conn"\]: object cannot cross'):
        pod.g({"conn": object()})
    with pytest.raises(TypeError, match=r'kwargs\["x"\]'):
        pod.g(x=object())
    assert pod.g(1) == 1

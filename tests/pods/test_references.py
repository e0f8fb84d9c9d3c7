"""Objects, classes, modules and exceptions of a pod, used from here as if they were here."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pods.conftest import LoadPod, make_loaders

from pypods.errors import PodCallError, PodDiedError, PodError, ValueTransferError

#: 1,000,000 take minutes; the default run makes fewer.
REFERENCES = int(os.environ.get("PYPODS_TEST_REFERENCES", "20000"))

SOURCE = '''
from __future__ import annotations
import abc, gc, math, os.path, sqlite3, sys, time
from collections.abc import Iterable
from enum import Enum

PI = 3.5

class Base:
    "A base."
    tag = "base"
    def hello(self, name="you", *, twice=False):
        "Greet."
        return "hello " + name
    @staticmethod
    def double(x): return 2 * x
    @classmethod
    def make(cls): return cls(5)

class Number(Base):
    """A number.

    With everything."""
    def __init__(self, n=1): self.n = n
    def __repr__(self): return f"Number({self.n})"
    def __str__(self): return f"number {self.n}"
    def __format__(self, spec): return format(self.n, spec)
    def __bytes__(self): return bytes([self.n])
    def __len__(self): return self.n
    def __iter__(self): return iter(range(self.n))
    def __reversed__(self): return iter(range(self.n)[::-1])
    def __contains__(self, x): return x < self.n
    def __getitem__(self, key): return ("item", key)
    def __setitem__(self, key, value): self.set = (key, value)
    def __delitem__(self, key): self.deleted = key
    def __enter__(self): self.n += 100; return self
    def __exit__(self, kind, error, trace):
        self.n -= 100
        self.left = kind and (kind.__name__, repr(error.args), trace is None)
        return False
    def __call__(self, *args, **kwargs): return (self.n, args, kwargs)
    def __bool__(self): return self.n != 0
    def __int__(self): return self.n
    def __float__(self): return self.n + 0.5
    def __complex__(self): return complex(self.n, 1)
    def __index__(self): return self.n
    def __round__(self, digits=0): return ("rounded", digits)
    def __neg__(self): return Number(-self.n)
    def __pos__(self): return Number(self.n)
    def __abs__(self): return Number(abs(self.n))
    def __invert__(self): return Number(~self.n)
    def __fspath__(self): return f"/{self.n}"
    def __hash__(self): return self.n * 7
    @staticmethod
    def of(x): return x.n if isinstance(x, Number) else x
    def __eq__(self, other): return self.n == self.of(other)
    def __lt__(self, other): return self.n < self.of(other)
    def __le__(self, other): return self.n <= self.of(other)
    def __gt__(self, other): return self.n > self.of(other)
    def __ge__(self, other): return self.n >= self.of(other)
    def __add__(self, other): return Number(self.n + self.of(other))
    def __radd__(self, other): return Number(other + self.n)
    def __sub__(self, other): return Number(self.n - self.of(other))
    def __rsub__(self, other): return Number(other - self.n)
    def __mul__(self, other): return Number(self.n * self.of(other))
    def __matmul__(self, other): return "matmul"
    def __truediv__(self, other): return self.n / self.of(other)
    def __floordiv__(self, other): return self.n // self.of(other)
    def __mod__(self, other): return self.n % self.of(other)
    def __divmod__(self, other): return divmod(self.n, self.of(other))
    def __pow__(self, other): return self.n ** self.of(other)
    def __lshift__(self, other): return self.n << self.of(other)
    def __rshift__(self, other): return self.n >> self.of(other)
    def __and__(self, other): return self.n & self.of(other)
    def __or__(self, other): return self.n | self.of(other)
    def __xor__(self, other): return self.n ^ self.of(other)
    def __iadd__(self, other): self.n += self.of(other); return self
    @property
    def square(self): return self.n ** 2
    @property
    def broken(self): raise KeyError("broken")
    def many(self): return [Number(i) for i in range(self.n)]
    def later(self, function): return function(self)
    def die(self): os._exit(3)

class Plain: pass
class Unhashable:
    def __eq__(self, other): return True

class Counter:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if not self.n: raise StopIteration
        self.n -= 1
        return self.n

class Slow:
    async def get(self, x): return [x]
    def __await__(self):
        async def wait(): return "waited"
        return wait().__await__()
    async def __aenter__(self): return self
    async def __aexit__(self, *error): self.left = error[0] is not None
    def __aiter__(self): self.n = 3; return self
    async def __anext__(self):
        if not self.n: raise StopAsyncIteration
        self.n -= 1
        return self.n

class SlowStream:
    async def __aiter__(self):
        for i in range(3): yield i

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Square(Shape):
    def area(self): return 4
class Registered: pass
Shape.register(Registered)

class Color(Enum):
    RED = 1
    BLUE = 2

class MyError(ValueError):
    def __init__(self, message, code=0):
        super().__init__(message)
        self.code, self.owner, self._hidden = code, Number(3), 1
    @property
    def twice(self): return 2 * self.code
class Deeper(MyError): pass
class Other(Exception): pass
class Mixed(Plain, KeyError): pass

def fail(name, *args): raise globals()[name](*args)
def chained():
    try: raise Deeper("first", 1)
    except Deeper as exc: raise Other("second") from exc
def stream_then_fail(n):
    yield from (Number(i) for i in range(n))
    raise MyError("late", n)
def fail_at(x):
    if x == 3: raise MyError("at three", x)
    return x
def grouped():
    raise ExceptionGroup("both", [MyError("one", 1), Other("two")])
def noted():
    error = MyError("noted")
    error.add_note("a note")
    raise error
def fail_large(n):
    error = MyError("x" * n)
    error.many = [Number(i) for i in range(10)]
    raise error

def number(n): return Number(n)
def numbers(n): return [Number(i) for i in range(n)]
def rows(n): return [(i, Number(i)) for i in range(n)]
def stream(n): return (Number(i) for i in range(n))
def nested(): return {"a": [Number(1), (Number(2), {"k": Number(3)})], "s": {Number(4)}}
def same(x): return x
def kind(x): return type(x).__name__
def total(xs): return sum(x.n for x in xs)
def call(function, *args): return function(*args)
def take(numbers): return [x.n for x in numbers]
async def wait(): pass
def half_wrong(n): return [Number(i) for i in range(n)] + [wait()]
def too_many(n): return [Number(0), "x" * n]
def slow_number(seconds): time.sleep(seconds); return Number(1)
def held():
    "How many references there are."
    gc.collect()
    return sum(len(each) for each in gc.get_objects() if type(each).__name__ == "References")
'''


@pytest.fixture(scope="module")
def load(
    outer_or_own_python: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LoadPod]:
    """Return a function that loads a pod of that Python."""
    python = str(outer_or_own_python)
    with make_loaders(tmp_path_factory.mktemp("pods")) as make:
        yield lambda source=SOURCE, **options: make(source, python=python, measured=True, **options)


@pytest.fixture(scope="module")
def pod(load: LoadPod) -> Any:
    """Return the pod that the tests of this module share."""
    return load().load_pod()


def held(pod: Any) -> int:
    """Return how many objects the pod keeps for the host."""
    gc.collect()
    pod.same(None)  # Carries what was dropped.
    count = pod.held()
    assert isinstance(count, int)
    return count


# --- operators and protocols --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "result"),
    [
        (len, 3),
        (list, [0, 1, 2]),
        (lambda x: list(reversed(x)), [2, 1, 0]),
        (lambda x: (2 in x, 3 in x), (True, False)),
        (lambda x: x[1:2, "a"], ("item", (slice(1, 2), "a"))),
        (lambda x: x(1, b=2), (3, (1,), {"b": 2})),
        (bool, True),
        (int, 3),
        (float, 3.5),
        (complex, 3 + 1j),
        (bytes, b"\3"),
        (hash, 21),
        (str, "number 3"),
        (lambda x: f"{x:04d}", "0003"),
        (lambda x: range(5)[x], 3),
        (lambda x: round(x, 2), ("rounded", 2)),
        (os.fspath, "/3"),
        (lambda x: (-x).n, -3),
        (lambda x: (+x).n, 3),
        (lambda x: abs(-x).n, 3),
        (lambda x: (~x).n, -4),
        (lambda x: (x == 3, x != 3, x < 4, x <= 2, x > 2, x >= 4), (1, 0, 1, 0, 1, 0)),
        (lambda x: x == object(), False),
        (lambda x: x != object(), True),
        (lambda x: ((x + 1).n, (1 + x).n, (x - 1).n, (1 - x).n), (4, 4, 2, -2)),
        (lambda x: (x + x).n, 6),
        (lambda x: ((x * 2).n, x @ 1, x / 2, x // 2, x % 2), (6, "matmul", 1.5, 1, 1)),
        (lambda x: (divmod(x, 2), x**2, x << 1, x >> 1), ((1, 1), 9, 6, 1)),
        (lambda x: (x & 1, x | 4, x ^ 1), (1, 7, 2)),
        (lambda x: (x.n, x.square, x.tag), (3, 9, "base")),
        (lambda x: min([x + 2, x]) is x, True),
        (lambda x: {x: 1}[x], 1),
    ],
)
def test_operators_are_those_of_the_object(pod, use, result):
    assert use(pod.Number(3)) == result


def test_a_container_is_written_to(pod):
    number = pod.Number(1)
    number["k"] = [1]
    del number[5]
    assert (number.set, number.deleted) == (("k", [1]), 5)


def test_attributes_are_read_set_and_deleted(pod):
    number = pod.Number(1)
    number.n = 9
    number.extra = pod.Number(2)
    assert (number.n, number.extra.n) == (9, 2)
    del number.extra
    assert not hasattr(number, "extra")
    with pytest.raises(AttributeError, match="nothing"):
        _ = number.nothing
    with pytest.raises(KeyError):
        _ = number.broken
    assert not hasattr(number, "__wrapped__")


def test_what_is_added_in_place_stays_the_same_object(pod):
    number = before = pod.Number(1)
    number += 5
    assert number is before
    assert number.n == 6


def test_operands_that_cannot_be_sent_are_a_type_error(pod):
    with pytest.raises(TypeError):
        _ = pod.Number(1) + object()


def test_objects_without_the_operators_have_none(pod):
    plain = pod.Plain()
    for use in (len, iter, next_of, lambda x: x[0], lambda x: x(), lambda x: x + 1):
        with pytest.raises(TypeError):
            use(plain)
    assert plain
    assert plain == plain
    assert plain != pod.Plain()
    assert len({plain, plain}) == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(pod.Unhashable())


def next_of(value: Any) -> Any:
    return next(value)


def test_a_context_manager_is_entered_and_left(pod):
    number = pod.Number(1)
    with number as entered:
        assert entered is number
        assert number.n == 101
    assert number.n == 1
    with pytest.raises(LookupError), number:
        raise LookupError("mine")
    assert number.n == 1
    assert number.left == ("LookupError", "('mine',)", True)
    with pytest.raises(pod.MyError), number:
        pod.fail("Deeper", "theirs", 3)
    assert number.left[0] == "Deeper"


def test_an_iterator_is_its_own(pod):
    counter = pod.Counter(4)
    assert iter(counter) is counter
    assert next(counter) == 3
    assert list(counter) == [2, 1, 0]
    assert next(counter, "end") == "end"


def test_what_is_awaited_in_the_pod_is_awaited_here(pod):
    async def use() -> Any:
        slow = pod.Slow()
        awaited = await slow
        got = await slow.get.aio(pod.Number(2))
        async with slow as entered:
            counted = [each async for each in slow]
        return awaited, got[0].n, entered is slow, counted, slow.left

    assert asyncio.run(use()) == ("waited", 2, True, [2, 1, 0], False)


def test_an_async_generator_of_an_object_is_iterated(pod):
    async def use() -> Any:
        return [each async for each in pod.SlowStream()]

    assert asyncio.run(use()) == [0, 1, 2]


# --- methods ------------------------------------------------------------------------------------


def test_methods_have_all_ways_to_call(pod):
    number = pod.Number(1)
    assert number.hello("x") == "hello x"
    assert number.hello.submit(name="y").result() == "hello y"
    assert asyncio.run(number.hello.aio("z")) == "hello z"
    assert list(number.hello.map(["a", "b", "c"])) == ["hello a", "hello b", "hello c"]
    assert list(number.hello.map(["a", "b", "c"], chunksize=2))[-1] == "hello c"
    assert number.hello.options(timeout=20)("o") == "hello o"
    assert number.hello.options(timeout=20).options(timeout=10)("o") == "hello o"
    with pytest.raises(ValueError, match="timeout"):
        number.hello.options(timeout=0)


def test_methods_are_described(pod):
    number = pod.Number(1)
    assert str(inspect.signature(number.hello)) == "(name='you', *, twice=False)"
    assert number.hello.__doc__ == "Greet."
    assert repr(number.hello) == "<method hello of <Number(1) in pod 'subject'>>"
    assert str(inspect.signature(pod.Base.hello)) == "(self, name='you', *, twice=False)"
    assert str(inspect.signature(pod.Number)) == "(n=1)"
    assert str(inspect.signature(number)) == "(*args, **kwargs)"
    assert str(inspect.signature(pod.math.gcd)).startswith("(")


def test_help_shows_what_the_pod_says(pod):
    shown = pydoc.plain(pydoc.render_doc(pod.Number))
    assert "class Number(Base)" in shown
    assert "With everything." in shown
    assert "hello(self, name='you', *, twice=False)" in shown
    assert "Greet." in pydoc.plain(pydoc.render_doc(pod.Number(1).hello))
    assert pod.Number.__doc__.startswith("A number.")
    assert pod.Number(1).__doc__ == pod.Number.__doc__
    assert pod.math.__doc__ is not None
    assert pod.math.sqrt.__doc__.startswith("Return the square root")


def test_what_an_object_has_is_listed(pod):
    names = dir(pod.Number(1))
    assert {"n", "hello", "square", "tag"} <= set(names)
    assert "hello" in dir(pod.Number)
    assert {"Number", "PI", "math", "sqlite3", "same"} <= set(dir(pod))
    assert "annotations" not in dir(pod)


def test_a_repr_shows_the_object_and_the_pod(pod):
    assert repr(pod.Number(1)) == "<Number(1) in pod 'subject'>"
    assert repr(pod.Number) == "<class 'pods.subject.pod.Number' in pod 'subject'>"
    assert repr(pod.math) == "<module 'math' in pod 'subject' RUNNING>"
    assert repr(pod.Plain()).startswith("<pods.subject.pod.Plain object at ")


# --- classes ------------------------------------------------------------------------------------


def test_isinstance_needs_no_round_trip(pod):
    number, plain = pod.Number(1), pod.Plain()
    classes = pod.Number, pod.Base, pod.Plain
    session = pod._pypods_source.session()
    before = session._next_number()
    assert [isinstance(number, each) for each in classes] == [True, True, False]
    assert [isinstance(plain, each) for each in classes] == [False, False, True]
    assert issubclass(classes[0], classes[1])
    assert not issubclass(classes[1], classes[0])
    assert not isinstance(5, classes[0])
    assert type(number) is classes[0]
    assert session._next_number() == before + 1


def test_abstract_classes_are_asked(pod):
    square, registered = pod.Square(), pod.Registered()
    assert isinstance(square, pod.Shape)
    assert isinstance(registered, pod.Shape)
    assert issubclass(pod.Registered, pod.Shape)
    assert isinstance(pod.Number(1), pod.Iterable)
    assert not isinstance(pod.Plain(), pod.Iterable)
    assert not isinstance(pod.Plain(), pod.Shape)
    assert not isinstance([1], pod.Shape)
    assert not issubclass(int, pod.Shape)
    with pytest.raises(TypeError, match="abstract"):
        pod.Shape()


def test_classes_have_attributes_and_methods_of_their_own(pod):
    assert pod.Base.tag == "base"
    assert pod.Number.double(4) == 8
    assert pod.Number(1).double(4) == 8
    assert isinstance(pod.Number.make(), pod.Number)
    assert pod.Number.hello(pod.Number(1), "x") == "hello x"
    pod.Plain.new = 5
    assert pod.Plain.new == 5
    del pod.Plain.new
    assert not hasattr(pod.Plain, "new")
    assert pod.Number.__mro__[1] is pod.Base


def test_a_class_is_sent_back_as_itself(pod):
    assert pod.same(pod.Number) is pod.Number
    assert pod.kind(pod.Number) == "type"
    assert pod.same([pod.Number, {"k": pod.Base}]) == [pod.Number, {"k": pod.Base}]


def test_a_class_with_operators_has_them(pod):
    assert len(pod.Color) == 2
    assert len(list(pod.Color)) == 2
    assert pod.Color["RED"].name == "RED"
    assert pod.Color


def test_a_class_of_a_pod_has_no_subclasses_here(pod):
    with pytest.raises(TypeError, match="in the pod only"):
        type("Mine", (pod.Number,), {})


# --- identity, containers, arguments ------------------------------------------------------------


def test_a_reference_that_goes_back_is_the_object_itself(pod):
    number = pod.Number(5)
    assert pod.same(number) is number
    assert pod.kind(number) == "Number"
    again = pod.same({"a": [number, (number,)]})
    assert again["a"][0] is again["a"][1][0] is number
    keeper = pod.Plain()
    keeper.kept = [number]
    assert keeper.kept[0] is number


def test_containers_are_copied_with_references_inside(pod):
    nested = pod.nested()
    assert (nested["a"][0].n, nested["a"][1][0].n, nested["a"][1][1]["k"].n) == (1, 2, 3)
    assert [each.n for each in nested["s"]] == [4]
    assert pod.total([*nested["a"][:1], nested["a"][1][0]]) == 3
    assert [row[1].n for row in pod.rows(100)] == list(range(100))


def test_a_plain_object_is_a_reference(pod):
    thing = pod.import_module("builtins").object()
    assert pod.same(thing) is thing
    assert repr(thing).startswith("<object object at ")


def test_streams_carry_references(pod):
    assert [each.n for each in pod.stream(300)] == list(range(300))


def test_callbacks_take_and_return_references(pod):
    number = pod.Number(4)
    seen: list[Any] = []

    def back(value: Any) -> Any:
        seen.append(value)
        return [value, pod.Number(6)]

    first, second = pod.call(back, number)
    assert first is number is seen[0]
    assert second.n == 6
    assert number.later(lambda value: value.n) == 4
    assert pod.take(pod.Number(i) for i in range(5)) == [0, 1, 2, 3, 4]


def test_another_pod_refuses_a_reference(pod, load):
    other = load(name="another").load_pod()
    with pytest.raises(ValueTransferError, match=r'args\[0\]\["x"\]: lives in pod "subject"'):
        other.same({"x": pod.Number(1)})
    with pytest.raises(ValueTransferError, match='lives in pod "subject"'):
        other.same(pod.Number)
    with pytest.raises(TypeError, match='lives in pod "subject"'):
        other.call(lambda: pod.math)
    assert not isinstance(other.Number(1), pod.Number)
    assert other.same(1) == 1


@pytest.mark.parametrize("make", [lambda pod: pod.Number(1), lambda pod: pod.math])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused(pod, make, copied):
    with pytest.raises(TypeError, match="it lives in its pod"):
        copied(make(pod))


# --- modules ------------------------------------------------------------------------------------


def test_modules_are_used_as_modules(pod):
    assert pod.PI == 3.5
    assert pod.math.pi == pytest.approx(3.14159265)
    assert pod.math.sqrt(16.0) == 4.0
    assert pod.math.sqrt.submit(9.0).result() == 3.0
    assert pod.math.sqrt is pod.math.sqrt
    assert pod.os.path.join("a", "b") == "a/b"
    assert pod.os.path is pod.import_module("os.path")
    assert pod.sqlite3.__name__ == "sqlite3"
    assert pod.math is pod.math
    assert inspect.ismodule(pod.math)
    with pytest.raises(AttributeError):
        _ = pod.math.nothing
    with pytest.raises(ModuleNotFoundError):
        pod.import_module("not_there_at_all")


def test_a_module_is_written_to(pod):
    pod.os.added = 5
    assert pod.os.added == 5
    del pod.os.added
    assert not hasattr(pod.os, "added")


def test_a_driver_is_used_as_if_it_were_here(pod):
    connection = pod.sqlite3.connect(":memory:")
    with connection:
        connection.execute("create table t (a, b)")
        connection.executemany("insert into t values (?, ?)", [(i, str(i)) for i in range(100)])
    cursor = connection.execute("select * from t order by a")
    assert cursor.fetchone() == (0, "0")
    assert next(cursor) == (1, "1")
    assert len(list(cursor)) == 98
    assert cursor.connection is connection
    assert isinstance(connection, pod.sqlite3.Connection)
    with pytest.raises(pod.sqlite3.OperationalError, match="no such table"):
        connection.execute("select * from missing")
    connection.close()


# --- exceptions ---------------------------------------------------------------------------------


def test_exceptions_are_caught_by_their_classes(pod):
    with pytest.raises(pod.MyError) as caught:
        pod.fail("Deeper", "bad", 7)
    error = caught.value
    assert type(error) is pod.Deeper
    assert [each.__name__ for each in type(error).__mro__[:3]] == [
        "Deeper",
        "MyError",
        "ValueError",
    ]
    assert isinstance(error, (ValueError, PodCallError))
    assert (str(error), error.args, error.code, error.twice) == ("bad", ("bad",), 7, 14)
    assert isinstance(error.owner, pod.Number)
    assert error.owner.n == 3
    assert not hasattr(error, "_hidden")
    assert not isinstance(error, pod.Other)
    assert repr(pod.MyError) != repr(pod.Deeper)


def test_an_exception_with_a_base_that_is_none_is_caught(pod):
    with pytest.raises(pod.Mixed):
        pod.fail("Mixed", "k")
    with pytest.raises(KeyError):
        pod.fail("Mixed", "k")


def test_builtin_exceptions_are_the_builtin_ones(pod):
    with pytest.raises(ZeroDivisionError):
        _ = pod.Number(1) // 0


def test_errors_of_two_pods_are_told_apart(pod, load):
    other = load(name="another").load_pod()
    with pytest.raises(other.MyError) as caught:
        other.fail("MyError", "theirs")
    assert not isinstance(caught.value, pod.MyError)


def test_causes_have_their_classes(pod):
    with pytest.raises(pod.Other) as caught:
        pod.chained()
    assert isinstance(caught.value.__cause__, pod.Deeper)
    assert caught.value.__cause__.code == 1
    assert caught.value.__context__ is caught.value.__cause__


def test_groups_and_notes_arrive(pod):
    if pod.sys.version_info[:2] < (3, 11):
        with pytest.raises(NameError):
            pod.grouped()
        return
    with pytest.raises(ExceptionGroup) as caught:
        pod.grouped()
    one, two = caught.value.exceptions
    assert isinstance(one, pod.MyError)
    assert isinstance(two, pod.Other)
    assert one.code == 1
    with pytest.raises(pod.MyError) as noted:
        pod.noted()
    assert "a note" in noted.value.__notes__


def test_errors_of_streams_and_maps_have_their_classes(pod):
    stream = pod.stream_then_fail(5)
    assert [next(stream).n for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(pod.MyError) as caught:
        next(stream)
    assert caught.value.code == 5
    for chunksize in (1, 4):
        with pytest.raises(pod.MyError, match="at three"):
            list(pod.fail_at.map(range(10), chunksize=chunksize))


def test_an_exception_may_be_raised_and_caught_here(pod):
    with pytest.raises(pod.MyError, match="mine"):
        raise pod.Deeper("mine")


# --- the end of a pod ---------------------------------------------------------------------------


def test_a_reference_into_a_pod_that_died_stays_dead(load):
    pod = load(name="dying").load_pod()
    number, method, module = pod.Number(1), pod.Number(2).hello, pod.math
    with pytest.raises(PodDiedError):
        number.die()
    fresh = pod.Number(7)  # The pod runs again, and this has the number that the other had.
    for use in (len, str, method, lambda x: x.n, lambda _, gone=module: gone.floor(1.5)):
        with pytest.raises(PodDiedError, match="has ended"):
            use(number)
    with pytest.raises(ValueTransferError, match="another worker"):
        pod.same(number)
    assert repr(number) == "<pods.dying.pod.Number (PodDiedError) in pod 'dying'>"
    assert repr(module) == "<module 'math' in pod 'dying' DIED>"
    del number, method, module, use
    gc.collect()
    assert fresh.n == 7
    assert held(pod) == 1


def test_several_workers_are_given_what_lives_in_them(load):
    pod = load(name="several", workers=2).load_pod()
    numbers = [pod.number.submit(i) for i in range(6)]
    for i, future in enumerate(numbers):
        number = future.result()
        assert pod.same(number) is number
        assert pod.kind.submit(number).result() == "Number"
        assert number.n == i


# --- lifetimes ----------------------------------------------------------------------------------


@pytest.mark.timeout(900)  # The full number takes a minute or more.
def test_nothing_is_left_of_references_that_are_dropped(pod):
    before = held(pod)
    made = 0
    while made < REFERENCES:
        some = pod.numbers(min(10_000, REFERENCES))
        made += len(some)
        again = pod.same(some)
        assert again[0] is some[0]
        del some, again
    assert held(pod) == before


def test_nothing_is_left_of_an_answer_that_could_not_be_sent(pod):
    before = held(pod)
    for _ in range(3):
        with pytest.raises(ValueTransferError, match=r"result\[50\]"):
            pod.half_wrong(50)
    assert held(pod) == before


def test_nothing_is_left_of_what_was_too_long_for_a_frame(load):
    pod = load(name="short", max_frame_bytes=20_000).load_pod()
    before = held(pod)
    with pytest.raises(ValueTransferError, match="max_frame_bytes"):
        pod.too_many(30_000)
    with pytest.raises(pod.MyError) as caught:
        pod.fail_large(100_000)
    assert not hasattr(caught.value, "many")
    del caught
    some = [pod.Number(i) for i in range(3000)]  # Their drops take more than one frame.
    del some
    assert held(pod) == before


def test_nothing_is_left_of_late_and_cancelled_answers(pod):
    before = held(pod)
    with pytest.raises(PodError):
        pod.slow_number.options(timeout=0.2)(1.5)
    futures = [pod.slow_number.submit(0.05) for _ in range(5)]
    for future in futures[1:]:
        future.cancel()
    assert futures[0].result().n == 1
    del futures, future
    deadline = time.monotonic() + 20
    while held(pod) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(pod) == before


def test_nothing_is_left_of_a_stream_that_is_given_up(pod):
    before = held(pod)
    stream = pod.stream(500)
    assert next(stream).n == 0
    stream.close()
    del stream
    assert held(pod) == before


def test_nothing_is_left_of_errors(pod):
    before = held(pod)
    for _ in range(20):
        with pytest.raises(pod.MyError) as caught:
            pod.fail("MyError", "x")
    del caught
    assert held(pod) == before


def test_threads_share_one_proxy_and_lose_no_count(pod):
    before = held(pod)
    shared = [pod.Number(1)]
    wrong: list[Any] = []

    def use() -> None:
        for _ in range(200):
            if pod.same(shared[0]) is not shared[0]:
                wrong.append(1)
            if pod.numbers(3)[2].n != 2:
                wrong.append(2)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    shared.clear()
    assert held(pod) == before


def test_references_are_collected_while_others_arrive(pod):
    """Cycles are collected in the middle of decoding, too."""
    before = held(pod)
    for _ in range(30):
        cycle: list[Any] = pod.numbers(100)
        cycle.append(cycle)
        del cycle
        assert [each.n for each in pod.numbers(20)] == list(range(20))
    assert held(pod) == before


def test_a_program_ends_quietly_with_references_in_its_hands(tmp_path):
    (tmp_path / "pod.py").write_text(SOURCE)
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import sys
            from pathlib import Path
            from tests.pods.conftest import make_loaders
            loaders = make_loaders(Path({str(tmp_path / "pods")!r}))
            make = loaders.__enter__()
            pod = make(Path({str(tmp_path / "pod.py")!r}).read_text()).load_pod()
            keep = [pod.Number(1), pod.math, pod.Number, pod.numbers(100), pod.stream(50)]
            keep.append(keep)
            sys.modules["kept"] = keep
            print(len(pod.Number(2)))
            """
        )
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("2\n", "", 0)


def test_a_call_of_an_object_may_be_interrupted(pod):
    future = pod.import_module("time").sleep.submit(60)
    time.sleep(0.1)
    future.cancel()
    assert pod.same(1) == 1
    assert future.done()


def test_a_value_that_the_host_cannot_have_leaves_no_reference_and_no_stream(bare_loader):
    """Whether it comes before what it cannot have or after, and however often it was sent."""
    source = """
    import datetime, gc, zoneinfo
    class Thing: pass
    kept, ended = Thing(), []
    def here(): return kept
    def numbers():
        try:
            while True: yield 1
        finally: ended.append(1)
    def mixed():
        with open("/usr/share/zoneinfo/UTC", "rb") as file:
            zone = zoneinfo.ZoneInfo.from_file(file, key="Nowhere/AtAll")
        when = datetime.datetime(2024, 1, 1, tzinfo=zone)
        return [kept, Thing(), numbers(), when, kept, Thing(), numbers()]
    def count():
        gc.collect()
        from pypods.worker.references import References
        from pypods.worker.streams import Streams
        found = gc.get_objects()
        return (
            sum(len(each) for each in found if type(each) is References),
            sum(len(each._generators) for each in found if type(each) is Streams),
        )
    """
    if not Path("/usr/share/zoneinfo/UTC").exists():
        pytest.skip("there are no time zones at /usr/share/zoneinfo")
    pod = bare_loader(source).load_pod()
    before = pod.count()
    held = pod.here()
    for _ in range(3):
        with pytest.raises(ValueTransferError, match="Nowhere/AtAll"):
            pod.mixed()
        gc.collect()
        pod.count()
        assert "Thing" in repr(held)
    assert pod.count() == (before[0] + 1, 0)
    del held
    pod.count()
    assert pod.count() == before


@pytest.mark.parametrize("how", ["an argument", "a method", "a chunk"])
def test_an_object_that_a_call_on_its_way_uses_is_not_let_go_of(
    bare_loader: LoadPod, outer_python: Path, how: str
) -> None:
    """With several threads, another could be told so before the call is read."""
    pod = bare_loader(SOURCE, python=outer_python, threads=2).load_pod()
    number = pod.number(3)
    kept = weakref.ref(number)
    results: list[Any] = []

    def take(numbers: Iterator[Any]) -> None:
        results.extend(pod.kind.map(numbers, chunksize=2))

    gate = threading.Event()
    before = [pod.call.submit(gate.wait, 60) for _ in range(2)]
    if how == "a chunk":
        taking = threading.Thread(target=take, args=(iter([number]),))
        taking.start()
        time.sleep(0.1)
    else:
        function = pod.kind if how == "an argument" else number.hello
        future = function.submit(*([number] if how == "an argument" else ["you"]))
        del function
    del number
    gc.collect()
    assert kept() is not None
    gate.set()
    if how == "a chunk":
        taking.join(30)
    else:
        results.append(future.result(30))
    gc.collect()
    assert kept() is None
    assert results == (["hello you"] if how == "a method" else ["Number"])
    assert [each.result(30) for each in before] == [True, True]

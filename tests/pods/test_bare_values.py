"""Instances of subclasses of builtin values among arguments: what the pod gets, what is refused."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import Any

import pytest

from pypods.errors import ValueTransferError


class Text(str):
    __slots__ = ("note",)


class Mapping(dict): ...


class Slotted(dict):
    __slots__ = ("note",)


class Items(list): ...


class Pair(tuple): ...


class Bag(set): ...


class Frozen(frozenset): ...


class Whole(int): ...


class Ratio(float): ...


class Data(bytes): ...


class ReadOnly(dict):
    """As libraries have them: copied by a call with a plain dict."""

    def __reduce__(self) -> Any:
        return ReadOnly, (dict(self),)


class Named(list):
    def __reduce__(self) -> Any:
        return "THE_LIST"


class Failing(dict):
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("not to be copied")


def with_attribute(value: Any) -> Any:
    value.note = "more"
    return value


@pytest.fixture(scope="module")
def pod(module_loader) -> Any:
    return module_loader("def echo(x):\n    return x\n").load_pod()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("ž\ud800"), "ž\ud800"),
        (with_attribute(Text("noted")), "noted"),
        (Mapping(a=1, b=[Text("x")]), {"a": 1, "b": ["x"]}),
        (ReadOnly(a=1), {"a": 1}),
        (ReadOnly(), {}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (Items([1, Pair((2,))]), [1, (2,)]),
        (Items(), []),
        (Pair((1, 2)), (1, 2)),
        (Bag({1}), {1}),
        (Frozen({1}), frozenset({1})),
        (Whole(2**70), 2**70),
        (Ratio(1.5), 1.5),
        (Data(b"\0"), b"\0"),
        ({Text("key"): 1, 2: Text("x")}, {"key": 1, 2: "x"}),
        ([Mapping(n=i) for i in range(40)], [{"n": i} for i in range(40)]),
    ],
    ids=repr,
)
def test_what_is_nothing_more_crosses_as_the_builtin_value(pod, value, expected):
    arrived = pod.echo(value)
    assert (arrived, type(arrived)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (with_attribute(Mapping(a=1)), "Mapping"),
        (with_attribute(Slotted(a=1)), "Slotted"),
        (defaultdict(list), "defaultdict"),
        (deque([1]), "deque"),
        (Named([1]), "Named"),
        (Failing(), "Failing"),
        (with_attribute(Whole(1)), "Whole"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_more_is_refused_with_its_place(pod, value, place):
    with pytest.raises(ValueTransferError, match=rf"args\[0\]\[1\]: .*{place} cannot cross"):
        pod.echo([0, value])


def test_a_function_of_the_program_returns_them_too(module_loader):
    pod = module_loader("def call(function):\n    return function()\n", "calls").load_pod()
    assert pod.call(lambda: ReadOnly(a=Text("x"))) == {"a": "x"}

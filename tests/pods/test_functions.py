"""What the host has lent: counts of both directions, and pods that lie about them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from pypods.errors import ProtocolError, ValueTransferError
from pypods.pods.functions import HostFunctions
from pypods.wire.documents import encode_document
from pypods.wire.envelopes import FORGET


@pytest.fixture
def functions() -> HostFunctions:
    return HostFunctions()


def lend(functions: HostFunctions, value: Any) -> int:
    handle = functions.lend(value, 1, [])
    assert handle is not None
    assert handle[0] == b"k"
    number: int = handle[1]["number"]
    return number


def function() -> str:
    return "called"


def test_it_stays_until_it_was_let_go_of_as_often_as_it_was_sent(functions):
    number = lend(functions, function)
    assert lend(functions, function) == number
    functions.forget(FORGET.pack(number, 1, 0))
    assert functions.find(number) is function  # The second is on its way.
    functions.forget(FORGET.pack(number, 1, 0))
    assert len(functions) == 0
    with pytest.raises(LookupError):
        functions.find(number)


def test_it_stays_until_what_was_sent_back_has_arrived(functions):
    number = lend(functions, function)
    functions.forget(FORGET.pack(number, 1, 2))
    assert functions.take({"number": number}) is function
    assert len(functions) == 1
    assert functions.take({"number": number}) is function
    assert len(functions) == 0


def test_what_never_went_out_is_taken_back(functions):
    journal: list[int] = []
    functions.lend(function, 1, journal)
    functions.lend(function, 1, journal)
    functions.lend(print, 1, journal)
    functions.take_back(journal)
    assert len(functions) == 0


def test_a_number_is_never_used_twice(functions):
    numbers = []
    for _ in range(3):
        numbers.append(lend(functions, function))
        functions.forget(FORGET.pack(numbers[-1], 1, 0))
    assert len(set(numbers)) == 3


@pytest.mark.parametrize(
    "value", [1, "f", int, iter([]), (x for x in ()), None], ids=lambda value: type(value).__name__
)
def test_what_is_no_function_is_not_lent(functions, value):
    assert functions.lend(value, 1, []) is None
    assert len(functions) == 0


FORGED = [0, -1, 2, 2**63, 2**70, True, 1.0, "1", None, [], {}]


@pytest.mark.parametrize("number", FORGED, ids=repr)
def test_a_forged_number_leads_nowhere(functions, number):
    assert lend(functions, function) == 1
    with pytest.raises(LookupError, match="holds no function of number"):
        functions.find(number)
    with pytest.raises(ProtocolError):
        functions.take({"number": number})
    assert functions.find(1) is function


@pytest.mark.parametrize(
    "counts", [(2, 1, 0), (0, 1, 0), (2**64 - 1, 1, 1), (2, 2**64 - 1, 2**64 - 1)], ids=str
)
def test_counts_of_what_was_not_lent_are_ignored(functions, counts):
    number = lend(functions, function)
    functions.forget(FORGET.pack(*counts) * 3)
    assert functions.find(number) is function


def test_counts_that_are_too_high_cost_the_pod_its_function_and_no_more(functions):
    number = lend(functions, function)
    functions.forget(FORGET.pack(number, 2**64 - 1, 0))
    with pytest.raises(LookupError):
        functions.find(number)
    again = lend(functions, function)
    assert again != number
    assert functions.find(again) is function


@pytest.mark.parametrize("size", [1, 23, 25, 47])
def test_counts_of_no_whole_entry_are_a_protocol_error(functions, size):
    with pytest.raises(ProtocolError, match="counts"):
        functions.forget(bytes(size))


def test_a_forget_in_its_usual_form_is_taken_in_and_nothing_else_is(functions):
    number = lend(functions, function)
    usual = encode_document({"kind": "forget", "counts": FORGET.pack(number, 1, 0)})
    for other in (
        encode_document({"kind": "forget", "counts": "text"}),
        encode_document({"kind": "forget", "counts": b"", "more": 1}),
        encode_document({"kind": "forget"}),
        encode_document({"kind": "log"}),
        usual[:-1],
    ):
        assert not functions.take_forget(other)
    assert len(functions) == 1
    assert functions.take_forget(usual)
    assert len(functions) == 0


def test_after_the_end_nothing_is_kept(functions):
    def other() -> None: ...

    watched = weakref.ref(other)
    number = lend(functions, other)
    functions.close()
    del other
    gc.collect()
    assert watched() is None
    with pytest.raises(LookupError):
        functions.find(number)
    with pytest.raises(ValueTransferError):
        functions.take({"number": number})


def test_a_finalizer_may_lend_while_another_is_let_go_of(functions):
    class Talks:
        def __del__(self) -> None:
            lend(functions, function)

        def __call__(self) -> None: ...

    number = lend(functions, Talks())
    functions.forget(FORGET.pack(number, 1, 0))
    gc.collect()
    assert len(functions) == 1

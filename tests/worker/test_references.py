"""The worker's table of what the host holds, without a process."""

from __future__ import annotations

import abc
import gc
import struct
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from pypods.wire.context import current
from pypods.worker.references import MAX_NAME_CHARACTERS, References


class Thing:
    """Something that cannot be copied."""

    value = 5

    def method(self, x: int = 1) -> int:
        return x

    def __len__(self) -> int:
        return 3


class Child(Thing):
    pass


class Abstract(abc.ABC):  # noqa: B024 - it only has to be abstract
    pass


@pytest.fixture
def references() -> Iterator[References]:
    """Return a table that encodes on this thread."""
    table = References()
    table.prepare_thread()
    yield table
    current.refer = None


def export(references: References, value: Any) -> dict[str, Any]:
    exported = references.export(value)
    assert exported is not None
    kind, content = exported
    assert kind == b"O"
    return content


def drop(references: References, number: int, count: int) -> None:
    references.drop(struct.pack("<QQ", number, count))


def test_an_object_has_one_number(references):
    thing, other = Thing(), Thing()
    numbers = [export(references, each)["ref"] for each in (thing, other, thing)]
    assert numbers[0] == numbers[2] != numbers[1]
    assert len(references) == 2
    assert references.find({"ref": numbers[0]}) is thing


def test_an_object_is_held_as_often_as_it_was_sent(references):
    thing = Thing()
    number = export(references, thing)["ref"]
    export(references, thing)
    drop(references, number, 1)  # The other answer is on its way.
    assert references.find({"ref": number}) is thing
    drop(references, number, 1)
    with pytest.raises(LookupError):
        references.find({"ref": number})
    assert len(references) == 0


def test_a_number_is_never_used_twice(references):
    first = export(references, Thing())["ref"]
    drop(references, first, 1)
    assert export(references, Thing())["ref"] > first


def test_a_drop_of_what_is_not_held_is_ignored(references):
    drop(references, 0, 1)
    drop(references, 99, 1)
    number = export(references, Thing())["ref"]
    drop(references, number, 5)
    drop(references, number, 5)
    assert len(references) == 0


def test_the_module_is_never_dropped(references):
    module = Thing()
    references.offer(module)
    drop(references, 0, 1)
    assert references.find({"ref": 0}) is module
    assert len(references) == 0


def test_a_dropped_object_ends_at_once_and_may_use_the_table(references):
    class Ends:
        def __del__(self) -> None:
            export(references, Thing())

    ends = Ends()
    watched = weakref.ref(ends)
    number = export(references, ends)["ref"]
    del ends
    assert watched() is not None
    drop(references, number, 1)
    assert watched() is None
    assert len(references) == 1


def test_what_was_not_sent_is_taken_back(references):
    kept = Thing()
    number = export(references, kept)["ref"]
    references.begin()
    things = [Thing(), kept, Thing(), kept]
    for each in things:
        export(references, each)
    assert len(references) == 3
    references.take_back()
    assert len(references) == 1
    drop(references, number, 1)
    assert len(references) == 0


def test_a_class_is_described_once_a_frame_until_it_was_used(references):
    thing = Child()
    references.begin()
    first = export(references, thing)
    assert [each["name"] for each in first["about"]] == ["Thing", "Child"]
    assert export(references, Child())["about"] == []
    assert export(references, Child)["about"] == []
    references.begin()
    assert [each["id"] for each in export(references, thing)["about"]][-1] == first["class"]
    references.find({"ref": first["ref"]})
    references.begin()
    assert export(references, thing)["about"] == []
    assert export(references, Child)["about"] == []


def test_a_description_says_what_the_host_needs(references):
    (thing,) = export(references, Thing())["about"]
    assert thing["module"] == __name__
    assert thing["bases"] == []
    assert (thing["methods"], thing["special"]) == (["method"], ["__len__"])
    assert (thing["builtin"], thing["checks"]) == ("", False)
    assert [each["checks"] for each in export(references, Abstract)["about"]] == [True] * 2
    assert [each["name"] for each in export(references, object())["about"]] == ["object"]


def test_a_description_is_within_what_the_host_takes(references):
    wide = type("W" * 5000, (), {f"m{i}": lambda self: self for i in range(30_000)})
    (description,) = export(references, wide())["about"]
    assert len(description["name"]) == MAX_NAME_CHARACTERS
    assert len(description["methods"]) == 10_000


def test_the_bases_are_those_that_are_described(references):
    class Meta(type):
        def mro(cls) -> list[Any]:
            return [cls, object]

    class Odd(Thing, metaclass=Meta):
        pass

    (description,) = export(references, Odd())["about"]
    assert description["bases"] == []


@pytest.mark.parametrize(
    "name", ["f", "#", "#.", "#x.y", "#77.y", "#t77.y", "#tx.y", "#t.y", "# .y", "#-1.y"]
)
def test_a_name_that_leads_nowhere_is_none(references, name):
    export(references, Thing())
    assert references.function(name) is None


def test_names_lead_to_methods_attributes_and_operations(references):
    content = export(references, Thing())
    number, cls = content["ref"], content["class"]

    def use(name: str, *args: Any) -> Any:
        function = references.function(name)
        assert function is not None
        return function(*args)

    assert use(f"#{number}.method", 4) == 4
    assert use(f"#{number}.=value") == 5
    assert use(f"#{number}.__len__") == 3
    use(f"#{number}.__setattr__", "value", 6)
    assert use(f"#{number}.=value") == 6
    assert use(f"#t{cls}.=value") == 5
    assert type(use(f"#t{cls}.__call__")) is Thing
    assert use(f"#t{cls}.__instancecheck__", Child()) is True


def test_a_function_that_is_kept_holds_no_object(references):
    thing = Thing()
    number = export(references, thing)["ref"]
    use = references.function(f"#{number}.method")
    assert use is not None
    assert use(2) == 2
    watched = weakref.ref(thing)
    drop(references, number, 1)
    del thing
    gc.collect()
    assert watched() is None
    with pytest.raises(LookupError, match="no such object"):
        use(2)


def test_a_coroutine_is_no_reference(references):
    async def wait() -> None:
        pass

    waiting = wait()
    assert references.export(waiting) is None
    waiting.close()
    assert len(references) == 0

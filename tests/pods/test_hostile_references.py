"""Pods that lie about their objects and classes: an error or something harmless, never code."""

from __future__ import annotations

import builtins
import sqlite3
import sys
import time
from typing import Any

import pytest

from pypods.errors import PodCallError, PodError, ProtocolError
from pypods.pods.proxies import PodMethod, PodModule, PodObject, PodObjectType
from pypods.pods.references import MAX_BASES, MAX_NAMES, Mirrors
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.remote_errors import error_from_document

FAILURE: dict[str, Any] = {
    "module": "m",
    "type": "Bad",
    "builtin": "ValueError",
    "args": ["a"],
    "text": "a",
    "traceback": "",
}


def describe(number: int, **changes: Any) -> dict[str, Any]:
    """Return a class's description as a worker sends it, but for the changes."""
    description = {
        "id": number,
        "module": "m",
        "name": "Thing",
        "bases": [],
        "methods": [],
        "special": [],
        "builtin": "",
        "checks": False,
    }
    return {**description, **changes}


def refer(*about: Any, ref: Any = 1, cls: Any = 1, **more: Any) -> dict[str, Any]:
    return {"ref": ref, "class": cls, "about": list(about), **more}


class Recorder:
    """A session that notes what is called."""

    def __init__(self) -> None:
        self.pod_name, self.pid, self.is_alive = "hostile", 1, True
        self.prefetch_rows, self.latest = 8, 0
        self.called: list[tuple[bytes, Any]] = []

    def call(self, head: bytes, args: Any, kwargs: Any, timeout: Any = None) -> Any:
        self.called.append((head, args))
        return "answered"


@pytest.fixture
def session() -> Recorder:
    return Recorder()


@pytest.fixture
def mirrors(session: Recorder) -> Mirrors:
    return Mirrors(session, lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"ref": 1, "class": 1},
        {"ref": 1, "class": 1, "about": None},
        {"ref": 1, "class": 1, "about": {}},
        refer(),
        refer(describe(1), ref=0),
        refer(describe(1), ref=-1),
        refer(describe(1), ref=True),
        refer(describe(1), ref=2**63),
        refer(describe(1), ref=2**200),
        refer(describe(1), ref="1"),
        refer(describe(1), ref=1.0),
        refer(describe(1), ref=[]),
        refer(describe(1), cls=2),
        refer(describe(1), cls=[]),
        refer(describe(1), cls=None),
        refer(describe(1), module=5),
        refer(describe(1), module="x" * 5000),
        refer(None),
        refer([]),
        refer(describe(0)),
        refer(describe(True)),
        refer(describe("1")),
        refer({"id": 1}),
        refer(describe(1, name=None)),
        refer(describe(1, name=b"x")),
        refer(describe(1, name="x" * 5000)),
        refer(describe(1, module=1)),
        refer(describe(1, builtin=["x"])),
        refer(describe(1, bases=None)),
        refer(describe(1, bases=[1])),
        refer(describe(1, bases=[2]), describe(2, bases=[1])),
        refer(describe(1, bases=["int"])),
        refer(describe(1, bases=[1] * (MAX_BASES + 1))),
        refer(describe(1, methods="abc")),
        refer(describe(1, methods=[1])),
        refer(describe(1, methods=["x"] * (MAX_NAMES + 1))),
        refer(describe(1, methods=[f"n{i}" for i in range(10**6)])),
        refer(describe(1, special=None)),
        refer(describe(1, special=[["__len__"]])),
        {"type": 1, "about": []},
        {"type": "int", "about": []},
        {"type": [], "about": [describe(1)]},
    ],
    ids=lambda content: repr(content)[:60],
)
def test_what_no_worker_sends_is_a_protocol_error(mirrors, session, content):
    started = time.monotonic()
    with pytest.raises(ProtocolError):
        mirrors.take(content)
    assert time.monotonic() - started < 30
    assert session.called == []


@pytest.mark.parametrize(
    "name",
    [
        "__class__",
        "__reduce__",
        "__reduce_ex__",
        "__import__",
        "__del__",
        "__init_subclass__",
        "__set_name__",
        "__getattribute__",
        "__getattr__",
        "__setattr__",
        "__new__",
        "__init__",
        "__slots__",
        "__dict__",
        "__weakref__",
        "__instancecheck__",
        "__subclasshook__",
        "__mro_entries__",
        "__prepare__",
        "__class_getitem__",
        "__getstate__",
        "__copy__",
        "__repr__",
        "_pypods_number",
        "_pypods_mirrors",
        "_pypods_method",
        "_pypods_books",
        "a b",
        "a\0b",
        "a\n",
        "1a",
        "",
        "\ud800",
    ],
)
def test_names_of_the_language_are_not_taken(mirrors, session, name):
    proxy = mirrors.take(refer(describe(1, methods=[name], special=[name])))
    cls = type(proxy)
    assert type(cls) is PodObjectType
    given = {"__module__", "__qualname__", "__doc__", "__slots__", "_pypods_books"}
    given |= {"_pypods_path", "_pypods_checks", "_pypods_ways"}
    assert set(vars(cls)) <= given
    assert cls.__init_subclass__ is not None
    assert isinstance(proxy, PodObject)
    del proxy
    assert list(mirrors.dropped) == [(1, 1)]
    assert session.called == []


def test_mro_and_other_names_of_a_metaclass_are_plain_methods(mirrors, session):
    names = ["mro", "register", "submit", "aio", "__len__"]
    first = type(mirrors.take(refer(describe(1, methods=names))))
    second = mirrors.take(refer(describe(2, bases=[1]), ref=2, cls=2))
    assert type.mro(type(second))[:3] == [type(second), first, PodObject]
    assert type(second.mro) is PodMethod
    assert session.called == []


@pytest.mark.parametrize(
    "name",
    ["a\0b", "a\nb", "\ud800", "", ".", "int", "str", "PodObject", "a.<locals>.b", "\x1b[2J"],
)
@pytest.mark.parametrize("builtin", ["", "ValueError"])
def test_any_name_of_a_class_is_harmless(mirrors, name, builtin):
    cls = mirrors.take({"type": 1, "about": [describe(1, name=name, builtin=builtin)]})
    assert isinstance(cls, type)
    assert cls.__qualname__.isprintable()
    assert "\n" not in repr(cls)
    assert cls not in (int, str, PodObject)


def test_no_class_of_the_host_is_replaced_or_found(mirrors, session):
    before = dict(vars(builtins)), dict(vars(sqlite3)), set(sys.modules)
    for number, (module, name) in enumerate(
        [
            ("builtins", "int"),
            ("builtins", "object"),
            ("sqlite3", "Connection"),
            ("sys", "modules"),
            ("pypods.pods.proxies", "PodObject"),
            ("not_there", "X"),
        ],
        start=1,
    ):
        cls = mirrors.take({"type": number, "about": [describe(number, module=module, name=name)]})
        assert type(cls) is PodObjectType
        assert not isinstance(5, cls)
    mirrors.take(refer(describe(9), cls=9, module="sys"))
    assert (dict(vars(builtins)), dict(vars(sqlite3)), set(sys.modules)) == before
    assert session.called == []


def test_a_module_of_a_pod_is_not_in_the_hosts_table(mirrors):
    module = mirrors.take(refer(describe(1), module="os"))
    assert type(module) is PodModule
    assert sys.modules["os"] is not module


def test_a_second_description_of_a_class_changes_nothing(mirrors):
    first = mirrors.take({"type": 1, "about": [describe(1, methods=["a"])]})
    again = mirrors.take({"type": 1, "about": [describe(1, methods=["b"], name="Other")]})
    assert again is first
    assert "b" not in vars(first)


def test_bases_that_no_class_can_have_together_are_left_out(mirrors):
    about = [
        describe(1),
        describe(2, bases=[1]),
        describe(3, bases=[1, 2]),  # No order of these two.
        describe(4, bases=[1, 1]),
        describe(5, builtin="KeyError"),
        describe(6, bases=[5, 1]),
        describe(7, builtin="OSError"),
        describe(8, builtin="OSError", bases=[5, 7, 1]),
    ]
    for number in range(1, 9):
        assert isinstance(mirrors.take({"type": number, "about": about}), type)


@pytest.mark.parametrize(
    "builtin", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "eval", "X"]
)
def test_an_exception_is_never_one_that_ends_the_program(mirrors, builtin):
    for module in ("m", "builtins"):
        number = 1 if module == "m" else 2
        about = [describe(number, module=module, builtin=builtin)]
        cls = mirrors.take({"type": number, "about": about})
        assert issubclass(cls, PodCallError)
        assert not issubclass(cls, (SystemExit, KeyboardInterrupt, GeneratorExit))


@pytest.mark.parametrize(
    "own", [5, [], {}, {"class": 1}, {"class": 1, "about": 5}, {"class": 2, "about": [describe(1)]}]
)
def test_an_error_of_a_class_that_is_none_is_a_protocol_error(mirrors, own):
    with pytest.raises(ProtocolError):
        error_from_document(
            {**FAILURE, "class": own}, pod_name="p", class_of=mirrors.error_class_of
        )


def test_an_error_of_a_class_that_is_no_exceptions_is_the_builtin_one(mirrors):
    own = {"class": 1, "about": [describe(1)]}
    error = error_from_document(
        {**FAILURE, "class": own}, pod_name="p", class_of=mirrors.error_class_of
    )
    assert isinstance(error, ValueError)
    assert isinstance(error, PodCallError)


def test_attributes_of_an_error_replace_nothing(mirrors):
    attributes = {
        "add_note": 5,
        "with_traceback": 5,
        "args": 5,
        "__class__": 5,
        "__cause__": 5,
        "__traceback__": 5,
        "_pypods_books": 5,
        "a b": 5,
        "": 5,
        "text": "own",
        "pod_name": "other",
        "code": 5,
        "errno": 7,
    }
    error = error_from_document(
        {**FAILURE, "builtin": "OSError", "attributes": attributes}, pod_name="p", origin="here"
    )
    assert (error.code, error.pod_name, error.text, error.errno) == (5, "p", "a", 7)
    assert error.args == ("a",)
    assert error.with_traceback(None) is error
    assert error.__cause__ is None
    assert set(vars(error)) & {"add_note", "with_traceback", "_pypods_books", "a b", ""} == set()
    with pytest.raises(ProtocolError):
        error_from_document({**FAILURE, "attributes": []}, pod_name="p")


def test_drops_are_frames_of_the_length_that_is_allowed(mirrors):
    mirrors.dropped.extend((number, 1) for number in range(1, 201))
    frames = mirrors.drop_frames(1000)
    position, seen = 0, 0
    while position < len(frames):
        end = position + int.from_bytes(frames[position : position + 4], "little")
        assert end - position <= 1000
        seen += len(decode_document(frames[position:end])["refs"]) // 16
        position = end
    assert seen == 200
    assert not mirrors.dropped
    assert mirrors.drop_frames(20) == b""


LIAR = """
from pypods.worker.references import References
import pypods.worker.references as references

class Thing: pass
about = lambda number, **changes: {{"id": number, "module": "m", "name": "T", "bases": [],
    "methods": [], "special": [], "builtin": "", "checks": False, **changes}}
def thing(): return Thing()
def fine(): return 5
def fail():
    error = ValueError("x")
    error.__cause__ = error.__context__ = error
    first, second = KeyError(1), KeyError(2)
    first.__cause__, second.__cause__ = second, first
    error.first, error.self = first, error
    error.exceptions = (error, first)
    raise first from error
References.export = lambda self, value: (b"O", {content})
"""


@pytest.mark.parametrize(
    "content",
    [
        '{"ref": 77, "class": 1, "about": []}',
        '{"ref": 0, "class": 1, "about": [about(1)]}',
        '{"type": 5, "about": []}',
        '{"ref": 1, "class": 1, "about": [about(1, bases=[1])]}',
        '{"ref": 1, "class": 1, "about": [about(1, methods=["m%d" % i for i in range(10**6)])]}',
        '{"ref": {"ref": 1}, "class": 1, "about": [about(1)]}',
    ],
)
def test_a_pod_that_lies_about_its_objects_is_stopped(bare_loader, content):
    loader = bare_loader(LIAR.format(content=content))
    pod = loader.load_pod()
    with pytest.raises(ProtocolError):
        pod.thing()
    assert loader.state == "DIED"
    assert pod.fine() == 5


def test_an_object_that_the_pod_does_not_own_cannot_be_used(bare_pod):
    pod = bare_pod(LIAR.format(content='{"ref": 77, "class": 1, "about": [about(1)]}'))
    thing = pod.thing()
    with pytest.raises(LookupError, match="no such object"):
        _ = thing.anything
    with pytest.raises(PodError):
        pod.fine(thing)
    del thing
    assert pod.fine() == 5


def test_exceptions_in_circles_arrive(bare_pod):
    pod = bare_pod(LIAR.format(content='{"ref": 77, "class": 1, "about": [about(1)]}'))
    with pytest.raises(KeyError) as caught:
        pod.fail()
    assert isinstance(caught.value.__cause__, ValueError)
    assert pod.fine() == 5


def test_a_class_that_lies_about_itself_is_described_all_the_same(bare_pod):
    pod = bare_pod(
        """
        class Meta(type):
            def mro(cls): return [cls, object]
            def __instancecheck__(cls, value): raise SystemExit("asked")
        class Base: pass
        class Odd(Base, metaclass=Meta):
            __class__ = int
            def __getattribute__(self, name): raise RuntimeError(name)
        Long = type("L" * 5000, (), {"m" * 5000: lambda self: 1})
        Lines = type("a\\nb", (), {})
        Lines.__module__ = 5
        def odd(): return Odd()
        def long(): return Long()
        def lines(): return Lines()
        def fine(): return 5
        """
    )
    things = [pod.odd(), pod.long(), pod.lines()]
    assert [isinstance(each, PodObject) for each in things] == [True] * 3
    with pytest.raises(RuntimeError):
        _ = things[0].anything
    assert "\n" not in repr(type(things[2]))
    assert pod.fine() == 5


def test_a_million_names_are_no_obstacle(bare_pod):
    pod = bare_pod(
        """
        Wide = type("Wide", (), {f"m{i}": (lambda self: 1) for i in range(200_000)})
        def wide(): return Wide()
        """
    )
    wide = pod.wide()
    assert wide.m5() == 1
    assert wide.m199999() == 1
    assert len(encode_document({"v": dir(wide)})) > 200_000


# --- cursors ------------------------------------------------------------------------------------


class Liar(Recorder):
    """A session whose worker answers for a cursor what it likes."""

    timeout = None

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)

    def is_answered_here(self) -> bool:
        return False

    def use_cursor(self, head: bytes, args: Any, timeout: Any = None, kwargs: Any = None) -> Any:
        self.called.append((head, args))
        self.latest += 1
        return self.latest, self.answers.pop(0)

    def broken(self, error: Exception) -> Exception:
        return error

    def error_of(self, failure: Any) -> Any:
        return error_from_document(failure.error, pod_name="hostile")


def make_cursor(*answers: Any) -> Any:
    """Return the proxy of a cursor whose worker gives these answers."""
    ways = ["fetchone", "fetchmany", "fetchall", "__iter__", "__next__"]
    about = describe(1, methods=[*ways[:3], "execute"], special=ways[3:], rows=ways)
    session = Liar(*answers)
    mirrors = Mirrors(session, lambda: None)  # type: ignore[arg-type]
    cursor = mirrors.take(refer(about))
    object.__setattr__(cursor, "_pypods_mirrors", mirrors)
    return cursor


@pytest.mark.parametrize(
    "batch",
    [
        None,
        5,
        [],
        {},
        {"rows": None},
        {"rows": "abc"},
        {"rows": {"0": 1}},
        {"rows": [(1,)] * 100_000},
        {"rows": [], "stop": 1},
        {"stop": True, "error": 5},
        {"stop": True, "error": []},
        {"stop": True, "error": {}},
        {"rows": [1], "attributes": 5},
        {"rows": [1], "attributes": {"__class__": 1}},
        {"rows": [1], "attributes": {"fetchone": 1}},
        {"rows": [1], "rownumber": 5},
        {"rows": [1], "rownumber": [1]},
        {"rows": [1], "rownumber": [1, "x"]},
        {"rows": [1], "rownumber": [True, False]},
        [0],
        [0, 0],
        [True, 1, "a row"],
        [0, "1", "a row"],
        [0, 0, "a row's", "values"],
        [0, -1, "a row"],
        [0, 2, "a row and", "a half", "of one"],
        [0, 10**30, "a row"],
        [0, 1, *range(100_000)],
        [8, 1],
        [8, 1, 0, "a step", "a row"],
    ],
    ids=lambda batch: repr(batch)[:50],
)
def test_a_batch_that_no_worker_sends_is_a_protocol_error(batch):
    for answers, use in (
        ([batch], lambda cursor: cursor.fetchone()),
        ([batch], next),
        ([0, batch], lambda cursor: next(iter(cursor))),
        ([7, batch], lambda cursor: next(iter(cursor))),
    ):
        cursor = make_cursor(*answers)
        with pytest.raises(ProtocolError):
            use(cursor)
        assert not cursor._pypods_rows.unread


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"rows": 5, "size": 1}, {"rows": []}, {"rows": [], "size": "x"}],
    ids=repr,
)
def test_a_rest_that_no_worker_sends_is_a_protocol_error(answer):
    cursor = make_cursor({"rows": [(1,)]}, {"rows": [(2,), (3,)]}, answer)
    assert [cursor.fetchone(), cursor.fetchone()] == [(1,), (2,)]
    with pytest.raises(ProtocolError):
        cursor.fetchmany(5)


@pytest.mark.parametrize("way", [None, "1", -5, True, [], 1.0], ids=repr)
def test_an_iterator_without_a_number_is_a_protocol_error(way):
    with pytest.raises(ProtocolError):
        iter(make_cursor(way))


def test_more_rows_than_were_asked_for_are_not_kept():
    cursor = make_cursor({"rows": [(i,) for i in range(50)]})
    with pytest.raises(ProtocolError, match="more than were asked for"):
        cursor.fetchone()
    assert not cursor._pypods_rows.unread


@pytest.mark.parametrize("rows", [5, ["fetchone", 5], [["fetchone"]], ["x"] * (MAX_NAMES + 1)])
def test_a_description_with_strange_ways_is_a_protocol_error(mirrors, rows):
    with pytest.raises(ProtocolError):
        mirrors.take(refer(describe(1, rows=rows)))


def test_ways_that_no_cursor_has_are_none(mirrors):
    proxy = mirrors.take(refer(describe(1, rows=["execute", "__del__", "close", "a b"])))
    assert proxy._pypods_rows is None
    assert type(proxy)._pypods_ways == frozenset()

"""Functions that arrive as source: what is read of them, and what they are then."""

from __future__ import annotations
import __future__

import linecache
import textwrap
import threading
import traceback

import pytest

from pypods.pods.session import Session
from pypods.wire.documents import encode_document
from pypods.wire.envelopes import call_head
from pypods.wire.messages import Define, message_to_document
from pypods.wire.rebuilding import NO_CLASSES
from pypods.worker.definitions import SentFunction, compile_definition, read_definition


def definition_of(
    source: str, *, line: int = 1, file: str = "some.py", future: int = 0, **values: object
) -> Define:
    given = {"globals": {}, "defaults": None, "kwdefaults": None, **values}
    return Define("f 1", file, line, textwrap.dedent(source), future, encode_document(given))


def make(source: str, **options: object) -> SentFunction:
    function = SentFunction("pods.subject.pod", NO_CLASSES)
    function.take(message_to_document(definition_of(source, **options)))
    return function


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def f():\n    return 1\n", 1),
        ("def f():\n    return 1\n", 7),
        ("    def f():\n        return 1\n", 2),
        ("\tdef f():\n\t\treturn 1\n", 9),
        ("@x.y(1)\n@z\ndef f(a: b = c, *d: e, f: g = h, **i: j) -> k:\n    return 1\n", 3),
        ("    @x\n    async def f(a, /):\n        return 1\n", 12),
    ],
)
def test_a_definition_has_its_own_lines_and_nothing_of_where_it_stood(source, line):
    definition = read_definition(source, "some.py", line)
    first = next(n for n, text in enumerate(source.splitlines()) if "def f" in text)
    assert definition.lineno == line + first
    code = compile_definition(definition, "some.py", 0)
    assert code.co_names == ("f",)


@pytest.mark.parametrize("source", ["f = 1\n", "class F:\n    pass\n", "def f(:\n", "    f = 1\n"])
def test_what_is_no_def_is_a_syntax_error(source):
    with pytest.raises(SyntaxError):
        read_definition(source, "some.py", 2)


def test_globals_and_defaults_are_those_that_were_sent():
    function = make(
        "def f(a=x, *, b=y):\n    return a, b, K, __name__, __file__\n",
        globals={"K": (1, "k")}, defaults=(5,), kwdefaults={"b": [6]},
    )  # fmt: skip
    assert function() == (5, [6], (1, "k"), "pods.subject.pod", "some.py")
    function(b=0)
    assert function(1)[:2] == (1, [6])


def test_it_is_made_once_and_anew_when_it_is_sent_again():
    function = make("def f():\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n\n")
    assert [function(), function()] == [1, 2]
    function.take(message_to_document(definition_of("def f():\n    return 'new'\n")))
    assert function() == "new"


def test_threads_that_call_it_first_make_one():
    function = make("def f():\n    return f\n")
    made: list[object] = []
    threads = [threading.Thread(target=lambda: made.append(function())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(map(id, made))) == 1


def test_flags_of_the_file_are_kept():
    source = "def f():\n    def g(a: not_there): pass\n    return g.__annotations__\n"
    future = __future__.annotations.compiler_flag
    assert make(source, future=future)() == {"a": "not_there"}
    with pytest.raises(NameError, match="not_there"):
        make(source)()


def test_tracebacks_show_the_lines_that_were_sent_of_each_function_of_a_file():
    first = make("def f():\n    raise ValueError  # first\n", line=2, file="<two>")
    second = make("def f():\n    raise ValueError  # second\n", line=8, file="<two>")
    try:
        for function, line, word in [(first, 3, "first"), (second, 9, "second")] * 2:
            with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no text
                function()
            last = traceback.extract_tb(caught.value.__traceback__)[-1]
            assert (last.filename, last.lineno) == ("<two>", line)
            assert last.line == f"raise ValueError  # {word}"
    finally:
        linecache.cache.pop("<two>")


def test_a_source_that_is_none_here_fails_when_it_is_called():
    function = make("def f():\n    return return\n")
    for _ in range(2):
        with pytest.raises(SyntaxError):
            function()


# --- in a worker, on each Python ----------------------------------------------------------------


def call(session: Session, *args: object) -> object:
    return session.call(call_head("f 1"), args, {}, timeout=60)


def test_a_worker_knows_a_function_from_its_definition_on(each_python, start_worker):
    session = start_worker(each_python).session
    source = "@gone\ndef f(a: gone, /, b=gone) -> gone:\n    return a, b, K\n"
    definition = definition_of(source, defaults=(2,), globals={"K": frozenset({1})})
    session.define(definition)
    assert call(session, 1) == (1, 2, frozenset({1}))
    session.define(definition)
    session.define(definition_of("async def f():\n    return 'new'\n"))
    assert call(session) == "new"
    assert call(session) == "new"


@pytest.mark.parametrize("threads", [0, 2])
def test_a_function_is_defined_while_a_call_asks_its_caller(outer_python, start_worker, threads):
    session = start_worker(outer_python, threads=threads).session
    session.define(definition_of("def f(use):\n    return use()\n"))

    def use() -> object:
        session.define(
            Define("g 1", "g.py", 1, "def g():\n    return 'g'\n", 0, definition_of("").values)
        )
        return session.call(call_head("g 1"), (), {}, timeout=60)

    assert call(session, use) == "g"

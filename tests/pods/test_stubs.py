"""Stubs of pods: what mypy makes of a program with them, and the files themselves."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

import pypods
from pypods.errors import PodStartError
from pypods.pods import stubs
from pypods.pods.folder import PodFolder, list_pod_folders
from pypods.pods.stub_text import stub_text
from pypods.pods.stubs import PACKAGE, StubPlan, plan_stubs, plan_surplus, write_stub

KINDS_POD = '''
from __future__ import annotations
import contextlib
import functools
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from json import dumps
from math import pi
from nowhere_to_be_found import Lost, missing
from typing import (
    TYPE_CHECKING, Annotated, Any, Final, Generator, Generic, Literal, NamedTuple, Optional,
    TypedDict, TypeVar, overload,
)
if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
LIMIT = 100
NAMES = ["a", "b"]
RATE: float = 1.5
FINAL: Final = "x"


def query(
    sql: str, /, rows: Rows = [], *, limit: int = LIMIT, name: str = None,
    mode: Literal["r", "w"] = "r",
) -> list[tuple[str, int]]:
    """Return all rows of a query."""


def untyped(a, b=3, *c, d, **e): ...
def variadic(*args: int, **kwargs: str) -> dict[str, str]: ...
def numbers(n: int) -> Iterator[int]: yield n
def talk(n) -> Generator[str, None, int]: yield "x"
async def fetch(page: int) -> str: ...
async def pages(n: int) -> AsyncIterator[bytes]: yield b""
def lost(x: Lost) -> Lost: ...
def late(when: "datetime") -> "Optional[Decimal]": ...
def metres(x: Annotated[int, "metres"]) -> None: ...
def first(items: list[T]) -> T: ...
@overload
def both(x: int) -> int: ...
@overload
def both(x: str) -> str: ...
def both(x): ...
@functools.lru_cache(maxsize=None)
def cached(x: int) -> int: ...
@contextlib.contextmanager
def opened(path: str) -> Iterator[Parser]: yield Parser()
short = lambda a, b=1: a
part = functools.partial(query, "x")
alias = query


class Parser:
    kind = "x"

    class Options:
        deep: bool = True

    def __init__(self, depth: int = 3, name=None) -> None:
        self.depth = depth
        self.name: str | None = name

    def parse(self, text: str) -> list[str]: ...
    def chain(self) -> Parser: ...
    def walk(self) -> Iterator[int]: yield 1
    async def load(self, options: Options) -> int: ...
    @property
    def size(self) -> int: ...
    @classmethod
    def make(cls, text: str) -> Parser: ...
    def __len__(self) -> int: ...


class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item

    def get(self) -> T: ...


class Error(Exception):
    code: int


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)


class Color(Enum):
    RED = 1
    BLUE = auto()


class Pair(NamedTuple):
    left: int
    right: str = ""


class Movie(TypedDict):
    title: str


def point() -> Point: ...
parser = Parser()
'''

# After "#": the type that mypy reveals, or the code of the error it reports on that line.
PROGRAM = """
from pypods import PodLoader
from pypods.pods import PodLoader as Same, describe
from pypods_types.kinds import Pod

kinds = PodLoader("kinds", globals(), threads=2, workers=3).load_pod()
reveal_type(kinds)  # pypods_types.kinds.Pod
reveal_type(Same("other"))  # pypods_types.PodLoader[pypods_types.other.Pod_]
reveal_type(PodLoader("none_such").load_pod().anything)  # Any
PodLoader("kinds", threads="two")  # error: call-overload
PodLoader("kinds", thread=2)  # error: call-overload
with PodLoader("other") as other:
    reveal_type(other.Pod().x)  # int
    reveal_type(other.whatever)  # Any
    reveal_type(other.property())  # int
    reveal_type(other.after())  # str

with PodLoader("kinds") as pod:
    reveal_type(pod.query("x", limit=3))  # list[tuple[str, int]]
    pod.query(3)  # error: arg-type
    pod.query(sql="x")  # error: call-arg
    pod.query("x", mode="a")  # error: arg-type
    pod.query("x", name=None)
    pod.qeury("x")  # error: attr-defined
    reveal_type(pod.query.submit("x"))  # concurrent.futures._base.Future[list[tuple[str, int]]]
    pod.query.submit(1)  # error: arg-type
    reveal_type(pod.query.map(["x"]))  # typing.Iterator[list[tuple[str, int]]]
    pod.query.map([1])  # error: list-item
    reveal_type(pod.query.options(timeout=3)("x"))  # list[tuple[str, int]]
    reveal_type(pod.untyped(1, 2, 3, 4, d=3, z=3))  # Any
    pod.untyped(1)  # error: call-arg
    reveal_type(pod.variadic(1, 2, a="x"))  # dict[str, str]
    pod.variadic("x")  # error: arg-type
    reveal_type(pod.numbers(3))  # pypods.pods.stream.Stream[int]
    with pod.talk(1) as stream:
        reveal_type(next(stream))  # str
    reveal_type(pod.fetch(3))  # str
    reveal_type(pod.pages(3))  # pypods.pods.stream.Stream[bytes]
    reveal_type(pod.lost(3))  # Any
    reveal_type(pod.late)  # pypods_types.kinds._late_function
    pod.late("now")  # error: arg-type
    pod.metres("1")  # error: arg-type
    reveal_type(pod.first([1, 2]))  # int
    reveal_type(pod.first.submit(["a"]))  # concurrent.futures._base.Future[str]
    reveal_type(pod.both(1))  # int
    reveal_type(pod.both.submit("x"))  # concurrent.futures._base.Future[str]
    pod.both(b"")  # error: call-overload
    reveal_type(pod.cached(1))  # int
    with pod.opened("x") as parser:
        reveal_type(parser)  # pypods_types.kinds.Parser
    reveal_type(pod.short(1))  # Any
    pod.short()  # error: call-arg
    reveal_type(pod.part(1))  # Any
    reveal_type(pod.alias("x"))  # list[tuple[str, int]]

    parser = pod.Parser(3)
    pod.Parser("x")  # error: arg-type
    reveal_type(parser.parse("x"))  # list[str]
    reveal_type(parser.parse.submit("x"))  # concurrent.futures._base.Future[list[str]]
    parser.parse(3)  # error: arg-type
    parser.nothing  # error: attr-defined
    reveal_type(parser.chain().chain().depth)  # int
    reveal_type(parser.name)  # str | None
    reveal_type(parser.kind)  # str
    reveal_type(parser.walk())  # pypods.pods.stream.Stream[int]
    reveal_type(parser.load(parser.Options()))  # int
    reveal_type(parser.size)  # int
    reveal_type(pod.Parser.make("x"))  # pypods_types.kinds.Parser
    reveal_type(len(parser))  # int
    reveal_type(pod.Box(3).get())  # int
    reveal_type(pod.Box("x").get.submit())  # concurrent.futures._base.Future[str]
    try:
        describe(pod)
    except pod.Error as error:
        reveal_type(error.code)  # int
    reveal_type(pod.Point(1).tags)  # list[str]
    pod.Point("x")  # error: arg-type
    reveal_type(pod.point().y)  # int
    reveal_type(pod.Color.BLUE.value)  # int
    reveal_type(pod.Pair(1).right)  # str
    reveal_type(pod.Movie(title="x")["title"])  # str
    reveal_type(pod.parser.depth)  # int

    reveal_type(pod.dumps.submit(1))  # concurrent.futures._base.Future[str]
    pod.dumps()  # error: call-arg
    reveal_type(pod.missing(1))  # Any
    reveal_type(pod.pi)  # float
    reveal_type(pod.datetime(2024, 1, 2))  # datetime.datetime
    reveal_type(pod.sqlite3.connect(":memory:"))  # Any
    reveal_type(pod.LIMIT)  # int
    reveal_type(pod.NAMES)  # list[str]
    reveal_type(pod.RATE)  # float
    reveal_type(pod.FINAL)  # str
    reveal_type(pod.import_module("json"))  # Any


async def main() -> None:
    reveal_type(await kinds.query.aio("x"))  # list[tuple[str, int]]
    reveal_type(await kinds.fetch.aio(1))  # str
    async for item in kinds.pages(1):
        reveal_type(item)  # bytes
    await kinds.fetch.aio("x")  # error: arg-type


def annotated(loader: PodLoader, name: str, given: Pod) -> None:
    reveal_type(loader.load_pod())  # pypods.pods.pod.Pod
    reveal_type(PodLoader(name).load_pod())  # pypods.pods.pod.Pod
    reveal_type(given.cached(1))  # int
    with PodLoader("kinds").sticky() as one:
        reveal_type(one.cached(1))  # int
"""

OTHER_POD = """
from nowhere_to_be_found import *


class Pod:
    x: int = 3


def property() -> int: ...
def after() -> str: ...
"""


def write_pods(folder: Path, **sources: str) -> list[PodFolder]:
    for name, source in sources.items():
        (folder / "pods" / name).mkdir(parents=True, exist_ok=True)
        (folder / "pods" / name / "pod.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return list_pod_folders(pods_directory=folder / "pods")


def write_stubs(folder: Path, **sources: str) -> StubPlan:
    """Write pods into a project, and their stubs."""
    folders = write_pods(folder, **sources)
    plan = plan_stubs(folders, all_folders=folders, output=folder)
    for each in plan.files:
        write_stub(each)
    return plan


def run_mypy(folder: Path, *words: str) -> list[str]:
    """Return what mypy says in a project whose environment has this pypods installed."""
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv").glob("lib/*/site-packages")
    (site / "here.pth").write_text(str(Path(pypods.__file__).parents[1]), encoding="utf-8")
    python = folder / "venv" / "bin" / "python"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context",
         "--cache-dir", str(folder / "cache"), "--python-executable", str(python), *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout.splitlines()


# --- a type checker -----------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_mypy_knows_what_each_pod_offers(tmp_path):
    """What a line reveals, and the error it makes, stands behind it; all others are right."""
    write_stubs(tmp_path, kinds=KINDS_POD, other=OTHER_POD)
    lines = PROGRAM.splitlines()
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    said: dict[int, str] = {}
    for line in run_mypy(tmp_path, "program.py", PACKAGE):
        match = re.match(
            r"program\.py:(\d+): (?:note: Revealed type is \"(.*)\"|(error): .*)$", line
        )
        if match is None:
            assert re.match(r"program\.py:\d+: note: ", line), line  # More on an error.
        elif match[3]:
            said[int(match[1])] = "error: " + line[line.rindex("[") + 1 : -1]
        else:
            said[int(match[1])] = match[2]
    expected = {
        number: line.rpartition("  # ")[2] for number, line in enumerate(lines, 1) if "  # " in line
    }
    assert len(expected) > 80
    assert said == expected


@pytest.mark.timeout(300)
def test_without_stubs_everything_is_as_before(tmp_path):
    (tmp_path / "program.py").write_text(
        "from pypods import PodLoader\n"
        'reveal_type(PodLoader("kinds"))\n'
        'reveal_type(PodLoader("kinds").load_pod().query(3))\n'
        'PodLoader("kinds", threads="two")\n',
        encoding="utf-8",
    )
    first, second, third = run_mypy(tmp_path, "program.py")
    assert first.endswith('"pypods.pods.loader.PodLoader"')
    assert second.endswith('"Any"')
    assert third.endswith("[arg-type]")


# --- what a pod offers --------------------------------------------------------------------------


def test_a_stub_has_the_names_that_the_pod_offers(tmp_path, bare_pod):
    """Read from the source, and asked of the running pod: the same."""
    source = """
        from __future__ import annotations
        import json, os.path
        import collections.abc as abc_module
        from typing import Any, TypeVar
        from math import pi, floor as round_down

        T = TypeVar("T")
        A, (B, *C) = 1, (2, 3)
        D: int = 4
        E: int
        for F in range(2):
            G = F
        with open(os.devnull) as H:
            pass
        try:
            I = 1
        except ValueError as J:
            K = 1
        if (L := 5) > 3:
            def m(): ...
        else:
            N = 1
        N = 2
        match A:
            case 1 as O:
                P = 1
        Q = R = [S for S in range(3)]
        del R
        def t():
            global U
            U = 1
        t()
        V = W = lambda x: x
        K = 0
        class X: ...
        async def y(): ...
        _hidden = 1
        if __name__ == "__main__":
            never = 1
        """
    write_stubs(tmp_path, subject=source)
    text = (tmp_path / PACKAGE / "subject.pyi").read_text(encoding="utf-8")
    body = text[text.index("\nclass Pod(") :]
    names = set(re.findall(r"(?m)^    (?:def )?(\w+)(?:\(self\)| =|:)", body)) - {"__getattr__"}
    pod = bare_pod(source)
    assert names == set(dir(pod)) - {"Any", "T", "TypeVar"}  # What is there for writing code.


@pytest.mark.parametrize(
    ("source", "names", "is_open"),
    [
        ("__all__ = ['a']\ndef a(): ...\ndef b(): ...", {"a"}, False),
        ("__all__ = ['a']\n__all__ += ['b']\ndef a(): ...\ndef b(): ...", {"a", "b"}, False),
        ("__all__ = [x for x in 'a']\ndef a(): ...\ndef b(): ...", {"a", "b"}, True),
        ("__all__ = ['a', 'a', 'if', 'b c', '']\ndef a(): ...", {"a"}, False),
        ("from os import *\ndef a(): ...", {"a"}, True),
        ("def a(): ...\nglobals()['b'] = a", {"a"}, True),
    ],
)
def test_a_stub_lets_pass_what_cannot_be_read(tmp_path, source, names, is_open):
    write_stubs(tmp_path, subject=source)
    text = (tmp_path / PACKAGE / "subject.pyi").read_text(encoding="utf-8")
    assert set(re.findall(r"(?m)^    def (\w+)\(self\) -> _", text)) == names
    assert ("__getattr__: None" not in text) is is_open
    compile(text, "subject.pyi", "exec")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def f(a, /, b, *, c): ...",
         "def __call__(self, a: _pypods.Any, /, b: _pypods.Any, *, c: _pypods.Any) -> _pypods.Any"),
        ("def f(self: int, x=-1): ...",
         "def __call__(_self, /, self: int, x: _pypods.Any = -1) -> _pypods.Any"),
        ("def f(x: int = 1 + 1, y='a' * 100): ...",
         "def __call__(self, /, x: int = ..., y: _pypods.Any = ...) -> _pypods.Any"),
        ("def f(x: 'a b'): ...", "def __call__(self, /, x: _pypods.Any) -> _pypods.Any"),
        ("def f() -> 'list[\"int\"]': ...", "def __call__(self, /) -> list[int]"),
        ("import typing as t\ndef f() -> t.Literal['int']: ...",
         "def __call__(self, /) -> t.Literal['int']"),
        ("def f():\n    def g(): yield 1\n    return g", "def __call__(self, /) -> _pypods.Any"),
        ("def f():\n    if 1:\n        yield 1",
         "def __call__(self, /) -> _pypods.Stream[_pypods.Any]"),
        ("from typing import *\ndef f() -> Awaitable[int]: ...", "def __call__(self, /) -> int"),
        ("from typing import *\ndef f() -> Iterator[int]: ...",
         "def __call__(self, /) -> Iterator[int]"),
        ("from contextlib import *\n@asynccontextmanager\nasync def f(): yield 1",
         "def __call__(self, /) -> _pypods.AbstractAsyncContextManager[_pypods.Any]"),
        ("def f(*a: int, b: str): ...", "def map(self, /, *a: _pypods.Iterable[int], chunksize"),
        ("from .near import X\ndef f(x: X): ...", "X = _pypods.Any"),
        ("import near\ndef f(x: near.X): ...", "near: _pypods.Any"),
        ("import a.b, a.c\ndef f(x: a.c.X): ...", "import a.c"),
        ("from a import B as C\ndef f(x: C): ...", "from a import B as C"),
        ("class A: ...\nclass B(A): ...\n_x = 1\ndef f() -> B: ...", "class B(A):"),
        ("from abc import ABCMeta\nclass A(metaclass=ABCMeta): ...", "class A:"),
        ("def changed(c): ...\n@changed\nclass A: ...",
         "def __init__(self, *args: _pypods.Any, **kwargs: _pypods.Any) -> None: ..."),
        ("def f():\n    '''A \"quoted\" word, a \\\\ and \"'''", '"""A \\"quoted\\" word'),
    ],
)  # fmt: skip
def test_a_stub_says_what_the_source_says(tmp_path, source, line):
    folders = write_pods(tmp_path, subject=source)
    (tmp_path / "pods" / "subject" / "near.py").write_text("X = int")
    (file, _) = plan_stubs(folders, all_folders=folders, output=tmp_path).files
    assert file.text is not None
    if line.startswith('"""'):
        line = line.replace('\\"', '"')
    assert line in file.text
    compile(file.text, "subject.pyi", "exec")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("-1", "int"),
        ("not 1", "bool"),
        ("f'{1}'", "str"),
        ("{1, 2}", "set[int]"),
        ("[1, 'x']", "list[_pypods.Any]"),
        ("{'a': 1.0}", "dict[str, float]"),
        ("{**{}, 'a': 1}", "dict[_pypods.Any, _pypods.Any]"),
        ("(1, b'')", "tuple[int, bytes]"),
        ("()", "tuple[()]"),
        ("(*[1], 2)", "tuple[_pypods.Any, ...]"),
        ("frozenset([1])", "frozenset"),
        ("None", None),
        ("...", None),
        ("unknown()", None),
        ("1 + 1", None),
    ],
)
def test_a_value_has_the_type_that_its_source_shows(tmp_path, value, kind):
    write_stubs(tmp_path, subject=f"import json\nA = {value}\n")
    text = (tmp_path / PACKAGE / "subject.pyi").read_text(encoding="utf-8")
    if kind is None:
        assert "    A: _pypods.Any\n" in text
    else:
        assert f"_A_type: _pypods.TypeAlias = {kind}\n" in text
        assert "    A: _A_type\n" in text


CLASSES = '''\
class Stays:
    LIMIT: int
    MANY: typing.ClassVar[int]
    x: _pypods.Any
    w: int
    y: _pypods.Any
    z: _pypods.Any
    i: _pypods.Any
    @property
    def inside(self) -> _Stays_inside_method: ...
    @property
    def size(self) -> int:
        """How many."""
    @size.setter
    def size(self, value: int) -> None: ...
    @property
    def both(self) -> _Stays_both_method: ...
    free: _Stays_free_method
    @property
    def me(self) -> _Stays_me_method:
        """Myself."""
    @property
    def put(self) -> _Stays_put_method: ...
    @property
    def loop(self) -> _Stays_loop_method: ...
    async def __aenter__(self) -> int: ...
    def __lt__(self, other: _pypods.Any, /) -> bool: ...
class Below(Stays):
    ...
class Levels(IntEnum):
    def more(self) -> int: ...
class Level(Levels):
    LOW = 1
    HIGH = ...
class Shape(typing.Protocol):
    def area(self) -> float: ...
@dataclass
class Base:
    a: InitVar[int]
    def double(self) -> int: ...
    @classmethod
    def new(cls) -> Base: ...
class Further(Base):
    b: str = field(init=False)
class Open:
    def __init__(self, **names: _pypods.Any) -> None: ...
    def __getattr__(self, name: str) -> _pypods.Any: ...
'''


def test_classes_are_what_their_source_says(tmp_path):
    write_stubs(
        tmp_path,
        subject="""
        import typing
        from enum import Enum, IntEnum
        from dataclasses import InitVar, dataclass, field

        class Stays:
            __slots__ = ("a",)
            LIMIT: typing.Final = 3
            MANY: typing.ClassVar[int] = 3
            if True:
                def inside(self): ...
            @property
            def size(self) -> int: "How many."
            @size.setter
            def size(self, value: int) -> None: ...
            @typing.overload
            def both(self, x: int, /) -> int: ...
            @typing.overload
            def both(self, x: str, /) -> str: ...
            def both(self, x, /): ...
            @staticmethod
            def free(x: int) -> typing.Self: ...
            def me(self) -> typing.Self: "Myself."
            def put(self, x, *, y: float):
                self.x = x
                self.y, self.z = y, 1
                self.deep.er = 1
                self.w: int = 2
                self._hidden = 1
            def loop(self):
                for self.i in range(3): ...
            def _hidden(self): ...
            async def __aenter__(self) -> int: ...
            def __lt__(self, other, /) -> bool: ...
        class Below(Stays): ...
        class Levels(IntEnum):
            def more(self) -> int: ...
        class Level(Levels):
            LOW = 1
            HIGH = (1, 2)
        class Shape(typing.Protocol):
            def area(self) -> float: ...
        @dataclass
        class Base:
            a: InitVar[int]
            def double(self) -> int: ...
            @classmethod
            def new(cls) -> 'Base': ...
        class Further(Base):
            b: str = field(init=False)
        class Open:
            def __init__(self, **names) -> None: self.__dict__.update(names)
        """,
    )
    text = (tmp_path / PACKAGE / "subject.pyi").read_text(encoding="utf-8")
    first, last = text.index("class Stays"), text.index("class _Stays_inside_method")
    assert text[first:last] == CLASSES
    assert text.count("def submit(self, x: int, /) -> _pypods.Future[int]: ...") == 1


def test_docstrings_are_kept(tmp_path):
    doc = 'One "line".\n\nAnd \\ more, with """quotes""", é and a "quote"'
    write_stubs(tmp_path, subject=f"def f():\n    {doc!r}\n")
    namespace: dict[str, object] = {}
    text = (tmp_path / PACKAGE / "subject.pyi").read_text(encoding="utf-8")
    function = text[text.index("    @_pypods.property") :]
    exec(f"class Pod:\n{function}".replace("-> _f_function", "").replace("_pypods.", ""), namespace)
    assert namespace["Pod"].f.fget.__doc__.split() == doc.split()


def test_half_a_character_in_a_docstring_is_written_as_its_number(tmp_path):
    write_stubs(tmp_path, subject="def f():\n    '\\ud800'\n")
    assert b"\\ud800" in (tmp_path / PACKAGE / "subject.pyi").read_bytes()


# --- sources that are not this Python's ---------------------------------------------------------


NEWER = """
    type Pairs[K] = list[tuple[K, str]]
    def first[T: (int, str)](items: list[T], *rest: T) -> T: ...
    def bound[T: int](x: T) -> Pairs[T]: ...
    class Box[T = int]:
        def get(self) -> T: ...
    """


def test_a_newer_python_reads_what_this_one_cannot(tmp_path, find_python):
    if sys.version_info < (3, 13):
        find_python("3.13")  # Else this one reads it.
    plan = write_stubs(tmp_path, subject=NEWER)
    assert plan.failures == []
    text = (tmp_path / PACKAGE / "subject.pyi").read_text(encoding="utf-8")
    compile(text, "subject.pyi", "exec")  # Without its syntax: mypy could not read it here either.
    assert "_first_T = _pypods.TypeVar('_first_T', int, str)" in text
    assert "_bound_T = _pypods.TypeVar('_bound_T', bound=int)" in text
    assert "def __call__(self, /, items: list[_first_T], *rest: _first_T) -> _first_T: ..." in text
    assert "Pairs: _pypods.TypeAlias = list[tuple[_Pairs_K, str]]" in text
    assert "_Box_T = _pypods.TypeVar('_Box_T', default=int)" in text
    assert "class Box(_pypods.Generic[_Box_T]):" in text


def test_another_python_reads_the_same(tmp_path):
    (folder,) = write_pods(tmp_path, subject=KINDS_POD)
    source = folder.pod_file.read_bytes()
    told = stubs._ask(Path(sys.executable), folder, source, frozenset({"json"}))
    assert told == stub_text("subject", source, frozenset({"json"}))
    with pytest.raises(PodStartError, match=r"pod\.py:2: invalid syntax"):
        stubs._ask(Path(sys.executable), folder, b"x = 1\nx ===\n", frozenset())
    with pytest.raises(PodStartError, match="cannot read it"):
        stubs._ask(tmp_path / "no-python", folder, source, frozenset())


def test_where_there_is_no_newer_python_the_line_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(stubs, "_find_newer_python", lambda folder: None)
    plan = write_stubs(tmp_path, subject="x = 1\ndef f(:\n")
    ((folder, error),) = plan.failures
    assert isinstance(error, PodStartError)
    assert f"{folder.pod_file}:2: invalid syntax" in str(error)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"x = 1\nx ===\n", "pod.py:2: invalid syntax"),
        (b"x = '\xff'\n", "pod.py"),
        (b"x = 1\0\n", "null bytes"),
        (b"x = " + b"-" * 20_000 + b"1\n", "pod.py"),
    ],
)
def test_one_pod_that_cannot_be_read_does_not_keep_the_others(tmp_path, source, said):
    folders = write_pods(tmp_path, bad="", good="def f(): ...")
    folders[0].pod_file.write_bytes(source)
    plan = plan_stubs(folders, all_folders=folders, output=tmp_path)
    ((folder, error),) = plan.failures
    assert (folder.name, type(error)) == ("bad", PodStartError)
    assert said in str(error)
    assert [each.name for each in plan.files] == ["good", None]


def test_warnings_of_a_source_are_not_ours(tmp_path):
    assert write_stubs(tmp_path, subject="def f():\n    '\\d'\n").failures == []


def test_reading_runs_nothing(tmp_path):
    write_stubs(tmp_path, subject=f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(): ...\n")
    assert (tmp_path / PACKAGE / "subject.pyi").exists()
    assert not (tmp_path / "ran").exists()


# --- the files ----------------------------------------------------------------------------------


def plan_again(folder: Path, **sources: str) -> dict[str | None, str]:
    folders = write_pods(folder, **sources)
    plan = plan_stubs(folders, all_folders=folders, output=folder)
    return {each.name: each.status for each in plan.files}


def test_a_stub_is_current_until_its_source_changes(tmp_path):
    first = write_stubs(tmp_path, one="def f(): ...", two="def f(): ...")
    assert [each.status for each in first.files] == ["missing", "missing", "missing"]
    assert plan_again(tmp_path) == {"one": "current", "two": "current", None: "current"}
    changed = plan_again(tmp_path, two="def g(): ...")
    assert changed == {"one": "current", "two": "stale", None: "current"}
    added = plan_again(tmp_path, three="def g(): ...")
    assert added == {"one": "current", "two": "stale", "three": "missing", None: "stale"}


def test_a_stub_stays_while_its_source_cannot_be_read(tmp_path):
    write_stubs(tmp_path, one="class Pod: ...", two="def f(): ...")
    before = (tmp_path / PACKAGE / "__init__.pyi").read_bytes()
    assert b"_one_stub.Pod_]" in before
    plan = write_stubs(tmp_path, one="def f(:")
    assert [folder.name for folder, _ in plan.failures] == ["one"]
    assert (tmp_path / PACKAGE / "__init__.pyi").read_bytes() == before


def test_a_stub_of_a_pod_that_has_gone_is_surplus_and_others_files_are_not(tmp_path):
    write_stubs(tmp_path, one="", two="")
    (tmp_path / PACKAGE / "mine.pyi").write_text("x: int\n")
    (tmp_path / "pods" / "one" / "pod.py").unlink()
    left = list_pod_folders(pods_directory=tmp_path / "pods")
    (surplus,) = plan_surplus(left, output=tmp_path)
    assert (surplus.name, surplus.status) == ("one", "surplus")
    write_stub(surplus)
    assert sorted(path.name for path in (tmp_path / PACKAGE).iterdir()) == [
        "__init__.pyi", "mine.pyi", "two.pyi",
    ]  # fmt: skip


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path):
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "one.pyi").write_text("x: int\n")
    plan = write_stubs(tmp_path, one="def f(): ...")
    ((_, error),) = plan.failures
    assert isinstance(error, FileExistsError)
    assert "move it away" in str(error)
    assert (tmp_path / PACKAGE / "one.pyi").read_text() == "x: int\n"


def test_a_pod_with_the_name_of_the_packages_own_file_has_none(tmp_path):
    plan = write_stubs(tmp_path, __init__="def f(): ...")
    assert [type(error) for _, error in plan.failures] == [PodStartError]
    assert plan.files == []


def test_nothing_is_left_when_a_stub_cannot_be_written(tmp_path, monkeypatch):
    plan = write_stubs(tmp_path, one="def f(): ...")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        write_stub(plan.files[0])
    assert sorted(path.name for path in (tmp_path / PACKAGE).iterdir()) == [
        "__init__.pyi",
        "one.pyi",
    ]

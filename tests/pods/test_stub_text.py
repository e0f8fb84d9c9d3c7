"""The text of a stub as a program of its own, and of what only a newer Python can read."""

from __future__ import annotations

import ast
import io
import sys
from types import SimpleNamespace

import pytest

from pypods.pods.pod_source import read_source
from pypods.pods.stub_names import StubNames
from pypods.pods.stub_text import main, stub_text


class Streams:
    """Standard streams that have bytes below their text."""

    def __init__(self, given):
        self.stdin = SimpleNamespace(buffer=io.BytesIO(given))
        self.out = io.BytesIO()
        self.stdout = SimpleNamespace(buffer=self.out)
        self.stderr = io.StringIO()


@pytest.fixture
def run_main(monkeypatch):
    """Return a function that runs the program; it returns the status and the streams."""

    def run(source, *arguments):
        streams = Streams(source)
        monkeypatch.setattr(sys, "argv", ["-", *arguments])
        for name in ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(sys, name, getattr(streams, name))
        return main(), streams

    return run


def test_the_program_writes_the_stub(run_main):
    source = b"from near import X\ndef f(x: X) -> int: ..."
    status, streams = run_main(source, "small", "near")
    assert status == 0
    assert streams.out.getvalue().decode() == stub_text("small", source, frozenset({"near"}))
    assert streams.stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [(b"def f():\n    x = = 1", "2 invalid syntax"), (b"x = '\0'", "source code string cannot")],
)
def test_the_program_says_which_line_cannot_be_read(run_main, source, said):
    status, streams = run_main(source, "small")
    assert status == 1
    assert said in streams.stderr.getvalue()
    assert streams.out.getvalue() == b""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from typing import no_type_check\n@no_type_check\ndef f(x: 'not a type'): ...",
         "    f: _pypods.Any"),
        ("class A: ...\nB = A\ndef f(b: B): ...", "B = A"),
        ("def f(x: int): 'Text.'\ng = f", "    def g(self) -> _g_function:"),
        ("import json\ng = json", "    g: _pypods.Any"),
        ("f = lambda x, y=1: x", "    def f(self) -> _f_function: ..."),
        ("from functools import partial\nf = partial(print, 1)", "    f: _pypods.PodFunction"),
        ("from collections import namedtuple\nP = namedtuple('P', 'x')", "    P: _pypods.Any"),
        ("a, b = 1, 2", "    b: _pypods.Any"),
        ("from typing import Union\n_X = Union[int, str]\ndef f(x: _X): ...",
         "_X = Union[int, str]"),
        ("_X = int | None\ndef f(x: _X): ...", "_X = int | None"),
        ("_X = 1 + 1\ndef f(x: _X): ...", "_X = _pypods.Any"),
        ("from typing import NewType\n_X = NewType('_X', int)\ndef f(x: _X): ...",
         "_X = NewType('_X', int)"),
    ],
)  # fmt: skip
def test_a_stub_says_what_a_name_is(source, line):
    text = stub_text("small", source.encode())
    assert any(each.startswith(line) for each in text.splitlines()), text


# --- type parameters, which Python reads from 3.12 on --------------------------------------------


class TypeVar(SimpleNamespace):
    """What the parser makes of ``T`` in ``def f[T]``."""


class ParamSpec(SimpleNamespace):
    """What the parser makes of ``**P``."""


def expression(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("parameter", "definition"),
    [
        (TypeVar(name="T", bound=None), "_f_T = _pypods.TypeVar('_f_T')"),
        (TypeVar(name="T", bound=expression("A")), "_f_T = _pypods.TypeVar('_f_T', bound=A)"),
        (TypeVar(name="T", bound=expression("(A, int)")),
         "_f_T = _pypods.TypeVar('_f_T', A, int)"),
        (TypeVar(name="T", bound=None, default_value=expression("list[A]")),
         "_f_T = _pypods.TypeVar('_f_T', default=list[A])"),
        (TypeVar(name="T", bound=expression("list[T]")),
         "_f_T = _pypods.TypeVar('_f_T', bound=list[_f_T])"),
        (ParamSpec(name="T"), "_f_T = _pypods.ParamSpec('_f_T')"),
    ],
)  # fmt: skip
def test_a_type_parameter_is_defined_before_its_function(parameter, definition):
    source = read_source(b"class A: ...\ndef f(x): ...")
    names = StubNames(source)
    function = source.functions("f")[0]
    function.type_params = [parameter]
    assert names.declare(function, "f") == {"T": "_f_T"}
    assert names.parameters == [definition]
    assert list(names.needed) == (["A"] if "A" in definition else [])


def test_a_function_without_type_parameters_defines_none():
    source = read_source(b"def f(x): ...")
    names = StubNames(source)
    assert names.declare(source.functions("f")[0], "f") == {}
    assert names.parameters == []

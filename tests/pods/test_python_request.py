"""Which Python is asked for, as tables of text and versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypods.pods.python_request import PythonRequest, format_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3", (3,)),
        ("3.8", (3, 8)),
        (" 3.8.18 ", (3, 8, 18)),
        ("python3.8", (3, 8)),
        ("cpython-3.8.18", (3, 8, 18)),
        ("cpython@3.9", (3, 9)),
        ("3.14.0rc2", (3, 14, 0)),
    ],
)
def test_a_version_is_read(text: str, version: tuple[int, ...]) -> None:
    request = PythonRequest.parse(text)
    assert request.version == version
    assert str(request) == format_version(version)


ACCEPTED = [
    ("3", (3, 8, 18)),
    ("3.8", (3, 8, 18)),
    ("3.8.18", (3, 8, 18)),
    (">=3.8", (3, 8, 0)),
    (">=3.8", (3, 8, 18)),
    ("<=3.8", (3, 8, 0)),
    (">3.8", (3, 8, 1)),
    ("<3.9", (3, 8, 18)),
    ("==3.8.*", (3, 8, 18)),
    ("==3.8.18", (3, 8, 18)),
    ("===3.8.18", (3, 8, 18)),
    ("!=3.8.17", (3, 8, 18)),
    ("!=3.9.*", (3, 8, 18)),
    ("~=3.8", (3, 11, 0)),
    ("~=3.8.2", (3, 8, 18)),
    (">= 3.9 , <3.12,", (3, 11, 7)),
]
REFUSED = [
    ("3.8", (3, 80, 0)),
    ("3.8.18", (3, 8, 1)),
    (">=3.9", (3, 8, 18)),
    ("<=3.8", (3, 8, 1)),
    (">3.8", (3, 8, 0)),
    ("<3.9", (3, 9, 0)),
    ("==3.8", (3, 8, 18)),
    ("==3.8.*", (3, 9, 0)),
    ("!=3.8.18", (3, 8, 18)),
    ("!=3.8.*", (3, 8, 18)),
    ("~=3.8", (4, 0, 0)),
    ("~=3.8.2", (3, 8, 1)),
    ("~=3.8.2", (3, 9, 0)),
    (">=3.9,<3.12", (3, 12, 0)),
]


@pytest.mark.parametrize(("text", "version"), ACCEPTED)
def test_what_fits_is_accepted(text: str, version: tuple[int, ...]) -> None:
    assert PythonRequest.parse(text).accepts(version)


@pytest.mark.parametrize(("text", "version"), REFUSED)
def test_what_does_not_fit_is_refused(text: str, version: tuple[int, ...]) -> None:
    assert not PythonRequest.parse(text).accepts(version)


def test_the_table_agrees_with_the_reference() -> None:
    specifiers = pytest.importorskip("packaging.specifiers")
    for table, verdict in ((ACCEPTED, True), (REFUSED, False)):
        for text, version in table:
            if text[0] in "<>=!~" and not text.startswith("==="):
                reference = specifiers.SpecifierSet(text.rstrip(","))
                assert reference.contains(format_version(version)) is verdict, (text, version)


@pytest.mark.parametrize("python", ["./py", "/usr/bin/python3", Path("python3"), "~/py"])
def test_a_path_is_made_absolute_and_takes_any_version(python: str | Path) -> None:
    request = PythonRequest.parse(python)
    assert request.path is not None
    assert request.path.is_absolute()
    assert str(request) == str(request.path)
    assert request.accepts((2, 7))


@pytest.mark.parametrize(
    "text", ["", "newest", ",", "3.x", "3.13t", ">=", "=3.8", ">=3.8.*", "pypy3.9", "3.8 3.9"]
)
def test_anything_else_is_an_error_that_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write one of those"):
        PythonRequest.parse(text)

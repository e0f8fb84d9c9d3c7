"""What the Tab key offers."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from pypods.cli.app import app
from pypods.cli.completion import functions_in_source

SOURCE = '''
"""Doc."""
from __future__ import annotations
import os
from helpers import shared, other as renamed, _inside
from many import *

def hello():
    """Greet.

    More.
    """

async def later(): ...

def _hidden(): ...

if os.name == "posix":
    def here(): ...
else:
    def there(): ...

try:
    from fast import quick
except ImportError:
    def quick(): ...
else:
    def tried(): ...

VALUE = 3

if __name__ == "__main__":
    def only_as_a_script(): ...
'''


@pytest.fixture
def complete(here):
    """Return what is offered for a command line whose last word is half typed."""

    def complete_words(line: str) -> list[str]:
        words = line.split(" ")
        environment = {
            "_PYPODS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        result = CliRunner().invoke(app, [], env=environment, prog_name="pypods")
        assert result.exit_code == 0
        assert result.stderr == ""
        return result.stdout.split()

    return complete_words


def test_the_functions_of_a_source_are_read_not_run():
    assert functions_in_source(SOURCE) == {
        "shared": "from helpers",
        "renamed": "from helpers",
        "hello": "Greet.",
        "later": "",
        "here": "",
        "there": "",
        "quick": "",
        "tried": "",
    }


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('__all__ = ["hello", "value"]', ["hello", "value"]),
        ('__all__ = ("hello", 3)', ["hello"]),
        ("__all__ = make()", ["hello"]),
        ("__all__ = 3", ["hello"]),
    ],
)
def test_all_narrows_where_it_is_written_out(line, names):
    assert list(functions_in_source(f"{line}\ndef hello(): ...\ndef _f(): ...")) == names


def test_names_into_which_a_result_is_taken_apart_are_offered():
    source = (
        "one, _two, (three, four), [five] = make()\n[six, x.seven] = make()\neight, nine = 8, 9"
    )
    assert list(functions_in_source(source)) == ["one", "six"]


def test_commands_and_options_are_completed(complete):
    assert complete("pypods in") == ["inspect", "integrate"]
    assert complete("pypods call --ti") == ["--timeout"]


@pytest.mark.parametrize("command", ["call", "inspect", "sync", "remove", "script"])
def test_names_of_pods_are_completed(complete, write_pod, command):
    write_pod("mydb")
    write_pod("myother")
    write_pod("zed")
    assert complete(f"pypods {command} my") == ["mydb", "myother"]


def test_a_pod_is_offered_once(complete, write_pod):
    write_pod("mydb")
    write_pod("zed")
    assert complete("pypods sync mydb ") == ["zed"]


def test_names_of_functions_are_completed(complete, write_pod):
    write_pod("mydb", SOURCE + "\nraise RuntimeError('never run')\n")
    assert complete("pypods call mydb h") == ["hello", "here"]


@pytest.mark.parametrize(
    "line", ["pypods --pods-directory other call ", "pypods call --pods-directory other "]
)
def test_the_pods_directory_is_heeded(complete, write_pod, line):
    write_pod("mydb")
    write_pod("zed", "def f(): ...", directory="other")
    assert complete(line) == ["zed"]
    assert complete(f"{line}zed ") == ["f"]


def test_the_variable_is_heeded(complete, write_pod, monkeypatch):
    write_pod("zed", directory="other")
    monkeypatch.setenv("PYPODS_PODS_DIRECTORY", "other")
    assert complete("pypods inspect ") == ["zed"]


@pytest.mark.parametrize("name", ["nope", "1st", "bad"])
def test_what_cannot_be_read_offers_nothing(complete, write_pod, name):
    write_pod("bad", "def f(:")
    assert complete(f"pypods call {name} ") == []


def test_a_pods_directory_that_cannot_be_read_offers_nothing(complete, monkeypatch):
    def fail(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pypods.pods.folder.list_pod_folders", fail)
    assert complete("pypods inspect ") == []

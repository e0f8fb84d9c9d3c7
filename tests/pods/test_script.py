"""``pod.py`` run as a script, as files written for the original expect it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import bson
import pytest

from pypods.pods import create_pod_folder, run_script
from pypods.pods.folder import PodFolder
from pypods.pods.script import script_command

# The original's own block, word for word.
BLOCK = """
from pods.original.beside import helper

def foo(x, y):
    return x + y

def boom():
    raise ValueError("out of reach")

if __name__ == "__main__":
    from pypods.pods import PodListener

    pl = PodListener()
    msg = pl.read_stdin()
    if msg:
        function_name, args, kwargs = msg["name"], msg["args"], msg["kwargs"]
        try:
            if function_name in globals():
                function_output = globals()[function_name](*args, **kwargs)
                pl.write_stdout(function_output)
            else:
                pl.write_stderr(f"Function {function_name} does not exist in pod")
        except Exception as e:
            pl.write_stderr(str(e))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> PodFolder:
    folder = create_pod_folder("original", pods_directory=tmp_path_factory.mktemp("pods"))
    folder.pod_file.write_text(BLOCK)
    (folder.path / "beside.py").write_text("def helper(): return 'helped'\n")
    return folder


def call(name: str, *args: Any, **kwargs: Any) -> bytes:
    return bson.encode({"name": name, "args": list(args), "kwargs": kwargs})


def test_a_call_on_stdin_is_answered_on_stdout(folder: PodFolder) -> None:
    done = run_script(folder, call("foo", 1, y=2))
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stderr) == (0, b"")
    assert bson.decode(done.stdout) == {"response": 3}


def test_what_the_pod_imports_can_be_called(folder: PodFolder) -> None:
    assert bson.decode(run_script(folder, call("helper")).stdout) == {"response": "helped"}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (call("boom"), "out of reach"),
        (call("nothing_there"), "Function nothing_there does not exist in pod"),
    ],
)
def test_an_error_is_answered_on_stderr(folder: PodFolder, document: bytes, error: str) -> None:
    done = run_script(folder, document)
    assert (done.returncode, done.stdout) == (0, b"")
    assert bson.decode(done.stderr) == {"error": error}


@pytest.mark.parametrize("document", [b"", b"nonsense", bson.encode({"name": "foo"})])
def test_what_is_no_call_is_an_error_on_stderr(folder: PodFolder, document: bytes) -> None:
    done = run_script(folder, document)
    assert done.stdout == b""
    assert isinstance(bson.decode(done.stderr)["error"], str)


def test_arguments_reach_the_script(folder: PodFolder) -> None:
    source = folder.pod_file.read_text()
    try:
        folder.pod_file.write_text("import sys\nprint(sys.argv)\nsys.exit(7)\n")
        done = run_script(folder, b"", arguments=["one", "--two"])
    finally:
        folder.pod_file.write_text(source)
    assert done.returncode == 7
    assert eval(done.stdout) == [str(folder.pod_file), "one", "--two"]


def test_without_a_document_the_streams_are_passed_through(
    folder: PodFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    source = folder.pod_file.read_text()
    try:
        folder.pod_file.write_text("print('straight through')\n")
        done = run_script(folder)
    finally:
        folder.pod_file.write_text(source)
    assert (done.returncode, done.stdout) == (0, None)
    assert capfd.readouterr().out == "straight through\n"


def test_the_command_is_the_pods_own_interpreter_with_its_variables(folder: PodFolder) -> None:
    command, variables = script_command(folder, ["x"])
    assert Path(command[0]).is_relative_to(folder.venv)
    assert Path(command[0]) != Path(sys.executable)
    assert command[-4:] == ["--script", "original", str(folder.path), "x"]
    assert variables["PYPODS_POD"] == "original"
    assert variables["VIRTUAL_ENV"] == str(folder.venv)


def test_the_same_file_works_when_loaded(folder: PodFolder) -> None:
    from pypods.pods import PodLoader

    with PodLoader("original", pods_directory=folder.path.parent) as pod:
        assert pod.foo(1, 2) == 3
        assert pod.helper() == "helped"
        assert dir(pod) == ["boom", "foo", "helper"]

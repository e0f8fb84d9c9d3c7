"""The original's listener, alone and under the block that pod.py files of old have."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace

import bson
import pytest

from pypods.pods import PodListener, run_script
from pypods.pods.process import worker_command

# The template of pypods 0.2.0, as its users have it in their files.
ORIGINAL_TEMPLATE = '''\
# Template pod.py file inside the {pod} pod.

"""
Write your module's functions in this area.
"""
def foo(x, y):
    return x + y

# Don't change anything here!
if __name__ == "__main__":
    from pypods.pods import PodListener
    pl = PodListener()  # PodListener will send output back to the pod client.
    msg = (
        pl.read_stdin()
    )  # Pod client writes function name and parameters to pod's stdin.
    if msg:
        # Unpack stdin to get function data
        function_name, args, kwargs = msg["name"], msg["args"], msg["kwargs"]
        try:
            # Check if function exists in pod module's namespace.
            # If yes, execute the function and send output back to the pod client.
            # If no, send error back to the pod client.
            if function_name in globals():
                function_output = globals()[function_name](*args, **kwargs)
                pl.write_stdout(function_output)
            else:
                pl.write_stderr(f"Function {function_name} does not exist in pod")
        except Exception as e:
            # Any error that occurs while calling the function is sent back to pod client.
            pl.write_stderr(str(e))
'''


@pytest.fixture
def take_streams(monkeypatch):
    """Return a function that puts the listener's streams into memory, given what stdin holds."""

    def take(stdin: bytes = b"") -> SimpleNamespace:
        binary = SimpleNamespace(stdin=io.BytesIO(stdin), stdout=io.BytesIO(), stderr=io.BytesIO())
        for name in ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(sys, name, SimpleNamespace(buffer=getattr(binary, name)))
        return binary

    return take


def call_document(**fields: object) -> bytes:
    return bson.encode({"name": "foo", "args": [1, 2], "kwargs": {}, **fields})


def test_a_call_is_read_from_stdin(take_streams):
    streams = take_streams(call_document())
    assert PodListener().read_stdin() == {"name": "foo", "args": [1, 2], "kwargs": {}}
    assert streams.stderr.getvalue() == b""


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "malformed document"),
        (b"what is this", "length does not fit"),
        (bson.encode({"name": "foo"}), r"a call has name, args and kwargs; this .* \['name'\]"),
    ],
)
def test_what_is_no_call_is_answered_with_an_error(take_streams, data, error):
    streams = take_streams(data)
    assert PodListener().read_stdin() is None
    answer = bson.decode(streams.stderr.getvalue())
    assert list(answer) == ["error"]
    with pytest.raises(ValueError, match=error):
        raise ValueError(answer["error"])


def test_an_answer_is_a_document_on_stdout(take_streams):
    streams = take_streams()
    PodListener().write_stdout([1, {"a": None}])
    assert bson.decode(streams.stdout.getvalue()) == {"response": [1, {"a": None}]}


def test_an_answer_that_cannot_cross_is_an_error_on_stderr(take_streams):
    streams = take_streams()
    PodListener().write_stdout([1, object()])
    assert streams.stdout.getvalue() == b""
    error = bson.decode(streams.stderr.getvalue())["error"]
    assert error == "response[1]: object cannot cross by value"


def test_an_error_is_a_document_on_stderr_and_must_be_text(take_streams):
    streams = take_streams()
    PodListener().write_stderr("no")
    assert bson.decode(streams.stderr.getvalue()) == {"error": "no"}
    with pytest.raises(TypeError, match="is a str, not int"):
        PodListener().write_stderr(5)


def run_original(python: object, folder: object, document: bytes) -> tuple[bytes, bytes]:
    done = subprocess.run(
        worker_command(python, "--script", folder.name, str(folder)),
        input=document,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout, done.stderr


def test_the_originals_block_answers_on_each_python(each_python, make_pod):
    folder = make_pod(ORIGINAL_TEMPLATE, "template_pod")
    out, err = run_original(each_python, folder, call_document())
    assert (bson.decode(out), err) == ({"response": 3}, b"")
    out, err = run_original(each_python, folder, call_document(name="bar"))
    assert (out, bson.decode(err)) == (b"", {"error": "Function bar does not exist in pod"})
    out, err = run_original(each_python, folder, call_document(args=[1]))
    assert out == b""
    assert "missing 1 required positional argument: 'y'" in bson.decode(err)["error"]
    out, err = run_original(each_python, folder, b"nonsense")
    assert (out, list(bson.decode(err))) == (b"", ["error"])


def test_the_originals_file_is_loaded_as_it_stands(each_python, make_pod, start_worker):
    worker = start_worker(each_python, make_pod(ORIGINAL_TEMPLATE, "template_pod"))
    assert worker.session.functions == ["foo"]
    assert worker.call("foo", 1, 2) == 3
    worker.session.stop()


def test_a_script_runs_in_the_pods_own_environment(tmp_path):
    from pypods.pods.folder import create_pod_folder

    folder = create_pod_folder("template_pod", pods_directory=tmp_path / "pods")
    folder.pod_file.write_text(ORIGINAL_TEMPLATE, encoding="utf-8")
    done = run_script(folder, call_document(args=["a"], kwargs={"y": "b"}))
    assert (bson.decode(done.stdout), done.stderr) == ({"response": "ab"}, b"")
    assert done.returncode == 0

"""inspect, call and script, with a pod that runs; one environment for all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pypods.cli.app import app

SOURCE = '''
import decimal, logging, os, sys, time

def hello(name: str = "world") -> str:
    """Greet somebody.

    More about greetings.
    """
    return "Hello, " + name + "!"

def add(a, b=1, *rest, scale=1):
    return (a + b + sum(rest)) * scale

def talk(text):
    print("printed", text)
    print("to stderr", file=sys.stderr)
    logging.getLogger("duck").warning("careful")
    logging.getLogger("duck").debug("details")
    return {"said": [text]}

def prices():
    return {decimal.Decimal("1.10"): b"ab"}

def divide(a, b):
    return a / b

def look_up(key):
    return {}[key]

def connect():
    return open(os.devnull)

def die():
    print("last words")
    sys.stdout.flush()
    os._exit(7)

def wait(seconds):
    print("waiting", flush=True)
    time.sleep(seconds)

if __name__ == "__main__":
    data = sys.stdin.buffer.read()
    if data == b"kill":
        os.kill(os.getpid(), 9)
    sys.stdout.buffer.write(data[::-1])
    print("as a script", file=sys.stderr)
    sys.exit(5)
'''


@pytest.fixture(scope="module")
def pods(tmp_path_factory) -> Path:
    """A pods directory with one pod, environment and all."""
    directory = tmp_path_factory.mktemp("calls") / "pods"
    words = ["create", "mydb", "--quiet", "--pods-directory", str(directory)]
    assert CliRunner().invoke(app, words).exit_code == 0
    (directory / "mydb" / "pod.py").write_text(SOURCE)
    return directory


@pytest.fixture(autouse=True)
def use_pods(here, pods, monkeypatch):
    """Let every command here find them."""
    monkeypatch.setenv("PYPODS_PODS_DIRECTORY", str(pods))


# --- call ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("hello",), '"Hello, world!"'),
        (("hello", "Ada"), '"Hello, Ada!"'),
        (("hello", '"Ada"'), '"Hello, Ada!"'),
        (("hello", "--kw", "name=Ada"), '"Hello, Ada!"'),
        (("hello", "--", '"--json"'), '"Hello, --json!"'),
        (("hello", "é"), '"Hello, é!"'),
        (("add", "1", "-2", "3", "--kw", "scale=2.5"), "5.0"),
        (("add", "-1", "--timeout", "30"), "0"),
        (("prices",), '[["1.10", "YWI="]]'),
    ],
)
def test_a_result_is_printed_as_json(run, words, out):
    ran = run("call", "mydb", *words)
    assert (ran.code, ran.out, ran.err) == (0, out + "\n", "")


def test_what_stays_in_the_pod_is_shown(run):
    ran = run("call", "mydb", "connect", "--json")
    assert ran.code == 0
    assert ran.json.startswith("<_io.TextIOWrapper name='/dev/null'")
    assert ran.json.endswith("in pod 'mydb'>")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), ["printed x", "to stderr", "WARNING duck: careful"]),
        (("-v",), ["printed x", "to stderr", "WARNING duck: careful", "DEBUG duck: details"]),
        (("-q",), []),
    ],
)
def test_what_the_pod_prints_and_logs_goes_to_stderr(run, words, shown):
    ran = run("call", "mydb", "talk", "x", *words)
    assert ran.json == {"said": ["x"]}
    assert sorted(ran.err.splitlines()) == sorted(shown)


def test_an_error_comes_with_the_pods_traceback(run, pods):
    ran = run("call", "mydb", "divide", "1", "0")
    assert ran.code == 1
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{pods / "mydb" / "pod.py"}"' in lines[1]
    assert lines[-2:] == [
        "ZeroDivisionError: division by zero",
        'error: pod "mydb" raised ZeroDivisionError: division by zero',
    ]


def test_an_error_is_json_on_request(run):
    error = run("call", "mydb", "look_up", "a", "--json").json["error"]
    assert (error["type"], error["pod"], error["raised"]) == ("PodCallError", "mydb", "KeyError")
    assert error["traceback"].endswith("KeyError: 'a'\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nope",), 'pod "mydb" offers no "nope"; it offers hello, add, talk'),
        (("divde", "1"), 'offers no "divde" (did you mean "divide"?); it offers'),
        (("__class__",), 'offers no "__class__"; it offers'),
        (("divide", "1"), "divide(a, b): missing a required argument: 'b'"),
        (("divide", "1", "2", "3"), "divide(a, b): too many positional arguments"),
        (("divide", "1", "--kw", "c=2"), "divide(a, b): "),
        (("hello", "2024-01-31"), "2024-01-31 is not JSON (extra data at character 5)"),
        (("hello", "--timout", "3"), "--timout is neither an option nor JSON"),
        (("hello", "--kw", "Ada"), "--kw 'Ada' is not of the form name=JSON"),
        (("hello", "--timeout", "0"), "--timeout: a time to wait is more than 0 seconds"),
    ],
)
def test_a_wrong_call_is_one_line(run, words, message):
    ran = run("call", "mydb", *words)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_a_pod_that_offers_nothing_says_so(run, write_pod):
    write_pod("empty", directory="others")
    ran = run("call", "empty", "f", "--pods-directory", "others", "-q")
    assert ran.code == 2
    assert 'pod "empty" offers no "f"; it offers nothing yet' in ran.err
    out = run("inspect", "empty", "--pods-directory", "others").out
    assert out.endswith("\n\nNo functions yet: write one in others/empty/pod.py.\n")


def test_a_function_whose_signature_python_cannot_tell_is_called(run, write_pod):
    write_pod("builtin", "from builtins import dir, max\n", directory="others")
    words = ("builtin", "max", "3", "5", "--pods-directory", "others")
    assert run("call", *words).out == "5\n"
    assert "max(...)" in run("inspect", "builtin", "--pods-directory", "others").out


def test_a_name_no_pod_can_have_is_refused(run):
    ran = run("call", "1st", "f")
    assert ran.code == 2
    assert ran.err.startswith("error: '1st' cannot name a pod: ")


def test_a_pod_is_not_made_by_a_call(run, here):
    ran = run("call", "hello", "hello", "--pods-directory", "others")
    assert ran.code == 3
    assert list(here.iterdir()) == []


def test_a_death_is_told_with_its_last_output(run):
    ran = run("call", "mydb", "die")
    assert ran.code == 5
    assert "last words" in ran.err
    assert run("call", "mydb", "die", "--json").json["error"]["exit_status"] == 7


def test_a_timeout_has_its_own_code(run):
    ran = run("call", "mydb", "wait", "60", "--timeout", "0.2")
    assert ran.code == 6
    assert "error: " in ran.err


def test_a_pod_that_does_not_start_says_why(run, write_pod):
    write_pod("bad", "def f(:\n", directory="others")
    ran = run("call", "bad", "f", "--pods-directory", "others")
    assert ran.code == 5
    assert "SyntaxError" in ran.err


def test_a_result_is_indented_on_a_terminal(pods):
    primary, secondary = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pypods", "call", "mydb", "talk", "x", "-q"],
        stdout=secondary,
        stderr=subprocess.PIPE,
    )
    os.close(secondary)
    _, errors = process.communicate(timeout=60)
    try:
        printed = os.read(primary, 4096)
    finally:
        os.close(primary)
    assert errors == b""
    assert printed.replace(b"\r\n", b"\n") == b'{\n  "said": [\n    "x"\n  ]\n}\n'


def test_ctrl_c_interrupts_a_call():
    process = subprocess.Popen(
        [sys.executable, "-m", "pypods", "call", "mydb", "wait", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        assert process.stderr.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert (out, errors) == (b"", b"error: interrupted\n")


# --- inspect ------------------------------------------------------------------------------------


def test_inspect_shows_what_a_pod_offers(run):
    ran = run("inspect", "mydb")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "pod     mydb"
    assert lines[1].startswith("python  3.")
    assert lines[2].endswith("/pods/mydb")
    assert lines[4].split() == ["FUNCTION", "DOES"]
    assert lines[5].startswith("hello(name: str = 'world') -> str")
    assert lines[5].endswith("  Greet somebody.")
    assert lines[6] == "add(a, b=1, *rest, scale=1)"


def test_inspect_tells_machines_everything(run, pods):
    document = run("inspect", "mydb", "--json").json
    assert (document["name"], document["path"]) == ("mydb", str(pods / "mydb"))
    assert document["python"] == ".".join(map(str, sys.version_info[:3]))
    assert document["implementation"] == sys.implementation.name
    assert document["functions"][0] == {
        "name": "hello",
        "signature": "(name: str = 'world') -> str",
        "doc": "Greet somebody.\n\nMore about greetings.",
    }


# --- script -------------------------------------------------------------------------------------


def run_script(name: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run ``pypods script`` as a process: it passes its own streams on."""
    return subprocess.run(
        [sys.executable, "-m", "pypods", "script", name],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_script_has_the_commands_streams_and_the_command_its_code():
    ran = run_script("mydb", b"\x00abc")
    assert ran.stdout == b"cba\x00"
    assert ran.stderr == b"as a script\n"
    assert ran.returncode == 5


def test_a_script_that_a_signal_ended_has_the_shells_code():
    assert run_script("mydb", b"kill").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(("status", "code"), [(0, 0), (5, 5), (-9, 137)])
def test_a_scripts_status_is_the_commands(run, monkeypatch, status, code):
    finished = subprocess.CompletedProcess([], status)
    monkeypatch.setattr("pypods.pods.run_script", lambda folder, *, installer: finished)
    assert run("script", "mydb").code == code


def test_a_pod_written_for_the_original_answers_as_a_script(run, pods, write_pod):
    import bson

    source = """
        from pypods.pods import PodListener

        def foo(a, b):
            return a + b

        if __name__ == "__main__":
            pl = PodListener()
            call = pl.read_stdin()
            pl.write_stdout(globals()[call["name"]](*call["args"], **call["kwargs"]))
    """
    folder = pods / "original"
    folder.mkdir()
    (folder / "pod.py").write_text(textwrap.dedent(source))
    assert run("call", "original", "foo", "1", "2").out == "3\n"
    ran = run_script("original", bson.encode({"name": "foo", "args": [1, 2], "kwargs": {}}))
    assert ran.returncode == 0
    assert bson.decode(ran.stdout) == {"response": 3}


# --- the commands of the README, in an empty folder ---------------------------------------------


def test_create_and_call_work_in_an_empty_folder(here, monkeypatch):
    monkeypatch.delenv("PYPODS_PODS_DIRECTORY")
    words = [sys.executable, "-m", "pypods"]
    subprocess.run([*words, "create", "mydb", "--with", "six==1.16.0"], check=True, timeout=120)
    ran = subprocess.run(
        [*words, "call", "mydb", "hello", "Ada"], capture_output=True, check=True, timeout=60
    )
    assert json.loads(ran.stdout) == "Hello, Ada!"

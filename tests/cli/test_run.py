"""pypods run: a file's function or the file itself, in an environment from the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pypods.cli.commands.run import pod_name

SOURCE = '''
import sys

raised_on_the_host = sys.modules.get("typer")


def add(a, b=1):
    """Add two things."""
    print("adding")
    return {"sum": a + b}


def count(n):
    yield from range(n)


def fail():
    return {}["key"]


def version():
    import podpebble
    return [podpebble.VERSION, list(sys.version_info[:2])]


def near():
    import beside
    return beside.X


def squares(n):
    import multiprocessing
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(square, range(n))


def square(n):
    return n * n


def wait(seconds):
    import time
    time.sleep(seconds)


if __name__ == "__main__":
    print(sys.argv[1:], sys.stdin.read())
    sys.exit(5)
'''

BLOCK = '# /// script\n# requires-python = "{python}"\n# dependencies = ["podpebble==1.0"]\n# ///\n'


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache that this file's tests share."""
    directory = tmp_path_factory.getbasetemp() / "run_cache"
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(directory))
    return directory


@pytest.fixture
def script(here: Path) -> Path:
    """Return the script, in the current directory."""
    path = here / "script.py"
    path.write_text(SOURCE, encoding="utf-8")
    (here / "beside.py").write_text("X = 7\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("script.py:add", "1"), '{"sum": 2}'),
        (("script.py:add", "-1", "--kw", "b=2.5", "--timeout", "30"), '{"sum": 1.5}'),
        (("script.py:add", "[1]", "[2]"), '{"sum": [1, 2]}'),
        (("./script.py:add", "Ada", "--", '"--json"'), '{"sum": "Ada--json"}'),
        (("script.py:count", "3", "--json"), "[0, 1, 2]"),
        (("script.py:near",), "7"),
        (("script.py:squares", "3"), "[0, 1, 4]"),
    ],
)
def test_a_functions_result_is_printed_as_json(run, script, words, out):
    ran = run("run", *words)
    assert (ran.code, ran.out) == (0, out + "\n"), ran.err
    assert ran.err == ("adding\n" if "add" in words[0] else "")


def test_the_script_is_never_imported_by_the_host(run, script):
    script.write_text(script.read_text() + "\nif raised_on_the_host:\n    raise SystemExit(9)\n")
    assert run("run", "script.py:near").out == "7\n"


def test_it_has_what_with_names_and_the_python_asked_for(run, script, only_wheels, outer_python):
    ran = run("run", "--with", "podpebble==2.0", "--python", str(outer_python), "script.py:version")
    version, python = ran.json
    assert version == "2.0"
    assert outer_python.resolve().name.endswith(".".join(map(str, python)))


def test_the_block_of_the_script_is_honoured(run, script, only_wheels):
    minor = ".".join(map(str, sys.version_info[:2]))
    script.write_text(BLOCK.format(python=f"=={minor}.*") + SOURCE, encoding="utf-8")
    assert run("run", "script.py:version").json == ["1.0", list(sys.version_info[:2])]
    ran = run("run", "--with", "podgrain", "--python", minor, "script.py:version")
    assert ran.json[0] == "1.0"
    (entry,) = (e for e in run("cache", "list", "--json").json if len(e["requirements"]) == 2)
    assert entry["requirements"] == ["podgrain", "podpebble==1.0"]
    ran = run("run", "--with", "podpebble==2.0", "script.py:version")
    assert ran.code == 4
    assert 'pod "script": uv could not install' in ran.err


def test_a_python_that_contradicts_the_block_is_refused(run, script, find_python):
    script.write_text(BLOCK.format(python="<3.9") + SOURCE, encoding="utf-8")
    ran = run("run", "--python", str(find_python("3.11")), "script.py:near")
    assert ran.code == 4
    assert "3.11" in ran.err
    assert "<3.9" in ran.err


def test_an_error_comes_with_the_scripts_traceback(run, script):
    ran = run("run", "script.py:fail")
    assert ran.code == 1
    assert f'File "{script}"' in ran.err
    assert ran.err.endswith("error: pod \"script\" raised KeyError: 'key'\n")
    error = run("run", "script.py:fail", "--json").json["error"]
    assert (error["type"], error["raised"]) == ("PodCallError", "KeyError")


def test_a_script_that_cannot_be_imported_says_so(run, here):
    (here / "bad.py").write_text("import not_installed\n")
    ran = run("run", "bad.py:f")
    assert ran.code == 5
    assert 'pod "bad" cannot import its bad.py: ModuleNotFoundError' in ran.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("script.py:ad", "1"), 2, 'pod "script" offers no "ad" (did you mean "add"?); it offers'),
        (("script.py:add",), 2, "add(a, b=1): missing a required argument: 'a'"),
        (("script.py:add", "[1,"), 2, "[1, is not JSON"),
        (("script.py:1",), 2, '"1" names no function; write script.py:FUNCTION'),
        (("nope.py:add",), 2, 'there is no file "nope.py"; write script.py:function or script.py'),
        (("nope.py",), 2, 'there is no file "nope.py"'),
        (("notes.txt",), 2, '"notes.txt" is no Python file: its name does not end with .py'),
        (("script.py", "--kw", "a=1"), 2, "--kw and --timeout are for a call; name a function"),
        (("script.py", "--timeout", "3"), 2, "--kw and --timeout are for a call"),
        (("script.py:add", "--with", "-e ."), 2, "'-e .' is an option; only requirements"),
        (("script.py:add", "1", "--python", "three"), 2, "python 'three' is no version"),
        (("script.py:add", "1", "--python", "2.99"), 4, "2.99"),
        (("script.py:wait", "60", "--timeout", "0.2"), 6, "took longer than 0.2 s"),
    ],
)
def test_a_wrong_command_line_says_what_would_be_right(run, script, here, words, code, message):
    (here / "notes.txt").write_text("")
    ran = run("run", *words)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err


def run_command(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pypods", "run", *words],
        input=typed, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_file_alone_runs_as_a_script_with_the_commands_streams(script):
    done = run_command("script.py", "a", "1", "--", "--json", typed="typed")
    assert (done.stdout, done.stderr) == ("['a', '1', '--json'] typed\n", "")
    assert done.returncode == 5


def test_a_script_that_a_signal_ended_has_the_shells_code(here):
    (here / "ends.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    assert run_command("ends.py").returncode == 137


@pytest.mark.parametrize(("status", "code"), [(0, 0), (5, 5), (-9, 137)])
def test_a_scripts_status_is_the_commands(run, script, monkeypatch, status, code):
    asked: list[list[str]] = []

    def finish(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, status)

    # virtualenv asks Pythons of themselves by it, so only now.
    assert run("run", "script.py:near").code == 0
    monkeypatch.setattr(subprocess, "run", finish)
    assert run("run", "script.py", "word").code == code
    assert asked[0][-4:] == ["--script", "script", str(script), "word"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("script.py", "script"),
        ("my-script.v2.py", "my_script_v2"),
        ("1st.py", "_1st"),
        ("if.py", "_if"),
    ],
)
def test_a_file_has_a_name_as_a_pod(file, name):
    assert pod_name(Path(file)) == name


def test_a_file_with_a_colon_in_its_name_is_a_file(here):
    (here / "a:b.py").write_text("print('here')\n")
    assert run_command("a:b.py").stdout == "here\n"


def test_the_environment_is_made_once(run, script, cache, only_wheels):
    words = ("run", "--with", "podgrain==1.0", "script.py:near")
    assert run(*words).code == 0
    (venv,) = cache.glob("environments/podgrain-*/venv")
    before = venv.stat().st_ino
    assert run(*words).code == 0
    assert venv.stat().st_ino == before


def test_the_readmes_command_line_works_as_it_is(here, script):
    done = run_command("script.py:add", '{"x": 1}', "--kw", "b={}")
    assert done.returncode == 1
    assert "TypeError" in done.stderr
    assert json.loads(run_command("script.py:add", "1", "2").stdout) == {"sum": 3}

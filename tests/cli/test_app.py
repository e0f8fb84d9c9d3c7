"""The command line as a whole: its help, its errors, its options."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

import pypods
from pypods.cli import app as app_module
from pypods.cli.app import COMMANDS
from pypods.errors import PodCallError, PodDiedError


def raise_error(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make ``pypods list`` raise."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("pypods.pods.folder.list_pod_folders", fail)


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_command(run, words):
    ran = run(*words)
    assert ran.code == 0
    assert ran.err == ""
    for command in COMMANDS:
        assert f"\n  {command.name} " in ran.out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_commands_help_fits_a_terminal_and_ends_with_examples(run, command):
    ran = run(command.name, "--help")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    examples = ran.out.partition("Examples:\n")[2].splitlines()
    assert [line.strip() for line in examples] == list(command.examples)
    assert all(example.startswith(f"pypods {command.name}") for example in command.examples)
    assert "{" not in ran.out.splitlines()[0]


def test_no_line_of_the_overview_is_cut_short(run):
    assert "..." not in run("--help").out.partition("Commands:")[2]


def test_version(run):
    assert run("--version").out == f"pypods {pypods.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lst",), "No such command 'lst'. Did you mean 'list'? (see \"pypods --help\")"),
        (("list", "--nope"), 'No such option: --nope (see "pypods list --help")'),
        (("call",), "Missing argument 'NAME' (see \"pypods call --help\")"),
        (("call", "x"), "Missing argument 'FUNCTION' (see \"pypods call --help\")"),
        (
            ("list", "--installer", "conda"),
            "Invalid value for '--installer': 'conda' is neither uv nor pip (see",
        ),
        (("call", "x", "f", "--timeout", "soon"), "--timeout"),
    ],
)
def test_a_wrong_command_line_is_one_line(run, words, message):
    ran = run(*words)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("words", [("--json", "list", "--nope"), ("list", "--nope", "--json")])
def test_a_wrong_command_line_is_json_on_request(run, words):
    ran = run(*words)
    assert ran.code == 2
    assert ran.err == ""
    assert ran.json["error"]["type"] == "UsageError"
    assert ran.json["error"]["exit_code"] == 2
    assert "--nope" in ran.json["error"]["message"]


def test_json_after_a_double_dash_is_an_argument(run):
    ran = run("call", "nope", "f", "--", "--json")
    assert ran.code == 3
    assert ran.out == ""


@pytest.mark.parametrize(
    "words", [("--pods-directory", "other", "list"), ("list", "--pods-directory", "other")]
)
def test_common_options_stand_before_or_after_the_command(run, write_pod, words):
    write_pod("zed", directory="other")
    assert run(*words, "--json").json[0]["name"] == "zed"


def test_the_pods_directory_comes_from_the_environment_too(run, write_pod, monkeypatch):
    write_pod("zed", directory="other")
    monkeypatch.setenv("PYPODS_PODS_DIRECTORY", "other")
    assert "zed" in run("list").out
    assert "zed" not in run("list", "--pods-directory", "elsewhere").out


def test_the_installer_may_be_pip(run):
    assert run("list", "--installer", "pip").code == 0


def test_the_installer_comes_from_the_environment_too(run, monkeypatch):
    monkeypatch.setenv("PYPODS_INSTALLER", "conda")
    ran = run("list")
    assert ran.code == 2
    assert "'conda' is neither uv nor pip" in ran.err


# --- errors -------------------------------------------------------------------------------------


def test_a_mistake_of_pypods_is_one_line_that_says_so(run, monkeypatch):
    raise_error(monkeypatch, RuntimeError("odd"))
    ran = run("list")
    assert ran.code == 70
    assert ran.err == (
        "error: RuntimeError: odd; this is a mistake in pypods, "
        "run again with --traceback to see where\n"
    )


@pytest.mark.parametrize("variable", [True, False])
def test_the_traceback_is_shown_on_request(run, monkeypatch, variable):
    raise_error(monkeypatch, RuntimeError("odd"))
    if variable:
        monkeypatch.setenv("PYPODS_TRACEBACK", "1")
    ran = run("list", *(() if variable else ("--traceback",)))
    assert ran.err.startswith("Traceback (most recent call last):\n")
    assert "in list_pods" in ran.err


def test_an_error_of_the_system_is_no_mistake_of_pypods(run, monkeypatch):
    raise_error(monkeypatch, PermissionError(13, "Permission denied", "pods"))
    ran = run("list")
    assert ran.code == 1
    assert ran.err == "error: [Errno 13] Permission denied: 'pods'\n"


def test_an_error_without_words_is_named(run, monkeypatch):
    raise_error(monkeypatch, OSError())
    assert run("list").err == "error: OSError\n"


def test_a_full_stop_stands_only_at_the_end(run, monkeypatch):
    raise_error(monkeypatch, typer.BadParameter("odd."))
    ran = run("list")
    assert (ran.code, ran.err) == (2, 'error: Invalid value: odd (see "pypods list --help")\n')


def test_an_interrupt_has_the_shells_code(run, monkeypatch):
    raise_error(monkeypatch, KeyboardInterrupt())
    ran = run("list")
    assert ran.code == 130
    assert ran.err == "error: interrupted\n"


def make_call_error() -> PodCallError:
    """Return what a call raises, as the mirrored class that it is."""
    mirrored = type("KeyError", (PodCallError, KeyError), {})
    error = mirrored("a")
    error.pod_name, error.type_name = "mydb", "KeyError"
    error.remote_traceback = "Traceback (most recent call last):\n  in the pod\nKeyError: 'a'\n"
    return error


def test_an_error_of_a_pods_function_has_the_pods_traceback(run, monkeypatch):
    raise_error(monkeypatch, make_call_error())
    ran = run("list")
    assert ran.code == 1
    assert ran.err == (
        "Traceback (most recent call last):\n  in the pod\nKeyError: 'a'\n"
        "error: pod \"mydb\" raised KeyError: 'a'\n"
    )


def test_an_error_of_a_pods_function_is_told_to_machines(run, monkeypatch):
    raise_error(monkeypatch, make_call_error())
    assert run("list", "--json").json["error"] == {
        "type": "PodCallError",
        "message": "pod \"mydb\" raised KeyError: 'a'",
        "exit_code": 1,
        "pod": "mydb",
        "raised": "KeyError",
        "said": "'a'",
        "traceback": "Traceback (most recent call last):\n  in the pod\nKeyError: 'a'\n",
    }


def test_a_death_comes_with_the_last_output(run, monkeypatch):
    error = PodDiedError("the pod died")
    error.exit_status, error.last_output = -11, "last words\n"
    raise_error(monkeypatch, error)
    ran = run("list")
    assert ran.code == 5
    assert ran.err == "last words\nerror: the pod died\n"
    error.last_output = ""
    assert run("list").err == "error: the pod died\n"
    error.last_output = "last words\n"
    assert run("list", "--json").json["error"] == {
        "type": "PodDiedError",
        "message": "the pod died",
        "exit_code": 5,
        "exit_status": -11,
        "last_output": "last words\n",
    }


# --- the process --------------------------------------------------------------------------------


def run_process(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m pypods``."""
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_module_is_the_command():
    ran = run_process("-m", "pypods", "--version")
    assert (ran.returncode, ran.stdout) == (0, f"pypods {pypods.__version__}\n")


def test_the_version_is_said_without_loading_what_is_heavy():
    program = (
        "import sys; from pypods.cli import main; sys.argv = ['pypods', '--version']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'bson', 'virtualenv', 'rich', 'pydantic', 'asyncio'} & {*sys.modules}))"
    )
    assert run_process("-c", program).stdout.splitlines()[1] == "[]"


def test_importing_the_table_of_contents_loads_no_typer():
    ran = run_process("-c", "import sys, pypods.cli; print('typer' in sys.modules)")
    assert ran.stdout == "False\n"
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        __import__("pypods.cli").cli.nope  # noqa: B018


def test_main_reads_the_words_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pypods", "--version"])
    with pytest.raises(SystemExit) as caught:
        app_module.main()
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"pypods {pypods.__version__}\n"


def test_the_process_ends_with_the_code(here):
    ran = run_process("-m", "pypods", "call", "nope", "f")
    assert ran.returncode == 3
    assert ran.stderr.startswith('error: no pod "nope" in ')
    assert app_module.main is pypods.cli.main

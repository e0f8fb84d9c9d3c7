"""An environment is what is asked for or is made so, whole, whatever happens meanwhile."""

from __future__ import annotations

import builtins
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pypods.errors import InterpreterNotFoundError, PodEnvironmentError
from pypods.pods import environment as environment_module
from pypods.pods import installer as installer_module
from pypods.pods.environment import ensure_environment, environment_status
from pypods.pods.fingerprint import FINGERPRINT_NAME, read_fingerprint, write_fingerprint
from pypods.pods.folder import PodFolder, create_pod_folder, pin_python
from pypods.pods.interpreters import get_host_interpreter, list_interpreters
from pypods.pods.lock import hold_lock
from pypods.pods.progress import SilentProgress

HOST = get_host_interpreter()


@pytest.fixture
def folder(tmp_path: Path) -> PodFolder:
    return create_pod_folder("hello", pods_directory=tmp_path / "pods")


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the installer by one that writes two modules; return what it was asked for."""
    asked: list[str] = []

    def install(folder, requirements, interpreter, *, venv_python, installer, progress) -> None:
        (packages,) = venv_python.parent.parent.glob("lib/*/site-packages")
        content = "\n".join(text for _, text in requirements.texts)
        (packages / "first.py").write_text(content)
        asked.append(content)
        if "fails" in content:
            raise PodEnvironmentError("the reasons")
        (packages / "second.py").write_text(content)

    monkeypatch.setattr(installer_module, "install", install)
    return asked


@pytest.fixture
def other_python() -> Path:
    """Return a Python that is not the host's."""
    for interpreter in list_interpreters():
        if interpreter.version[:2] != HOST.version[:2] and interpreter.version >= (3, 8):
            return interpreter.path
    pytest.skip("no second Python here")


class Told(SilentProgress):
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.ends: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def done(self, text: str) -> None:
        self.ends.append(text)


def read_modules(folder: PodFolder) -> dict[str, str]:
    files = folder.venv.glob("lib/*/site-packages/*.py")
    return {each.name: each.read_text() for each in files}


def list_work_files(folder: PodFolder) -> list[str]:
    return sorted(each.name for each in folder.path.glob("venv*") if each.name != "venv.lock")


def run(python: Path, code: str) -> str:
    return subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


# --- made, and left alone -----------------------------------------------------------------------


def test_an_environment_is_made_filled_and_described(folder: PodFolder, only_wheels: Path) -> None:
    folder.requirements_file.write_text("podpebble==1.0\n")
    assert environment_status(folder).state == "missing"
    progress = Told()
    environment = ensure_environment(folder, progress=progress)
    assert environment.venv == folder.venv
    assert environment.version == HOST.version
    assert run(environment.python, "import podpebble; print(podpebble.VERSION)") == "1.0"
    assert run(environment.python, "import sys; print(sys.prefix)") == str(folder.venv)
    assert (
        subprocess.check_output([folder.venv / "bin" / "podpebble"], text=True) == "podpebble 1.0\n"
    )
    assert environment_status(folder).state == "ready"
    assert list_work_files(folder) == ["venv"]
    assert [step.split()[0] for step in progress.steps] == ["looking", "making", "installing"]
    assert progress.ends == [f"ready with Python {'.'.join(map(str, HOST.version))}"]


def test_an_environment_has_no_installer_and_nothing_of_the_hosts(folder: PodFolder) -> None:
    environment = ensure_environment(folder)
    for module in ("pip", "setuptools", "virtualenv", "bson", "pypods", "uv"):
        code = f"import importlib.util as u; print(u.find_spec({module!r}))"
        assert run(environment.python, code) == "None"


def test_without_requirements_no_installer_is_started(
    folder: PodFolder, installs: list[str]
) -> None:
    ensure_environment(folder)
    assert installs == []


def test_an_unchanged_environment_is_left_alone(
    folder: PodFolder, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.requirements_file.write_text("six\n")
    made = ensure_environment(folder)
    before = {each: each.lstat().st_mtime_ns for each in folder.path.rglob("*")}
    progress = Told()
    imported: list[str] = []
    original = builtins.__import__

    def spy(name: str, *args: object, **kwargs: object) -> object:
        imported.append(name)
        return original(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(builtins, "__import__", spy)
    again = ensure_environment(folder, progress=progress)
    monkeypatch.undo()
    assert again == made
    assert {each: each.lstat().st_mtime_ns for each in folder.path.rglob("*")} == before
    assert progress.steps == progress.ends == []
    assert not {"virtualenv", "uv", "subprocess", "tomllib"} & set(imported)


def test_looking_at_an_unchanged_environment_loads_nothing_heavy(
    folder: PodFolder, installs: list[str]
) -> None:
    folder.requirements_file.write_text("six\n")
    ensure_environment(folder)
    code = (
        "import sys; from pathlib import Path\n"
        "from pypods.pods.folder import PodFolder\n"
        "from pypods.pods.environment import ensure_environment\n"
        "ensure_environment(PodFolder('hello', Path(sys.argv[1])))\n"
        "print({'virtualenv', 'uv', 'bson', 'typer', 'asyncio', 'tomllib', 'filelock'}"
        " & set(sys.modules))\n"
    )
    words = [sys.executable, "-c", code, folder.path]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.check_output(words, text=True, env=path) == "set()\n"


def test_it_is_made_anew_when_told_to(folder: PodFolder, installs: list[str]) -> None:
    folder.requirements_file.write_text("six\n")
    ensure_environment(folder)
    ensure_environment(folder, force=True)
    assert installs == ["six\n", "six\n"]


def test_an_unknown_installer_is_refused(folder: PodFolder) -> None:
    for function in (ensure_environment, environment_status):
        with pytest.raises(ValueError, match="use uv or pip"):
            function(folder, installer="conda")


# --- changed ------------------------------------------------------------------------------------


def test_changed_requirements_are_installed_and_removed_ones_leave(
    folder: PodFolder, only_wheels: Path
) -> None:
    folder.requirements_file.write_text("podpebble==1.0\npodgrain\n")
    ensure_environment(folder)
    folder.requirements_file.write_text("podpebble==2.0\n")
    status = environment_status(folder)
    assert (status.state, status.reason) == ("stale", "requirements.txt has changed")
    environment = ensure_environment(folder)
    assert run(environment.python, "import podpebble; print(podpebble.VERSION)") == "2.0"
    assert set(read_modules(folder)) == {"podpebble.py"}
    assert list_work_files(folder) == ["venv"]


def test_a_changed_file_that_requirements_name_counts(
    folder: PodFolder, installs: list[str]
) -> None:
    folder.requirements_file.write_text("-r more.txt\n")
    (folder.path / "more.txt").write_text("six\n")
    ensure_environment(folder)
    (folder.path / "more.txt").write_text("six<2\n")
    assert environment_status(folder).state == "stale"
    ensure_environment(folder)
    assert len(installs) == 2


def test_a_blocks_dependencies_take_the_files_place(folder: PodFolder, installs: list[str]) -> None:
    folder.pod_file.write_text('# /// script\n# dependencies = ["six"]\n# ///\n')
    ensure_environment(folder)
    assert installs == ["six"]
    folder.requirements_file.write_text("six\n")
    with pytest.raises(PodEnvironmentError, match="empty one of the two"):
        ensure_environment(folder)


def test_changed_settings_of_the_installer_count(
    folder: PodFolder, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.requirements_file.write_text("six\n")
    ensure_environment(folder)
    assert environment_status(folder, installer="pip").state == "stale"
    monkeypatch.setenv("UV_INDEX_URL", "https://user:secret@example.invalid/simple")
    assert "installer or its settings" in environment_status(folder).reason
    ensure_environment(folder)
    assert environment_status(folder).state == "ready"
    assert b"secret" not in (folder.venv / FINGERPRINT_NAME).read_bytes()


def test_a_folder_that_moved_gets_a_new_environment(folder: PodFolder) -> None:
    ensure_environment(folder)
    moved = PodFolder("hello", folder.path.with_name("moved"))
    folder.path.rename(moved.path)
    assert environment_status(moved).reason == f"it was made in {folder.venv}"
    environment = ensure_environment(moved)
    assert run(environment.python, "import sys; print(sys.prefix)") == str(moved.venv)


def test_another_platform_counts(folder: PodFolder) -> None:
    ensure_environment(folder)
    have = read_fingerprint(folder.venv)
    assert have is not None
    write_fingerprint(folder.venv, replace(have, platform="plan9-mips"))
    assert environment_status(folder).reason == "it was made on plan9-mips"


# --- which Python -------------------------------------------------------------------------------


def test_the_python_asked_for_is_kept_for_next_time(folder: PodFolder, other_python: Path) -> None:
    first = ensure_environment(folder)
    second = ensure_environment(folder, python=other_python)
    assert second.version != first.version
    assert run(second.python, "import sys; print(tuple(sys.version_info[:3]))") == str(
        second.version
    )
    assert folder.pinned_python == str(other_python)
    assert ensure_environment(folder) == second
    minor = ".".join(map(str, second.version[:2]))
    assert environment_status(folder, python=minor).state == "ready"
    assert environment_status(folder, python=f">={minor}").state == "ready"
    pin_python(folder, None)
    status = environment_status(folder)
    assert status.state == "stale"
    assert "the host has" in status.reason
    assert ensure_environment(folder) == first


def test_a_failure_keeps_no_python(folder: PodFolder) -> None:
    with pytest.raises(InterpreterNotFoundError, match=r'pod "hello": no Python "3\.42"'):
        ensure_environment(folder, python="3.42")
    assert folder.pinned_python is None
    assert list_work_files(folder) == []


def test_a_changed_wish_is_stale(folder: PodFolder) -> None:
    ensure_environment(folder)
    pin_python(folder, "3.42")
    assert environment_status(folder).reason.endswith("3.42 is asked for")
    pin_python(folder, "/nowhere/python")
    assert environment_status(folder).reason.endswith("/nowhere/python is asked for")
    pin_python(folder, HOST.path)
    assert environment_status(folder).state == "ready"
    pin_python(folder, None)
    folder.pod_file.write_text('# /// script\n# requires-python = ">=9"\n# ///\n')
    assert "requires-python = '>=9'" in environment_status(folder).reason


def test_requires_python_in_pod_py_chooses(folder: PodFolder, other_python: Path) -> None:
    version = next(each.version for each in list_interpreters() if each.path == other_python)
    minor = ".".join(map(str, version[:2]))
    folder.pod_file.write_text(f'# /// script\n# requires-python = "=={minor}.*"\n# ///\n')
    assert ensure_environment(folder).version[:2] == version[:2]
    assert environment_status(folder).state == "ready"
    own = ".".join(map(str, HOST.version[:2]))
    with pytest.raises(PodEnvironmentError, match=r'pod "hello": .*change one of the two'):
        ensure_environment(folder, python=own)


@pytest.mark.parametrize("where", ["pin", "block"])
def test_a_wish_that_cannot_be_read_names_the_pod(folder: PodFolder, where: str) -> None:
    if where == "pin":
        folder.pin_file.write_text("newest\n")
    else:
        folder.pod_file.write_text('# /// script\n# requires-python = "newest"\n# ///\n')
    with pytest.raises(
        PodEnvironmentError, match=r"""pod "hello": python 'newest' is no version"""
    ):
        ensure_environment(folder)


# --- broken -------------------------------------------------------------------------------------


@pytest.fixture
def private_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an interpreter of our own, so that it can vanish: the host's, copied."""
    home = tmp_path / "python"
    major, minor = HOST.version[:2]
    (home / "bin").mkdir(parents=True)
    (home / "lib").mkdir()
    prefix = HOST.path.resolve().parent.parent
    (home / "lib" / f"python{major}.{minor}").symlink_to(prefix / f"lib/python{major}.{minor}")
    for library in (prefix / "lib").glob("libpython*"):
        (home / "lib" / library.name).symlink_to(library)
    shutil.copy2(HOST.path.resolve(), home / "bin" / "python")
    # Not into the user's cache, which would remember a Python that is soon gone.
    monkeypatch.setenv("VIRTUALENV_OVERRIDE_APP_DATA", str(tmp_path / "app-data"))
    return home / "bin" / "python"


def test_a_vanished_interpreter_is_replaced(folder: PodFolder, private_python: Path) -> None:
    pin_python(folder, private_python)
    ensure_environment(folder)
    private_python.unlink()
    status = environment_status(folder)
    assert status.state == "broken"
    assert status.reason == f"its interpreter {private_python} is gone"
    pin_python(folder, None)
    environment = ensure_environment(folder)
    assert run(environment.python, "print(1)") == "1"


def test_a_changed_interpreter_is_noticed(folder: PodFolder, private_python: Path) -> None:
    pin_python(folder, private_python)
    ensure_environment(folder)
    os.utime(private_python, ns=(1, 1))
    status = environment_status(folder)
    assert status.state == "stale"
    assert status.reason == f"its interpreter {private_python} has changed"
    ensure_environment(folder)
    assert environment_status(folder).state == "ready"


def test_an_environment_without_its_fingerprint_is_replaced(folder: PodFolder) -> None:
    ensure_environment(folder)
    (folder.venv / FINGERPRINT_NAME).unlink()
    (folder.venv / "leftover").write_text("")
    status = environment_status(folder)
    assert (status.state, status.reason) == ("broken", "it was not completed")
    ensure_environment(folder)
    assert not (folder.venv / "leftover").exists()


def test_a_link_in_the_environments_place_is_replaced_and_its_target_kept(
    folder: PodFolder, tmp_path: Path
) -> None:
    target = tmp_path / "theirs"
    target.mkdir()
    folder.venv.symlink_to(target)
    ensure_environment(folder)
    assert not folder.venv.is_symlink()
    assert target.is_dir()


# --- failed -------------------------------------------------------------------------------------


def test_a_failed_install_leaves_nothing_where_nothing_was(
    folder: PodFolder, installs: list[str]
) -> None:
    folder.requirements_file.write_text("fails\n")
    progress = Told()
    with pytest.raises(PodEnvironmentError, match="the reasons"):
        ensure_environment(folder, progress=progress)
    assert list_work_files(folder) == []
    assert progress.ends == ["failed"]
    assert environment_status(folder).state == "missing"


def test_a_failed_install_leaves_the_previous_environment_as_it_was(
    folder: PodFolder, only_wheels: Path
) -> None:
    folder.requirements_file.write_text("podpebble==1.0\n")
    environment = ensure_environment(folder)
    before = {each: each.lstat().st_mtime_ns for each in folder.venv.rglob("*")}
    folder.requirements_file.write_text("podpebble==9\n")
    with pytest.raises(PodEnvironmentError, match="unsatisfiable"):
        ensure_environment(folder)
    assert {each: each.lstat().st_mtime_ns for each in folder.venv.rglob("*")} == before
    assert run(environment.python, "import podpebble; print(podpebble.VERSION)") == "1.0"
    assert list_work_files(folder) == ["venv"]
    folder.requirements_file.write_text("podpebble==1.0\n")
    assert environment_status(folder).state == "ready"


def test_an_interrupt_leaves_the_previous_environment(
    folder: PodFolder, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.requirements_file.write_text("six\n")
    ensure_environment(folder)

    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(installer_module, "install", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ensure_environment(folder, force=True)
    assert list_work_files(folder) == ["venv"]
    assert environment_status(folder).state == "ready"


def test_a_move_that_fails_puts_the_previous_environment_back(
    folder: PodFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_environment(folder)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith(environment_module.BUILDING_PREFIX):
            raise OSError("no room")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PodEnvironmentError, match=r'pod "hello": .*no room.*"pypods sync hello"'):
        ensure_environment(folder, force=True)
    assert environment_status(folder).state == "ready"
    assert list_work_files(folder) == ["venv"]
    shutil.rmtree(folder.venv)
    with pytest.raises(PodEnvironmentError, match="no room"):
        ensure_environment(folder)
    assert list_work_files(folder) == []


def test_a_folder_that_is_gone_is_an_error_naming_the_pod(folder: PodFolder) -> None:
    shutil.rmtree(folder.path)
    with pytest.raises(PodEnvironmentError, match=r'pod "hello": its environment cannot be made'):
        ensure_environment(folder)


def test_what_virtualenv_refuses_names_the_pod(
    folder: PodFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import virtualenv

    def refuse(*args: object, **kwargs: object) -> None:
        raise SystemExit(2)

    monkeypatch.setattr(virtualenv, "session_via_cli", refuse)
    with pytest.raises(PodEnvironmentError, match=r'pod "hello": virtualenv could not make'):
        ensure_environment(folder)


# --- killed, and two at once --------------------------------------------------------------------

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.chmod"}


def run_and_kill(action: Callable[[], object], moment: int) -> bool:
    """Run the action in a fork killed before its change number `moment`; say whether it was."""
    pid = os.fork()
    if pid == 0:
        left = moment

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES or (event == "open" and arguments[1] not in (None, "r", "rb")):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        try:
            sys.addaudithook(count)
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("previous", [False, True], ids=["nothing before", "one before"])
def test_a_kill_at_any_moment_leaves_nothing_mistaken_for_whole(
    tmp_path: Path, installs: list[str], previous: bool
) -> None:
    whole = [{"first.py": text, "second.py": text} for text in ("old\n", "new\n")]
    killed = 0
    for moment in range(2000):
        folder = create_pod_folder("hello", pods_directory=tmp_path / str(moment))
        if previous:
            folder.requirements_file.write_text("old\n")
            ensure_environment(folder)
            folder.requirements_file.write_text("new\n")
        else:
            folder.requirements_file.write_text("new\n")
            if moment == 0:
                ensure_environment(folder)  # what is imported by it is no moment of its own
                shutil.rmtree(folder.venv)
        was_killed = run_and_kill(partial(ensure_environment, folder), moment)
        if read_fingerprint(folder.venv) is not None:
            assert read_modules(folder) in whole
        # What is ready is left alone, and with it what the killed one did not come to remove.
        was_ready = environment_status(folder).state == "ready"
        ensure_environment(folder, force=was_ready and read_modules(folder) == whole[1])
        assert read_modules(folder) == whole[1]
        assert list_work_files(folder) == ["venv"]
        if not was_killed:
            break
        killed += 1
        shutil.rmtree(folder.path.parent)
    assert killed > 15


def test_what_was_whole_when_its_maker_was_killed_is_used(
    folder: PodFolder, installs: list[str]
) -> None:
    folder.requirements_file.write_text("six\n")
    ensure_environment(folder)
    folder.venv.rename(folder.path / "venv.building-1-a")
    (folder.path / "venv.previous-1-a").mkdir()
    ensure_environment(folder)
    assert installs == ["six\n"]
    assert list_work_files(folder) == ["venv"]


ENSURE = """
import sys
from pathlib import Path
from pypods.pods.environment import ensure_environment
from pypods.pods.folder import PodFolder
from pypods.pods.lock import hold_lock
from pypods.pods.progress import SilentProgress

class Told(SilentProgress):
    def step(self, text):
        print(text, flush=True)

sys.stdin.readline()
print(ensure_environment(PodFolder("hello", Path(sys.argv[1])), progress=Told()).python)
"""


def test_two_processes_at_once_make_one_good_environment(
    folder: PodFolder, only_wheels: Path
) -> None:
    folder.requirements_file.write_text("podpebble\npodgrain\n")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ENSURE, folder.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = []
    for process in processes:
        with process:
            outputs.append(process.communicate()[0].splitlines())
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert {output[-1] for output in outputs} == {str(folder.venv_python)}
    makers = [output for output in outputs if any(line.startswith("making") for line in output)]
    assert len(makers) == 1
    assert set(read_modules(folder)) == {"podpebble.py", "podgrain.py"}
    assert list_work_files(folder) == ["venv"]


def test_one_that_waits_says_so(folder: PodFolder) -> None:
    waits = threading.Event()

    class Waiting(Told):
        def step(self, text: str) -> None:
            super().step(text)
            waits.set()

    progress = Waiting()
    thread = threading.Thread(target=partial(ensure_environment, folder, progress=progress))
    with hold_lock(folder.path / "venv.lock", on_wait=lambda: None):
        thread.start()
        assert waits.wait(10)
        assert environment_status(folder).state == "missing"
    thread.join()
    assert progress.steps[0] == "waiting for another process that makes this environment"
    assert environment_status(folder).state == "ready"

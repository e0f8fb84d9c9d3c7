"""Pods loaded and unloaded, and what a pod offers; environments are made elsewhere."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypods.errors import (
    PodCallError,
    PodError,
    PodNotFoundError,
    PodStartError,
    PodTimeoutError,
    ProtocolError,
    ValueTransferError,
)
from pypods.pods import Pod, PodLoader, describe

LoadPod = Callable[..., Any]


def wait_until_gone(pid: int, seconds: float = 20.0) -> bool:
    """Wait for the end of a process that is not a child of this one, or was reaped."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


# The contract, with a real environment ---------------------------------------------------------


def test_a_pod_is_created_loaded_called_and_unloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the current directory, as the shortest program does it."""
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    loader = PodLoader("greeter", scope)
    assert loader.state == "STOPPED"
    assert not (tmp_path / "pods").exists()
    with pytest.raises(PodNotFoundError):
        assert loader.folder
    pod = loader.load_pod()
    assert isinstance(pod, Pod)
    assert scope["greeter"] is pod
    assert loader.pod is pod
    assert loader.folder.path == tmp_path / "pods" / "greeter"
    assert (loader.folder.path / "pod.py").is_file()
    assert loader.state == "RUNNING"
    assert loader.pid is not None
    assert loader.hello is not None
    assert loader.hello.pid == loader.pid
    assert loader.hello.python == ".".join(map(str, sys.version_info[:3]))
    assert repr(pod) == f"<Pod greeter RUNNING pid={loader.pid}>"
    assert repr(loader) == f"<PodLoader greeter RUNNING pid={loader.pid}>"
    assert "Ada" in scope["greeter"].hello("Ada")

    (loader.folder.path / "pod.py").write_text("def seven(): return 7\n")
    loader.unload_pod()
    assert scope == {}
    assert loader.pod is loader.pid is loader.hello is None
    assert (loader.state, repr(pod)) == ("STOPPED", "<Pod greeter STOPPED>")
    loader.unload_pod()

    with PodLoader(pod_name="greeter", namespace=scope) as again:
        assert again.seven() == 7
        assert scope["greeter"] is again
    assert scope == {}


# Names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "no-identifier", "1st", "two words", "a.b", "../up", "class"])
def test_a_name_that_is_no_identifier_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"name|identifier"):
        PodLoader(name)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1.0},
        {"start_timeout": 0},
        {"max_frame_bytes": 4},
        {"max_frame_bytes": 2**31},
        {"timeout": float("nan")},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_a_value_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        PodLoader("subject", **options)


def test_arguments_after_the_namespace_have_names() -> None:
    with pytest.raises(TypeError):
        PodLoader("subject", {}, "pods")  # type: ignore[misc]


# Namespaces ------------------------------------------------------------------------------------


def test_a_name_that_was_given_to_something_else_is_left_alone(bare_loader: LoadPod) -> None:
    scope: dict[str, Any] = {}
    loader = bare_loader("", namespace=scope)
    loader.load_pod()
    scope["subject"] = "mine"
    loader.unload_pod()
    assert scope == {"subject": "mine"}


def test_a_name_that_was_deleted_is_no_trouble(bare_loader: LoadPod) -> None:
    scope: dict[str, Any] = {}
    loader = bare_loader("", namespace=scope)
    loader.load_pod()
    del scope["subject"]
    loader.load_pod()
    assert scope["subject"] is loader.pod
    del scope["subject"]
    loader.unload_pod()
    assert scope == {}


def test_loading_twice_is_loading_once(bare_loader: LoadPod) -> None:
    loader = bare_loader("import os\ndef pid(): return os.getpid()")
    pod = loader.load_pod()
    first = pod.pid()
    assert loader.load_pod() is pod
    assert pod.pid() == first == loader.pid


def test_a_pod_loaded_again_is_new_and_the_old_one_does_not_come_back(
    bare_loader: LoadPod,
) -> None:
    loader = bare_loader("import os\ndef pid(): return os.getpid()")
    old = loader.load_pod()
    pid = old.pid()
    loader.unload_pod()
    with pytest.raises(PodError, match=r'"subject" is not loaded; call load_pod\(\)'):
        old.pid()
    new = loader.load_pod()
    assert new is not old
    assert new.pid() != pid


def test_a_failed_load_leaves_nothing(bare_loader: LoadPod) -> None:
    scope: dict[str, Any] = {}
    loader = bare_loader("1 / 0", namespace=scope)
    with pytest.raises(PodStartError):
        loader.load_pod()
    assert scope == {}
    assert (loader.pod, loader.state, loader.pid) == (None, "STOPPED", None)
    loader.unload_pod()


def test_the_exception_of_a_with_block_passes(bare_loader: LoadPod) -> None:
    loader = bare_loader("def one(): return 1")
    with pytest.raises(ZeroDivisionError), loader as pod:
        1 / (pod.one() - 1)
    assert loader.state == "STOPPED"


def test_a_loader_that_nobody_holds_stops_its_pod(bare_loader: LoadPod, tmp_path: Path) -> None:
    make = type(bare_loader(""))
    loader = make("subject", pods_directory=tmp_path / "pods")
    loader.load_pod()
    pid = loader.pid
    assert pid is not None
    del loader
    gc.collect()
    assert wait_until_gone(pid)


# What a pod offers -----------------------------------------------------------------------------

OFFER = """
import functools, math, os.path
from pods.subject.beside import imported, _hidden_import
from pods.subject import beside

def defined(): return "defined"
def _hidden(): return 1
class Own: pass
number = 7
lambdas = lambda: "lambda"
@functools.lru_cache
def cached(x): return x + 1
partly = functools.partial(max, 3)
from math import hypot
bound = [].append
"""


@pytest.fixture
def offering(bare_loader: LoadPod, tmp_path: Path) -> LoadPod:
    """Return a function that loads a pod with a module beside it."""

    def load(source: str) -> Any:
        loader = bare_loader(source)
        (tmp_path / "pods" / "subject" / "beside.py").write_text(
            "def imported(): return 'imported'\ndef _hidden_import(): return 1\n"
        )
        return loader.load_pod()

    return load


def test_functions_of_the_global_scope_are_offered(offering: LoadPod) -> None:
    pod = offering(OFFER)
    expected = ["bound", "cached", "defined", "hypot", "imported", "lambdas", "partly"]
    assert sorted(each.name for each in describe(pod)) == expected
    others = ["Own", "beside", "functools", "math", "number", "os"]
    assert dir(pod) == sorted(expected + others)
    assert pod.number == 7
    assert (pod.defined(), pod.imported(), pod.lambdas()) == ("defined", "imported", "lambda")
    assert (pod.cached(1), pod.partly(2), pod.hypot(3.0, 4.0)) == (2, 3, 5.0)


def test_all_narrows_what_is_offered(offering: LoadPod) -> None:
    pod = offering(OFFER + "__all__ = ['imported', 'defined', '_hidden', 'number', 'missing']")
    assert dir(pod) == ["defined", "imported", "number"]


@pytest.mark.parametrize("name", ["_hidden", "_hidden_import", "missing"])
def test_what_is_not_offered_is_an_attribute_error_with_the_names_there_are(
    offering: LoadPod, name: str
) -> None:
    pod = offering("from pods.subject.beside import imported\n" + OFFER)
    with pytest.raises(AttributeError) as caught:
        getattr(pod, name)
    assert f'pod "subject" offers no {name!r}' in str(caught.value)
    assert "defined" in str(caught.value)
    assert "imported" in str(caught.value)
    assert caught.value.name == name
    assert not hasattr(pod, name)


def test_a_pod_that_offers_nothing_says_so(bare_pod: LoadPod) -> None:
    pod = bare_pod("")
    assert dir(pod) == []
    with pytest.raises(AttributeError, match="it offers: nothing"):
        assert pod.anything


def test_a_function_may_have_any_name_a_loader_has(bare_pod: LoadPod) -> None:
    pod = bare_pod("def state(): return 1\ndef pid(): return 2\ndef timeout(): return 3")
    assert (pod.state(), pod.pid(), pod.timeout()) == (1, 2, 3)


def test_a_pod_that_was_changed_and_died_offers_what_it_has_now(
    bare_loader: LoadPod, tmp_path: Path
) -> None:
    loader = bare_loader("import os\ndef stays(): return 1\ndef goes(): os._exit(3)")
    pod = loader.load_pod()
    stays = pod.stays
    (tmp_path / "pods/subject/pod.py").write_text("def stays(): return 2\ndef comes(): return 3\n")
    with pytest.raises(PodError):
        pod.goes()
    assert stays() == 2
    assert dir(pod) == ["comes", "stays"]
    assert pod.stays is stays
    assert pod.comes() == 3
    assert not hasattr(pod, "goes")


# Failing to start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "type_name"),
    [
        ("def broken(:", "SyntaxError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("raise SystemExit('enough')", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class Own(Exception): pass\nraise Own('mine')", "Own"),
    ],
)
def test_what_the_import_raises_reaches_the_caller_with_its_traceback(
    bare_loader: LoadPod, source: str, type_name: str
) -> None:
    with pytest.raises(PodStartError) as caught:
        bare_loader(source).load_pod()
    assert 'pod "subject" cannot import its pod.py' in str(caught.value)
    assert type_name in str(caught.value)
    assert "pod.py" in str(caught.value).partition("\n")[2]
    cause = caught.value.__cause__
    assert isinstance(cause, PodCallError)
    assert cause.type_name.endswith(type_name)


def test_a_pod_that_ends_while_it_starts_says_how_and_what_it_printed(
    bare_loader: LoadPod,
) -> None:
    with pytest.raises(PodStartError, match=r"exit status 9\n(?s:.*)some last words"):
        bare_loader("import os\nprint('some last words')\nos._exit(9)").load_pod()


def test_a_pod_that_takes_too_long_to_start_is_stopped(bare_loader: LoadPod) -> None:
    loader = bare_loader("import time\nprint('here')\ntime.sleep(60)", start_timeout=0.5)
    with pytest.raises(PodTimeoutError, match=r"start_timeout=(?s:.*)here"):
        loader.load_pod()
    assert loader.state == "STOPPED"


def test_an_interpreter_that_is_not_there_is_a_start_error(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/bin/python")
    with pytest.raises(PodStartError, match=r'cannot start /nowhere.*run "pypods sync subject"'):
        bare_loader("").load_pod()


def test_a_frame_limit_below_the_greeting_is_a_protocol_error(bare_loader: LoadPod) -> None:
    with pytest.raises(ProtocolError, match="max_frame_bytes=5"):
        bare_loader("", max_frame_bytes=5).load_pod()


# What reaches the pod --------------------------------------------------------------------------


def test_environment_variables_are_added_to_the_hosts(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_HOST", "kept")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    source = "import os\ndef get(name): return os.environ.get(name)"
    pod = bare_loader(source, environment_variables={"MINE": "added"}).load_pod()
    assert [pod.get(name) for name in ("FROM_THE_HOST", "MINE", "PYPODS_POD")] == [
        "kept",
        "added",
        "subject",
    ]
    assert pod.get("PYTHONPATH") is None
    assert pod.get("PATH").startswith(pod.get("VIRTUAL_ENV"))


def test_arguments_and_results_above_the_limit_are_refused_and_the_pod_goes_on(
    bare_pod: LoadPod,
) -> None:
    pod = bare_pod("def same(x): return x\ndef many(n): return 'x' * n", max_frame_bytes=10_000)
    with pytest.raises(ValueTransferError, match="max_frame_bytes=10000"):
        pod.same("x" * 10_000)
    with pytest.raises(ValueTransferError, match="max_frame_bytes=10000"):
        pod.many(10_000)
    assert pod.same("x" * 9_000) == "x" * 9_000
    # At the very edge both sides agree on what is too much.
    for size in range(9_890, 10_000):
        try:
            assert pod.same("x" * size) == "x" * size
        except ValueTransferError:
            assert "max_frame_bytes" in str(sys.exc_info()[1])
    assert pod.many(1) == "x"


# Threads and signals ---------------------------------------------------------------------------


def test_threads_that_load_at_once_share_one_pod(bare_loader: LoadPod) -> None:
    loader = bare_loader("import os\ndef pid(): return os.getpid()")
    pids = []
    threads = [
        threading.Thread(target=lambda: pids.append(loader.load_pod().pid())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pids == [loader.pid] * 8


def test_unloading_lets_a_running_call_of_another_thread_finish(bare_loader: LoadPod) -> None:
    loader = bare_loader("import time\ndef slow():\n  time.sleep(0.3)\n  return 'done'")
    pod = loader.load_pod()
    results = []
    thread = threading.Thread(target=lambda: results.append(pod.slow()))
    thread.start()
    time.sleep(0.1)
    loader.unload_pod()
    thread.join()
    assert results == ["done"]


def test_unloading_ends_a_call_that_takes_longer_than_the_grace(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypods.pods.session_end.SHUTDOWN_GRACE_SECONDS", 0.2)
    loader = bare_loader("import time\ndef slow(): time.sleep(60)")
    pod = loader.load_pod()
    errors: list[BaseException] = []

    def call() -> None:
        try:
            pod.slow()
        except PodError as exc:
            errors.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.2)
    pid = loader.pid
    loader.unload_pod()
    thread.join()
    assert "was stopped in a call (it was unloaded), killed by SIGTERM" in str(errors[0])
    assert wait_until_gone(pid)


def test_a_pod_that_ignores_every_request_to_end_is_killed(
    bare_loader: LoadPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypods.pods.session_end.SHUTDOWN_GRACE_SECONDS", 0.2)
    monkeypatch.setattr("pypods.pods.session_end.TERMINATE_GRACE_SECONDS", 0.2)
    loader = bare_loader(
        """
        import atexit, signal, threading, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def linger():
            print("x" * 100_000)
            time.sleep(60)
        threading.Thread(target=linger).start()
        def f(): return 1
        """
    )
    assert loader.load_pod().f() == 1
    pid = loader.pid
    loader.unload_pod()
    assert wait_until_gone(pid)


def test_a_pod_that_was_killed_while_idle_is_started_anew_by_the_next_call(
    bare_loader: LoadPod, caplog: pytest.LogCaptureFixture
) -> None:
    """It had not seen the call, so the caller need not know; the log does."""
    loader = bare_loader("import os\ndef pid(): return os.getpid()")
    pod = loader.load_pod()
    first = pod.pid()
    os.kill(first, signal.SIGKILL)
    assert wait_until_gone(first)
    assert (loader.state, loader.pid, loader.hello) == ("DIED", None, None)
    assert repr(pod) == "<Pod subject DIED>"
    assert pod.pid() != first
    assert loader.state == "RUNNING"
    assert caplog.record_tuples == [
        ("pypods.pod.subject", 30, "the pod has ended between calls, killed by SIGKILL")
    ]


def test_a_pod_that_was_killed_while_idle_is_described_anew(bare_loader: LoadPod) -> None:
    loader = bare_loader("def f():\n  'About f.'")
    pod = loader.load_pod()
    pid = loader.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until_gone(pid)
    assert pod.f.__doc__ == "About f."


def test_stopping_a_pod_that_died_is_quiet(bare_loader: LoadPod) -> None:
    loader = bare_loader("")
    loader.load_pod()
    os.kill(loader.pid, signal.SIGKILL)
    loader.unload_pod()
    assert loader.state == "STOPPED"


# Exit ------------------------------------------------------------------------------------------

HOST = """
import sys, threading, time
from pathlib import Path
from pypods.pods.environment import Environment
from pypods.pods.loader import PodLoader

class BareLoader(PodLoader):
    def _prepare(self):
        python = Path(sys.executable)
        return Environment(python, python.parent.parent, sys.version_info[:3])

loader = BareLoader("subject", globals(), pods_directory=sys.argv[1])
loader.load_pod()
print(loader.pid, flush=True)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("subject.f()", 0),
        ("1 / 0", 1),
        ("sys.exit(3)", 3),
        ("subject.boom()", 1),
        ("t = threading.Thread(target=lambda: sys.exit(subject.f())); t.start(); t.join()", 0),
        ("t = threading.Thread(target=subject.sleep, args=(60,), daemon=True)\nt.start()", 0),
        ("threading.Thread(target=subject.sleep, args=(.3,)).start()", 0),
        ("del loader, subject", 0),
        ("import os; os._exit(5)", 5),
        ("import os; os.execv('/bin/true', ['true'])", 0),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_however_the_host_exits_the_pod_ends_and_nothing_hangs(
    bare_loader: LoadPod, tmp_path: Path, ending: str, code: int
) -> None:
    bare_loader("import time\ndef f(): return 1\ndef boom(): 1 / 0\ndef sleep(s): time.sleep(s)\n")
    done = subprocess.run(
        [sys.executable, "-c", f"{HOST}{ending}\ntime.sleep(.1)", tmp_path / "pods"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert wait_until_gone(int(done.stdout))
    if "daemon" not in ending and code in (0, 3, 5):
        assert done.stderr == ""

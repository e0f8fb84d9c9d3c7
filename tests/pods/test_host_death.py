"""A pod never outlives its host, nor do its children, whatever each is doing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LoadPod = Callable[..., Any]

#: Far more than the two seconds it may take, so that a busy machine fails no test.
#: How long nothing must be seen of any process to be sure.
CERTAIN_SECONDS = 0.1
PATIENCE_SECONDS = 20.0
#: How often a busy host is killed; the seed of the moments.
KILLS = int(os.environ.get("PYPODS_TEST_KILLS", "1"))
SEED = int(os.environ.get("PYPODS_TEST_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

SOURCE = """
import ctypes, multiprocessing, os, signal, subprocess, sys, threading, time

def nothing(): pass
def die(): os._exit(1)
def sleep(): time.sleep(60)
def loop():
    while True: pass
def c_code():
    mutex = ctypes.create_string_buffer(64)
    lock = ctypes.PyDLL(None).pthread_mutex_lock
    lock(mutex)
    lock(mutex)
def deaf():
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(60)
def busy_threads():
    for _ in range(4): threading.Thread(target=loop).start()
    time.sleep(60)
def print_forever():
    while True: print("x" * 1000)

def child():
    subprocess.Popen(["sleep", "60"])
    time.sleep(60)
def grandchild():
    subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"])
    time.sleep(60)
def forked():
    if os.fork() == 0: time.sleep(60)
    time.sleep(60)
def fork():
    multiprocessing.get_context("fork").Process(target=sleep).start()
    time.sleep(60)
def spawn():
    multiprocessing.get_context("spawn").Process(target=sleep).start()
    time.sleep(60)
def forkserver():
    multiprocessing.get_context("forkserver").Process(target=sleep).start()
    time.sleep(60)
def pool():
    multiprocessing.get_context("fork").Pool(3).map(time.sleep, [60] * 3)

def pool_result():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.map(abs, [-1, -2, -3])

def escaped(how):
    if how == "session":
        subprocess.Popen(["sleep", "60"], start_new_session=True)
    elif how == "daemon":
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0: os.execvp("sleep", ["sleep", "60"])
            os._exit(0)
        os.wait()
    elif how == "fork":
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
    elif how == "group":
        subprocess.Popen(["sleep", "60"], process_group=0)
"""

HOST = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from pypods.pods.environment import Environment
from pypods.pods.loader import PodLoader

class BareLoader(PodLoader):
    def _prepare(self):
        python = Path(sys.executable)
        return Environment(python, python.parent.parent, sys.version_info[:3])

loader = BareLoader("subject", pods_directory=sys.argv[1])
say = lambda *words: print(*words, flush=True)
"""


def marked_processes(mark: str) -> dict[int, str]:
    """Return the living processes that have the mark among their variables, and their commands.

    Every pod and child of a test has it, for the host under test was given it. A zombie has no
    variables any more.
    """
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"PYPODS_TEST_MARK={mark}\0".encode() in (entry / "environ").read_bytes() + b"\0":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


class Host:
    """A host in a process of its own, and all that it starts."""

    def __init__(self, directory: Path, code: str) -> None:
        self.mark = f"{os.getpid()}-{random.getrandbits(64):x}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOST + code, str(directory)],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYPODS_TEST_MARK": self.mark,
            },
            stdout=subprocess.PIPE,
            text=True,
        )

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def others(self) -> dict[int, str]:
        """Return what runs besides the host itself."""
        found = marked_processes(self.mark)
        found.pop(self.process.pid, None)
        return found

    def wait_for_others(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.others()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.others()) >= count, self.others()

    def seconds_until_alone(self) -> float:
        begun = alone_since = time.monotonic()
        while (now := time.monotonic()) - alone_since < CERTAIN_SECONDS:
            others = self.others()
            # Between fork and exec a process shows no environment for a moment, and no mark.
            if others:
                assert now - begun < PATIENCE_SECONDS, others
                alone_since = time.monotonic()
            time.sleep(0.01)
        return alone_since - begun

    def kill(self) -> float:
        """Kill the host and return how long it took until nothing of it was left."""
        self.process.kill()
        self.process.wait()
        return self.seconds_until_alone()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for pid in marked_processes(self.mark):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start_host(tmp_path: Path, bare_loader: LoadPod) -> Iterator[Callable[[str], Host]]:
    """Return a function that starts a host which finds the pod of SOURCE."""
    bare_loader(SOURCE)
    hosts: list[Host] = []

    def start(code: str) -> Host:
        hosts.append(Host(tmp_path / "pods", code))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


# The host is killed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "processes"),
    [
        ("nothing", 1),
        ("sleep", 1),
        ("loop", 1),
        ("c_code", 1),
        ("deaf", 1),
        ("busy_threads", 1),
        ("print_forever", 1),
        ("child", 2),
        ("grandchild", 4),
        ("forked", 2),
        ("fork", 2),
        ("spawn", 3),
        ("forkserver", 4),
        ("pool", 4),
    ],
)
def test_no_process_is_left_when_the_host_is_killed(
    start_host: Callable[[str], Host], call: str, processes: int
) -> None:
    code = (
        "pod = loader.load_pod()\n"
        f"threading.Thread(target=pod.{call}, daemon=True).start()\n"
        "say('ready')\ntime.sleep(60)"
    )
    host = start_host(code)
    assert host.read_line() == "ready"
    host.wait_for_others(processes)
    host.kill()
    assert host.others() == {}


BUSY_SOURCE = """
def same(value): return value
def blocks(n, size):
    for i in range(n): yield bytes([i]) * size
def apply(function, value): return function(value)
def sizes(values): return [len(each) for each in values]
"""

BUSY_HOST = """
BareLoader._prepare = lambda self: Environment(Path(python), Path(python).parent, (3, 8, 0))
options = [{}, {"threads": 2}, {"workers": 2, "max_shared_bytes": 0}]
pods = [BareLoader("subject", pods_directory=sys.argv[1], **each).load_pod() for each in options]
large = bytes(100_000)

def run(pod):
    kept = []
    while True:
        kept = kept[-3:] + [pod.same(memoryview(large))]
        list(pod.blocks(3, 70_000))
        pod.apply(lambda value: value, large)
        pod.sizes(iter([large, b"", large]))
        pod.same.submit(large).result()

for pod in pods * 2:
    threading.Thread(target=run, args=(pod,), daemon=True).start()
say("ready")
time.sleep(60)
"""


@pytest.mark.timeout(120 + KILLS * 5)
def test_a_host_that_is_killed_at_any_moment_leaves_nothing(
    start_host: Callable[[str], Host],
    outer_python: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    print(f"PYPODS_TEST_CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    (tmp_path / "pods/subject/pod.py").write_text(BUSY_SOURCE)
    for _ in range(KILLS):
        host = start_host(f"python = {str(outer_python)!r}\n" + BUSY_HOST)
        assert host.read_line() == "ready"
        time.sleep(chance.uniform(0, 0.3))
        host.kill()
        assert host.others() == {}
        assert list(temporary.iterdir()) == []
        assert list(Path("/dev/shm").glob("*pypods*")) == []


def test_no_process_is_left_when_the_host_is_killed_while_pods_start(
    start_host: Callable[[str], Host], tmp_path: Path
) -> None:
    """At many moments: before the fork, before the exec, before and after our first line."""
    (tmp_path / "pods/subject/pod.py").write_text("import json, logging, time\ntime.sleep(0.02)\n")
    chance = random.Random(5)
    code = """
say("ready")
for _ in range(1000):
    loader.load_pod()
    loader.unload_pod()
"""
    for _ in range(12):
        host = start_host(code)
        assert host.read_line() == "ready"
        time.sleep(chance.uniform(0.0, 0.15))
        host.kill()
        assert host.others() == {}


def test_an_interpreter_that_never_reaches_our_code_ends_with_its_host(
    start_host: Callable[[str], Host], tmp_path: Path
) -> None:
    stuck = tmp_path / "stuck"
    stuck.write_text("#!/bin/sh\nsleep 60\n")
    stuck.chmod(0o755)
    host = start_host(
        f"sys.executable = {str(stuck)!r}\n"
        "threading.Thread(target=loader.load_pod, daemon=True).start()\n"
        "say('ready')\ntime.sleep(60)"
    )
    assert host.read_line() == "ready"
    host.wait_for_others(2)
    host.kill()
    assert host.others() == {}


def test_pods_end_with_a_host_that_crashes(start_host: Callable[[str], Host]) -> None:
    host = start_host("pod = loader.load_pod()\nsay('ready')\nimport ctypes\nctypes.string_at(0)")
    assert host.read_line() == "ready"
    assert host.process.wait() == -signal.SIGSEGV
    host.seconds_until_alone()


def test_the_thread_that_started_a_pod_may_end(start_host: Callable[[str], Host]) -> None:
    """What PR_SET_PDEATHSIG would take for the host's end."""
    host = start_host(
        """
thread = threading.Thread(target=loader.load_pod)
thread.start(); thread.join()
time.sleep(0.3)
pid = loader.pid
loader.pod.nothing()
say(loader.state, loader.pid == pid)
"""
    )
    assert host.read_line() == "RUNNING True"
    assert host.process.wait() == 0
    host.seconds_until_alone()


def test_a_pod_that_is_a_host_itself_ends_with_its_own_pods(
    start_host: Callable[[str], Host],
) -> None:
    host = start_host(
        f"""
inner = {HOST!r} + '''
loader.load_pod()
say("inner", loader.pid)
time.sleep(60)
'''
process = subprocess.Popen([sys.executable, "-c", inner, sys.argv[1]])
pod = loader.load_pod()
time.sleep(60)
"""
    )
    assert host.read_line().startswith("inner")
    host.wait_for_others(3)
    # The host between them is an ordinary child, which outlives its parent; it is what we end.
    host.process.kill()
    host.process.wait()
    inner = next(pid for pid, command in host.others().items() if "time.sleep(60)" in command)
    os.kill(inner, signal.SIGKILL)
    host.seconds_until_alone()


# The host lives, the pod is stopped ------------------------------------------------------------


@pytest.mark.parametrize("how", ["session", "daemon", "fork", "group"])
@pytest.mark.parametrize("end", ["unload", "death", "timeout", "exit"])
def test_children_that_left_the_group_end_with_the_pod(
    start_host: Callable[[str], Host], how: str, end: str
) -> None:
    endings = {
        "unload": "loader.unload_pod()",
        "death": "try: pod.die()\nexcept Exception: pass",
        "timeout": "try: pod.deaf.options(timeout=.1)()\nexcept Exception: pass",
        "exit": "raise SystemExit",
    }
    host = start_host(
        f"""
import pypods.pods.session_end
pypods.pods.session_end.INTERRUPT_GRACE_SECONDS = 0.2
pod = loader.load_pod()
pod.escaped({how!r})
say("escaped")
{endings[end]}
say("ended")
time.sleep(60)
"""
    )
    assert host.read_line() == "escaped"
    if end == "exit":
        assert host.process.wait() == 0
    else:
        assert host.read_line() == "ended"
    host.seconds_until_alone()
    assert host.others() == {}


def test_children_of_another_pod_are_left_alone(start_host: Callable[[str], Host]) -> None:
    host = start_host(
        """
import shutil
shutil.copytree(Path(sys.argv[1]) / "subject", Path(sys.argv[1]) / "other")
other = BareLoader("other", pods_directory=sys.argv[1])
for each in (loader, other):
    each.load_pod().escaped("session")
other.unload_pod()
say("ended", loader.state)
time.sleep(60)
"""
    )
    assert host.read_line() == "ended RUNNING"
    assert sorted(command.split()[0] == "sleep" for command in host.others().values()) == [
        False,
        True,
    ]


def test_a_pod_may_use_multiprocessing(bare_pod: LoadPod) -> None:
    assert bare_pod(SOURCE).pool_result() == [1, 2, 3]

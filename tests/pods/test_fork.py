"""A host that forks: nothing hangs, and nothing is shared by accident."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LoadPod = Callable[..., Any]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

SOURCE = """
import os, time
def pid(): return os.getpid()
def same(x): return x
def slow(seconds):
    time.sleep(seconds)
    return "slept"
"""

HOST = """
import gc, multiprocessing, os, signal, sys, threading, time
from pathlib import Path
from pypods.pods.environment import Environment
from pypods.pods.loader import PodLoader

class BareLoader(PodLoader):
    def _prepare(self):
        python = Path(sys.executable)
        return Environment(python, python.parent.parent, sys.version_info[:3])

loader = BareLoader("subject", pods_directory=sys.argv[1])
pod = loader.load_pod()
first = pod.pid()

def in_child(work):
    "Run the work in a forked child, and return what it wrote."
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            os.write(writing, repr(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading) as file:
        text = file.read()
    assert os.waitpid(pid, 0)[1] == 0, "the child failed"
    return eval(text)

def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False

def wait_until_gone(pid):
    for _ in range(2000):
        if not is_alive(pid): return True
        time.sleep(0.01)
    return False

def descriptors():
    return len(os.listdir("/proc/self/fd"))
"""

CASES = {
    "the child gets a worker of its own and the parent keeps its own": """
def work():
    assert loader.state == "STOPPED"
    return pod.pid(), pod.same([1])
child, same = in_child(work)
assert child != first and same == [1]
assert pod.pid() == first
assert wait_until_gone(child)
""",
    "a child that only exits leaves the parent's pod alone": """
assert in_child(lambda: 7) == 7
assert pod.pid() == first
""",
    "a child that exits by way of Python leaves the parent's pod alone": """
pid = os.fork()
if pid == 0:
    sys.exit(3)
assert os.waitpid(pid, 0)[1] == 3 << 8
assert pod.pid() == first
""",
    "a child that exits by way of Python stops its own pod": """
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(writing, str(pod.pid()).encode())
    sys.exit(0)
child = int(os.read(reading, 99))
assert os.waitpid(pid, 0)[1] == 0
assert wait_until_gone(child)
assert pod.pid() == first
""",
    "a child that unloads leaves the parent's pod alone": """
def work():
    loader.unload_pod()
    loader.load_pod()
    pid = loader.pod.pid()
    loader.unload_pod()
    return pid
assert wait_until_gone(in_child(work))
assert pod.pid() == first
""",
    "a child that drops everything leaves the parent's pod alone": """
def work():
    global loader, pod
    del loader, pod
    gc.collect()
in_child(work)
assert pod.pid() == first
""",
    "the parent's pod ends with the parent's end of it, though a child lives": """
pid = os.fork()
if pid == 0:
    time.sleep(60)
    os._exit(0)
session = loader.session()
loader.unload_pod()
assert not is_alive(first)
# Had the child kept the pod's stdin open, only the next rung of the ladder would have ended it.
assert session._process.exit_status == 0
os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
""",
    "a child has none of the descriptors": """
before = in_child(descriptors)
assert before < descriptors()
pods = [BareLoader("subject", pods_directory=sys.argv[1]) for _ in range(3)]
for each in pods: each.load_pod()
assert in_child(descriptors) == before
""",
    "forks while other threads call": """
results, stop = [], False
def call():
    while not stop:
        results.append(pod.same(len(results)) is not None)
threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads: thread.start()
children = [in_child(pod.pid) for _ in range(5)]
stop = True
for thread in threads: thread.join()
assert all(results) and len(results) > 10
assert len({first, *children}) == 6
assert pod.pid() == first
""",
    "forks while other threads start and stop pods": """
stop = False
def restart():
    other = BareLoader("subject", pods_directory=sys.argv[1])
    while not stop:
        assert other.load_pod().same(1) == 1
        other.unload_pod()
threads = [threading.Thread(target=restart) for _ in range(2)]
for thread in threads: thread.start()
pids = []
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    pids.append(pid)
    time.sleep(0.01)
stop = True
for thread in threads: thread.join()
for pid in pids: os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
assert pod.pid() == first
""",
    "a child of a thread in a call": """
results = []
slow = threading.Thread(target=lambda: results.append(pod.slow(1)))
slow.start()
time.sleep(0.2)
assert in_child(lambda: pod.same("child's own")) == "child's own"
slow.join()
assert results == ["slept"]
""",
    "multiprocessing by fork": """
def same(x): return pod.same(x)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(same, [1, 2, 3]) == [1, 2, 3]
assert pod.pid() == first
""",
    "a child's child": """
def work():
    own = pod.pid()
    return own, in_child(pod.pid), pod.pid()
own, inner, again = in_child(work)
assert len({first, own, inner}) == 3 and own == again
assert wait_until_gone(own) and wait_until_gone(inner)
assert pod.pid() == first
""",
}


@pytest.mark.parametrize("name", CASES)
def test_forking(bare_loader: LoadPod, tmp_path: Path, name: str) -> None:
    bare_loader(SOURCE)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", HOST + CASES[name],
         tmp_path / "pods"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=90,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")

"""Large values between a host and real pods: through shared memory, and without it."""

from __future__ import annotations

import array
import gc
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypods.errors import PodDiedError, PodTimeoutError, ProtocolError, ValueTransferError
from pypods.pods import pipes, session_calls, shared_memory
from pypods.pods.codec import HostClasses
from pypods.pods.loader import PodLoader
from pypods.pods.shared_memory import share_memory
from pypods.pods.startup import start_session
from pypods.wire.arena import DEFAULT_MAX_SHARED_BYTES
from pypods.wire.envelopes import call_head

LoadPod = Callable[..., Any]

needs_memfd = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no shared memory here")
MEBI = 2**20

SOURCE = """
import gc, os, sys, time

def echo(x): return x
def pair(x, y): return y, x
def type_name(x): return type(x).__module__ + "." + type(x).__qualname__
def make(n): return b"x" * n
def modules(): return sorted(sys.modules)
def pid(): return os.getpid()

def has_numpy():
    from importlib.util import find_spec
    return find_spec("numpy") is not None

def shared():
    "The worker's own books: bytes it has lent, bytes it has of the host's, what it maps."
    from pypods.wire.shared import SharedMemory
    (memory,) = [each for each in gc.get_objects() if type(each) is SharedMemory]
    return {
        "lent": memory.writer.used_bytes,
        "held": memory.reader.held_bytes,
        "mapped": memory.writer.arena.is_mapped or memory.reader.arena.is_mapped,
    }

kept = []
def keep(x): kept.append(x)
def drop(): kept.clear()

def fail(x): raise ValueError(len(x))
async def wait(): pass
def bad(n): return [b"x" * n, wait()]
def die(x): os._exit(3)

def stubborn(n, seconds):
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        pass
    return b"x" * n

def sleep(seconds): time.sleep(seconds)
def look(x, y=None): return len(x)
"""


@pytest.fixture(params=["shared", "option", "variable"])
def any_pod(request: pytest.FixtureRequest, bare_pod: LoadPod, monkeypatch: Any) -> Any:
    """Return a pod, with shared memory and without it by either switch."""
    options = {}
    if request.param == "option":
        options["max_shared_bytes"] = 0
    if request.param == "variable":
        monkeypatch.setenv("PYPODS_NO_SHARED_MEMORY", "1")
    return bare_pod(SOURCE, **options)


@pytest.fixture
def load(bare_loader: LoadPod) -> Iterator[LoadPod]:
    """Return a function that loads the pod: its loader and the pod."""

    def load_it(source: str = SOURCE, **options: Any) -> tuple[Any, Any]:
        loader = bare_loader(source, **options)
        return loader, loader.load_pod()

    yield load_it
    gc.collect()


def memory_of(loader: PodLoader) -> Any:
    """Return the host's side of the shared memory."""
    return loader.session().shared


def assert_nothing_lent(loader: Any, pod: Any) -> None:
    """Fail if a block is out, once both sides have said what they returned."""
    gc.collect()
    pod.pid()
    pod.pid()
    assert memory_of(loader).writer.used_bytes == 0
    assert memory_of(loader).reader.held_bytes == 0
    assert pod.shared()["lent"] == 0
    assert pod.shared()["held"] == 0


VALUES = {
    "bytes": b"x" * MEBI,
    "bytearray": bytearray(MEBI),
    "memoryview": memoryview(bytes(range(256)) * 1024).cast("h"),
    "array.array": array.array("q", range(100_000)),
    "numpy": np.arange(100_000.0).reshape(100, 1000),
    "fortran": np.asfortranarray(np.arange(100_000).reshape(100, 1000)),
    "times": np.arange(20_000).astype("M8[s]"),
    "structured": np.zeros(10_000, [("a", "i4"), ("b", "f8", 3)]),
    "small array": np.arange(3),
    "empty array": np.zeros((0, 4)),
    "scalar": np.float32(1.5),
}


def assert_same(back: Any, value: Any) -> None:
    assert type(back) is type(value)
    if isinstance(value, (np.ndarray, np.generic)):
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        assert back.tobytes() == value.tobytes()
    else:
        assert back == value


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALUES)
def test_a_value_crosses_and_comes_back(any_pod, name):
    value = VALUES[name]
    assert_same(any_pod.echo(value), value)
    first, second = any_pod.pair(value, {"deep": [value]})
    assert_same(first["deep"][0], value)
    assert_same(second, value)
    assert any_pod.type_name(value).rpartition(".")[2] == type(value).__name__


WITHOUT_NUMPY = {
    "numpy": "ArrayValue",
    "fortran": "ArrayValue",
    "times": "ArrayValue",
    "structured": "ArrayValue",
    "small array": "ArrayValue",
    "empty array": "ArrayValue",
    "scalar": "ScalarValue",
}


@pytest.mark.parametrize("max_shared_bytes", [2**24, 0])
def test_a_pod_of_any_python_passes_on_what_it_needs_no_numpy_for(
    each_python, tmp_path, max_shared_bytes
):
    (tmp_path / "pod.py").write_text(SOURCE)
    session = start_session(
        "any",
        tmp_path,
        each_python,
        timeout=60,
        max_frame_bytes=2**24,
        max_shared_bytes=max_shared_bytes,
        classes=HostClasses(),
    )

    def call(name: str, *args: object) -> Any:
        return session.call(call_head(name), args, {}, 60)

    try:
        assert session.hello.shared is bool(max_shared_bytes)
        for name, value in VALUES.items():
            assert_same(call("echo", value), value)
            wanted = type(value).__name__
            if not call("has_numpy"):
                wanted = WITHOUT_NUMPY.get(name, wanted)
            assert call("type_name", value).rpartition(".")[2] == wanted
        rows = [{"blob": os.urandom(9000), "n": n} for n in range(100)]
        assert call("echo", rows) == rows
        if max_shared_bytes:
            gc.collect()
            call("pid")
            call("pid")
            assert session.shared.writer.used_bytes == 0
            assert call("shared")["lent"] == 0
    finally:
        session.stop()


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_a_pod_with_its_own_numpy_has_arrays_of_its_own(version, tmp_path, find_python):
    folder = tmp_path / "pods" / "numeric"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("numpy\n")
    (folder / "pod.py").write_text(
        SOURCE + "\nimport numpy as np\n"
        "def numpy_version(): return np.__version__\n"
        "def scale(x): return x * 2\n"
        "def strided(): return np.arange(200_000).reshape(2, -1)[:, ::3]\n"
        "def scalar(): return np.float64(2.5)\n"
    )
    python = find_python(version)
    with PodLoader("numeric", pods_directory=folder.parent, python=python) as pod:
        assert isinstance(pod.numpy_version(), str)
        for name in ("numpy", "fortran", "times", "structured", "small array", "scalar"):
            assert_same(pod.echo(VALUES[name]), VALUES[name])
            assert pod.type_name(VALUES[name]).startswith("numpy.")
        assert np.array_equal(pod.scale(VALUES["numpy"]), VALUES["numpy"] * 2)
        assert np.array_equal(pod.strided(), np.arange(200_000).reshape(2, -1)[:, ::3])
        assert type(pod.scalar()) is np.float64


def test_arrays_are_read_only_unless_asked(load):
    source = SOURCE + "\ndef writable(x): return x.flags.writeable\n"
    _, pod = load(source)
    assert not pod.echo(VALUES["numpy"]).flags.writeable
    assert pod.writable(VALUES["numpy"]) is False
    _, pod = load(source, name="asked", writable_arrays=True)
    for value in (VALUES["numpy"], VALUES["small array"]):
        back = pod.echo(value)
        back += 1
        assert np.array_equal(back, value + 1)
        assert pod.writable(value) is True


# --- blocks ---------------------------------------------------------------------------------------


def names_in_shared_memory():
    """Return what lies in /dev/shm, but for what other programs of the machine put there."""
    folder = Path("/dev/shm")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    return {name for name in names if not name.startswith(("sem.", "PostgreSQL."))}


@needs_memfd
def test_an_idle_worker_has_mapped_and_imported_nothing_for_it(load):
    loader, pod = load()
    assert {"mmap", "ctypes", "numpy", "weakref", "pypods.wire.arrays"} & set(
        pod.modules()
    ) == set()
    assert pod.shared()["mapped"] is False
    assert not memory_of(loader).writer.arena.is_mapped
    pod.echo(b"small")
    assert pod.shared()["mapped"] is False
    pod.look(b"x" * MEBI)
    assert pod.shared()["mapped"] is True


@needs_memfd
def test_ten_thousand_arrays_leave_nothing_behind(load):
    loader, pod = load()
    names = names_in_shared_memory()
    descriptors = count_descriptors()
    value = np.arange(8192.0)
    for number in range(10_000):
        value[0] = number
        assert pod.echo(value)[0] == number
    assert_nothing_lent(loader, pod)
    assert memory_of(loader).writer._end <= 8 * value.nbytes
    assert memory_of(loader).reader.loans == {}
    assert abs(count_descriptors() - descriptors) <= 2  # Nothing was mapped before.
    assert names_in_shared_memory() <= names


@needs_memfd
def test_what_the_pod_drops_comes_back(load):
    loader, pod = load()
    pod.keep(VALUES["numpy"])
    assert pod.pid()
    assert memory_of(loader).writer.used_bytes >= VALUES["numpy"].nbytes
    pod.drop()
    assert_nothing_lent(loader, pod)


@needs_memfd
@pytest.mark.parametrize("name", ["fail", "bad", "unknown"])
def test_a_call_that_fails_leaves_nothing_lent(load, name):
    loader, pod = load()
    with pytest.raises((ValueError, ValueTransferError)):
        pod.bad(MEBI) if name == "bad" else pod.fail(VALUES["bytes"])
    with pytest.raises(ValueTransferError):
        pod.look([VALUES["bytes"], object()])
    assert_nothing_lent(loader, pod)


@needs_memfd
def test_a_result_that_cannot_arrive_leaves_nothing_lent(load):
    loader, pod = load(
        SOURCE + "\nimport array\n"
        "class Odd(array.array):\n    pass\n"
        "def odd():\n"
        "    from pypods.wire import values\n"
        "    values._REDUCERS[Odd] = lambda v: (b'a', "
        "{'typecode': 'Z', 'itemsize': 1, 'data': b''})\n"
        "    return [b'x' * 100_000, Odd('b'), memoryview(b'y' * 100_000)]\n"
    )
    with pytest.raises(ValueTransferError, match="typecode 'Z' cannot arrive"):
        pod.odd()
    assert_nothing_lent(loader, pod)


@needs_memfd
def test_a_part_of_a_result_at_hand_when_the_time_is_up_is_given_back(load, monkeypatch):
    """The clock is moved: no call can be made to end in just that moment."""
    loader, pod = load(
        SOURCE
        + "\ndef rows(n): return [(b'x' * 70_000, *[None] * 63)] + [(i,) * 64 for i in range(n)]"
    )
    times = iter([0.0])  # The time when the call begins; then it is long past.
    monkeypatch.setattr(session_calls, "monotonic", lambda: next(times, time.monotonic() + 1000))
    monkeypatch.setattr(pipes, "monotonic", lambda: 0.0)
    with pytest.raises(PodTimeoutError):
        pod.rows.options(timeout=60)(3000)
    monkeypatch.undo()
    assert_nothing_lent(loader, pod)


@needs_memfd
def test_many_arrays_that_are_kept_fall_back_and_nothing_fails(load):
    loader, pod = load(max_shared_bytes=MEBI)
    kept = [pod.echo(np.full(16_384, number)) for number in range(100)]
    assert [int(each[-1]) for each in kept] == list(range(100))
    assert memory_of(loader).reader.held_bytes <= MEBI
    for number in range(100):
        pod.keep(np.full(16_384, number))
    assert len(pod.echo(b"y" * (MEBI // 2))) == MEBI // 2
    del kept
    pod.drop()
    assert_nothing_lent(loader, pod)


def test_what_fits_neither_arena_nor_frame_names_both_options(bare_pod):
    pod = bare_pod(SOURCE, max_shared_bytes=MEBI, max_frame_bytes=MEBI)
    for value in (b"x" * 2 * MEBI, bytearray(2 * MEBI), np.zeros(MEBI)):
        with pytest.raises(ValueTransferError, match="max_shared_bytes") as caught:
            pod.echo(value)
        assert "max_frame_bytes" in str(caught.value)
    with pytest.raises(ValueTransferError, match="max_shared_bytes") as caught:
        pod.make(2 * MEBI)
    assert "max_frame_bytes" in str(caught.value)
    assert pod.make(MEBI // 2) == b"x" * (MEBI // 2)


@needs_memfd
def test_arguments_that_are_too_long_all_the_same_are_taken_back(load):
    source = SOURCE + "\ndef echo_long(x): return x, 'text' * 2**20\n"
    loader, pod = load(source, max_frame_bytes=MEBI)
    with pytest.raises(ValueTransferError, match="max_frame_bytes"):
        pod.look(b"x" * MEBI, "text" * MEBI)
    assert_nothing_lent(loader, pod)
    with pytest.raises(ValueTransferError, match="max_frame_bytes"):
        pod.echo_long(b"x" * MEBI)
    assert_nothing_lent(loader, pod)


@needs_memfd
def test_threads_get_their_own_values(load):
    loader, pod = load(max_shared_bytes=4 * MEBI)
    wrong = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        kept = []
        for _ in range(60):
            value = random.integers(0, 256, random.integers(1, 400_000), "u1")
            back = pod.echo(value)
            if hashlib.sha256(back).digest() != hashlib.sha256(value).digest():
                wrong.append(seed)
            kept = [*kept[-2:], (back, value)]
        for back, value in kept:
            if not np.array_equal(back, value):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert_nothing_lent(loader, pod)


# --- calls that are given up ----------------------------------------------------------------------


@needs_memfd
def test_a_reply_that_comes_too_late_gives_its_block_back(load):
    loader, pod = load()
    with pytest.raises(PodTimeoutError):
        pod.stubborn.options(timeout=0.2)(MEBI, 30)
    assert_nothing_lent(loader, pod)


@needs_memfd
def test_a_call_that_never_began_gives_its_arguments_back(load):
    loader, pod = load()
    errors = []

    def wait() -> None:
        try:
            pod.look.options(timeout=0.2)(VALUES["bytes"])
        except PodTimeoutError as exc:
            errors.append(exc)

    sleeper = threading.Thread(target=pod.sleep, args=(1.5,))
    sleeper.start()
    while not memory_of(loader) or not loader.session()._connection._waiters:
        time.sleep(0.01)
    waiter = threading.Thread(target=wait)
    waiter.start()
    waiter.join()
    sleeper.join()
    assert len(errors) == 1
    assert_nothing_lent(loader, pod)


# --- deaths ---------------------------------------------------------------------------------------


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def mappings() -> Callable[[], int]:
    """Return what counts the mappings made since: pods of other modules' tests have theirs."""

    def count() -> int:
        return Path("/proc/self/maps").read_text().count("memfd:pypods")

    gc.collect()
    before = count()
    return lambda: count() - before


@needs_memfd
def test_after_the_end_nothing_is_left_but_what_is_still_looked_at(load, mappings):
    loader, pod = load()
    loader.unload_pod()
    gc.collect()
    before = count_descriptors()
    assert mappings() == 0
    pod = loader.load_pod()
    first = pod.echo(VALUES["numpy"])
    assert mappings() == 1  # The pod handed it back where the host had written it.
    loader.unload_pod()
    gc.collect()
    assert mappings() == 1
    assert np.array_equal(first, VALUES["numpy"])
    del first, pod
    gc.collect()
    assert mappings() == 0
    assert count_descriptors() == before


@needs_memfd
@pytest.mark.parametrize("at", ["idle", "in a call", "holding"])
def test_an_array_outlives_its_pod_however_that_dies(load, at, mappings):
    loader, pod = load()
    value = VALUES["numpy"]
    array_of_the_dead = pod.echo(value)
    if at == "in a call":
        with pytest.raises(PodDiedError):
            pod.die(value)
    else:
        if at == "holding":
            pod.keep(value)
        os.kill(loader.pid, signal.SIGKILL)
    assert np.array_equal(array_of_the_dead, value)
    for _ in range(3):  # The next call starts it anew, with memory of its own.
        try:
            again = pod.echo(value + 1)
            break
        except PodDiedError:
            continue
    assert np.array_equal(again, value + 1)
    assert np.array_equal(array_of_the_dead, value)
    del array_of_the_dead, again
    assert_nothing_lent(loader, pod)
    assert mappings() == 1


@needs_memfd
def test_a_pod_that_is_never_mapped_leaves_no_descriptor(load):
    loader, _ = load()
    loader.unload_pod()
    gc.collect()
    before = count_descriptors()
    loader.load_pod()
    loader.unload_pod()
    gc.collect()
    assert count_descriptors() == before


@needs_memfd
def test_a_forked_child_keeps_what_it_sees(load):
    loader, pod = load()
    value = pod.echo(VALUES["numpy"])
    reading, writing = os.pipe()
    go_reading, go = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.read(go_reading, 1)
            code = 0 if np.array_equal(value, VALUES["numpy"]) else 2
            os.write(writing, pod.type_name(value).encode())  # A worker of its own.
            loader.unload_pod()
        finally:
            os._exit(code)
    del value
    gc.collect()
    for _ in range(4):
        assert pod.echo(VALUES["numpy"] * 0).sum() == 0
    os.write(go, b"!")
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 100) == b"numpy.ndarray"
    for fd in (reading, writing, go_reading, go):
        os.close(fd)


HOST = """
import sys, time
from pathlib import Path
from pypods.pods.codec import HostClasses
from pypods.pods.startup import start_session
from pypods.wire.envelopes import call_head

session = start_session(
    "subject", Path(sys.argv[1]), Path(sys.executable),
    timeout=60, max_frame_bytes=2**24, classes=HostClasses(),
)
value = session.call(call_head("echo"), (memoryview(bytes(2**20)),), {})
print(session.pid, flush=True)
time.sleep(60)
"""


@needs_memfd
def test_a_host_that_is_killed_leaves_no_file(tmp_path):
    (tmp_path / "subject").mkdir()
    (tmp_path / "subject" / "pod.py").write_text(SOURCE)
    before = names_in_shared_memory()
    arguments = [sys.executable, "-c", HOST, str(tmp_path / "subject")]
    host = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert host.stdout is not None
    pod_pid = int(host.stdout.readline())
    host.kill()
    host.wait()
    host.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pod_pid}/maps").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pod_pid}/cmdline").exists()
    assert names_in_shared_memory() <= before


# --- hostile pods ---------------------------------------------------------------------------------


@needs_memfd
@pytest.mark.parametrize(
    "refer",
    [
        "letter, block[0], 2**40, length",
        "letter, block[0], block[1], 2**40",
        "letter, block[0], block[1], 0",
        "letter, block[0], 2**64 - 1, 2",
        "letter, 1, block[1], length",
        "letter, block[0], 0, 2**24 - 2**20",
        "b'?', block[0], block[1], length",
    ],
)
def test_a_pod_cannot_make_the_host_read_what_it_was_not_given(load, refer):
    _, pod = load(
        SOURCE + "\ndef lie():\n"
        "    import pypods.wire.arena as arena\n"
        f"    arena.Parcel.refer = staticmethod(lambda letter, block, length:"
        f" arena.REFERENCE.pack({refer}))\n"
        "    return [b'x' * 100_000, memoryview(b'y' * 100_000), b'z' * 100_000]\n",
        max_shared_bytes=2**24,
    )
    with pytest.raises(ProtocolError, match="was stopped"):
        pod.lie()
    assert pod.echo(1) == 1


@needs_memfd
def test_what_a_pod_gives_back_without_having_it_is_ignored(load):
    loader, pod = load(
        SOURCE + "\ndef lie():\n"
        "    from pypods.wire.shared import SharedMemory\n"
        "    (memory,) = [each for each in gc.get_objects() if type(each) is SharedMemory]\n"
        "    memory.returned.extend([0, 1, 1, 5, 2**64 - 1] * 10)\n"
    )
    pod.keep(VALUES["numpy"])
    pod.lie()
    for _ in range(3):
        assert_same(pod.echo(VALUES["numpy"]), VALUES["numpy"])
    pod.drop()
    assert_nothing_lent(loader, pod)


@needs_memfd
@pytest.mark.parametrize("blocks", ["b'1234567'", "'text'", "5", "None"])
def test_a_release_that_is_none_ends_the_pod(load, blocks):
    _, pod = load(
        SOURCE + "\ndef lie():\n"
        "    from pypods.wire.channel import Channel\n"
        "    from pypods.wire.documents import encode_document\n"
        "    (channel,) = [each for each in gc.get_objects() if type(each) is Channel]\n"
        f"    channel.send(encode_document({{'kind': 'release', 'blocks': {blocks}}}))\n"
    )
    with pytest.raises(ProtocolError, match="was stopped"):
        pod.lie()


@needs_memfd
def test_a_pod_cannot_change_the_size_of_what_is_shared(load):
    _, pod = load(
        SOURCE + "\ndef resize():\n"
        "    failed = []\n"
        "    for name in os.listdir('/proc/self/fd'):\n"
        "        try:\n"
        "            target = os.readlink('/proc/self/fd/' + name)\n"
        "        except OSError:\n"
        "            continue\n"
        "        if 'memfd:pypods' in target:\n"
        "            for size in (0, 4096, 2**40):\n"
        "                try:\n"
        "                    os.ftruncate(int(name), size)\n"
        "                except PermissionError:\n"
        "                    failed.append(size)\n"
        "    return failed\n"
    )
    assert pod.resize() == [0, 4096, 2**40] * 2
    value = pod.echo(VALUES["bytes"])
    assert value == VALUES["bytes"]


@needs_memfd
def test_a_child_of_the_pod_does_not_inherit_what_is_shared(load):
    _, pod = load(
        SOURCE + "\ndef child():\n"
        "    import subprocess\n"
        "    return subprocess.check_output(['ls', '-l', '/proc/self/fd']).decode()\n"
    )
    assert "memfd:pypods" not in pod.child()


# --- what there is to choose ----------------------------------------------------------------------


def test_a_worker_that_knows_no_shared_memory_gets_everything_in_frames(tmp_path):
    page = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
    (code,) = re.findall(r"```python\n(import os\n.*?)```", page.read_text("utf-8"), re.DOTALL)
    program = tmp_path / "worker"
    program.write_text(f"#!{sys.executable} -I\n{code}", encoding="utf-8")
    program.chmod(0o700)
    session = start_session(
        "tiny", tmp_path, program, timeout=60, max_frame_bytes=MEBI, classes=HostClasses()
    )
    try:
        assert session.hello.shared is False
        assert session.shared is None
        assert session.call(call_head("hello"), (b"x" * 100_000,), {}) == "hi"
    finally:
        session.stop()


@pytest.mark.parametrize("size", [-1, 2**46 + 1])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="max_shared_bytes is between"):
        PodLoader("subject", max_shared_bytes=size)


def test_there_is_no_shared_memory_where_it_is_switched_off(monkeypatch):
    assert share_memory(0, max_frame_bytes=MEBI) is None
    assert share_memory(MEBI, max_frame_bytes=1000) is None
    monkeypatch.setenv(shared_memory.OFF_VARIABLE, "1")
    assert share_memory(MEBI, max_frame_bytes=MEBI) is None


@needs_memfd
@pytest.mark.parametrize("name", ["os.memfd_create", "os.ftruncate", "fcntl.fcntl"])
def test_a_system_without_it_does_without(monkeypatch, name):
    before = count_descriptors()

    def refuse(*_: object) -> None:
        raise OSError("not here")

    with monkeypatch.context() as patch:
        patch.setattr(name, refuse)
        assert share_memory(MEBI, max_frame_bytes=MEBI) is None
    create, made = os.memfd_create, []

    def create_one(*arguments: Any) -> int:
        if made:
            raise OSError("no more")
        made.append(create(*arguments))
        return made[0]

    monkeypatch.setattr("os.memfd_create", create_one)
    assert share_memory(MEBI, max_frame_bytes=MEBI) is None
    assert count_descriptors() == before


@needs_memfd
def test_large_arenas_lie_no_whole_number_of_gigabytes_apart():
    for asked in (DEFAULT_MAX_SHARED_BYTES, 2**24, 5000):
        pair = share_memory(asked, max_frame_bytes=MEBI)
        size = pair.memory.writer.arena.size
        assert 0 < size <= asked
        assert asked < shared_memory.MINIMUM_SKEWED_BYTES or size % 2**21
        pair.memory.close()

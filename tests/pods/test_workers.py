"""Several processes of one pod, that share its calls."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pypods.errors import PodDiedError, PodError

LoadPod = Callable[..., Any]

SOURCE = """
import os, time
_kept = []
def pid(): return os.getpid()
def nap(seconds):
    time.sleep(seconds)
    return os.getpid()
def keep(x): _kept.append(x)
def kept(): return list(_kept)
def die(): os._exit(4)
"""


@pytest.fixture(scope="module")
def loader(module_loader: LoadPod) -> Any:
    loader = module_loader(SOURCE, "crew", workers=3)
    loader.load_pod()
    return loader


def test_each_worker_is_a_process_of_its_own(loader):
    assert len(set(loader.pids)) == 3
    assert loader.pid == loader.pids[0]
    assert loader.state == "RUNNING"


def test_the_least_busy_takes_the_call(loader):
    pids: list[int] = []
    started = time.monotonic()
    threads = []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: pids.append(loader.pod.nap(1))))
        threads[-1].start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(30)
    assert sorted(pids) == sorted(loader.pids)
    assert time.monotonic() - started < 3 * 1  # One after the other would take that long.


def test_futures_spread_over_the_workers(loader):
    futures = [loader.pod.nap.submit(0.3) for _ in range(3)]
    assert {future.result(30) for future in futures} == set(loader.pids)


def test_sticky_keeps_to_one_worker(loader):
    with loader.sticky() as one:
        one.keep("mine")
        assert [one.kept() for _ in range(5)] == [["mine"]] * 5
        assert {one.pid() for _ in range(5)} <= set(loader.pids)
        assert f"pid={one.pid()}" in repr(one)


def test_sticky_blocks_at_the_same_time_have_a_worker_each(loader):
    """Also when none of them has called anything yet, as in threads that begin together."""
    with loader.sticky() as one, loader.sticky() as two, loader.sticky() as three:
        assert sorted(each.pid() for each in (one, two, three)) == sorted(loader.pids)
        with loader.sticky() as fourth:
            assert fourth.pid() in loader.pids
    with loader.sticky() as one, loader.sticky() as two:
        assert one.pid() != two.pid()


def test_one_that_died_is_started_anew_and_the_others_go_on(loader):
    before = set(loader.pids)
    with loader.sticky() as one:
        with pytest.raises(PodDiedError):
            one.die()
        assert "STOPPED" in repr(one)
        assert len(before & set(loader.pids)) == 2
        assert one.pid() not in before
    assert len(loader.pids) == 3


def test_one_that_was_killed_between_calls_is_replaced(loader):
    victim = loader.pids[0]
    os.kill(victim, signal.SIGKILL)
    while victim in loader.pids:
        time.sleep(0.01)
    assert len({loader.pod.pid() for _ in range(20)} | {victim}) >= 2
    with loader.sticky() as one:
        assert one.pid() != victim


def test_unloading_ends_them_all(bare_loader: LoadPod):
    loader = bare_loader(SOURCE, workers=2)
    loader.load_pod()
    pids = loader.pids
    loader.unload_pod()
    assert loader.state == "STOPPED"
    assert loader.pids == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(PodError, match="not loaded"):
        loader.session()


def test_sticky_loads_a_pod_that_is_not_loaded(bare_loader: LoadPod):
    with bare_loader(SOURCE).sticky() as one:
        assert one.kept() == []


@pytest.mark.parametrize("options", [{"workers": 0}, {"threads": -1}])
def test_numbers_that_cannot_be_are_refused(bare_loader: LoadPod, options):
    with pytest.raises(ValueError, match="or more, not"):
        bare_loader(SOURCE, **options)

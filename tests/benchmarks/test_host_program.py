"""A contestant that fails or hangs brings nothing down and leaves nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FAILING = """
from peer import BasePeer

class Peer(BasePeer):
    LACKS = {"stream": "has no streams"}
    def open(self):
        print("what a peer prints is no answer")
    def call(self, name, *args):
        raise ValueError("it does not work")
    def close(self):
        pass
"""
HANGING = """
import subprocess, sys, time
from peer import BasePeer

class Peer(BasePeer):
    def open(self):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
        time.sleep(600)
    def call(self, name, *args):
        pass
    def close(self):
        pass
"""


@pytest.fixture
def start(benchmarks, tmp_path):
    """Start a host program for a peer of this code."""
    import host_program

    started = []

    def start(code: str) -> host_program.HostProgram:
        path = tmp_path / "peer_in_test.py"
        path.write_text(code)
        program = host_program.HostProgram(
            path, Path(sys.executable), {"folder": str(tmp_path)}, {}, tmp_path / "log"
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.close()


def test_a_failure_is_a_reason_and_not_the_end(start):
    from host_program import AbsentError

    program = start(FAILING)
    assert program.ask({"measure": "ready"}, limit=20) == {}
    with pytest.raises(AbsentError, match="has no streams"):
        program.ask({"measure": "stream", "items": 1, "times": 1}, limit=20)
    with pytest.raises(AbsentError, match="ValueError: it does not work") as failed:
        program.ask({"measure": "nothing", "times": 1}, limit=20)
    assert not failed.value.is_gone
    assert program.ask({"measure": "ready"}, limit=20) == {}
    program.close()
    assert "what a peer prints is no answer" in program.log.read_text()


def test_who_is_not_done_in_time_is_ended_with_what_it_started(start):
    from host_program import AbsentError

    program = start(HANGING)
    with pytest.raises(AbsentError, match="was not done in 1 s") as failed:
        program.ask({"measure": "ready"}, limit=1)
    assert failed.value.is_gone
    assert list(program.find_processes()) == []

"""A pod's environment without requirements, made; beside uv's."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from axis import Axis, Bench, Comparison, Outcome
from processes import time_program, time_work
from rounds import divide, take_turns

from pypods.pods import PodFolder, create_pod_folder, ensure_environment
from pypods.pods.programs import find_uv
from pypods.pods.progress import SilentProgress

__all__ = ["AXIS"]

UV, CALL, PROGRAM = "uv venv, whole process", "ensure_environment(), a call", "whole program"
_PROGRAM = """
import sys
from pypods.pods import create_pod_folder, ensure_environment
ensure_environment(create_pod_folder(sys.argv[1], pods_directory=sys.argv[2], python=sys.argv[3]))
"""


def measure(bench: Bench) -> Outcome:
    """Measure as a call in this process, which has virtualenv imported, and as a whole program."""
    uv = find_uv()
    if uv is None:
        raise SystemExit("this axis compares with uv, which is not here")
    pods, venvs = bench.folder / "pods", bench.folder / "venvs"
    number = count()

    def make_pod() -> PodFolder:
        return create_pod_folder(f"made_{next(number)}", pods_directory=pods, python=bench.python)

    def make_environment() -> list[float]:
        folder = make_pod()  # Not counted.
        return time_work(lambda: ensure_environment(folder, progress=SilentProgress()))()

    def uv_words() -> list[str | Path]:
        where = venvs / str(next(number))
        return [uv, "venv", "--quiet", "--no-project", "--python", bench.python, where]

    def program_words() -> list[str | Path]:
        return [sys.executable, "-c", _PROGRAM, f"made_{next(number)}", pods, bench.python]

    contestants = {
        UV: time_program(uv_words),
        CALL: make_environment,
        PROGRAM: time_program(program_words),
    }
    take_turns(contestants, rounds=1)  # Both remember what they learn of an interpreter.
    bench.say("making environments in turns")
    series = take_turns(contestants, rounds=bench.choose(30, 2))
    return Outcome(
        series,
        (
            Comparison(f"{CALL} / {UV}", divide(series[CALL], series[UV]), "times", 1.0),
            Comparison(f"{PROGRAM} / {UV}", divide(series[PROGRAM], series[UV]), "times", 1.0),
        ),
    )


AXIS = Axis("environment", "An environment without requirements", measure)

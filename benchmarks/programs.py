"""Whole programs that use pypods, imports included; beside a bare interpreter's and uv's."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from axis import Axis, Bench, Comparison, Outcome, Place
from processes import time_program
from roster import FLOOR, OURS
from rounds import divide, subtract, take_turns

from pypods.pods import PodLoader, create_pod_folder
from pypods.pods.programs import find_uv

__all__ = ["AXIS"]

POD = "start_pod"
CODE = "def nothing():\n    return None\n"
BARE, START = "python -c pass, the pod's", "load a pod and call it"
UV, MAKE = "uv venv", "make an empty environment"
_START = """
import sys
from pypods.pods import PodLoader
with PodLoader(sys.argv[1], pods_directory=sys.argv[2]) as pod:
    pod.nothing()
"""
_MAKE = """
import sys
from pypods.pods import create_pod_folder, ensure_environment
ensure_environment(create_pod_folder(sys.argv[1], pods_directory=sys.argv[2], python=sys.argv[3]))
"""


def measure(bench: Bench) -> Outcome:
    """Measure each as a new process of the host's interpreter, from its start to its end."""
    uv = find_uv()
    if uv is None:
        raise SystemExit("this axis compares with uv, which is not here")
    pods, venvs = bench.folder / "pods", bench.folder / "venvs"
    folder = create_pod_folder(POD, pods_directory=pods, python=bench.python)
    folder.pod_file.write_text(CODE, encoding="utf-8")
    with PodLoader(POD, pods_directory=pods) as pod:
        pod.nothing()  # Makes the environment.
    number = count()

    def uv_words() -> list[str | Path]:
        where = venvs / str(next(number))
        return [uv, "venv", "--quiet", "--no-project", "--python", bench.python, where]

    def make_words() -> list[str | Path]:
        return [sys.executable, "-c", _MAKE, f"made_{next(number)}", pods, bench.python]

    contestants = {
        BARE: time_program([folder.venv_python, "-c", "pass"]),
        START: time_program([sys.executable, "-c", _START, POD, pods]),
        UV: time_program(uv_words),
        MAKE: time_program(make_words),
    }
    take_turns(contestants, rounds=1)
    series = take_turns(contestants, rounds=bench.choose(20, 2))
    return Outcome(
        series,
        (
            Comparison(f"{START} - {BARE}", subtract(series[START], series[BARE]), "seconds"),
            Comparison(f"{MAKE} / {UV}", divide(series[MAKE], series[UV]), "times"),
        ),
        places={
            name: Place(name, FLOOR if name in (BARE, UV) else OURS, "") for name in contestants
        },
    )


AXIS = Axis(
    "programs",
    "Whole programs, imports included",
    measure,
    "A program that loads a pod, calls it and ends; and one that makes an empty environment. Each "
    "is a new process, from start to end. Floors: a bare interpreter of the pod, and `uv venv`.",
)

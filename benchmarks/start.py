"""From nothing to a pod's first result, its environment being there; beside a bare interpreter."""

from __future__ import annotations

import sys

from axis import Axis, Bench, Comparison, Outcome
from processes import time_program, time_work
from rounds import subtract, take_turns

from pypods.pods import PodLoader, create_pod_folder

__all__ = ["AXIS"]

POD = "start_pod"
CODE = "def nothing():\n    return None\n"
BARE, LOADED, PROGRAM = "python -c pass, the pod's", "load_pod() and first call", "whole program"
_PROGRAM = """
import sys
from pypods.pods import PodLoader
with PodLoader(sys.argv[1], pods_directory=sys.argv[2]) as pod:
    pod.nothing()
"""


def measure(bench: Bench) -> Outcome:
    """Measure in this process, which has pypods imported, and as a whole program."""
    folder = create_pod_folder(POD, pods_directory=bench.folder / "pods", python=bench.python)
    folder.pod_file.write_text(CODE, encoding="utf-8")
    loaders: list[PodLoader] = []

    def load() -> None:
        loaders.append(PodLoader(POD, pods_directory=folder.path.parent))
        loaders[-1].load_pod().nothing()

    def load_then_unload() -> list[float]:
        seconds = time_work(load)()
        loaders.pop().unload_pod()  # Not counted.
        return seconds

    contestants = {
        BARE: time_program([folder.venv_python, "-c", "pass"]),
        LOADED: load_then_unload,
        PROGRAM: time_program([sys.executable, "-c", _PROGRAM, POD, folder.path.parent]),
    }
    load_then_unload()  # Makes the environment.
    bench.say("starting in turns")
    series = take_turns(contestants, rounds=bench.choose(40, 3))
    return Outcome(
        series,
        (
            Comparison(
                f"{LOADED} - {BARE}", subtract(series[LOADED], series[BARE]), "seconds", 0.060
            ),
            Comparison(f"{PROGRAM} - {BARE}", subtract(series[PROGRAM], series[BARE]), "seconds"),
        ),
    )


AXIS = Axis("start", "Start of a pod to its first result, its environment being there", measure)

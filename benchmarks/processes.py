"""Whole programs and how long each takes, from start to end; nothing of what they do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from rounds import Contestant

__all__ = ["plain_variables", "run_program", "time_program", "time_work"]


def plain_variables() -> dict[str, str]:
    """Return our variables without Python's: no modules of ours, nothing that forbids a cache."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run_program(words: Sequence[str | Path], *, variables: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed; its failure is ours."""
    done = subprocess.run(
        [os.fspath(word) for word in words],
        env={**plain_variables(), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def time_program(
    words: Sequence[str | Path] | Callable[[], Sequence[str | Path]], *, times: int = 1
) -> Contestant:
    """Return a contestant that runs a program; a function gives each run words of its own."""

    def run() -> None:
        run_program(words() if callable(words) else words)

    return time_work(run, times=times)


def time_work(work: Callable[[], object], *, times: int = 1) -> Contestant:
    """Return a contestant that calls a function."""

    def contestant() -> list[float]:
        seconds = []
        for _ in range(times):
            began = perf_counter()
            work()
            seconds.append(perf_counter() - began)
        return seconds

    return contestant

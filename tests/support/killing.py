"""A run, or its finish, whose target's worker is killed again and again, until it is done."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from pypods import PodCallError, PodDiedError
from pypods.pods import PodLoader

#: The latest moment of the first kill.
FIRST_SECONDS = 0.1


def write_while_killed(
    loader: PodLoader,
    place: dict[str, Any],
    stream: str,
    rows: pa.Table,
    *,
    mode: str,
    key: list[str],
    kills: int,
    more_seconds: float,
    batch_rows: int,
    position: tuple[str, ...] = (),
) -> str:
    """Write the rows in one run, and return what the moments of the kills were drawn from.

    Each kill may be so many seconds later than the one before: else the run would never end.
    """
    seed = f"seed {random.randrange(10**6)}"
    drawn = random.Random(seed)
    killed = done = 0
    while True:
        pod: Any = loader.load_pod()
        pod.check(place)  # So that there is a worker again.
        latest = FIRST_SECONDS + more_seconds * killed
        timer = threading.Timer(drawn.uniform(0, latest), os.kill, (loader.pid, signal.SIGKILL))
        if killed < kills:
            timer.start()
        try:
            prepared = pod.prepare(place, stream, rows.schema, mode=mode, key=key, run="r")
            if not prepared["finished"]:
                part = prepared["parts"].get("0", {"rows": 0, "position": []})
                assert part["rows"] >= done, f"{seed}: rows were lost"
                done = part["rows"]
                if done:
                    last = [rows[name][done - 1].as_py() for name in position]
                    assert list(part["position"]) == last, seed
                batches = rows.slice(done).to_batches(max_chunksize=batch_rows)
                pod.write(
                    place, stream, iter(batches), run="r", position=list(position),
                    attempt=prepared["attempt"],
                )  # fmt: skip
            finished = pod.finish(place, stream, run="r", rows=rows.num_rows)
            break
        except PodDiedError:
            killed += 1
        except PodCallError as exc:
            pytest.fail(f"{seed}, after {killed} kills: {exc}")
        finally:
            timer.cancel()
            if timer.is_alive():
                timer.join()
    assert finished["rows"] == rows.num_rows, seed
    return seed


def finish_while_killed(
    loader: PodLoader,
    server: Any,
    place: dict[str, Any],
    *,
    rows: int,
    first: int,
    step: int,
    meanwhile: Callable[[int], object] | None = None,
) -> int:
    """Finish run "r" of "t", and return how often the worker was killed before that went well.

    The server kills it after ``first`` statements, then each time after ``step`` more.
    ``meanwhile`` is called after each kill, with how many there were.
    """
    kills = 0
    while True:
        pod: Any = loader.load_pod()
        pod.check(place)  # So that there is a worker again.
        server.kill_after(loader.pid, first + step * kills)
        try:
            pod.finish(place, "t", run="r", rows=rows)
            break
        except PodDiedError:
            kills += 1
        if meanwhile is not None:
            server.spare()
            meanwhile(kills)
    server.spare()
    return kills


def rows_after(mode: str, old: pa.Table, new: pa.Table) -> list[dict[str, Any]]:
    """Return, in their order, the rows of a target that had some, and were written others."""
    written = {row["id"] for row in new.to_pylist()}
    kept = [row for row in old.to_pylist() if mode == "append" or row["id"] not in written]
    return in_order([*([] if mode == "replace" else kept), *new.to_pylist()])


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows sorted by all that they have."""
    return sorted(rows, key=lambda row: (row["id"], row["text"]))

"""Checks of what must not happen: half a target, a row twice, a name that becomes a statement."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

from pypods.conformance.check import check, demand
from pypods.conformance.reading import filled, numbered
from pypods.conformance.subject import Subject, expect_error, in_batches, rows_of, sorted_rows
from pypods.errors import PodCallError, PodDiedError

ODD_NAMES = [
    "two words", "UPPER", "Mixed Case", "select", "order", "ünï 漢", 'quo"te', "quo'te",
    "back`tick", "dot.ted", "per%cent", "que?stion", "co:lon", "dollar$1", "semi;colon",
    "--dash", "/* */", "brack[et]", "back\\slash", "1st", "a" * 50,
]  # fmt: skip
INJECTIONS = [
    '"; drop table canary; --', "'; drop table canary; --", "1); drop table canary; --",
    "`; drop table canary; --", "x' or '1'='1", '" or 1=1 --', "\\'; drop table canary; --",
    "$1", "%s", ":1", "?", "{0}",
]  # fmt: skip


@check("keeps odd names of columns and tables", "write", "read")
def check_names(subject: Subject) -> None:
    """Spaces, quotes, dots, reserved words and other alphabets are names like any other.

    A system that has some characters in no name at all says which, and refuses those; so does one
    whose streams have nothing but letters, digits and underscores in their names.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    refused = subject.capabilities.get("refused_in_names") or []
    names = [name for name in ODD_NAMES if not any(each in name for each in refused)]
    for name in set(ODD_NAMES) - set(names):
        odd = pa.schema([(name, pa.int64())])
        with expect_error("SchemaError", doing=f"a column {name!r}"):
            subject.fill(subject.scratch.new_stream(), odd.empty_table())
    table = pa.table({name: [number] for number, name in enumerate(names)})
    stream = filled(subject, table)
    got = subject.read(stream)
    demand(got.schema.names == names, f"the columns became {got.schema.names}")
    demand(rows_of(got) == rows_of(table), "the values of odd columns are others")
    for number, name in enumerate(names):
        if subject.offers("where"):
            found = subject.rows(stream, columns=[name], where=[[name, "=", number]])
            demand(found == [(number,)], f"a condition on {name!r} found {found}")
        if subject.offers("order"):
            found = subject.rows(stream, columns=[name], order_by=[name], after=[number - 1])
            demand(found == [(number,)], f"after, by {name!r}, found {found}")
    for name in names:
        odd = subject.scratch.new_stream(name)
        if plain_name(subject, name) != name:
            with expect_error("SettingsError", doing=f"a stream {name!r}"):
                subject.fill(odd, numbered(3), mode=subject.capabilities["write"][0])
            continue
        subject.fill(odd, numbered(3), mode=subject.capabilities["write"][0])
        demand(len(subject.rows(odd)) == 3, f"a stream {name!r} has other rows")
    # All of it in one, in every mode.
    odd = subject.scratch.new_stream(plain_name(subject, allowed(subject, "q'u\"o.t;e %s ?")))
    key, value = allowed(subject, "k'e\"y%s"), allowed(subject, "v.a?l $1")
    both = pa.table({key: [1, 2], value: [3, 4]})
    for mode in subject.capabilities["write"]:
        subject.fill(odd, both, mode=mode, key=[key])
        added = allowed(subject, f"a'd\"d {mode}")
        more = pa.table({key: [2], value: [5], added: [6]})
        subject.fill(odd, more, mode=mode, key=[key])


def allowed(subject: Subject, name: str) -> str:
    """Return a name without what the system has in none."""
    for each in subject.capabilities.get("refused_in_names") or []:
        name = name.replace(each, "")
    return name


def plain_name(subject: Subject, name: str) -> str:
    """Return a stream's name, in letters, digits and underscores if the system has no others."""
    if not subject.capabilities.get("plain_stream_names"):
        return name
    return re.sub(r"\W", "_", name, flags=re.ASCII)


@check("executes nothing that stands in a name or a value", "write", "read")
def check_injection(subject: Subject) -> None:
    """Statements in names, values, keys, runs and partitions are just text."""
    canary = subject.scratch.new_stream("canary")
    subject.fill(canary, numbered(3), mode=subject.capabilities["write"][0])
    stream = filled(subject, numbered(10))
    pod, connection = subject.pod, subject.connection
    for text in INJECTIONS:
        calls: list[Any] = [
            lambda text=text: list(pod.read(connection, [*stream[:-1], text])),
            lambda text=text: list(pod.read(connection, text)),
            lambda text=text: list(pod.read(connection, stream, columns=[text])),
            lambda text=text: list(pod.read(connection, stream, order_by=[text])),
            lambda text=text: list(pod.read(connection, stream, where=[[text, "=", 1]])),
            lambda text=text: list(pod.read(connection, stream, where=[["id", text, 1]])),
            lambda text=text: list(pod.read(connection, stream, where=[["id", "=", text]])),
            lambda text=text: list(pod.read(connection, stream, limit=text)),
            lambda text=text: list(pod.read(connection, stream, partition={"from": text})),
            lambda text=text: list(
                pod.read(
                    connection,
                    stream,
                    partition={"snapshot": text, "from_page": 0, "to_page": 1, "stable": False},
                )
            ),
            lambda text=text: pod.partitions(connection, [*stream[:-1], text], 2),
            lambda text=text: pod.schema(connection, [*stream[:-1], text]),
            lambda text=text: pod.truncate(connection, [*stream[:-1], text]),
            lambda text=text: subject.fill(stream, numbered(1), mode="append", key=[text]),
        ]
        for number, call in enumerate(calls):
            try:
                call()
            except PodCallError as exc:
                demand(
                    exc.type_name.startswith("pypods.connectors.errors."),
                    f"{text!r} in place {number} raised {exc.type_name}: {exc}",
                )
            else:
                demand(False, f"{text!r} in place {number} was taken")
        if subject.offers("where"):
            found = subject.rows(stream, where=[["name", "=", text]])
            demand(found == [], f"the value {text!r} found {len(found)} rows")
        _write_with(subject, text)
    demand(len(subject.rows(canary)) == 3, "the canary has other rows")
    demand(len(subject.rows(stream)) == 10, "the stream has other rows")


def _write_with(subject: Subject, text: str) -> None:
    """Write with that text as the run, the part, the cursor, a value and a position."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    other = subject.scratch.new_stream(plain_name(subject, "written with odd texts"))
    table = pa.table({"text": [text], allowed(subject, text[:40]): [text]})
    mode = subject.capabilities["write"][0]
    if subject.is_there(other):
        mode = "replace" if subject.offers("write:replace") else mode
    run = f"{text} {subject.new_run()}"
    subject.prepare(other, table.schema, mode=mode, key=(), run=run)
    subject.pod.write(
        subject.connection, other, iter(table.to_batches()), run=run, part=text, position=["text"]
    )
    parts = subject.prepare(other, table.schema, mode=mode, key=(), run=run)["parts"]
    demand(parts[text]["position"] == [text], f"{text!r} as a part: {parts}")
    subject.pod.finish(subject.connection, other, run=run, cursor=text, rows=1)
    demand(subject.pod.state(subject.connection, other)["cursor"] == text, f"{text!r} as a cursor")
    found = subject.rows(other, columns=["text"], where=[["text", "=", text]])
    demand(found[-1:] == [(text,)], f"{text!r} as a value became {found}")


@check("leaves the target as it was after a failure in the middle", "write:replace", "atomic")
def check_failure(subject: Subject) -> None:
    """A source that fails changes nothing, and abandon leaves nothing."""
    stream = subject.scratch.new_stream()
    subject.fill(stream, numbered(7), mode="replace", key=["id"])
    before, names = sorted_rows(subject.rows(stream)), subject.names()
    for mode in subject.capabilities["write"]:
        run = subject.new_run()

        def broken() -> Iterator[Any]:
            yield from in_batches(numbered(40), 10)
            raise ValueError("the source is gone")

        subject.prepare(stream, numbered(0).schema, mode=mode, key=["id"], run=run)
        try:
            subject.pod.write(subject.connection, stream, broken(), run=run)
        except Exception as exc:  # noqa: BLE001 - whatever class it comes back as
            demand("the source is gone" in str(exc), f"{mode}: the error is {exc}")
        else:
            demand(False, f"{mode}: the source's failure was not raised")
        now = sorted_rows(subject.rows(stream))
        demand(now == before, f"{mode}: the target has changed before finish")
        with expect_error("ConflictError", doing="finishing with other rows than there must be"):
            subject.pod.finish(subject.connection, stream, run=run, rows=1000)
        now = sorted_rows(subject.rows(stream))
        demand(now == before, f"{mode}: a finish that failed changed the target")
        subject.pod.abandon(subject.connection, stream, run=run)
        subject.pod.abandon(subject.connection, stream, run=run)
        now = sorted_rows(subject.rows(stream))
        demand(now == before, f"{mode}: abandon changed the target")
        demand(subject.names() == names, f"{mode}: left behind: {subject.names() - names}")


@check("goes on after a kill in the middle, each row once", "write", "resume")
def check_kill(subject: Subject) -> None:
    """The worker is killed at several places; the run is prepared again and goes on."""
    table = numbered(1000)
    size = 50
    for mode in subject.capabilities["write"]:
        stream, run = subject.scratch.new_stream(), subject.new_run()
        kills = iter((0, 1, 7))
        for _ in range(6):
            prepared = subject.prepare(stream, table.schema, mode=mode, key=["id"], run=run)
            done = prepared["parts"].get("0", {"rows": 0, "batches": 0, "position": []})
            demand(done["rows"] % size == 0, f"{mode}: {done['rows']} rows are no whole batches")
            if done["rows"]:
                demand(done["position"] == [done["rows"] - 1], f"{mode}: the checkpoint is {done}")
            left = table.slice(done["rows"])
            after = next(kills, None)
            try:
                subject.pod.write(
                    subject.connection, stream, _killing(subject, in_batches(left, size), after),
                    run=run, position=["id"], attempt=prepared["attempt"],
                )  # fmt: skip
            except PodDiedError:
                if subject.offers("atomic"):
                    demand(not subject.is_there(stream), f"{mode}: half a run is to be seen")
                continue
            break
        subject.pod.finish(subject.connection, stream, run=run, rows=1000)
        demand(
            sorted_rows(subject.rows(stream)) == sorted_rows(rows_of(table)),
            f"{mode}: after three kills there are {len(subject.rows(stream))} rows",
        )


def _killing(subject: Subject, batches: Iterator[Any], after: int | None) -> Iterator[Any]:
    for number, batch in enumerate(batches):
        if number == after:
            os.kill(subject.loader.pid, signal.SIGKILL)
        yield batch


@check("refuses an attempt that was overtaken", "write", "resume")
def check_overtaken(subject: Subject) -> None:
    """Once a run was prepared again, the writer before adds nothing."""
    stream, run = subject.scratch.new_stream(), subject.new_run()
    table, mode = numbered(40), subject.capabilities["write"][0]
    ask = {"mode": mode, "key": (), "run": run}
    attempt = subject.prepare(stream, table.schema, **ask)["attempt"]

    def overtaken() -> Iterator[Any]:
        for number, batch in enumerate(in_batches(table, 10)):
            if number == 2:
                subject.prepare(stream, table.schema, **ask)
            yield batch

    with expect_error("ConflictError", doing="writing on after another attempt was prepared"):
        subject.pod.write(subject.connection, stream, overtaken(), run=run, attempt=attempt)
    prepared = subject.prepare(stream, table.schema, **ask)
    rows = prepared["parts"].get("0", {"rows": 0})["rows"]
    demand(rows <= 20, f"{rows} rows were written, and 20 at the most may be")
    subject.pod.write(
        subject.connection, stream, in_batches(table.slice(rows), 10), run=run,
        attempt=prepared["attempt"],
    )  # fmt: skip
    subject.pod.finish(subject.connection, stream, run=run, rows=40)
    demand(sorted_rows(subject.rows(stream)) == sorted_rows(rows_of(table)), "other rows")
    with expect_error("ConflictError", "SettingsError", doing="a run with another schema"):
        subject.prepare(stream, table.schema, **{**ask, "run": run + " b"})
        subject.prepare(stream, table.select(["id"]).schema, **{**ask, "run": run + " b"})

"""Rows moved by the integrator from a web service into tables, and from tables into one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pytest

from pypods.errors import IntegrationError
from pypods.integrator import Integration, Integrator, Memory, Operation, Source, Target

AT = "2026-01-01T00:{:02}:{:02}Z"
ORDERS = [
    {"id": n, "at": AT.format(n // 60, n % 60), "total": n + 0.25, "lines": [{"n": n}]}
    for n in range(250)
]


@pytest.fixture
def integrator(load_connector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_connector("sqlite")
    one = Integrator(pods_directory=load_connector("rest").folder.path.parent)
    yield one
    one.history.close()


class Orders:
    """A service that gives orders in pages and takes them, each request once."""

    def __init__(self):
        self.orders = list(ORDERS)
        self.taken = []
        self.answers = {}
        self.asked = []
        self.failing = {}

    def __call__(self, asked):
        self.asked.append(asked)
        trouble = self.failing.pop(len(self.asked), None)
        if trouble is not None:
            return trouble(asked)
        if asked.method == "GET":
            since = asked.query.get("since", "")
            rows = [each for each in self.orders if each["at"] >= since[:19]]
            start = int(asked.query.get("page", 0)) * 100
            more = start + 100 < len(rows)
            page = {"orders": rows[start : start + 100], "next": None}
            if more:
                page["next"] = f"{asked.path}?page={start // 100 + 1}&since={since}"
            return 200, page
        key = asked.headers["Idempotency-Key"]
        if key not in self.answers:
            self.taken += json.loads(asked.body)
            self.answers[key] = 201, {}
        return self.answers[key]


@pytest.fixture
def orders(server):
    server.answer = Orders()
    return server.answer


def endpoint(**more):
    return {
        "path": "/orders", "records": "orders", "key": ["id"], "sorted_by": ["at", "id"],
        "schema": {
            "id": "int64 not null", "at": "timestamp(us, UTC)", "total": "float64", "lines": "json",
        },
        "where": {"at >=": "since"}, "pagination": {"kind": "next", "url": "next"}, **more,
    }  # fmt: skip


def connection(server, **more):
    return {"base_url": server.url, "retries": 0, "backoff": 0.001,
            "endpoints": {"orders": endpoint(**more)}}  # fmt: skip


def operation(source, target, **settings):
    settings.setdefault("retries", {"seconds": 0.01})
    one = Integration.model_validate(
        {"name": "orders", "source": source, "target": target, **settings}
    )
    return Operation(name="web", integrations=[one])


def table_of(load_connector, connection, stream="orders"):
    pod = load_connector("sqlite").load_pod()
    return pod.read(connection, stream, order_by=["id"])


def test_from_a_service_into_a_table_and_what_is_new(
    integrator, server, orders, load_connector, tmp_path
):
    place = {"database": str(tmp_path / "orders.db")}
    work = operation(
        {"connector": "rest", "connection": connection(server), "stream": "orders"},
        {"connector": "sqlite", "connection": place, "stream": "orders"},
        mode="upsert", key=["id"], cursor="at",
    )  # fmt: skip
    # The second page is not there at first: what is staged is gone on with.
    orders.failing = {3: lambda asked: (500, {"message": "not now"})}
    report = integrator.integrate(work)
    (one,) = report.integrations
    assert (one.rows_written, one.retries) == (250, 1)
    orders.orders[10] = {**ORDERS[10], "total": -1.0}
    orders.orders += [{"id": 250, "at": AT.format(5, 0), "total": 1.0, "lines": None}]
    asked = len(orders.asked)
    report = integrator.integrate(work)
    # The last row is read again, as others may have its time.
    assert report.integrations[0].rows_written == 2
    assert [unquote(each.query["since"]) for each in orders.asked[asked:] if each.query] == [
        "2026-01-01T00:04:09.000000Z"
    ]
    rows = [row for each in table_of(load_connector, place) for row in pa.table(each).to_pylist()]
    assert [row["id"] for row in rows] == list(range(251))
    assert (rows[10]["total"], rows[250]["total"]) == (10.25, 1.0)
    assert json.loads(rows[3]["lines"]) == [{"n": 3}]


def test_from_a_service_into_memory_verified(integrator, server, orders):
    memory = Memory()
    source = Source(connector="rest", connection=connection(server), stream="orders",
                    where=[["id", "<", 120]], renames={"at": "moment"})  # fmt: skip
    target = Target(connector="memory", memory=memory, stream="orders")
    work = Operation(
        name="web",
        integrations=[Integration(name="orders", source=source, target=target, mode="replace")],
    )
    report = integrator.integrate(work)
    assert report.integrations[0].rows_written == 120
    table = memory.tables["orders"]
    assert table.column_names == ["id", "moment", "total", "lines"]
    assert table["id"].to_pylist() == list(range(120))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_from_a_table_into_a_service_each_row_once_after_a_kill(
    integrator, server, orders, load_connector, tmp_path
):
    """The connector is killed while a request is under way: it is sent again, and taken once."""
    place = {"database": str(tmp_path / "orders.db")}
    sqlite = load_connector("sqlite").load_pod()
    rows = pa.table({"id": list(range(200)), "total": [n / 4 for n in range(200)]})
    sqlite.write_all(place, "orders", rows, mode="replace", key=["id"])
    target = connection(server, write={"rows_per_request": 20}, schema={
        "id": "int64", "total": "float64",
    }, sorted_by=[], where={})  # fmt: skip
    target["ledger"] = str(tmp_path / "ledger")
    pids = []

    def kill(asked):
        taken = orders(asked)
        pids.append(process_at(asked.handler.client_address[1]))
        os.kill(pids[0], signal.SIGKILL)
        return taken

    # One request of check, and then the fifth of twenty rows.
    orders.failing = {6: kill}
    report = integrator.integrate(
        operation(
            {"connector": "sqlite", "connection": place, "stream": "orders"},
            {"connector": "rest", "connection": target, "stream": "orders"},
            mode="append", batch_rows=50,
        )
    )  # fmt: skip
    assert report.integrations[0].rows_written == 200
    assert len(pids) == 1
    assert orders.taken == rows.to_pylist()
    assert len(orders.answers) == 10
    assert sum(each.method == "POST" for each in orders.asked) >= 11


def test_what_was_sent_is_not_sent_again_where_nobody_knows_how_far_it_came(
    integrator, server, orders, load_connector, tmp_path
):
    """Without a key the rows would have to begin anew; but they cannot be taken back."""
    place = {"database": str(tmp_path / "orders.db")}
    rows = pa.table({"id": list(range(100)), "total": [0.5] * 100})
    load_connector("sqlite").load_pod().write_all(place, "orders", rows, mode="replace")
    target = connection(server, write={"rows_per_request": 20}, schema={
        "id": "int64", "total": "float64",
    }, sorted_by=[], where={})  # fmt: skip
    target["ledger"] = str(tmp_path / "ledger")
    orders.failing = {4: lambda asked: (500, {})}
    with pytest.raises(IntegrationError, match="has sent 40 rows, which cannot be taken back"):
        integrator.integrate(
            operation(
                {"connector": "sqlite", "connection": place, "stream": "orders"},
                {"connector": "rest", "connection": target, "stream": "orders"},
                mode="append", batch_rows=20,
            )
        )  # fmt: skip
    assert [row["id"] for row in orders.taken] == list(range(40))


def process_at(port):
    """Return the process that has the connection from that port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inode = next(each.split()[9] for each in lines if each.split()[1].endswith(f":{port:04X}"))
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = [str(each.readlink()) for each in (folder / "fd").iterdir()]
            if f"socket:[{inode}]" in links:
                return int(folder.name)
    raise AssertionError("nobody has that connection")

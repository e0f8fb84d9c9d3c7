"""Whole operations, from queues and into stores."""

from __future__ import annotations

import json
import sqlite3

import pytest

from pypods.integrator import Integration, Integrator, Memory, Operation, Source, Target


@pytest.fixture
def integrator(load_connector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [load_connector(name).folder.path for name in ("kafka", "redis", "sqlite")]
    made = Integrator(pods_directory=folders[0].parent)
    yield made
    made.history.close()


def move(integrator, source, target, **options):
    integration = Integration(name="one", source=source, target=target, **options)
    report = integrator.integrate(Operation(name="test", integrations=[integration]))
    return report.integrations[0]


def produce(kafka, topic, numbers):
    kafka.pod.produce(
        topic,
        [
            {"value": json.dumps({"id": n, "name": f"name {n}"}).encode(), "partition": n % 3}
            for n in numbers
        ],
    )


def rows_of(path, text):
    database = sqlite3.connect(path)
    rows = database.execute(text).fetchall()
    database.close()
    return rows


def test_a_topic_is_followed_into_a_database(integrator, kafka, prefix):
    """Each run brings what came since the one before, none twice and none not."""
    columns = {"id": "int64", "name": "utf8"}
    source = Source(
        connector="kafka", connection={**kafka.place, "columns": columns}, stream=prefix
    )
    target = Target(connector="sqlite", connection={"database": "t.db"}, stream="t")
    follow = {
        "mode": "upsert", "key": ["kafka_partition", "kafka_offset"], "cursor": "kafka_offsets",
    }  # fmt: skip
    produce(kafka, prefix, range(30))
    chosen = source.model_copy(
        update={"columns": ["id", "name", "kafka_partition", "kafka_offset", "kafka_offsets"]}
    )
    assert move(integrator, chosen, target, **follow).rows_written == 30
    assert move(integrator, chosen, target, **follow).rows_written == 0
    produce(kafka, prefix, range(30, 37))
    assert move(integrator, chosen, target, **follow).rows_written == 7
    rows = rows_of("t.db", "select id, name from t order by id")
    assert rows == [(n, f"name {n}") for n in range(37)]


def test_a_topic_is_read_side_by_side_into_memory(integrator, kafka, prefix):
    produce(kafka, prefix, range(50))
    place = {**kafka.place, "columns": {"id": "int64"}, "metadata": False}
    memory = Memory()
    done = move(
        integrator, Source(connector="kafka", connection=place, stream=prefix),
        Target(connector="memory", memory=memory, stream="t"), process_count=2,
    )  # fmt: skip
    assert done.rows_written == 50
    assert sorted(memory.tables["t"].column("id").to_pylist()) == list(range(50))


def test_a_table_becomes_hashes(integrator, redis_keys):
    database = sqlite3.connect("shop.db")
    database.execute("create table c (id integer primary key, name text, price decimal(9,2))")
    database.executemany(
        "insert into c values (?, ?, ?)",
        [(n, f"name {n}" if n % 3 else None, n / 4) for n in range(200)],
    )
    database.commit()
    database.close()
    source = Source(connector="sqlite", connection={"database": "shop.db"}, stream="c")
    target = Target(
        connector="redis", connection={**redis_keys.place, "key_column": ""},
        stream=f"{redis_keys.prefix}:c:*",
    )  # fmt: skip
    integration = Integration(name="one", source=source, target=target, mode="upsert", key=["id"])
    operation = Operation(name="test", integrations=[integration])
    report = integrator.integrate(operation, verify=True).integrations[0]
    assert report.rows_written == 200
    # An upsert adds to what is there; here nothing was.
    back = Memory()
    place = {**redis_keys.place, "key_column": ""}
    again = Source(connector="redis", connection=place, stream=target.stream)
    move(integrator, again, Target(connector="memory", memory=back, stream="t"))
    rows = sorted(back.tables["t"].to_pylist(), key=lambda row: row["id"])
    assert [(row["id"], row["name"], float(row["price"])) for row in rows] == [
        (n, f"name {n}" if n % 3 else None, n / 4) for n in range(200)
    ]

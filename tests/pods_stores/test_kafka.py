"""What is Kafka's own: what messages have, where reading goes on, who gets in."""

from __future__ import annotations

import datetime as dt
import json
import socketserver
import struct
import threading

import pyarrow as pa
import pytest
from pod_rows import is_error
from pod_rows import rows_of as read

from pypods import PodCallError

SECRET = "swordfish of the tests"


@pytest.fixture
def pod(load_connector):
    return load_connector("kafka").load_pod()


@pytest.fixture
def topic(prefix):
    return prefix


def test_a_message_is_a_row(pod, kafka, topic):
    place = {**kafka.place, "format": "binary"}
    kafka.pod.produce(
        topic,
        [
            {"value": b"\xff\0", "key": b"k", "headers": [["h", b"1"], ["h", b"2"]],
             "partition": 1, "timestamp": 1700000000123},
            {"value": None, "key": b"gone", "partition": 0},
        ],
    )  # fmt: skip
    rows = read(pod, place, topic, order_by=["partition", "offset"])
    assert [(row["partition"], row["key"], row["value"]) for row in rows] == [
        (0, b"gone", None), (1, b"k", b"\xff\0"),
    ]  # fmt: skip
    assert rows[0]["headers"] == []
    assert rows[1]["headers"] == [{"name": "h", "value": b"1"}, {"name": "h", "value": b"2"}]
    at = dt.datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=dt.UTC)
    assert rows[1]["timestamp"] == at
    assert pod.schema(place, topic)["key"] == ["partition", "offset"]
    with pytest.raises(PodCallError, match=r"offset \d+ of partition 1 .* is no UTF-8") as caught:
        read(pod, {**place, "format": "text"}, topic)
    assert is_error(caught, "DataError")
    assert {"name": topic, "kind": "topic", "rows": None} in pod.streams(place)


def test_json_is_read_as_declared_or_as_it_is(pod, kafka, topic):
    values = ['{"id": 1, "price": 12.50, "at": "2024-01-02T03:04:05Z", "more": {"a": [1]}}', "null"]
    kafka.pod.produce(topic, [{"value": each.encode(), "partition": 0} for each in values])
    place = {**kafka.place, "metadata": False}
    assert [row["value"] and json.loads(row["value"])["id"] for row in read(pod, place, topic)] == [
        1, None,
    ]  # fmt: skip
    columns = {"id": "int64", "price": "decimal(9,2)", "at": "timestamp(us, UTC)", "more": "json"}
    rows = read(pod, {**place, "columns": columns}, topic)
    assert str(rows[0]["price"]) == "12.50"
    assert rows[0]["at"] == dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert json.loads(rows[0]["more"]) == {"a": [1]}
    assert rows[1] == dict.fromkeys(columns)
    kafka.pod.produce(topic, [{"value": b"[1]", "partition": 0}])
    with pytest.raises(PodCallError, match="has to be an object") as caught:
        read(pod, {**place, "columns": columns}, topic)
    assert is_error(caught, "DataError")


def test_reading_goes_on_exactly_after_the_offsets_of_a_row(pod, kafka, topic):
    place = {**kafka.place, "format": "text"}

    def produce(*texts):
        messages = [{"value": text.encode(), "partition": n % 3} for n, text in enumerate(texts)]
        kafka.pod.produce(topic, messages)

    produce(*"abcdef")
    order = ["offsets", "partition", "offset"]
    rows = read(pod, place, topic, order_by=order)
    assert sorted(row["value"] for row in rows) == list("abcdef")
    assert [row["offsets"] for row in rows] == sorted(row["offsets"] for row in rows)
    # From the middle on: as a run that was interrupted does.
    middle = [rows[2][name] for name in order]
    assert read(pod, place, topic, order_by=order, after=middle) == rows[3:]
    # From the end on: as the next run does.
    last = rows[-1]["offsets"]
    assert read(pod, place, topic, where=[["offsets", ">=", last]]) == []
    produce("g", "h")
    new = read(pod, place, topic, where=[["offsets", ">=", last]], order_by=order)
    assert [row["value"] for row in new] == ["g", "h"]
    # By partition and offset, as without a cursor.
    rows = read(pod, place, topic, order_by=["partition", "offset"])
    after = [rows[3]["partition"], rows[3]["offset"]]
    assert (
        read(pod, place, topic, order_by=["partition", "offset"], after=after, columns=["value"])
        == [{"value": row["value"]} for row in rows[4:]]
    )  # fmt: skip
    ahead = "/".join(["0000000000000009999"] * 4)
    with pytest.raises(PodCallError, match="made anew") as caught:
        read(pod, place, topic, where=[["offsets", ">=", ahead]])
    assert is_error(caught, "ConflictError")


def test_parts_are_the_topics_own_and_stay_as_they_are(pod, kafka, topic):
    place = {**kafka.place, "format": "text"}
    kafka.pod.produce(topic, [{"value": b"%d" % n, "partition": n % 4} for n in range(40)])
    parts = pod.partitions(place, topic, 3)
    assert len(parts) == 3
    kafka.pod.produce(topic, [{"value": b"later", "partition": n} for n in range(4)])
    columns = ["value", "partition", "offset"]
    rows = [
        row for part in parts for row in read(pod, place, topic, partition=part, columns=columns)
    ]
    assert sorted(int(row["value"]) for row in rows) == list(range(40))
    with pytest.raises(PodCallError, match="in one part") as caught:
        read(pod, place, topic, partition=parts[0])
    assert is_error(caught, "SettingsError")


def test_fields_of_json_may_be_called_anything(pod, kafka, topic):
    names = ["two words", "dot.ted", "dollar$1", 'quo"te', "key", "value", "ünï 漢"]
    place = {**kafka.place, "metadata": False}
    pod.write_all(place, topic, pa.table({name: [n] for n, name in enumerate(names)}))
    assert read(pod, place, topic) == [{name: n for n, name in enumerate(names)}]


def test_rows_become_messages(pod, kafka, topic):
    place = {**kafka.place, "key": "id"}
    headers = pa.array(
        [[{"name": "h", "value": b"1"}], None],
        pa.list_(pa.struct([("name", pa.utf8()), ("value", pa.binary())])),
    )
    rows = pa.table({"id": [1, 2], "name": ["Ada", None], "kafka_headers": headers})
    pod.write_all(place, topic, rows)
    raw = {**kafka.place, "format": "binary"}
    got = sorted(read(pod, raw, topic), key=lambda row: row["key"])
    assert [(row["key"], json.loads(row["value"])) for row in got] == [
        (b"1", {"id": 1, "name": "Ada"}), (b"2", {"id": 2, "name": None}),
    ]  # fmt: skip
    assert [row["headers"] for row in got] == [[{"name": "h", "value": b"1"}], []]
    # What was written is remembered with its types.
    again = sorted(read(pod, kafka.place, topic), key=lambda row: row["id"])
    assert [(row["id"], row["name"], row["kafka_key"]) for row in again] == [
        (1, "Ada", "1"), (2, None, "2"),
    ]  # fmt: skip
    texts = pa.table({"value": ["a", "b"], "key": ["k", None]})
    pod.write_all({**kafka.place, "format": "text"}, topic + "-t", texts)
    got = read(pod, {**kafka.place, "format": "text"}, topic + "-t", columns=["value", "key"])
    assert sorted(got, key=str) == sorted(texts.to_pylist(), key=str)


@pytest.mark.parametrize(
    ("doing", "kind", "words"),
    [
        (lambda pod, place, topic, rows: pod.write_all(place, topic, rows, mode="replace"),
         "SettingsError", "modes append"),
        (lambda pod, place, topic, rows: pod.truncate(place, topic),
         "SettingsError", "cannot be removed"),
        (lambda pod, place, topic, rows: pod.write_all(place, "no topic!", rows),
         "SettingsError", "no topic's name"),
        (lambda pod, place, topic, rows: pod.write_all(place, topic, rows.rename_columns(
            ["kafka_offset"])), "SchemaError", "where a message lies"),
        (lambda pod, place, topic, rows: pod.write_all({**place, "format": "text"}, topic, rows),
         "SchemaError", "one column 'value'"),
        (lambda pod, place, topic, rows: pod.write_all({**place, "key": "no"}, topic, rows),
         "SchemaError", "no column 'no'"),
        (lambda pod, place, topic, rows: pod.check({**place, "format": "avro"}),
         "SettingsError", "format is"),
    ],
)  # fmt: skip
def test_what_a_topic_cannot_is_refused(pod, kafka, topic, doing, kind, words):
    rows = pa.table({"id": [1]})
    with pytest.raises(PodCallError, match=words) as caught:
        doing(pod, kafka.place, topic, rows)
    assert is_error(caught, kind)


def test_rows_that_are_in_a_topic_are_not_abandoned(pod, kafka, topic):
    rows = pa.table({"id": [1, 2]})
    pod.prepare(kafka.place, topic, rows.schema, mode="append", run="r")
    pod.abandon(kafka.place, topic, run="r")
    pod.prepare(kafka.place, topic, rows.schema, mode="append", run="r")
    pod.write(kafka.place, topic, iter(rows.to_batches()), run="r")
    with pytest.raises(PodCallError, match="cannot be taken back") as caught:
        pod.abandon(kafka.place, topic, run="r")
    assert is_error(caught, "ConflictError")
    assert pod.finish(kafka.place, topic, run="r", rows=2)["rows"] == 2


# --- a broker that lets nobody in ---------------------------------------------------------------


class _Refusing(socketserver.BaseRequestHandler):
    """As much of Kafka's protocol as it takes to refuse a password."""

    def handle(self):
        while len(size := self.request.recv(4, 256)) == 4:  # MSG_WAITALL
            raw = self.request.recv(struct.unpack(">i", size)[0], 256)
            kind, version, number = struct.unpack_from(">hhi", raw)
            body = {
                17: struct.pack(">hih", 0, 1, 5) + b"PLAIN",  # SaslHandshake
                36: struct.pack(">hh", 58, 6) + b"denied" + struct.pack(">i", 0),
            }.get(kind)
            if body is None:  # ApiVersions: what there is, in its oldest form.
                offered = ((3, 1), (17, 1), (18, 0), (36, 0))
                body = struct.pack(">hi", 35 if version else 0, len(offered))
                body += b"".join(struct.pack(">hhh", each, 0, most) for each, most in offered)
            self.request.sendall(struct.pack(">ii", len(body) + 4, number) + body)


def test_a_wrong_password_is_told_and_not_shown(pod):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusing) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = {
            "servers": f"127.0.0.1:{server.server_address[1]}", "user": "somebody",
            "password": SECRET, "timeout": 2,
        }  # fmt: skip
        with pytest.raises(PodCallError, match="does not let us in") as caught:
            pod.check(place)
        server.shutdown()
    assert is_error(caught, "AuthenticationError")
    assert caught.value.retry is False
    assert SECRET not in str(caught.value)

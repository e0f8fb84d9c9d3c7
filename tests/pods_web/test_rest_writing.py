"""Writing with the connector for REST: requests, bad rows, what arrives how often; execute."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest

from pypods import PodCallError

SECRET = "s3cret-that-nobody-sees"
ROWS = pa.table({"id": list(range(5)), "name": ["a", "b", None, "d", "e"]})


@pytest.fixture
def place(server, tmp_path):
    return {
        "base_url": server.url, "ledger": str(tmp_path / "ledger"), "backoff": 0.001,
        "endpoints": {"things": {"path": "/things", "write": {}, "upsert": {}}},
    }  # fmt: skip


def kind_of(caught):
    return caught.value.type_name.rpartition(".")[2]


def bodies(server):
    return [json.loads(each.body) for each in server.asked]


def batches(table, rows=None):
    return iter(table.to_batches(max_chunksize=rows))


def accept(server):
    server.answer = lambda asked: (201, {})


# --- requests -----------------------------------------------------------------------------------


def test_a_row_is_a_request_of_its_own(rest, server, place):
    accept(server)
    assert rest.write_all(place, "things", ROWS) == {"rows": 5, "rows_in_target": None}
    assert bodies(server) == ROWS.to_pylist()
    assert {(each.method, each.path) for each in server.asked} == {("POST", "/things")}
    keys = [each.headers["Idempotency-Key"] for each in server.asked]
    assert len(set(keys)) == 5


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_rows_go_in_arrays_however_they_come(rest, server, place, cut):
    accept(server)
    place["endpoints"]["things"]["write"] = {
        "path": "/{stream}/bulk", "method": "PUT", "rows_per_request": 2, "wrap": "data.items",
        "nulls": "omit",
    }  # fmt: skip
    rest.write_all(place, "things", batches(ROWS, cut))
    assert bodies(server) == [
        {"data": {"items": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]}},
        {"data": {"items": [{"id": 2}, {"id": 3, "name": "d"}]}},
        {"data": {"items": [{"id": 4, "name": "e"}]}},
    ]
    assert (server.asked[0].method, server.asked[0].path) == ("PUT", "/things/bulk")


def test_rows_are_put_at_their_keys(rest, server, place):
    accept(server)
    rows = pa.table({"a": ["x y", "/,"], "b": [1, 2], "value": [True, None]})
    rest.write_all(place, "things", rows, mode="upsert", key=["a", "b"])
    assert [each.path for each in server.asked] == ["/things/x%20y,1", "/things/%2F%2C,2"]
    assert {each.method for each in server.asked} == {"PUT"}
    place["endpoints"]["things"]["upsert"] = {"path": "/{b}/of/{a}", "method": "PATCH"}
    rest.write_all(place, "things", rows, mode="upsert", key=["a", "b"])
    assert server.asked[-1].path == "/2/of/%2F%2C"
    assert server.asked[-1].method == "PATCH"


@pytest.mark.parametrize(("decimals", "text"), [("number", "12.50"), ("text", '"12.50"')])
def test_decimals_keep_their_digits(rest, server, place, decimals, text):
    accept(server)
    rows = pa.table({"sum": pa.array([Decimal("12.50")], pa.decimal128(9, 2))})
    rest.write_all({**place, "decimals": decimals}, "things", rows)
    assert server.asked[0].body == '{"sum": ' + text + "}"


def test_columns_go_where_the_declaration_has_them(rest, server, place):
    accept(server)
    place["endpoints"]["things"]["schema"] = {
        "id": "int64", "name": {"type": "utf8", "path": "about.name"},
    }  # fmt: skip
    rest.write_all(place, "things", ROWS.slice(0, 1))
    assert bodies(server) == [{"id": 0, "about": {"name": "a"}}]
    more = ROWS.append_column("colour", pa.array(["red"] * 5))
    ask = {"mode": "append", "run": "r"}
    with pytest.raises(PodCallError, match="'colour' is new, and drift is freeze") as caught:
        rest.prepare(place, "things", more.schema, **ask, drift="freeze")
    assert kind_of(caught) == "SchemaError"
    prepared = rest.prepare(place, "things", more.schema, **ask, drift="discard")
    assert prepared["changes"] == ["column 'colour' is left out"]
    texts = pa.table({"id": ["x"], "name": ["y"]})
    with pytest.raises(PodCallError, match="'id' is int64 and does not take utf8"):
        rest.prepare(place, "things", texts.schema, mode="append", run="s")


# --- bad rows -----------------------------------------------------------------------------------


def refuse(server, *ids):
    """Refuse a request that has one of these."""

    def answer(asked):
        document = json.loads(asked.body)
        rows = document if isinstance(document, list) else [document]
        wrong = [row["id"] for row in rows if row["id"] in ids]
        if wrong:
            return 422, {"error": {"message": f"{wrong} will not do for {SECRET}"}}
        taken.extend(rows)
        return 201, {}

    taken = []
    server.answer = answer
    return taken


@pytest.mark.parametrize("rows_per_request", [None, 1, 2, 5])
def test_rows_that_are_refused_go_aside_with_the_services_reason(
    rest, server, place, rows_per_request
):
    place.update(auth="bearer", token=SECRET)
    if rows_per_request:
        place["endpoints"]["things"]["write"] = {"rows_per_request": rows_per_request}
    taken = refuse(server, 1, 4)
    rest.prepare(place, "things", ROWS.schema, mode="append", run="r")
    told = []
    written = rest.write(
        place, "things", batches(ROWS), run="r", bad_rows="collect", max_bad_rows=2,
        committed=lambda *counts: told.append(counts), position=["id"],
    )  # fmt: skip
    assert (written["rows"], written["bad"]) == (3, 2)
    assert (sum(t[0] for t in told), sum(t[2] for t in told)) == (3, 2)
    assert sorted(row["id"] for row in taken) == [0, 2, 3]
    parts = rest.prepare(place, "things", ROWS.schema, mode="append", run="r")["parts"]
    assert (parts["0"]["rows"], parts["0"]["bad"], parts["0"]["position"]) == (3, 2, [4])
    rest.finish(place, "things", run="r", rows=3)
    bad = [
        row
        for batch in rest.read(place, "things__bad_rows", order_by=["position"])
        for row in pa.record_batch(batch).to_pylist()
    ]
    assert [row["position"] for row in bad] == [1, 4]
    assert json.loads(bad[1]["row_json"]) == {"id": 4, "name": "e"}
    assert "422: [1] will not do for ***" in bad[0]["reason"]
    assert rest.count(place, "things__bad_rows", where=[["run", "=", "r"]]) == 2


def test_a_row_that_is_refused_by_key_is_told_apart(rest, server, place):
    taken = refuse(server, 1, 3)
    rest.prepare(place, "things", ROWS.schema, mode="upsert", key=["id"], run="r")
    written = rest.write(place, "things", batches(ROWS), run="r", bad_rows="collect",
                         max_bad_rows=None)  # fmt: skip
    assert (written["rows"], written["bad"]) == (3, 2)
    assert [row["id"] for row in taken] == [0, 2, 4]


@pytest.mark.parametrize(
    ("rows_per_request", "words", "position"),
    [(None, r"row 3 \(from 0\) of part '0': .*422", 3), (5, "one of the rows 0 to 4 .*422", None)],
)
def test_without_collecting_it_is_an_error(rest, server, place, rows_per_request, words, position):
    refuse(server, 3)
    if rows_per_request:
        place["endpoints"]["things"]["write"] = {"rows_per_request": rows_per_request}
    with pytest.raises(PodCallError, match=words) as caught:
        rest.write_all(place, "things", ROWS)
    assert (kind_of(caught), caught.value.position) == ("DataError", position)


def test_more_bad_rows_than_are_allowed_fail_the_run(rest, server, place):
    refuse(server, 1, 3)
    rest.prepare(place, "things", ROWS.schema, mode="append", run="r")
    with pytest.raises(PodCallError, match="1 bad rows in this batch, and 0 more") as caught:
        rest.write(place, "things", batches(ROWS), run="r", bad_rows="collect", max_bad_rows=1)
    assert kind_of(caught) == "DataError"


def test_nothing_is_sent_of_a_batch_with_a_row_that_cannot_be(rest, server, place):
    accept(server)
    rows = pa.table({"id": [1.0, 2.0, float("nan")]})
    with pytest.raises(PodCallError, match=r"row 2 .*column 'id'.*nan is no float64"):
        rest.write_all(place, "things", rows)
    with pytest.raises(PodCallError, match=r"2 rows with the key \{'id': 1\}"):
        rest.write_all(place, "things", pa.table({"id": [1, 1]}), mode="upsert", key=["id"])
    with pytest.raises(PodCallError, match=r"row 1 .*'\.\.' cannot stand in the path"):
        rest.write_all(place, "things", pa.table({"id": ["a", ".."]}), mode="upsert", key=["id"])
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "AuthenticationError"), (404, "StreamNotFoundError"), (405, "SettingsError"),
     (302, "SettingsError")],
)  # fmt: skip
def test_what_is_no_rows_fault_is_no_bad_row(rest, server, place, status, kind):
    server.answer = lambda asked: (status, {}, {"Location": "/elsewhere"})
    rest.prepare(place, "things", ROWS.schema, mode="append", run="r")
    with pytest.raises(PodCallError) as caught:
        rest.write(place, "things", batches(ROWS), run="r", bad_rows="collect", max_bad_rows=None)
    assert kind_of(caught) == kind
    assert len(server.asked) == 1


# --- how often a row arrives --------------------------------------------------------------------


class Service:
    """Takes rows, and knows requests by their identity; ``lost`` answers do not arrive."""

    def __init__(self, *lost):
        self.rows = []
        self.answers = {}
        self.lost = set(lost)
        self.requests = 0

    def __call__(self, asked):
        number, self.requests = self.requests, self.requests + 1
        identity = asked.headers.get("Idempotency-Key")
        if identity is None or identity not in self.answers:
            self.rows += json.loads(asked.body)
            self.answers[identity] = 201, {}
        return None if number in self.lost else (201, {})


def test_an_answer_that_is_lost_is_asked_for_again_by_its_identity(rest, server, place):
    server.answer = service = Service(0, 2, 3)
    place["endpoints"]["things"]["write"] = {"rows_per_request": 2}
    assert rest.write_all(place, "things", ROWS)["rows"] == 5
    assert service.rows == ROWS.to_pylist()
    assert service.requests == 6


def test_without_an_identity_nothing_is_sent_twice_unasked(rest, server, place):
    server.answer = service = Service(1)
    place["endpoints"]["things"]["write"] = {"rows_per_request": 2}
    place["idempotency_header"] = ""
    rest.prepare(place, "things", ROWS.schema, mode="append", run="r")
    with pytest.raises(PodCallError, match="not known whether it was done: look before") as caught:
        rest.write(place, "things", batches(ROWS), run="r")
    assert (kind_of(caught), caught.value.retry) == ("UnreachableError", False)
    assert len(service.rows) == 4
    # Whoever goes on has the rows in doubt twice: at least once is what is promised.
    parts = rest.prepare(place, "things", ROWS.schema, mode="append", run="r")["parts"]
    assert parts["0"]["rows"] == 2
    rest.write(place, "things", batches(ROWS.slice(2)), run="r")
    assert [row["id"] for row in service.rows] == [0, 1, 2, 3, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_run_that_is_gone_on_with_sends_the_request_in_doubt_as_it_was(rest, server, place, cut):
    server.answer = service = Service(1)
    place.update(retries=0)
    place["endpoints"]["things"]["write"] = {"rows_per_request": 2}
    rest.prepare(place, "things", ROWS.schema, mode="append", run="r")
    with pytest.raises(PodCallError) as caught:
        rest.write(place, "things", batches(ROWS), run="r", position=["id"])
    assert caught.value.retry is True
    done = rest.prepare(place, "things", ROWS.schema, mode="append", run="r")
    assert done["parts"]["0"]["position"] == [1]
    rest.write(
        place, "things", batches(ROWS.slice(2), cut), run="r", attempt=done["attempt"],
    )  # fmt: skip
    assert rest.finish(place, "things", run="r", rows=5)["rows"] == 5
    assert service.rows == ROWS.to_pylist()


def test_equal_rows_are_each_there(rest, server, place):
    server.answer = service = Service()
    place["endpoints"]["things"]["write"] = {"rows_per_request": 1}
    rest.write_all(place, "things", pa.table({"id": [7, 7, 7]}))
    rest.write_all(place, "things", pa.table({"id": [7]}))
    assert service.rows == [{"id": 7}] * 4


def test_rows_that_were_sent_are_not_said_to_be_gone(rest, server, place):
    accept(server)
    schema = ROWS.schema
    rest.prepare(place, "things", schema, mode="append", run="r")
    rest.abandon(place, "things", run="r")
    rest.prepare(place, "things", schema, mode="append", run="r")
    rest.write(place, "things", batches(ROWS), run="r")
    with pytest.raises(PodCallError, match="has sent 5 rows, which cannot be taken back") as caught:
        rest.abandon(place, "things", run="r")
    assert kind_of(caught) == "ConflictError"
    rest.finish(place, "things", run="r", rows=5, cursor={"id": 4})
    assert rest.state(place, "things") == {"cursor": {"id": 4}, "run": "r"}
    rest.prepare(place, "things", schema, mode="upsert", key=["id"], run="s")
    rest.write(place, "things", batches(ROWS), run="s")
    rest.abandon(place, "things", run="s")  # By key they may be sent again.
    rest.prepare(place, "things", schema, mode="append", run="t")
    with pytest.raises(PodCallError, match="has sent 0 rows and there must be 5"):
        rest.finish(place, "things", run="t", rows=5)


# --- what there is not --------------------------------------------------------------------------


def test_what_cannot_be_says_what_to_do(rest, server, place):
    ask = {"run": "r"}
    with pytest.raises(PodCallError, match="in the modes append, upsert, not 'replace'") as caught:
        rest.prepare(place, "things", ROWS.schema, mode="replace", **ask)
    assert kind_of(caught) == "SettingsError"
    with pytest.raises(PodCallError, match="ask the system's own interface for it, with execute"):
        rest.truncate(place, "things")
    with pytest.raises(PodCallError, match="writing needs the setting 'ledger'"):
        rest.prepare({**place, "ledger": None}, "things", ROWS.schema, mode="append", **ask)
    place["endpoints"]["things"] = {"path": "/things"}
    for mode, name in (("append", "write"), ("upsert", "upsert")):
        with pytest.raises(PodCallError, match=f"has no '{name}', so mode {mode} is not possible"):
            rest.prepare(place, "things", ROWS.schema, mode=mode, key=["id"], **ask)
    with pytest.raises(PodCallError, match="there are no queries; name a stream"):
        next(rest.read(place, "things", query="select 1"))
    with pytest.raises(PodCallError, match="have no partitions"):
        next(rest.read(place, "things", partition={"from": 1}))
    assert server.asked == []


# --- execute ------------------------------------------------------------------------------------


def test_execute_is_one_request(rest, server, place):
    server.answer = lambda asked: (202, {"id": 7, "sum": 1.10, "query": asked.query})
    answer = rest.execute(place, 'POST /jobs?now=1 {"name": "x"}')
    assert answer == {
        "rows": None, "status": 202, "json": {"id": 7, "sum": Decimal("1.1"), "query": {"now": "1"}}
    }  # fmt: skip
    assert (server.asked[0].path, server.asked[0].body) == ("/jobs", '{"name": "x"}')
    server.answer = lambda asked: (204, b"")
    assert rest.execute(place, "DELETE /jobs/7") == {"rows": None, "status": 204, "json": None}
    server.answer = lambda asked: (409, {"detail": "it runs"})
    with pytest.raises(PodCallError, match=r"DELETE .*/jobs/7 was answered with 409: it runs"):
        rest.execute(place, "DELETE /jobs/7")
    asked = len(server.asked)
    for wrong in ("select 1", "GET jobs", "POST /jobs {", "TRACE /", "GET http://elsewhere/"):
        with pytest.raises(PodCallError) as caught:
            rest.execute(place, wrong)
        assert kind_of(caught) == "SettingsError"
    assert len(server.asked) == asked


def test_a_post_in_doubt_is_not_sent_again(rest, server, place):
    server.answer = lambda asked: None
    with pytest.raises(PodCallError, match="not known whether it was done"):
        rest.execute(place, "POST /jobs {}")
    assert len(server.asked) == 1
    server.answer = lambda asked: (500, {"message": "oh"})
    with pytest.raises(PodCallError, match="500: oh; it is not known whether it was done"):
        rest.execute(place, "POST /jobs {}")
    assert len(server.asked) == 2

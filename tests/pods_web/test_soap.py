"""The connector for SOAP, over spyne's server in a pod of its own."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest

from pypods import PodCallError

USER, PASSWORD = "someone", "p<&>ss w\u00f6rd"
OFFSETS = {"kind": "offset", "param": "offset", "size": 3, "size_param": "limit"}


@pytest.fixture
def server(soap_service):
    soap_service.reset(7)
    return soap_service


@pytest.fixture
def pod(load_connector):
    return load_connector("soap").load_pod()


@pytest.fixture
def place(server, tmp_path):
    return {
        "wsdl": f"{server.address}/?wsdl", "ledger": str(tmp_path), "backoff": 0.01,
        "operations": {
            "items": {
                "operation": "ListItems", "result": "ListItemsResult.Item", "key": "id",
                "sorted_by": "id", "pagination": OFFSETS, "where": {"at >=": "since"},
            },
            "names": {"operation": "Names", "result": "NamesResult.string"},
            "pages": {
                "operation": "PageOfItems", "result": "PageOfItemsResult.items.Item",
                "pagination": {
                    "kind": "cursor", "param": "cursor", "cursor": "PageOfItemsResult.next",
                    "more": "PageOfItemsResult.more",
                },
            },
            "customers": {
                "operation": "Names",
                "write": {
                    "operation": "AddCustomer", "into": "customer", "identity": "request",
                    "columns": {"city": "customer.address.city"},
                },
            },
        },
    }  # fmt: skip


def rows_of(pod, place, stream, **options):
    return [
        row
        for batch in pod.read(place, stream, **options)
        for row in pa.record_batch(batch).to_pylist()
    ]


def batches(table):
    return iter(table.to_batches())


def kind_of(caught):
    return caught.value.type_name.rpartition(".")[2]


# --- types --------------------------------------------------------------------------------------


def test_values_come_as_the_service_has_them(pod, place, server):
    server.reset(0)
    server.have()
    server.have(name="", price=None, raw=[b""], tags=None, many=None, address=None)
    first, second = rows_of(pod, place, "items")
    assert json.loads(first.pop("address")) == {"city": "Delft", "number": 3}
    assert json.loads(first.pop("tags")) == {"string": ["x", "y"]}
    assert json.loads(first.pop("many")) == ["q", "r"]
    assert first == {
        "id": 2**63 - 1, "name": " a <b> & ü ",
        "price": Decimal("12345678901234567890.0123456789"),
        "at": dt.datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC), "day": dt.date(9999, 12, 31),
        "time": dt.time(23, 59, 59, 999999), "ok": True, "raw": bytes(range(256)), "weight": 0.1,
        "small_weight": 1.5, "tiny": 255, "short": -32768, "number": -(2**31),
        "big": Decimal(10**30), "took": "PT1M30S", "code": "full",
    }  # fmt: skip
    assert (second["name"], second["price"], second["raw"]) == ("", None, b"")
    assert (second["tags"], second["many"], second["address"]) == (None, None, None)


def test_the_schema_is_that_of_the_wsdl(pod, place):
    about = pod.schema(place, "items")
    schema = pa.schema(about["schema"])
    assert {field.name: str(field.type) for field in schema} == {
        "code": "string", "id": "int64", "name": "string", "price": "decimal128(38, 10)",
        "at": "timestamp[us, tz=UTC]", "day": "date32[day]", "time": "time64[us]", "ok": "bool",
        "raw": "binary", "weight": "double", "small_weight": "float", "tiny": "uint8",
        "short": "int16", "number": "int32", "big": "decimal128(38, 0)", "took": "string",
        "many": "string", "tags": "string", "address": "string",
    }  # fmt: skip
    kinds = {f.name: f.metadata[b"pypods.type"] for f in schema if f.metadata}
    assert kinds == {"took": b"duration", "many": b"json", "tags": b"json", "address": b"json"}
    assert about["key"] == ["id"]


def test_a_column_may_be_declared_otherwise(pod, place, server):
    place["operations"]["items"]["columns"] = {"at": "utf8", "price": "decimal(5,2)"}
    assert rows_of(pod, place, "items", limit=1)[0]["at"] == "2026-01-01T00:00:00+00:00"
    server.have(price=Decimal(12345))
    with pytest.raises(PodCallError, match=r"row 7 .*column 'price'.*12345.* no decimal") as caught:
        rows_of(pod, place, "items")
    assert (kind_of(caught), caught.value.position, caught.value.column) == (
        "DataError",
        7,
        "price",
    )


def test_a_time_without_a_zone_is_an_error_that_says_where(pod, place, server):
    server.have(at=dt.datetime(2026, 1, 1))
    with pytest.raises(PodCallError, match=r"row 7 .*column 'at'.*2026-01-01T00:00:00' is no"):
        rows_of(pod, place, "items")
    server.reset(0)
    server.have(at=dt.datetime(2026, 1, 1))
    place["operations"]["items"]["columns"] = {"at": "timestamp"}
    assert rows_of(pod, place, "items")[0]["at"] == dt.datetime(2026, 1, 1)


def test_a_column_may_lie_deeper_and_be_called_otherwise(pod, place, server):
    server.reset(0)
    server.have()
    server.have(address=None)
    place["operations"]["items"].update(
        key="the id", sorted_by=[],
        columns={
            "the id": {"path": "id"}, "city": {"path": "address.city"},
            "house": {"path": ["address", "number"], "type": "decimal(5,1)"},
            "code": {"path": "name"}, "tags": "list<utf8>",
        },
    )  # fmt: skip
    about = pod.schema(place, "items")
    names = pa.schema(about["schema"]).names
    assert (names[:2], names[-2:]) == (["the id", "code"], ["city", "house"])
    assert not {"id", "name"} & set(names)
    wanted = ["the id", "city", "house", "code"]
    first, second = rows_of(pod, place, "items", columns=wanted, where=[["the id", ">", 0]])
    assert first == {
        "the id": 2**63 - 1, "city": "Delft", "house": Decimal("3.0"), "code": " a <b> & \u00fc ",
    }  # fmt: skip
    assert (second["city"], second["house"]) == (None, None)


def test_texts_may_be_declared_as_json_and_uuids(pod, place, server):
    server.reset(0)
    server.have(name='{"a": [1.10]}', code="00000000-0000-0000-0000-00000000000A")
    place["operations"]["items"]["columns"] = {"name": "json", "code": "uuid"}
    (row,) = rows_of(pod, place, "items", columns=["name", "code"])
    assert row == {"name": '{"a": [1.10]}', "code": b"\0" * 15 + b"\x0a"}
    server.have(name="no json")
    with pytest.raises(PodCallError, match=r"row 1 .*column 'name'.*'no json' is no json"):
        rows_of(pod, place, "items", columns=["name"])


def test_plain_values_are_records_of_one_column(pod, place):
    assert rows_of(pod, place, "names", limit=2) == [{"value": "item 0"}, {"value": "item 1"}]


# --- reading ------------------------------------------------------------------------------------


def test_pages_are_called_for_with_arguments(pod, place, server):
    assert [row["id"] for row in rows_of(pod, place, "items")] == list(range(7))
    assert [call[1:3] for call in server.asked()] == [(0, 3), (3, 3), (6, 3), (7, 3)]
    assert [row["id"] for row in rows_of(pod, place, "pages")] == list(range(7))
    assert [call[1] for call in server.asked()[4:]] == [None, "2", "4", "6"]


def test_a_cursor_that_comes_twice_is_an_error_that_names_it(pod, place):
    place["operations"]["pages"]["arguments"] = {"cursor": "again"}
    with pytest.raises(PodCallError, match="the cursor 'again' a second time"):
        rows_of(pod, place, "pages")


def test_conditions_go_to_the_service_where_that_is_declared(pod, place, server):
    since = dt.datetime(2026, 1, 1, 0, 0, 5, tzinfo=dt.UTC)
    where = [["at", ">=", since], ["ok", "=", True]]
    assert [row["id"] for row in rows_of(pod, place, "items", where=where)] == [6]
    assert server.asked()[0] == ("ListItems", 0, 3, since)
    assert [row["id"] for row in rows_of(pod, place, "items", order_by=["id"], after=[4])] == [5, 6]
    assert pod.count(place, "items") == 7


def test_streams_are_what_is_declared_and_the_operations(pod, place):
    names = {each["name"]: each["kind"] for each in pod.streams(place)}
    assert names["items"] == "stream"
    assert names["ListItems"] == names["AddCustomer"] == "operation"
    columns = pa.schema(pod.schema(place, "ListItems")["schema"]).names
    assert columns == ["ListItemsResult"]


def test_a_wsdl_may_be_a_file(pod, place, server, tmp_path):
    import urllib.request

    file = tmp_path / "service.wsdl"
    file.write_bytes(urllib.request.urlopen(place["wsdl"]).read())
    place.update(wsdl=str(file), address=f"{server.address}/elsewhere")
    assert len(rows_of(pod, place, "items")) == 7
    assert pod.check(place)["server"] == f"{server.address}/elsewhere"
    (tmp_path / "none.wsdl").write_text("no XML")
    with pytest.raises(PodCallError, match=r"none\.wsdl is none") as caught:
        pod.check({**place, "wsdl": str(tmp_path / "none.wsdl")})
    assert kind_of(caught) == "SettingsError"


# --- who we are ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "auth"),
    [("basic", "basic"), ("wsse", "usernametoken"), ("wsse", "usernametoken_digest")],
)
def test_ways_to_say_who_we_are(pod, place, server, path, auth):
    place.update(address=f"{server.address}/{path}/", auth=auth, user=USER, password=PASSWORD)
    assert len(rows_of(pod, place, "items")) == 7
    with pytest.raises(PodCallError) as caught:
        rows_of(pod, {**place, "password": "wrong-secret"}, "items")
    assert kind_of(caught) == "AuthenticationError"
    assert "wrong-secret" not in str(caught.value)


def test_no_other_server_is_told_who_we_are(pod, place, server):
    elsewhere = server.address.replace("127.0.0.1", "localhost")
    place.update(wsdl=f"{elsewhere}/?wsdl", auth="basic", user=USER, password=PASSWORD)
    # spyne names the address at which it was asked first.
    with pytest.raises(PodCallError, match="of another server; set 'address' to it") as caught:
        rows_of(pod, place, "items")
    assert kind_of(caught) == "SettingsError"
    place["address"] = f"{server.address}/basic/"
    assert len(rows_of(pod, place, "items")) == 7


def test_no_secret_is_shown_in_a_fault(pod, place):
    place.update(auth="basic", user=USER, password=PASSWORD)
    with pytest.raises(
        PodCallError, match=r"Client\.Wrong: nothing works with \*\*\* here"
    ) as caught:
        rows_of(pod, place, "Fails")
    assert kind_of(caught) == "DataError"
    with pytest.raises(PodCallError, match="holds a password") as caught:
        pod.check({"wsdl": f"http://u:{PASSWORD}@127.0.0.1/"})
    assert PASSWORD not in str(caught.value)


# --- when it goes wrong -------------------------------------------------------------------------


def test_what_may_pass_is_tried_again(pod, place, server):
    server.fail("503 Service Unavailable", [("Retry-After", "0")])
    server.fail("502 Bad Gateway")
    assert len(rows_of(pod, place, "items")) == 7
    for _ in range(3):
        server.fail("503 Service Unavailable")
    with pytest.raises(PodCallError, match="answered with 503, 3 times") as caught:
        rows_of(pod, {**place, "retries": 2}, "items")
    assert (kind_of(caught), caught.value.retry) == ("UnreachableError", True)


@pytest.mark.parametrize(
    ("status", "text", "kind", "words"),
    [
        ("200 OK", b"<html><body>no", "DataError", "is no XML"),
        ("200 OK", b"<html/>", "DataError", "is no SOAP envelope, but 'html'"),
        ("500 Internal Server Error", b"", "UnreachableError", "is 500"),
        ("404 Not Found", b"<a/>", "DataError", "is no SOAP envelope"),
        ("302 Found", b"", "SettingsError", "redirected"),
        ("200 OK", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DataError", "DTDForbidden"),
    ],
)
def test_answers_that_are_none(pod, place, server, status, text, kind, words):
    server.fail(status, (), text)
    with pytest.raises(PodCallError, match=words) as caught:
        rows_of(pod, place, "items")
    assert kind_of(caught) == kind


def test_an_answer_that_is_too_large_is_not_read(pod, place):
    with pytest.raises(PodCallError, match="more than 500 bytes"):
        rows_of(pod, {**place, "max_page_bytes": 500}, "items")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"result": "ListItemsResult.Thing"}, "no 'ListItemsResult.Thing' in the answer"),
        ({"operation": "NoSuch"}, "no operation 'NoSuch'"),
        ({"key": "no such"}, "no column 'no such'"),
        ({"columns": {"no such": "utf8"}}, "no column 'no such'"),
        ({"columns": {"at": "no type"}}, "none of the contract's"),
        ({"columns": {"at": {"path": "address.street"}}}, "no 'address.street' in the answer"),
        ({"columns": {"at": {"path": "many.value"}}}, "'many' repeats, so nothing in it"),
        ({"columns": {"at": {"where": "id"}}}, "column 'at' has no 'where'"),
        ({"columns": {"at": 1}}, "column 'at' is a mapping"),
        ({"arguments": {"nothing": 1}}, "does not take that"),
        ({"where": {"at": "since"}}, "a column and an operator"),
        ({"pagination": {"kind": "link"}}, "pagination kind is one of"),
        ({"results": "x"}, "has no 'results'"),
    ],
)
def test_declarations_that_are_wrong(pod, place, change, words):
    place["operations"]["items"].update(change)
    with pytest.raises(PodCallError, match=words):
        rows_of(pod, place, "items")


# --- writing ------------------------------------------------------------------------------------

CUSTOMERS = pa.table(
    {
        "id": [1, 2, 3],
        "name": ["Ada", "Grace", None],
        "balance": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
        "since": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 3, pa.timestamp("us", "UTC")),
        "photo": [b"\0\1", b"", None],
        "city": ["Delft", None, "Leiden"],
    }
)


def test_rows_are_calls(pod, place, server):
    assert pod.write_all(place, "customers", CUSTOMERS) == {"rows": 3, "rows_in_target": None}
    got = server.customers()
    assert [row["id"] for row in got] == [1, 2, 3]
    assert got[0] == {
        "id": 1, "name": "Ada", "balance": Decimal("1.50"),
        "since": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "photo": b"\0\1", "city": "Delft",
    }  # fmt: skip
    assert [row["city"] for row in got] == ["Delft", None, "Leiden"]


def test_a_fault_is_a_bad_row_with_the_services_reason(pod, place, server):
    rows = CUSTOMERS.set_column(1, "name", pa.array(["Ada", "refuse", "Grace"]))
    pod.prepare(place, "customers", rows.schema, mode="append", run="r")
    written = pod.write(
        place, "customers", batches(rows), run="r", bad_rows="collect", max_bad_rows=1
    )
    assert (written["rows"], written["bad"]) == (2, 1)
    assert pod.finish(place, "customers", run="r", rows=2)["rows"] == 2
    (bad,) = rows_of(pod, place, "customers__bad_rows")
    assert bad["position"] == 1
    assert "Client.Refused: that name is taken" in bad["reason"]
    pod.prepare(place, "customers", rows.schema, mode="append", run="s")
    with pytest.raises(
        PodCallError, match=r"row 1 .*Client\.Refused: that name is taken"
    ) as caught:
        pod.write(place, "customers", batches(rows), run="s")
    assert (kind_of(caught), caught.value.position) == ("DataError", 1)
    assert [row["name"] for row in server.customers()] == ["Ada", "Grace", "Ada"]


def test_columns_that_the_operation_does_not_take_are_found_before_a_call(pod, place, server):
    wrong = CUSTOMERS.append_column("colour", pa.array(["red"] * 3))
    wrong = wrong.set_column(0, "id", pa.array([1.5, 2.5, 3.5]))
    with pytest.raises(
        PodCallError, match=r"column 'colour': there is no 'customer.colour' among "
    ) as caught:
        pod.prepare(place, "customers", wrong.schema, mode="append", run="r")
    assert kind_of(caught) == "SchemaError"
    assert "column 'id' is int64, not float64" in str(caught.value)
    assert server.customers() == []


#: What zeep would write otherwise, or not at all, and what the service gets.
EXACT = [
    ("born", pa.array([dt.date(1, 1, 1), None]), [dt.date(1, 1, 1), None]),
    ("wakes", pa.array([dt.time(6, 0, 0, 1), None]), [dt.time(6, 0, 0, 1), None]),
    ("active", pa.array([" false ", "1"]), [False, True]),
    ("rank", pa.array([Decimal("7.00"), None], pa.decimal128(5, 2)), [7, None]),
    ("rank", pa.array([-9999, 2**15 - 1]), [-9999, 2**15 - 1]),
    ("balance", pa.array([1e-7, 1e22]), [Decimal("0.0000001"), Decimal(10**22)]),
    ("balance", pa.array([2**63 - 1, None]), [Decimal(2**63 - 1), None]),
    ("score", pa.array([float("inf"), 16_777_216.0]), [float("inf"), 16_777_216.0]),
    ("digest", pa.array([b"ab", b""]), ["6162", ""]),
    ("photo", pa.array([b"ab", None]), [b"ab", None]),
    ("name", pa.array([dt.date(1, 1, 1), None]), ["0001-01-01", None]),
    ("name", pa.array([[1, None], []]), ["[1, null]", "[]"]),
    ("tags", pa.array([{"string": ["a", "b"]}, None]), [["a", "b"], None]),
]


@pytest.mark.parametrize(
    ("name", "values", "wanted"), EXACT, ids=[f"{name}-{values.type}" for name, values, _ in EXACT]
)
def test_values_are_sent_as_they_are(pod, place, server, name, values, wanted):
    pod.write_all(place, "customers", pa.table({"id": [1, 2], name: values}))
    assert server.values_of(name) == wanted


#: What would be another value there.
INEXACT = [
    ("active", pa.array(["yes"])),
    ("rank", pa.array([2**15])),
    ("rank", pa.array([Decimal("7.5")])),
    ("score", pa.array([16_777_217])),
    ("score", pa.array([0.1])),
    ("score", pa.array([float("nan")])),
    ("balance", pa.array([float("inf")])),
    ("name", pa.array(["a\0b"])),
    ("tags", pa.array(["null"])),
]


@pytest.mark.parametrize(
    ("name", "values"), INEXACT, ids=[f"{name}-{values.type}" for name, values in INEXACT]
)
def test_a_value_that_would_be_another_is_a_bad_row(pod, place, server, name, values):
    if name == "tags":
        field = pa.field(name, pa.utf8(), metadata={b"pypods.type": b"json"})
    else:
        field = pa.field(name, values.type)
    rows = pa.table([pa.array([1]), values], schema=pa.schema([pa.field("id", pa.int64()), field]))
    with pytest.raises(PodCallError, match="row 0 ") as caught:
        pod.write_all(place, "customers", rows)
    assert (kind_of(caught), caught.value.position) == ("DataError", 0)
    assert server.customers() == []


def test_an_operation_that_came_after_the_wsdl_was_read_is_found(pod, server, tmp_path):
    path = server.new_place()
    late = {
        "wsdl": f"{server.address}{path}?wsdl", "ledger": str(tmp_path),
        "operations": {
            "t": {
                "operation": "List1", "result": "List1Result.Row1",
                "write": {"operation": "Add1", "into": "row"},
            },
        },
    }  # fmt: skip
    with pytest.raises(PodCallError, match="no operation 'Add1'"):
        pod.write_all(late, "t", pa.table({"n": [1]}))
    server.declare(path, 1, {"n": "long"})
    assert pod.write_all(late, "t", pa.table({"n": [1]}))["rows"] == 1
    assert rows_of(pod, late, "t") == [{"n": 1}]


def test_an_answer_in_doubt_is_not_asked_for_again_unless_calls_have_an_identity(
    pod, place, server
):
    server.fail("502 Bad Gateway", (), b"<x/>")
    assert pod.write_all(place, "customers", CUSTOMERS)["rows"] == 3
    del place["operations"]["customers"]["write"]["identity"]
    server.fail("502 Bad Gateway")
    with pytest.raises(PodCallError) as caught:
        pod.write_all(place, "customers", CUSTOMERS)
    assert (kind_of(caught), caught.value.retry) == ("UnreachableError", False)
    assert len(server.customers()) == 3


def test_what_is_not_declared_cannot_be_written(pod, place):
    with pytest.raises(PodCallError, match="has no 'write', so mode append is not possible"):
        pod.write_all(place, "items", CUSTOMERS)
    with pytest.raises(PodCallError, match="has no 'upsert', so mode upsert is not possible"):
        pod.write_all(place, "customers", CUSTOMERS, mode="upsert", key=["id"])
    with pytest.raises(PodCallError, match="modes append, upsert, not 'replace'"):
        pod.write_all(place, "customers", CUSTOMERS, mode="replace")
    with pytest.raises(PodCallError, match="cannot be removed by the connector"):
        pod.truncate(place, "customers")


def test_execute_is_one_call(pod, place, server):
    answer = pod.execute(place, 'AddCustomer {"customer": {"id": 9, "name": "Alan"}}')
    assert answer == {"rows": None, "status": 200, "json": {"AddCustomerResult": True}}
    assert server.customers()[0]["name"] == "Alan"
    with pytest.raises(PodCallError, match="a statement is an operation"):
        pod.execute(place, "drop table x")

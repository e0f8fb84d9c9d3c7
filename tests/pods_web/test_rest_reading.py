"""Reading with the connector for REST: pages, authentication, what goes wrong."""

from __future__ import annotations

import base64
import datetime as dt
import json
import socket
from decimal import Decimal
from urllib.parse import parse_qs

import pyarrow as pa
import pytest

from pypods import PodCallError

SECRET = "s3cret/& to+nobody"
THINGS = [{"id": n, "name": f"thing {n}"} for n in range(7)]


@pytest.fixture
def place(server):
    return {"base_url": f"{server.url}/api", "backoff": 0.001, "retries": 3,
            "endpoints": {"things": {"path": "/things"}}}  # fmt: skip


def rows_of(pod, place, stream="things", **options):
    return [
        row
        for batch in pod.read(place, stream, **options)
        for row in pa.record_batch(batch).to_pylist()
    ]


def declare(place, **declared):
    place["endpoints"]["things"].update(declared)


def kind_of(caught):
    return caught.value.type_name.rpartition(".")[2]


# --- pages --------------------------------------------------------------------------------------


def paged(asked):
    """Answer with three things from the place that is asked for, in every way there is."""
    given = json.loads(asked.body) if asked.body else asked.query
    start = int(given.get("offset", given.get("cursor", (int(given.get("page", 1)) - 1) * 3)))
    some, more = THINGS[start : start + 3], start + 3 < len(THINGS)
    following = f"/api/things?cursor={start + 3}"
    document = {"data": {"items": some}, "more": more}
    document["cursor"] = start + 3 if more else None
    document["next"] = following if more else None
    headers = {"Link": f'<{following}>; rel="next"'} if more else {}
    return 200, document, headers


@pytest.mark.parametrize(
    ("pagination", "requests"),
    [
        ({"kind": "page", "param": "page"}, 4),
        ({"kind": "page", "param": "page", "more": "more"}, 3),
        ({"kind": "offset", "param": "offset", "size": 1000, "size_param": "limit"}, 4),
        ({"kind": "cursor", "param": "cursor", "cursor": "cursor"}, 3),
        ({"kind": "cursor", "param": "cursor", "cursor": "cursor", "more": "more"}, 3),
        ({"kind": "link"}, 3),
        ({"kind": "next", "url": "next"}, 3),
    ],
    ids=lambda each: each if isinstance(each, int) else "-".join(each),
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_record_comes_once(rest, server, place, pagination, requests, method):
    server.answer = paged
    declare(place, records="data.items", pagination=pagination, method=method, key="id")
    if method == "POST":
        declare(place, body={"filter": {"all": True}})
        if pagination["kind"] in ("link", "next"):
            return  # A link is asked for as it is.
    assert rows_of(rest, place) == THINGS
    asked = [each for each in server.asked if each.method == method]
    # One more, that of the first page from which the columns are inferred.
    assert len(asked) == len(server.asked) == requests + 1
    assert all("filter" in each.body for each in asked) is (method == "POST")


def test_reading_ends_with_the_page_that_has_enough(rest, server, place):
    server.answer = paged
    declare(place, records="data.items", schema={"id": "int64"},
            pagination={"kind": "offset", "param": "offset"})  # fmt: skip
    assert rows_of(rest, place, limit=4) == [{"id": n} for n in range(4)]
    assert [each.query["offset"] for each in server.asked] == ["0", "3"]


def test_a_service_that_goes_round_in_circles_is_told_so(rest, server, place):
    server.answer = lambda asked: (200, {"items": THINGS, "cursor": "abc"})
    declare(place, records="items", pagination={"kind": "cursor", "param": "c", "cursor": "cursor"})
    with pytest.raises(PodCallError, match="the cursor 'abc' a second time") as caught:
        rows_of(rest, place)
    assert kind_of(caught) == "DataError"
    declare(place, pagination={"kind": "page", "param": "no_such"})
    with pytest.raises(PodCallError, match="no_such=2 with the page before"):
        rows_of(rest, place)
    declare(place, pagination={"kind": "page", "param": "p", "same_pages": True})
    with pytest.raises(PodCallError, match="more than 5 pages"):
        rows_of(rest, {**place, "max_pages": 5})


def test_memory_is_that_of_a_page(rest, server, place):
    """Rows come page by page, and not once all pages are there."""
    text = "x" * 200_000
    server.answer = lambda asked: (
        200, [{"id": int(asked.query["p"]), "text": text}] * (int(asked.query["p"]) < 60)
    )  # fmt: skip
    declare(place, schema={"id": "int64", "text": "utf8"},
            pagination={"kind": "page", "param": "p", "start": 0})  # fmt: skip
    batches = rest.read(place, "things")
    next(batches)
    assert len(server.asked) < 61  # The first rows are here before the last page was asked for.
    assert 1 + sum(1 for _ in batches) == 60
    assert len(server.asked) == 61


# --- columns ------------------------------------------------------------------------------------


def test_columns_are_declared_with_types_and_paths(rest, server, place):
    server.answer = lambda asked: (200, {"result": [
        {"id": "7", "at": "2026-11-21T10:00:00+01:00", "sum": {"amount": "12.50"}, "more": 1},
        {"id": 8, "at": None},
    ]})  # fmt: skip
    declare(place, records="result", key=["id"], schema={
        "id": "int64 not null", "at": "timestamp(us, UTC)",
        "amount": {"type": "decimal(12,2)", "path": "sum.amount"},
    })  # fmt: skip
    about = rest.schema(place, "things")
    assert (about["key"], about["rows"]) == (["id"], None)
    assert not pa.schema(about["schema"]).field("id").nullable
    assert server.asked == []
    at = dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)
    assert rows_of(rest, place) == [
        {"id": 7, "at": at, "amount": Decimal("12.50")}, {"id": 8, "at": None, "amount": None},
    ]  # fmt: skip
    assert rows_of(rest, place, columns=["amount"], names={"amount": "sum"}) == [
        {"sum": Decimal("12.50")}, {"sum": None},
    ]  # fmt: skip


def test_what_was_inferred_holds_for_all_pages(rest, server, place):
    pages = {"1": [{"id": 1, "a": "x"}], "2": [{"id": "two", "a": "y"}], "3": []}
    server.answer = lambda asked: (200, pages[asked.query["p"]])
    declare(place, pagination={"kind": "page", "param": "p"})
    with pytest.raises(PodCallError, match=r"row 1 .*'id'.*two.*declare the stream's") as caught:
        rows_of(rest, place)
    assert (kind_of(caught), caught.value.position, caught.value.column) == ("DataError", 1, "id")
    pages["2"] = [{"id": 2, "a": "y"}, {"id": 3, "b": 1}]
    with pytest.raises(PodCallError, match=r"row 2 .*has 'b', which no record") as caught:
        rows_of(rest, place)
    assert kind_of(caught) == "SchemaError"
    pages["1"] = []
    with pytest.raises(PodCallError, match="no records to infer columns from") as caught:
        rest.schema(place, "things")
    assert kind_of(caught) == "SchemaError"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"items": [{"id": "x"}]}, r"row 0 .*column 'id'.*\"x\" is no int64"),
        ({"items": [{"id": 1}, 5]}, r"record 1 \(from 0\) is 5, and has to be an object"),
        ({"items": [{"id": None}]}, r"row 0 .*'id'.*not null"),
        ({"items": {"id": 1}}, "a dict and no array at 'items'"),
        ({"others": [], "more": 1}, "nothing at 'items'; arrays are at others"),
        ([1], "nothing at 'items'"),
        (b'{"items": [{"id": 1}', "is no JSON at line 1"),
        (b"<html>", "is no JSON at line 1, column 1"),
        (b'{"items": [{"id": NaN}]}', "JSON has no NaN"),
        (b"\xff", "is no JSON"),
        (b"", "is no JSON"),
    ],
)
def test_answers_of_another_form_are_data_errors(rest, server, place, document, words):
    server.answer = lambda asked: (200, document)
    declare(place, records="items", schema={"id": "int64 not null"})
    with pytest.raises(PodCallError, match=words) as caught:
        rows_of(rest, place)
    assert kind_of(caught) == "DataError"


def test_null_for_no_records_and_one_object(rest, server, place):
    server.answer = lambda asked: (200, {"items": None, "one": {"id": 1}})
    declare(place, records="items", schema={"id": "int64"})
    assert rows_of(rest, place) == []
    declare(place, records="one", single=True)
    assert rows_of(rest, place) == [{"id": 1}]


def test_a_page_that_is_too_large_is_not_read(rest, server, place):
    server.answer = lambda asked: (200, [{"id": 1, "text": "x" * 1_000_000}])
    with pytest.raises(PodCallError, match="more than 100000 bytes; ask for smaller") as caught:
        rows_of(rest, {**place, "max_page_bytes": 100_000})
    assert kind_of(caught) == "DataError"
    import gzip

    body = gzip.compress(json.dumps([{"id": 1, "text": "x" * 1_000_000}]).encode())
    server.answer = lambda asked: (200, body, {"Content-Encoding": "gzip"})
    with pytest.raises(PodCallError, match="more than 100000 bytes"):
        rows_of(rest, {**place, "max_page_bytes": 100_000})
    assert len(rows_of(rest, place)) == 1


# --- conditions and order -----------------------------------------------------------------------


def test_conditions_go_to_the_service_where_that_is_declared(rest, server, place):
    server.answer = lambda asked: (200, THINGS)
    declare(place, schema={"id": "int64", "name": "utf8", "at": "timestamp(us, UTC)"},
            sorted_by="id",
            where={"id >=": "from", "name in": "names", "at <": "until"})  # fmt: skip
    where = [["id", ">=", 3], ["name", "in", ["thing 3", "thing 5", "x"]]]
    assert [row["id"] for row in rows_of(rest, place, where=where)] == [3, 5]
    assert server.asked[-1].query == {"from": "3", "names": "thing 3,thing 5,x"}
    until = dt.datetime(2026, 1, 1, 2, tzinfo=dt.UTC)
    assert rows_of(rest, place, where=[["at", "<", until]]) == []
    assert server.asked[-1].query == {"until": "2026-01-01T02:00:00.000000Z"}
    got = rows_of(rest, place, order_by=["id"], after=[4], columns=["id"])
    assert got == [{"id": 5}, {"id": 6}]
    assert server.asked[-1].query == {"from": "4"}
    rows_of(rest, place, where=[["name", "in", ["a,b"]], ["id", "<", 3]])
    assert server.asked[-1].query == {}
    assert rest.count(place, "things", where=[["id", "<", 3]]) == 3


def test_rows_are_sorted_here_unless_the_service_says_it_has_done_it(rest, server, place):
    server.answer = lambda asked: (200, THINGS[::-1])
    declare(place, key="id")
    assert rows_of(rest, place, order_by=["id"]) == THINGS
    declare(place, sorted_by="id")
    with pytest.raises(PodCallError, match=r"is not sorted by id: row \d") as caught:
        rows_of(rest, place, order_by=["id"])
    assert kind_of(caught) == "DataError"


# --- who we are ---------------------------------------------------------------------------------


def only(server, holds):
    """Let in who is known; tell others what they said."""
    server.answer = lambda asked: (
        (200, THINGS)
        if holds(asked)
        else (401, {"message": f"no: {dict(asked.headers)} {asked.query}"})
    )


def header_is(name, value):
    return lambda asked: asked.headers.get(name) == value


BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("settings", "holds"),
    [
        ({"auth": "basic", "user": "me", "password": SECRET},
         header_is("Authorization", f"Basic {BASIC}")),
        ({"auth": "bearer", "token": SECRET}, header_is("Authorization", f"Bearer {SECRET}")),
        ({"auth": "header", "api_key": SECRET, "api_key_name": "X-Key"},
         header_is("X-Key", SECRET)),
        ({"auth": "query", "api_key": SECRET, "api_key_name": "key"},
         lambda asked: asked.query.get("key") == SECRET),
        ({"headers": {"X-Tenant": SECRET}}, header_is("X-Tenant", SECRET)),
    ],
    ids=["basic", "bearer", "header", "query", "headers"],
)  # fmt: skip
def test_ways_to_say_who_we_are(rest, server, place, settings, holds, caplog):
    place.update(settings)
    only(server, holds)
    with caplog.at_level("DEBUG"):
        assert rows_of(rest, place) == THINGS
        only(server, lambda asked: False)
        with pytest.raises(PodCallError) as caught:
            rows_of(rest, place)
    assert kind_of(caught) == "AuthenticationError"
    for form in (SECRET, "s3cret%2F%26%20to%2Bnobody", "s3cret%2F%26+to%2Bnobody", BASIC):
        assert form not in str(caught.value) + repr(vars(caught.value)) + caplog.text
    assert "401: no: " in str(caught.value)


def test_a_secret_of_a_url_is_in_no_error(rest, server, place):
    place.update(auth="query", api_key=SECRET)
    server.answer = lambda asked: (500, f"failed for {asked.handler.path}".encode())
    for change in ({}, {"base_url": "http://127.0.0.1:9"}):
        with pytest.raises(PodCallError) as caught:
            rows_of(rest, {**place, **change})
        assert kind_of(caught) == "UnreachableError"
        assert "s3cret" not in str(caught.value)


class TokenService:
    def __init__(self):
        self.tokens = 0
        self.asked = []
        self.lasts = 3600

    def __call__(self, asked):
        if asked.path == "/token":
            self.asked.append(asked)
            form = {name: value[0] for name, value in parse_qs(asked.body).items()}
            known = asked.headers.get("Authorization") == f"Basic {BASIC}" or (
                form.get("client_id"), form.get("client_secret")
            ) == ("me", SECRET)  # fmt: skip
            if not known:
                return 401, {"error": f"invalid_client {asked.body}"}
            self.tokens += 1
            return 200, {"access_token": f"token-{self.tokens}", "expires_in": self.lasts}
        if asked.headers.get("Authorization") != f"Bearer token-{self.tokens}":
            return 401, {"message": f"{asked.headers.get('Authorization')} has ended"}
        return 200, THINGS


@pytest.mark.parametrize("client_auth", ["basic", "body"])
def test_client_credentials_of_oauth2(rest, server, place, client_auth):
    service = server.answer = TokenService()
    place.update(auth="oauth2", token_url=f"{server.url}/token", client_id="me",
                 client_secret=SECRET, client_auth=client_auth,
                 scope=f"a b {client_auth}")  # fmt: skip
    assert rows_of(rest, place) == rows_of(rest, place) == THINGS
    assert service.tokens == 1
    assert f"scope=a+b+{client_auth}" in service.asked[0].body
    service.tokens += 1  # That token is refused now; we think it has not ended.
    assert rows_of(rest, place) == THINGS
    assert service.tokens == 3
    place["client_secret"] = wrong = "wrong-" + SECRET
    with pytest.raises(PodCallError, match="token_url was answered with 401") as caught:
        rows_of(rest, place)
    assert kind_of(caught) == "AuthenticationError"
    assert wrong not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_token_is_not_shown_and_asked_for_once_more_only(rest, server, place):
    tokens = TokenService()
    server.answer = lambda asked: (
        tokens(asked)
        if asked.path == "/token"
        else (401, {"message": asked.headers["Authorization"]})
    )
    place.update(auth="oauth2", token_url=f"{server.url}/token", client_id="me",
                 client_secret=SECRET, scope="once more")  # fmt: skip
    with pytest.raises(PodCallError, match=r"401: Bearer \*\*\*") as caught:
        rows_of(rest, place)
    assert kind_of(caught) == "AuthenticationError"
    assert tokens.tokens == 2


# --- when it goes wrong -------------------------------------------------------------------------


def failing(*answers):
    """Answer so at first, and well then."""
    left = list(answers)
    return lambda asked: left.pop(0) if left else (200, THINGS)


@pytest.mark.parametrize(
    "answers",
    [
        [(500, {})],
        [(502, b"<html>"), (503, {}), (504, {})],
        [(429, {}, {"Retry-After": "0"})],
        [(503, {}, {"Retry-After": "Fri, 15 Jan 2021 08:00:30 GMT"})],
        [None, None],
    ],
    ids=["500", "5xx", "429", "503 date", "closed"],
)
def test_what_may_pass_is_tried_again(rest, server, place, answers):
    declare(place, schema={"id": "int64", "name": "utf8"})
    server.answer = failing(*answers)
    assert rows_of(rest, place) == THINGS
    assert len(server.asked) == len(answers) + 1


def test_what_does_not_pass_is_told_after_so_many_times(rest, server, place):
    declare(place, schema={"id": "int64", "name": "utf8"})
    server.answer = lambda asked: (503, {"message": "later"})
    wanted = r"GET http://[\d.:]+/api/things was answered with 503: later, 4 times"
    with pytest.raises(PodCallError, match=wanted) as caught:
        rows_of(rest, place)
    assert (kind_of(caught), caught.value.retry) == ("UnreachableError", True)
    assert len(server.asked) == 4
    server.answer = lambda asked: (429, {}, {"Retry-After": "3600"})
    with pytest.raises(PodCallError, match="come back in 3600 s, and longest_wait is 10 s"):
        rows_of(rest, {**place, "longest_wait": 10})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place.update(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}", retries=1)
        with pytest.raises(PodCallError, match=r"no answer within 0\.05 s") as caught:
            rows_of(rest, {**place, "timeout": 0.05})
    assert (kind_of(caught), caught.value.retry) == ("UnreachableError", True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "SettingsError"), (403, "AuthenticationError"), (404, "StreamNotFoundError"),
     (410, "StreamNotFoundError"), (422, "SettingsError"), (501, "UnreachableError")],
)  # fmt: skip
def test_what_another_try_does_not_change_is_asked_once(rest, server, place, status, kind):
    server.answer = lambda asked: (status, {"error": {"message": "because of that"}})
    with pytest.raises(PodCallError, match=f"{status}: because of that") as caught:
        rows_of(rest, place)
    assert (kind_of(caught), caught.value.retry) == (kind, False)
    assert len(server.asked) == 1


def test_nobody_else_is_told_who_we_are(rest, server, place):
    place.update(auth="bearer", token=SECRET)
    elsewhere = "http://localhost:1/things"
    declare(place, schema={"id": "int64"}, pagination={"kind": "link"})
    server.answer = lambda asked: (200, THINGS, {"Link": f'<{elsewhere}>; rel="next"'})
    with pytest.raises(PodCallError, match="names http://localhost, and nothing but") as caught:
        rows_of(rest, place)
    assert kind_of(caught) == "SettingsError"
    server.answer = lambda asked: (302, {}, {"Location": elsewhere})
    with pytest.raises(PodCallError, match="names http://localhost, and nothing but"):
        rows_of(rest, place)
    server.answer = lambda asked: (
        (200, THINGS)
        if asked.path.endswith("/")
        else (301, {}, {"Location": asked.path + "/"})
    )  # fmt: skip
    declare(place, pagination={"kind": "none"})
    assert len(rows_of(rest, place)) == 7
    server.answer = lambda asked: (301, {}, {"Location": asked.path})
    with pytest.raises(PodCallError, match="redirected 6 times"):
        rows_of(rest, place)


# --- declarations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"path": "things"}, "a path begins with /"),
        ({"path": "/{thing}"}, "has {thing}, and known are stream"),
        ({"paths": "/x"}, "has no 'paths'; there are path"),
        ({"path": 5}, "'path' cannot be int"),
        ({"method": "DELETE"}, "method is one of GET, POST"),
        ({"body": {}}, "a GET has no body"),
        ({"schema": {}}, "schema has no columns"),
        ({"schema": {"id": "number"}}, "'number', which is none of the contract's"),
        ({"schema": {"id": {"kind": "int64"}}}, "has a type, and perhaps a path"),
        ({"schema": {"id": "int64"}, "key": "no"}, "has no column 'no'"),
        ({"where": {"id": "x"}}, "a column and an operator"),
        ({"write": {"rows_per_request": 0}}, "rows_per_request is at least 1"),
        ({"write": {"wrap": "items"}}, "wrap is for rows_per_request"),
        ({"upsert": {"method": "GET"}}, "method is one of POST, PUT, PATCH"),
    ],
)
def test_declarations_that_are_wrong(rest, server, place, declared, words):
    declare(place, **declared)
    with pytest.raises(PodCallError, match=words) as caught:
        rest.streams(place)
    assert kind_of(caught) in ("SettingsError", "SchemaError")
    assert server.asked == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": "https://me:s3cret"}, "begins with http:// or https:// and a host"),
        ({"base_url": "ftp://x"}, "begins with http:// or https://"),
        ({"base_url": f"https://me:{SECRET}@host/"}, "holds a password"),
        ({"base_url": f"https://host/?key={SECRET}"}, "has a query"),
        ({"auth": "digest"}, "'auth' of rest is one of"),
        ({"auth": "bearer"}, "auth bearer of rest needs the setting 'token'"),
        ({"timeout": 0}, "'timeout' of rest is more than 0"),
        ({"retries": -1}, "'retries' of rest is 0 or more"),
        ({"decimals": "words"}, "'decimals' of rest is one of"),
        ({"headers": {"X": 5}}, "header 'X' of rest is text"),
        ({"ca_file": "/no/such"}, "'ca_file' of rest"),
    ],
)
def test_settings_that_are_wrong(rest, place, settings, words):
    with pytest.raises(PodCallError, match=words) as caught:
        rest.check({**place, **settings})
    assert kind_of(caught) == "SettingsError"
    assert "s3cret" not in str(caught.value)


def test_streams_are_the_declared_endpoints_and_any_other(rest, server, place):
    server.answer = lambda asked: (200, [{"path": asked.handler.path}])
    place["endpoints"]["*"] = {"path": "/{stream}/all"}
    names = [each["name"] for each in rest.streams(place)]
    assert names == ["things"]
    assert rows_of(rest, place, "a b/c?") == [{"path": "/api/a%20b%2Fc%3F/all"}]
    with pytest.raises(PodCallError, match=r"'\.\.' cannot stand in the path"):
        rows_of(rest, place, "..")
    del place["endpoints"]["*"]
    with pytest.raises(PodCallError, match="no endpoint 'others'; it has 'things'") as caught:
        rows_of(rest, place, "others")
    assert kind_of(caught) == "StreamNotFoundError"


def test_check_reaches_the_service(rest, server, place):
    server.answer = lambda asked: (404 if asked.path == "/api" else 418, {})
    assert place["base_url"] in rest.check(place)["server"]
    with pytest.raises(PodCallError, match="418"):
        rest.check({**place, "check_path": "/status"})

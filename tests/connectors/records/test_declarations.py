"""What connections declare of streams and of requests; nothing is sent here."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods.connectors.errors import SettingsError
from pypods.connectors.records.declarations import (
    check_declaration,
    check_where,
    column_names,
    passed_on,
)
from pypods.connectors.records.request_settings import (
    RequestSettings,
    basic_credentials,
    make_waits,
)
from pypods.connectors.row_filter import RowFilter
from pypods.connectors.settings import setting

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.utf8())])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (5, "x is a mapping, not int"),
        ({"b": 1}, "x has no 'b'; there are a, single"),
        ({"a": 5}, "x: 'a' cannot be int"),
        ({"a": True}, "x: 'a' cannot be bool"),
        ({"single": 1}, "x: 'single' cannot be int"),
    ],
)
def test_declarations_are_checked(declared, words):
    known = {"a": (str, list), "single": bool}
    check_declaration("x", {"a": ["b"], "single": False}, known)
    with pytest.raises(SettingsError, match=words):
        check_declaration("x", declared, known)


def test_names_of_columns_may_stand_alone():
    assert column_names("a") == column_names(["a"]) == ["a"]
    assert column_names(None) == []


def test_conditions_are_passed_on_where_a_parameter_is_declared():
    where = check_where("x", {"id >=": "from", "id in": "ids", "two words =": "w"})
    assert where == {("id", ">="): "from", ("id", "in"): "ids", ("two words", "="): "w"}
    chosen = RowFilter(SCHEMA, "t", where=[["id", "in", [1, 2]], ["name", "=", "x"]])
    told = passed_on(where, [], chosen)
    assert {name: (c, o, [v.as_py() for v in values]) for name, (c, o, values) in told.items()} == {
        "ids": ("id", "in", [1, 2])
    }
    for wrong in ({"id": "x"}, {"id like": "x"}, {" =": "x"}, {"id =": 5}):
        with pytest.raises(SettingsError, match="x: where"):
            check_where("x", wrong)


@pytest.mark.parametrize(
    ("sorted_by", "after", "told"),
    [
        (["id", "name"], [5, "x"], 5),
        (["name", "id"], [5, "x"], None),
        ([], [5, "x"], None),
        (["id", "name"], [None, "x"], None),
    ],
)
def test_the_row_to_go_on_after_is_passed_on_where_rows_are_sorted_so(sorted_by, after, told):
    chosen = RowFilter(SCHEMA, "t", order_by=["id", "name"], after=after)
    found = passed_on({("id", ">="): "from"}, sorted_by, chosen)
    assert {name: value.as_py() for name, (_, _, value) in found.items()} == (
        {} if told is None else {"from": told}
    )


WAYS = {"none": (), "basic": ("user", "password")}


class OwnSettings(RequestSettings):
    authentications = WAYS
    urls = ("url",)

    def __init__(self):
        super().__init__(
            "x", *[setting(name, "text", "") for name in ("url", "user", "password")],
            setting("auth", "text", "", default="none"),
        )  # fmt: skip


def test_settings_of_requests():
    checked = OwnSettings().check({"url": "https://host/a"})
    waits = make_waits(checked, sleep=None, random=lambda: 1.0)
    assert (waits.retries, waits.seconds(1, None), waits.longest) == (5, 1.0, 300)
    assert waits.now() > 1_700_000_000
    assert OwnSettings().check({"auth": "basic", "user": "a", "password": "b"})["url"] is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"timeout": 0}, "'timeout' of x is more than 0"),
        ({"max_pages": -1}, "'max_pages' of x is more than 0"),
        ({"backoff": -0.5}, "'backoff' of x is 0 or more"),
        ({"auth": "c"}, "'auth' of x is one of none, basic"),
        ({"auth": "basic", "user": "a"}, "auth basic of x needs the setting 'password'"),
        ({"url": "https://me:s3cret/@host/"}, "'url' of x holds a password"),
    ],
)
def test_settings_of_requests_that_mean_nothing(settings, words):
    with pytest.raises(SettingsError, match=words) as caught:
        OwnSettings().check(settings)
    assert "s3cret" not in str(caught.value)


def test_a_name_and_a_password_are_sent_as_utf_8():
    assert basic_credentials("me", "ö") == "bWU6w7Y="
    assert basic_credentials(None, "") == "Og=="

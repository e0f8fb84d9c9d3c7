"""What is Oracle's own, over a stand-in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from pypods import PodCallError

CONNECTOR = "oracle"


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        (["1", "-20.5", "0.001"], "decimal128(38, 3)"),
        (["12345678901234567890"], "decimal128(38, 0)"),
        (["0"], "decimal128(38, 0)"),
        ([], "decimal128(38, 9)"),
    ],
)
def test_a_number_of_any_precision_has_that_of_its_values(standin, values, arrow):
    table = standin.make("t", {"c": "number"})
    standin.execute(*(f"insert into {table} values ({value})" for value in values))
    assert standin.fields()["c"] == (arrow, "")
    assert sorted(row["c"] for row in standin.read()) == sorted(map(Decimal, values))
    assert standin.fields(query=f'select "c" from {table}')["c"] == (arrow, "")


def test_a_number_of_more_digits_than_arrow_s_decimals_is_text(standin):
    table = standin.make("t", {"c": "number"})
    standin.execute(f"insert into {table} values (1{'0' * 37}.5)")
    assert standin.fields()["c"] == ("string", "number")


@pytest.mark.parametrize("values", [["a", ""], [b"a", b""]])
def test_what_is_empty_is_refused_or_made_null(standin, values):
    table = pa.table({"c": values})
    with pytest.raises(PodCallError, match="would make NULL of what is empty") as caught:
        standin.write(table)
    assert (caught.value.column, caught.value.position) == ("c", 1)
    standin.connection["empty_text"] = "null"
    standin.write(table)
    assert [row["c"] for row in standin.read()] == [values[0], None]
    standin.connection["empty_text"] = "keep"
    with pytest.raises(PodCallError, match="refuse, null"):
        standin.write(table)


def test_a_time_without_a_date_has_no_type(standin):
    with pytest.raises(PodCallError, match="Oracle has no type for time64"):
        standin.write(pa.table({"c": [dt.time(1, 2)]}))


def test_texts_are_compared_and_are_keys(standin):
    table = pa.table({"k": ["a", "b"], "v": ["x" * 5000, "y"]})
    standin.write(table, mode="upsert", key=["k"])
    assert standin.fields() == {"k": ("string", ""), "v": ("string", "")}
    assert standin.read(where=[["v", "=", "y"]], order_by=["v"]) == [{"k": "b", "v": "y"}]
    standin.write(pa.table({"k": ["c"], "v": ["y"]}), mode="delete_insert", key=["v"])
    assert sorted(row["k"] for row in standin.read()) == ["a", "c"]
    assert 'to_char("v")' in " ".join(standin.pod.recorded())


def test_names_in_capitals_are_found_as_oracle_s_users_write_them(standin):
    standin.make("ORDERS", {"ID": "number(9)"})
    described = standin.pod.schema(standin.connection, "app.orders")
    assert pa.schema(described["schema"]).names == ["ID"]
    assert standin.pod.count(standin.connection, "orders") == 0


def test_settings_name_one_database(standin):
    for settings in ({"user": "app"}, {**standin.connection, "sid": "x"}):
        with pytest.raises(PodCallError, match="one of the settings"):
            standin.pod.check(settings)
    secrets = {each["name"] for each in standin.pod.describe_connector()["settings"]
               if each["secret"]}  # fmt: skip
    assert secrets == {"password", "wallet_password"}
    assert standin.pod.describe_connector()["verified"] is False

"""What a connector gets that is neither of a SQL system nor of files: one of lists in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest

from pypods.connectors.batches import as_batches
from pypods.connectors.connector import Connector
from pypods.connectors.errors import (
    ConflictError,
    ConnectorError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.names import check_columns, only_columns, rename_columns
from pypods.connectors.settings import Settings, setting
from pypods.connectors.staging import StagedTarget
from pypods.connectors.types import schema_from_rows

ROWS = pa.table({"id": [1, 2, 3], "name": ["a", "b", None]})
PLACE = {"shop": "open", "password": "hunter2"}


class ShopConnector(Connector):
    """Tables of this process; ``calls`` is what was done with them."""

    name = "shop"
    title = "The shop"
    settings = Settings(
        "shop",
        setting("shop", "text", "whether it is open", required=True),
        setting("password", "text", "who we are", secret=True),
    )

    def __init__(self) -> None:
        self.tables = {"rows": ROWS}
        self.calls: list[Any] = []
        self.staged: list[pa.RecordBatch] = []

    def driver(self) -> str:
        return "lists 1"

    @contextmanager
    def open(self, settings: dict[str, Any], *, writing: bool = False) -> Iterator[dict[str, Any]]:
        self.calls.append(f"open {'writing' if writing else 'reading'}")
        if settings["shop"] != "open":
            raise OSError(f"closed to {settings['password']}")
        try:
            yield self.tables
        finally:
            self.calls.append("close")

    def translate(self, error: Exception, settings: dict[str, Any]) -> ConnectorError | None:
        if isinstance(error, OSError):
            return UnreachableError(f"{settings['shop']}: {error}")
        return None

    def server(self, session: Any) -> str:
        return f"a shop with {len(session)} tables"

    def list_streams(self, session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"name": each, "kind": "table", "rows": None} for each in session]

    def schema(self, connection, stream, *, query=None, columns=None, names=None):
        def look(session: Any, _: dict[str, Any]) -> dict[str, Any]:
            if stream not in session:
                raise StreamNotFoundError(f"no table {stream}")
            schema = session[stream].schema
            wanted = only_columns(schema, check_columns(columns, schema.names, stream))
            return {"schema": rename_columns(wanted, names, stream), "key": [], "rows": None}

        return self.using(connection, look)

    def batches(self, session, settings, stream, *, columns, batch_rows, limit, **_):
        table = session[stream].slice(0, limit)
        yield from table.select(columns or table.column_names).to_batches(batch_rows)
        if stream == "broken":
            raise OSError(f"burnt down, {settings['password']}")


class ShopTarget(StagedTarget):
    """Writes into a table: what is staged is a list of batches."""

    def __init__(self, connector: Any, stream: str) -> None:
        self.connector, self.stream = connector, stream

    title, shown, modes = "The shop", "a table", ("append", "replace")

    def find_run(self, run: str) -> None:
        return None

    def prepare(self, schema, *, mode, key, run, drift, exists):
        self.check_request(schema_from_rows(schema), mode=mode, key=key, run=run)
        self.connector.calls.append(("prepare", run.partition("-")[0], mode, drift, exists))
        self.connector.staged = []
        return {"schema": schema_from_rows(schema)}

    def write(self, batches, *, run, part, position, bad_rows, max_bad_rows, attempt, committed):
        self.connector.staged = list(as_batches(batches, ROWS.schema))
        return {"rows": sum(each.num_rows for each in self.connector.staged)}

    def finish(self, *, run, cursor, rows):
        self.connector.tables[self.stream] = pa.Table.from_batches(self.connector.staged)
        return {"rows": rows}

    def abandon(self, *, run):
        self.connector.calls.append("abandon")

    def state(self):
        return {"cursor": None, "run": None}


class WritingShopConnector(ShopConnector):
    def target(self, session: Any, settings: dict[str, Any], stream: Any) -> ShopTarget:
        return ShopTarget(self, stream)


@pytest.fixture
def shop():
    return WritingShopConnector()


def test_a_connector_without_one_of_the_parts_is_none():
    class Half(Connector):
        """Says what its driver is, and nothing else."""

        def driver(self) -> str:
            return "half"

    with pytest.raises(TypeError, match=r"abstract methods? .*batches"):
        Half()


def test_it_is_described_by_what_it_says_of_itself(shop):
    described = shop.describe_connector()
    assert described["title"] == "The shop"
    assert described["driver"] == "lists 1"
    assert described["verified"] is True
    assert described["capabilities"]["write"] == []
    assert [each["name"] for each in described["settings"]] == ["shop", "password"]


def test_each_call_opens_a_session_and_ends_it(shop):
    assert shop.check(PLACE) == {"server": "a shop with 1 tables", "driver": "lists 1"}
    assert shop.calls == ["open reading", "close"]
    assert [each["name"] for each in shop.streams(PLACE)] == ["rows"]
    assert shop.schema(PLACE, "rows", columns=["id"])["schema"].names == ["id"]


def test_what_is_read_ends_the_session_when_it_is_closed(shop):
    batches = shop.read(PLACE, "rows", batch_rows=1)
    assert next(batches).num_rows == 1
    assert shop.calls == ["open reading"]
    batches.close()
    assert shop.calls == ["open reading", "close"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"batch_rows": 0}, "batch_rows is"), ({"batch_rows": True}, "batch_rows is"),
     ({"limit": -1}, "limit is"), ({"limit": "1"}, "limit is")],
)  # fmt: skip
def test_numbers_of_rows_are_checked(shop, wrong, words):
    with pytest.raises(SettingsError, match=words):
        next(shop.read(PLACE, "rows", **wrong))
    assert shop.calls == []


def test_counts_and_sums_are_those_of_the_rows_that_are_read(shop):
    assert shop.count(PLACE, "rows") == 3
    whole = shop.checksum(PLACE, "rows", schema=ROWS.schema)
    assert whole["rows"] == 3
    shop.tables["turned"] = ROWS.take([2, 0, 1])
    assert shop.checksum(PLACE, "turned", schema=ROWS.schema) == whole
    assert shop.checksum(PLACE, "rows", schema=ROWS.schema, columns=["id"]) != whole


def test_there_is_one_partition_unless_a_connector_makes_more(shop):
    assert shop.partitions(PLACE, "rows", 4) == [{}]
    assert shop.release_partitions(PLACE, [{}]) is None


def test_the_drivers_error_becomes_one_of_the_contract_without_its_secret(shop):
    with pytest.raises(UnreachableError, match=r"^shut: closed to \*\*\*$") as caught:
        shop.check({**PLACE, "shop": "shut"})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_error_in_the_middle_of_reading_is_one_of_the_contract(shop):
    shop.tables["broken"] = ROWS
    batches = shop.read(PLACE, "broken")
    assert next(batches).num_rows == 3
    with pytest.raises(UnreachableError, match=r"burnt down, \*\*\*"):
        next(batches)
    assert shop.calls == ["open reading", "close"]


def test_an_error_that_is_none_of_the_drivers_stays_what_it_is(shop):
    with pytest.raises(KeyError, match="none"):
        next(shop.read(PLACE, "none"))


@pytest.mark.parametrize("given", ["table", "batches", "batch", "reader"])
def test_write_all_is_prepare_write_and_finish(shop, given):
    batches = ROWS.to_batches()
    what = {
        "table": lambda: ROWS, "batches": lambda: iter(batches),
        "batch": lambda: batches[0],
        "reader": lambda: pa.RecordBatchReader.from_batches(ROWS.schema, batches),
    }[given]()  # fmt: skip
    assert shop.write_all(PLACE, "new", what, mode="replace") == {"rows": 3}
    assert shop.tables["new"] == ROWS
    assert ("prepare", "write_all", "replace", "evolve", None) in shop.calls
    assert shop.state(PLACE, "new") == {"cursor": None, "run": None}
    assert shop.calls[-2:] == ["open reading", "close"]


def test_write_all_abandons_what_failed(shop):
    def broken() -> Iterator[Any]:
        yield ROWS.to_batches()[0]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        shop.write_all(PLACE, "new", broken())
    assert "abandon" in shop.calls
    assert "new" not in shop.tables
    with pytest.raises(SettingsError, match="no batch to take the schema from"):
        shop.write_all(PLACE, "new", [])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"mode": "upsert"}, "rows are written in the modes append, replace, not 'upsert'"),
     ({"run": ""}, "a run has a name of 1 to 200"), ({"run": "r" * 201}, "a run has a name")],
)  # fmt: skip
def test_what_a_run_asks_for_is_checked(shop, wrong, words):
    with pytest.raises(SettingsError, match=words):
        shop.prepare(PLACE, "new", ROWS.schema, **{"mode": "append", "run": "r", **wrong})


def test_a_run_that_is_not_prepared_cannot_be_written():
    with pytest.raises(ConflictError, match="run 'r' of a table is not prepared"):
        ShopTarget(WritingShopConnector(), "new").open_run("r")


def test_what_is_not_implemented_is_refused():
    shop = ShopConnector()
    for call, words in (
        (lambda: shop.truncate(PLACE, "rows"), "The shop: all rows of a stream cannot be removed"),
        (lambda: shop.execute(PLACE, "drop"), "The shop: there are no statements"),
        (lambda: shop.state(PLACE, "rows"), "The shop: streams can only be read"),
        (lambda: shop.abandon(PLACE, "rows", run="r"), "The shop: streams can only be read"),
    ):
        with pytest.raises(SettingsError, match=words):
            call()

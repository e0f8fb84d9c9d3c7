"""What the functions of the contract refuse alike for tables and for files, and in which words."""

from __future__ import annotations

import file_connectors as files
import pyarrow as pa
import pytest

from pypods.connectors.errors import (
    ConflictError,
    DataError,
    SchemaError,
    SettingsError,
    StreamNotFoundError,
)

TABLE = pa.table({"id": [1, 2, 3], "text": ["a", "b", "c"]})
TWICE = pa.schema([("id", pa.int64()), ("id", pa.int64())])


class Subject:
    """A connector, where its streams are, and one stream that has three rows."""

    def __init__(self, connector, place, stream):
        self.connector, self.place, self.stream = connector, place, stream
        connector.write_all(place, stream, TABLE.to_batches())

    def __getattr__(self, name):
        function = getattr(self.connector, name)
        return lambda *args, **options: function(self.place, self.stream, *args, **options)

    def begin(self, *, schema=TABLE.schema, mode="append", key=(), run="r1", **options):
        return self.prepare(schema, mode=mode, key=key, run=run, **options)

    def stage(self, table=TABLE, **options):
        options = {"run": "r1", **options}
        return self.write(table.to_batches(), **options)

    def rows(self, **options):
        return files.rows_of(self.connector, self.place, self.stream, **options)


@pytest.fixture(params=["sqlite", "parquet", "csv"])
def subject(request, connector, place, tmp_path):
    if request.param == "sqlite":
        return Subject(connector, place, "t")
    return Subject(files.load(request.param), {"folder": str(tmp_path)}, f"t.{request.param}")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"mode": "mix"}, SettingsError, "modes append.*, not 'mix'"),
        ({"run": ""}, SettingsError, "a run has a name"),
        ({"run": None}, SettingsError, "a run has a name"),
        ({"schema": pa.schema([])}, SchemaError, "there are no columns to write"),
        ({"schema": TWICE}, SchemaError, "id"),
        ({"key": ["x"]}, SchemaError, "what is written has no column 'x'; it has 'id', 'text'"),
        ({"exists": False}, ConflictError, "there must be none"),
        ({"drift": "mix"}, SettingsError, "mix"),
    ],
)
def test_a_run_that_cannot_be_is_refused(subject, options, error, says):
    with pytest.raises(error, match=says):
        subject.begin(**options)
    assert subject.rows() == TABLE.to_pylist()


def test_a_target_that_has_to_be_there_is_missed(subject):
    subject.stream = subject.stream.replace("t", "u", 1)
    with pytest.raises(StreamNotFoundError, match="there has to be one"):
        subject.begin(exists=True)


@pytest.mark.parametrize("mode", ["upsert", "delete_insert"])
def test_modes_that_find_rows_need_a_key(subject, mode):
    offered = subject.connector.describe_connector()["capabilities"]["write"]
    says = f"mode {mode} needs a key" if mode in offered else f"append.*, not '{mode}'"
    with pytest.raises(SettingsError, match=says):
        subject.begin(mode=mode)


def test_a_run_does_not_change_while_it_goes_on(subject):
    subject.begin()
    with pytest.raises(ConflictError, match=r"r1.* began with another mode, key or schema"):
        subject.begin(mode="replace")


@pytest.mark.parametrize(
    "step",
    [lambda subject: subject.stage(run="r9"), lambda subject: subject.finish(run="r9")],
    ids=["write", "finish"],
)
def test_a_run_has_to_be_prepared(subject, step):
    with pytest.raises(ConflictError, match=r"'r9' .*is not prepared"):
        step(subject)


def test_bad_rows_fail_or_are_collected(subject):
    subject.begin()
    with pytest.raises(SettingsError, match="bad_rows is fail or collect, not 'drop'"):
        subject.stage(bad_rows="drop")


def test_an_older_attempt_is_over(subject):
    attempt = subject.begin()["attempt"]
    subject.begin()
    with pytest.raises(ConflictError):
        subject.stage(attempt=attempt)


def test_another_count_than_was_written_changes_nothing(subject):
    subject.begin()
    subject.stage()
    with pytest.raises(ConflictError, match="must be 4"):
        subject.finish(run="r1", rows=4)
    assert subject.rows() == TABLE.to_pylist()


def test_what_is_finished_cannot_be_abandoned(subject):
    subject.begin()
    subject.stage()
    subject.finish(run="r1")
    with pytest.raises(ConflictError, match=r"'r1' of .* is finished: its rows are in the target"):
        subject.abandon(run="r1")
    assert len(subject.rows()) == 6


def test_what_was_never_begun_is_abandoned_without_a_word(subject):
    subject.abandon(run="r9")
    assert subject.rows() == TABLE.to_pylist()


def test_a_stream_that_was_never_written_has_no_state(subject):
    subject.stream = subject.stream.replace("t", "u", 1)
    state = subject.state()
    assert (state["cursor"], state["run"]) == (None, None)


@pytest.mark.parametrize("batch_rows", [0, True, "1"])
def test_batches_have_a_number_of_rows(subject, batch_rows):
    with pytest.raises(SettingsError, match="batch_rows is a number of rows"):
        subject.rows(batch_rows=batch_rows)


def test_no_batches_have_no_schema(subject):
    with pytest.raises(SettingsError, match="no batch to take the schema from; give schema="):
        subject.write_all([])
    assert subject.rows() == TABLE.to_pylist()


def test_no_batches_with_a_schema_make_an_empty_target(subject):
    done = subject.write_all([], schema=TABLE.schema, mode="replace")
    assert done["rows"] == 0
    assert subject.rows() == []


def test_columns_get_new_names(subject):
    assert subject.rows(names={"id": "n"}, columns=["id"]) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_column_that_is_not_read_gets_no_new_name(subject):
    with pytest.raises((SchemaError, SettingsError), match="'x'"):
        subject.rows(names={"x": "y"})


def test_a_write_that_fails_leaves_nothing(subject):
    def batches():
        yield TABLE.to_batches()[0]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        subject.write_all(batches())
    assert subject.rows() == TABLE.to_pylist()
    assert subject.begin(run="r2")["parts"] == {}


def test_two_columns_do_not_get_one_name(subject):
    with pytest.raises(SchemaError, match=r"two columns of \S+ would be called 'text'"):
        subject.rows(names={"id": "text"})


# --- tables alone -------------------------------------------------------------------------------


def test_two_rows_of_one_key_are_no_upsert(connector, place):
    subject = Subject(connector, place, "t")
    subject.begin(mode="upsert", key=["id"])
    with pytest.raises(DataError, match=r"rows 0 to 1 .* of part '0': SQLite: UNIQUE"):
        subject.stage(pa.table({"id": [7, 7], "text": ["x", "y"]}))
    assert subject.rows() == TABLE.to_pylist()


def test_a_view_is_not_written(connector, place):
    import sqlite3

    connector.write_all(place, "t", TABLE.to_batches())
    with sqlite3.connect(place["database"]) as database:
        database.execute("create view v as select * from t")
    database.close()
    with pytest.raises(SettingsError, match="is a view, which cannot be written"):
        connector.prepare(place, "v", TABLE.schema, mode="append", key=[], run="r1")


def test_a_query_is_no_empty_text(connector, place):
    connector.write_all(place, "t", TABLE.to_batches())
    with pytest.raises(SettingsError, match="a query is the text of a statement"):
        connector.count(place, None, query="  ")


def test_a_staging_table_that_somebody_dropped_is_missed(connector, place):
    import sqlite3

    connector.write_all(place, "t", TABLE.to_batches())
    connector.prepare(place, "t", TABLE.schema, mode="append", key=[], run="r1")
    database = sqlite3.connect(place["database"])
    staging = "_pypods_" + "[0-9a-f]" * 16
    names = f"select name from sqlite_master where type = 'table' and name glob '{staging}'"
    for (name,) in database.execute(names).fetchall():
        database.execute(f'drop table "{name}"')
    database.commit()
    database.close()
    with pytest.raises(ConflictError, match="gone; abandon the run and begin anew"):
        connector.write(place, "t", TABLE.to_batches(), run="r1")


# --- files alone --------------------------------------------------------------------------------


@pytest.fixture
def parquet():
    return files.load("parquet")


def test_a_pattern_is_not_written(parquet, tmp_path):
    with pytest.raises(SettingsError, match="is a pattern, which can only be read"):
        parquet.write_all({"folder": str(tmp_path)}, "*.parquet", TABLE)


def test_a_folder_is_written_by_its_own_name(parquet, tmp_path):
    (tmp_path / "t.parquet").mkdir()
    with pytest.raises(ConflictError, match="is a folder; end its name with / to write into it"):
        parquet.write_all({"folder": str(tmp_path)}, "t.parquet", TABLE)

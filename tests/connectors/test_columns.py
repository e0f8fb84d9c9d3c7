"""Columns and their values on their way between texts, rows and types."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from pypods.connectors.batches import conform, misfit
from pypods.connectors.errors import DataError, SchemaError
from pypods.connectors.files.format import merge_schemas, spread
from pypods.connectors.names import rename_columns
from pypods.connectors.rows import batch_from_rows, columns_of
from pypods.connectors.text_forms import array_from_text, text_from_array

D = Decimal


def schema_of(**types):
    return pa.schema(list(types.items()))


# --- texts --------------------------------------------------------------------------------------

NESTED = pa.struct([
    ("d", pa.date32()), ("t", pa.timestamp("us")), ("z", pa.timestamp("us", "UTC")),
    ("f", pa.float64()), ("b", pa.binary()), ("n", pa.decimal128(5, 2)), ("s", pa.utf8()),
    ("y", pa.bool_()), ("l", pa.list_(pa.int64())),
])  # fmt: skip
VALUE = {
    "d": dt.date(2026, 1, 2), "t": dt.datetime(2026, 1, 2, 3), "f": float("-inf"), "b": b"\x00\xff",
    "z": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "n": D("1.50"), "s": "ä", "y": True,
    "l": [1, None],
}  # fmt: skip


@pytest.mark.parametrize("binary", ["base64", "hex"])
def test_what_is_nested_is_a_text_of_json_and_comes_back(binary):
    field = pa.field("c", NESTED)
    array = pa.array([VALUE, None, {**VALUE, "f": 0.1, "b": None}], NESTED)
    texts = text_from_array(array, field, binary=binary)
    assert '"n": "1.50"' in texts[0].as_py()
    assert '"f": "-inf"' in texts[0].as_py()
    assert ('"b": "00ff"' in texts[0].as_py()) == (binary == "hex")
    assert array_from_text(texts, field, binary=binary).equals(array)


def test_a_decimal_is_written_without_an_exponent():
    field = pa.field("c", pa.decimal128(20, 10))
    array = pa.array([D("0.0000000001"), None, D("2.5")], field.type)
    texts = text_from_array(array, field)
    assert texts.to_pylist() == ["0.0000000001", None, "2.5000000000"]


@pytest.mark.parametrize("text", ['{"x": 1}', "[1]", '{"l": 1}', '{"f": true}', '{"y": 1}'])
def test_a_text_that_is_another_structure_is_no_value(text):
    with pytest.raises(DataError, match=r"row 1 \(from 0\), column 'c'"):
        array_from_text(pa.array(["{}", text]), pa.field("c", NESTED))


# --- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (pa.date32(), dt.datetime(2026, 1, 2, 3)),
        (pa.date32(), 3),
        (pa.time64("us"), dt.time(1, tzinfo=dt.UTC)),
        (pa.timestamp("us"), dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        (pa.timestamp("us", "UTC"), dt.datetime(2026, 1, 2)),
        (pa.timestamp("us"), 5),
        (pa.utf8(), b"a"),
        (pa.binary(), "a"),
        (pa.binary(2), "ab"),
        (pa.float64(), 2**53 + 1),
        (pa.float32(), 0.1),
        (pa.int64(), 1.5),
        (pa.int64(), True),
        (pa.bool_(), 1),
        (pa.int8(), 128),
        (pa.utf8(), 1),
    ],
    ids=str,
)
def test_a_value_that_a_type_does_not_hold_is_named(type_, value):
    with pytest.raises(DataError, match=r"row 1 \(from 0\), column 'c': .* is no ") as caught:
        batch_from_rows([(None,), (value,), (None,)], schema_of(c=type_))
    assert (caught.value.position, caught.value.column) == (1, "c")


def test_a_long_value_is_shown_in_part():
    with pytest.raises(DataError) as caught:
        batch_from_rows([("x" * 1000,)], schema_of(c=pa.int64()))
    assert "x…" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_row_of_another_length_is_named():
    with pytest.raises(DataError, match=r"row 8 \(from 0\) has 1 values, and there are 2 columns"):
        batch_from_rows([(1, 2), (1,)], schema_of(a=pa.int64(), b=pa.int64()), first_row=7)


def test_no_rows_are_a_batch_too():
    batch = batch_from_rows([], schema_of(a=pa.int64()))
    assert (batch.num_rows, batch.num_columns) == (0, 1)


def test_columns_are_converted_but_not_null():
    batch = pa.record_batch({"a": [1, None], "b": ["x", "y"]})
    assert columns_of(batch) == [[1, None], ["x", "y"]]
    assert columns_of(batch, [str, None]) == [["1", None], ["x", "y"]]


# --- types --------------------------------------------------------------------------------------


class Boxed(pa.ExtensionType):
    """A type of somebody's own over integers."""

    def __init__(self):
        super().__init__(pa.int32(), "pypods.tests.boxed")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


def test_a_type_of_somebodys_own_is_what_it_stores():
    array = pa.ExtensionArray.from_storage(Boxed(), pa.array([1, None], pa.int32()))
    made = conform(pa.record_batch([array], ["c"]), schema_of(c=pa.int64()))
    assert made.column(0).to_pylist() == [1, None]


def test_what_python_has_no_value_for_is_shown_as_text():
    array = pa.array([None, 1], pa.timestamp("ns"))
    error = misfit(array, 1, pa.field("c", pa.timestamp("us")), 10)
    assert "00:00:00.000000001" in str(error)
    assert (error.position, error.column) == (11, "c")


@pytest.mark.parametrize(
    ("names", "result"),
    [({}, ["a", "b"]), ({"a": "x"}, ["x", "b"]), ({"a": "b", "b": "a"}, ["b", "a"])],
)
def test_columns_are_renamed(names, result):
    assert rename_columns(schema_of(a=pa.int8(), b=pa.utf8()), names, "t").names == result


def test_two_columns_do_not_get_one_name():
    with pytest.raises(SchemaError, match="two columns of t would be called 'b'"):
        rename_columns(schema_of(a=pa.int8(), b=pa.utf8()), {"a": "b"}, "t")


def test_schemas_of_files_become_one_that_takes_all():
    whole = pa.schema([pa.field("a", pa.int8(), nullable=False), pa.field("b", pa.utf8(), False)])
    other = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("c", pa.utf8(), False)])
    merged = merge_schemas(iter([("1", whole), ("2", other)]))
    assert merged.names == ["a", "b", "c"]
    assert merged.field("a") == pa.field("a", pa.int64(), nullable=False)
    assert merged.field("b").nullable
    assert merged.field("c").nullable


def test_schemas_that_cannot_be_one_are_named_with_their_files():
    schemas = [("1.csv", schema_of(a=pa.bool_())), ("2.csv", schema_of(a=pa.binary()))]
    with pytest.raises(
        SchemaError, match=r"column 'a' is binary in 2\.csv and bool in files before"
    ):
        merge_schemas(iter(schemas))


@pytest.mark.parametrize(
    ("weights", "count", "parts"),
    [
        ([1, 1, 1, 1], 2, [[0, 1], [2, 3]]),
        ([9, 1, 1, 1], 2, [[0], [1, 2, 3]]),
        ([1], 5, [[0]]),
        ([0, 0], 2, [[0, 1]]),
        ([], 3, []),
        ([1, 1], 0, [[0, 1]]),
    ],
)
def test_pieces_are_spread_by_their_weight_in_their_order(weights, count, parts):
    pieces = [({"at": at}, weight) for at, weight in enumerate(weights)]
    assert [[each["at"] for each in part] for part in spread(pieces, count)] == parts

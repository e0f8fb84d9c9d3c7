"""Arrays of every type, sliced anywhere, to a host and to a pod: equal, of the same type, valid."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypods.wire.arrow.values import ArrowArrayValue, ArrowSchemaValue, ArrowValue


def assert_same(back, value):
    back.validate(full=True)
    assert type(back) is type(value)
    assert back.type.equals(value.type, check_metadata=True)
    assert back.equals(value)


def test_plain_arrays_cross_sliced_at_every_offset(inline, ours, plain_types, shuffle):
    shuffled = shuffle(1)
    batch = pa.record_batch(
        [shuffled.whole(type_, 40) for type_ in plain_types],
        names=[str(index) for index in range(len(plain_types))],
    )
    for offset in range(18):
        value = batch.slice(offset, offset * 7 % 23)
        arrived = inline(value)
        passed_on = inline(arrived)
        made = [inline(value, "pod"), inline(arrived, "pod"), pa.record_batch(ours(arrived))]
        for back in (*made, pa.record_batch(arrived), pa.record_batch(passed_on)):
            back.validate(full=True)
            assert back.schema.equals(value.schema, check_metadata=True)
            assert back.equals(value)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 64])
def test_a_slice_of_a_bitmap_is_cut_at_a_byte(inline, length):
    values = [None if index % 3 == 0 else index % 2 == 0 for index in range(100)]
    lists = [None if each is None else [each, None] for each in values]
    texts = [None if each is None else str(each) for each in values]
    table = pa.table({"b": values, "l": lists, "t": texts, "f": [True, False] * 50})
    for offset in range(18):
        value = table.slice(offset, length)
        assert pa.table(inline(value)).to_pydict() == value.to_pydict()
        carried = inline(value).nbytes
        assert carried <= inline(table.slice(0, length + 8)).nbytes


@settings(deadline=None, max_examples=70)
@given(seed=st.integers(0, 2**32), length=st.sampled_from([0, 1, 7, 20]), data=st.data())
def test_an_array_of_any_type_crosses(inline, ours, shuffle, seed, length, data):
    shuffled = shuffle(seed)
    type_ = shuffled.type()
    value = shuffled.array(type_, length)
    value.validate(full=True)
    offset = data.draw(st.integers(0, min(17, length)), label="offset")
    value = value.slice(offset, data.draw(st.integers(0, length - offset), label="length"))
    assert_same(inline(value, "pod"), value)
    arrived = inline(value)
    assert_same(pa.array(arrived), value)
    assert_same(pa.array(ours(arrived)), value)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), columns=st.integers(0, 4), lengths=st.lists(st.integers(0, 9)))
def test_a_table_of_any_types_crosses(inline, ours, shuffle, seed, columns, lengths):
    shuffled = shuffle(seed)
    fields = [shuffled.field(f"c{index}", 2) for index in range(columns)]
    schema = pa.schema(fields, metadata={"table": "\0"} if seed % 2 else None)
    batches = [
        pa.record_batch([shuffled.array(field.type, length) for field in fields], schema=schema)
        for length in lengths
        if columns
    ]
    table = pa.Table.from_batches(batches, schema)
    sliced = table.slice(seed % 10, seed % 7)
    for value in (table, sliced):
        arrived = inline(value)
        assert type(arrived) is ArrowValue
        assert arrived.num_rows == value.num_rows
        for back in (inline(value, "pod"), pa.table(arrived), pa.table(ours(arrived))):
            back.validate(full=True)
            assert back.schema.equals(value.schema, check_metadata=True)
            assert back.equals(value)


# --- what each class becomes ----------------------------------------------------------------------

FIELD = pa.field("a", pa.int8(), nullable=False, metadata={"k": "v"})
SCHEMA = pa.schema([FIELD, pa.field("b", pa.string())], metadata={"s": "t"})
BATCH = pa.record_batch([[1, 2, 3], ["x", None, "z"]], schema=SCHEMA)
TABLE = pa.Table.from_batches([BATCH, BATCH.slice(1), BATCH.slice(0, 0)])
STRUCTS = pa.array([{"x": 1}, None, {"x": None}])


def test_a_table_arrives_with_its_batches_and_metadata(cross, ours):
    back = cross(TABLE, "pod")
    assert type(back) is pa.Table
    assert [len(batch) for batch in back.to_batches()] == [3, 2]
    arrived = cross(TABLE)
    for made in (back, pa.table(arrived), pa.table(ours(arrived)), cross(arrived, "pod")):
        assert made.equals(TABLE, check_metadata=True)
    assert arrived.column_names == ["a", "b"]
    assert arrived.num_rows == len(arrived) == 5
    assert repr(arrived) == "<Arrow pyarrow.lib.Table: a, b; 5 rows>"


def test_a_record_batch_arrives_with_its_metadata(cross, ours):
    back = cross(BATCH, "pod")
    assert type(back) is pa.RecordBatch
    arrived = cross(BATCH)
    assert type(arrived) is ArrowArrayValue
    made = [pa.record_batch(arrived), pa.record_batch(ours(arrived))]
    for each in (back, *made, cross(arrived, "pod")):
        assert each.equals(BATCH, check_metadata=True)
    assert pa.table(arrived).equals(pa.Table.from_batches([BATCH]), check_metadata=True)


def test_a_reader_is_read_to_its_end(cross):
    back = cross(TABLE.to_reader(), "pod")
    assert type(back) is pa.RecordBatchReader
    assert back.read_all().equals(TABLE, check_metadata=True)
    arrived = cross(TABLE.to_reader())
    for _ in range(2):  # Not used up, as a reader is.
        made = pa.RecordBatchReader.from_stream(arrived).read_all()
        assert made.equals(TABLE, check_metadata=True)


def test_many_readers_in_a_list_are_read_once(cross):
    back = cross([{"r": TABLE.to_reader()} for _ in range(20)])
    assert [pa.table(each["r"]).num_rows for each in back] == [5] * 20


def test_a_chunked_array_arrives_in_its_chunks(cross, ours):
    value = pa.chunked_array([[1, None], [], [3]])
    back = cross(value, "pod")
    assert type(back) is pa.ChunkedArray
    assert back.equals(value)
    assert back.num_chunks == 3
    arrived = cross(value)
    for made in (pa.chunked_array(arrived), pa.chunked_array(ours(arrived))):
        made.validate(full=True)
        assert made.equals(value)
    assert repr(arrived) == "<Arrow pyarrow.lib.ChunkedArray: l; 3 rows>"


def test_nulls_of_whole_structures_stay(cross, ours):
    chunked = pa.chunked_array([STRUCTS, STRUCTS[1:]])
    arrived = cross(chunked)
    for made in (pa.chunked_array(arrived), pa.chunked_array(ours(arrived)), cross(chunked, "pod")):
        assert made.equals(chunked)
        assert made.null_count == 2
    for made in (pa.array(cross(STRUCTS)), cross(STRUCTS, "pod")):
        assert made.equals(STRUCTS)


@pytest.mark.parametrize("value", [SCHEMA, FIELD, FIELD.type, pa.list_(pa.field("x", FIELD.type))])
def test_a_schema_a_field_and_a_type_arrive(cross, ours, value):
    assert cross(value, "pod").equals(value, check_metadata=True)
    arrived = cross(value)
    assert type(arrived) is ArrowSchemaValue
    assert cross(arrived, "pod").equals(value, check_metadata=True)
    for source in (arrived, ours(arrived)):
        if isinstance(value, pa.Schema):
            assert pa.schema(source).equals(value, check_metadata=True)
        elif isinstance(value, pa.Field):
            assert pa.field(source).equals(value, check_metadata=True)
        else:
            assert pa.DataType._import_from_c_capsule(source.__arrow_c_schema__()) == value


def test_a_schema_names_its_columns(cross):
    assert repr(cross(SCHEMA)) == "<Arrow pyarrow.lib.Schema: a, b>"
    assert cross(SCHEMA).column_names == ["a", "b"]
    assert repr(cross(pa.int8())) == "<Arrow pyarrow.lib.DataType: c>"


@pytest.mark.parametrize(
    "value",
    [
        pa.table({}),
        pa.table({"a": [1, 2, 3]}).select([]),
        TABLE.slice(0, 0),
        SCHEMA.empty_table(),
        pa.Table.from_batches([BATCH] * 0, SCHEMA),
        pa.table({"n": pa.nulls(5)}),
    ],
    ids=["nothing", "no columns", "cut to nothing", "no rows", "no batches", "nulls"],
)
def test_a_table_without_rows_or_columns_crosses(cross, ours, value):
    arrived = cross(value)
    for back in (cross(value, "pod"), pa.table(arrived), pa.table(ours(arrived))):
        back.validate(full=True)
        assert back.equals(value, check_metadata=True)
        assert back.num_rows == value.num_rows


def test_an_array_without_offsets_crosses(cross):
    """For no items there need not be one."""
    empty = pa.Array.from_buffers(pa.string(), 0, [None, pa.py_buffer(b""), pa.py_buffer(b"")])
    assert_same(cross(empty, "pod"), pa.array([], pa.string()))


# --- extension types ------------------------------------------------------------------------------


class Celsius(pa.ExtensionType):
    """A type of the user's own."""

    def __init__(self):
        super().__init__(pa.list_(pa.float64()), "tests.celsius")

    def __arrow_ext_serialize__(self):
        return b"\0degrees"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        assert serialized == b"\0degrees"
        return cls()


@pytest.fixture
def celsius():
    pa.register_extension_type(Celsius())
    yield Celsius()
    pa.unregister_extension_type("tests.celsius")


def test_extension_types_arrive_as_such(cross, ours, celsius):
    storage = pa.array([[1.5], None, []])
    values = [
        pa.ExtensionArray.from_storage(celsius, storage),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16))),
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([0, None, 1], pa.int8())),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None])),
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int8(), (2, 2)), pa.array([[1] * 4], pa.list_(pa.int8(), 4))
        ),
    ]
    for value in values:
        for part in (value, value.slice(1), value.slice(0, 1)):
            arrived = cross(part)
            for back in (cross(part, "pod"), pa.array(arrived), pa.array(ours(arrived))):
                assert_same(back, part)
        table = pa.table({"e": value, "f": pa.StructArray.from_arrays([value], ["x"])})
        arrived = cross(table)
        for back in (cross(table, "pod"), pa.table(arrived), pa.table(ours(arrived))):
            back.validate(full=True)
            assert back.schema.equals(table.schema, check_metadata=True)
            assert back.equals(table)


def test_an_extension_type_that_is_not_known_there_passes_through(cross, celsius):
    value = pa.table({"e": pa.ExtensionArray.from_storage(celsius, pa.array([[1.5], None]))})
    pa.unregister_extension_type("tests.celsius")
    try:
        passed = cross(cross(value, "pod"))
    finally:
        pa.register_extension_type(celsius)
    assert pa.table(passed).equals(value)
    assert pa.table(passed).schema.field("e").type == celsius


def test_dictionaries_in_dictionaries_keep_their_order_flag(cross, ours):
    inner = pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.int8()), ["a", "b"])
    outer = pa.DictionaryArray.from_arrays(pa.array([2, 0, 1], pa.uint8()), inner, ordered=True)
    for value in (outer, outer[1:]):
        arrived = cross(value)
        for back in (cross(value, "pod"), pa.array(arrived), pa.array(ours(arrived))):
            assert_same(back, value)
            assert back.type.ordered == value.type.ordered

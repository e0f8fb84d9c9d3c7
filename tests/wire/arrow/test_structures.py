"""C structures and capsules: who releases what, when, and what happens while an exception flies."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from ctypes import POINTER, addressof, memmove, pointer, sizeof

import pyarrow as pa
import pytest
from tests.measured import measuring_variables

from pypods.errors import ProtocolError
from pypods.wire.arrow.serving import array_capsules, schema_capsule, stream_capsule
from pypods.wire.arrow.structures import (
    ARRAY_CAPSULE,
    SCHEMA_CAPSULE,
    ArrowArray,
    ArrowSchema,
    capsule_pointer,
    release,
)
from pypods.wire.context import SHARED_MINIMUM_BYTES

TABLE = pa.table({"a": [1, None, 3], "d": pa.array(["x", "y", "x"]).dictionary_encode()})
LARGE = pa.table(
    {"n": range(SHARED_MINIMUM_BYTES), "b": [True, None] * (SHARED_MINIMUM_BYTES // 2)}
)


@pytest.fixture
def capsules_of(inline):
    """Return a function from a value to our own capsules of its first batch."""

    def make(value):
        arrived = inline(value)
        return array_capsules(arrived.field, *next(arrived.nodes()))

    return make


def test_a_capsule_that_nobody_takes_releases_what_is_in_it(inline, held):
    before = held()
    arrived = inline(TABLE)
    capsules = [
        schema_capsule(arrived.field),
        *array_capsules(arrived.field, *next(arrived.nodes())),
        stream_capsule(arrived.field, arrived.nodes()),
    ]
    assert held() > before
    del capsules
    assert held() == before


def test_a_capsule_of_another_name_is_refused(inline):
    capsule = schema_capsule(inline(TABLE).field)
    with pytest.raises(ValueError, match="incorrect name"):
        capsule_pointer(capsule, ARRAY_CAPSULE)


def move(source):
    """Take a structure over, as the interface has it: copy it, mark the source as released."""
    moved = type(source)()
    memmove(addressof(moved), addressof(source), sizeof(moved))
    source.release = None
    return moved


def test_children_that_were_moved_out_are_released_on_their_own(capsules_of, held):
    before = held()
    schema_capsule_, array_capsule = capsules_of(TABLE)
    array = move(capsule_pointer(array_capsule, ARRAY_CAPSULE))
    schema = move(capsule_pointer(schema_capsule_, SCHEMA_CAPSULE))
    del schema_capsule_, array_capsule
    child = move(array.children[1].contents)
    values = move(child.dictionary.contents)
    field = move(schema.children[1].contents)
    release(array)
    release(schema)
    assert not array.release
    assert not schema.release
    assert held() > before
    assert (child.length, values.length, field.name) == (3, 2, b"d")
    imported = pa.Array._import_from_c(addressof(values), pa.string())
    assert imported.to_pylist() == ["x", "y"]
    release(child)
    release(field)
    assert imported.to_pylist() == ["x", "y"]
    del imported
    assert held() == before


def test_a_structure_is_released_once(capsules_of, held):
    before = held()
    capsules = capsules_of(TABLE)
    array = capsule_pointer(capsules[1], ARRAY_CAPSULE)
    release(array)
    release(array)
    schema = capsule_pointer(capsules[0], SCHEMA_CAPSULE)
    assert isinstance(schema.children, POINTER(POINTER(ArrowSchema)))
    release(schema)
    release(schema)
    del capsules
    assert held() == before


def test_a_stream_is_read_in_parts_and_dropped(inline, ours, held):
    before = held()
    batches = [pa.record_batch({"a": [index]}) for index in range(5)]
    arrived = inline(pa.Table.from_batches(batches))
    reader = pa.RecordBatchReader.from_stream(ours(arrived))
    assert reader.read_next_batch().to_pydict() == {"a": [0]}
    kept = reader.read_next_batch()
    del reader
    gc.collect()
    assert kept.to_pydict() == {"a": [1]}
    del kept
    assert held() == before


def test_a_stream_says_what_is_wrong(inline, held):
    def nodes():
        raise ProtocolError("an index leads é out")
        yield

    arrived = inline(TABLE)
    capsule = stream_capsule(arrived.field, nodes())
    reader = pa.RecordBatchReader._import_from_c_capsule(capsule)
    with pytest.raises(pa.ArrowInvalid, match="an index leads é out"):
        reader.read_next_batch()


def test_an_array_that_is_built_where_there_was_something_else_is_whole(inline):
    """The consumer's memory was perhaps never written."""
    from pypods.wire.arrow.serving import build

    array = ArrowArray()
    array.dictionary = pointer(ArrowArray())
    node, data = next(inline(pa.array([1, 2])).nodes())
    build(node, data, array)
    assert not array.dictionary
    assert pa.Array._import_from_c(addressof(array), pa.int64()).to_pylist() == [1, 2]


# --- shared memory --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["pyarrow", "ours", "pod"])
def test_a_library_looks_into_the_block_which_goes_back_after_its_last_user(shared, ours, way):
    arrived = shared(LARGE, "pod" if way == "pod" else "host")
    if way == "pod":
        table, lent = arrived, None
    else:
        (((_, data),)) = arrived.groups
        lent = pa.py_buffer(data)
        table = pa.table(ours(arrived) if way == "ours" else arrived)
        addresses = [
            buffer.address
            for column in table.columns
            for buffer in column.chunk(0).buffers()[1:]  # Bitmaps are copied.
        ]
        within = range(lent.address, lent.address + lent.size)
        assert addresses[0] in within
        assert all(each in within for each in addresses[:1])
        del data
    table.validate(full=True)
    assert table.equals(LARGE)
    column = table.column("n").slice(5, 2)
    del arrived, table, lent
    assert shared.lent_bytes() > 0
    assert column.to_pylist() == [5, 6]
    del column
    assert shared.lent_bytes() == 0


def test_small_batches_share_a_block(shared):
    batches = [pa.record_batch({"n": range(1000)}) for _ in range(100)]
    table = pa.Table.from_batches(batches)
    arrived = shared(table)
    assert 5 < len(arrived.groups) < 15
    assert pa.table(arrived).equals(table)
    assert pa.table(arrived).column(0).num_chunks == 100
    del arrived
    assert shared.lent_bytes() == 0


def test_a_value_that_fails_to_cross_leaves_nothing_lent(shared, held):
    before = held()
    with pytest.raises(TypeError, match="object cannot cross"):
        shared([LARGE, object()])
    assert shared.lent_bytes() == 0
    assert held() == before


# --- programs -------------------------------------------------------------------------------------

START = """
import gc, logging, sys
import pyarrow as pa
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.arrow import serving, structures, schemas

def cross(value):
    from pypods.wire.rebuilding import Classes
    class Host(Classes):
        arrow_libraries = ()
    return decode_document(encode_document({"v": value}), Host())["v"]

table = pa.table({"a": [1, None, 3], "s": ["x", None, "y" * 30]})
"""


def run(program):
    """Run a program of its own and return what it printed and logged."""
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(program)],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **measuring_variables()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_an_exception_under_way_is_logged_and_the_program_goes_on():
    done = run("""
        logging.basicConfig(format="LOGGED %(name)s %(message)s")
        arrived = cross(table)
        del sys.modules["pyarrow"]  # So that our own callbacks are called.
        for _ in range(3):
            try:
                pa.table(arrived).column("nope")
            except BaseException as exc:
                print(type(exc).__name__)
        gc.collect()
        print(len(serving._held), len(structures._in_capsules), len(schemas._held))
        print(pa.table(arrived).equals(table))
    """)
    lines = done.stdout.split("\n")
    assert set(lines[:3]) <= {"SystemError", "KeyError"}
    assert lines[3:5] == ["0 0 0", "True"]
    if "SystemError" in lines:
        assert "LOGGED pypods this was raised while a library let go" in done.stderr
        assert "KeyError: 'Field \"nope\" does not exist in schema'" in done.stderr


def test_an_exception_under_way_arrives_where_pyarrow_is_loaded(inline):
    with pytest.raises(KeyError, match="nope"):
        pa.table(inline(TABLE)).column("nope")


def test_a_program_may_end_with_everything_alive():
    """What pyarrow made, and what our own callbacks did."""
    done = run("""
        import duckdb, polars as pl, nanoarrow as na
        frame = pl.DataFrame({"a": [1, None], "s": ["q", "w" * 30]})
        relation = duckdb.sql("select range a, 'x' || range s from range(5)")
        values = [cross(each) for each in (table, frame, relation, na.c_array([1], na.int8()))]
        source = values[0]

        def use():
            capsules = [[each.__arrow_c_stream__(), each.__arrow_c_schema__()] for each in values]
            readers = [pa.RecordBatchReader.from_stream(value) for value in values[:3]]
            readers[0].read_next_batch()
            return [
                capsules, readers, [pa.table(value) for value in values[:3]],
                [pl.DataFrame(value) for value in values[:3]],
                [na.c_array_stream(value) for value in values],
                values[3].__arrow_c_array__(), na.Array(values[3]), pa.array(values[3]),
            ]

        class Cycle:
            pass

        cycle = Cycle()
        cycle.itself, cycle.kept = cycle, [use(), duckdb.sql("from source")]
        del sys.modules["pyarrow"]
        sys.kept = [cycle, use()]
        print("ended")
    """)
    assert done.stdout == "ended\n"
    assert done.stderr == ""

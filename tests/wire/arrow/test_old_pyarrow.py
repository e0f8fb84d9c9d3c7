"""What a pyarrow without capsules can do, done with this one; the real ones are in tests/pods."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest

from pypods.wire.arrow import pyarrow_arrays
from pypods.wire.arrow.old_pyarrow import read_old
from pypods.wire.arrow.schemas import field_from_content
from pypods.wire.arrow.values import reduce_arrow

TABLE = pa.table({"a": [1, None], "s": ["x", "y"]}).replace_schema_metadata({"k": "v"})


@pytest.mark.parametrize(
    "value",
    [
        TABLE, TABLE.slice(0, 0), TABLE.to_batches()[0], TABLE["s"], pa.chunked_array([[1], [2]]),
        TABLE["a"].chunk(0), TABLE.schema, TABLE.schema.field(0), pa.int8(), pa.nulls(3)[1:],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_it_hands_out_the_same(value):
    form, field, groups = read_old(value)
    content = reduce_arrow(value)[1]
    assert (form, groups) == (content["form"], content["groups"])
    assert field.to_content() == content["type"]


def test_its_reader_is_read_to_the_end():
    form, _, groups = read_old(TABLE.to_reader())
    assert (form, groups) == ("stream", reduce_arrow(TABLE)[1]["groups"])


def test_it_takes_in_a_type():
    class OldField:
        _import_from_c = pa.Field._import_from_c

    field = pa.field("f", pa.list_(pa.int8()), metadata={"k": "v"})
    content = reduce_arrow(field)[1]["type"]
    made = pyarrow_arrays.make_field(SimpleNamespace(Field=OldField), field_from_content(content))
    assert made.equals(field, check_metadata=True)


def test_it_takes_in_views_with_buffers_behind_them(inline, monkeypatch):
    monkeypatch.setattr(pyarrow_arrays, "ALL_VIEWS_VERSION", 1000)
    value = pa.array(["x" * 20, None, "y"], pa.string_view())
    for made in (inline(value, "pod"), inline(value[1:], "pod")):
        made.validate(full=True)
    assert inline(value, "pod").equals(value)

"""File connectors in this process, and rows with the extremes of each type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pod_rows import rows_of as rows_of
from shipped import shipped_module

from pypods.connectors.files.file_connector import FileConnector
from pypods.connectors.files.store import LocalStore

UTC = dt.UTC
#: What changes anything on the disk.
STEPS = ("create", "publish", "write_text", "remove", "remove_tree")


class Crash(BaseException):
    """The power is gone: no handler of errors takes it."""


def crash_at(monkeypatch: Any, number: int) -> list[str]:
    """Let the store fail for good from its ``number``-th step on; return a list of the steps."""
    done: list[str] = []
    for name in STEPS:
        real = getattr(LocalStore, name)

        def step(self: Any, *args: Any, _real: Any = real, _name: str = name) -> Any:
            if len(done) >= number:
                raise Crash(_name)
            done.append(_name)
            return _real(self, *args)

        monkeypatch.setattr(LocalStore, name, step)
    return done


def load(name: str) -> FileConnector:
    """Return a shipped connector of files, in this process."""
    module = shipped_module(name, f"{name}_format")
    return FileConnector(getattr(module, f"{name.capitalize()}Format")())


def table_of(batches: Any) -> pa.Table:
    """Return what a connector's read yields as one table."""
    found = [pa.record_batch(batch) for batch in batches]
    return pa.Table.from_batches(found) if found else pa.table({})


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether tables have the same types and values, -0.0 and nan included."""
    return one.schema.types == other.schema.types and list(map(repr, one.to_pylist())) == list(
        map(repr, other.to_pylist())
    )


def extremes() -> pa.Table:
    """Return a column of each type of the contract, with its extremes, in the first row NULL."""
    first, last = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "i8": (pa.int8(), [-128, 127, 0, 1]),
        "i16": (pa.int16(), [-(2**15), 2**15 - 1, 0, 1]),
        "i32": (pa.int32(), [-(2**31), 2**31 - 1, 0, 1]),
        "i64": (pa.int64(), [-(2**63), 2**63 - 1, 10**15, -1]),
        "u64": (pa.uint64(), [0, 2**64 - 1, 1, 2]),
        "f32": (pa.float32(), [0.5, 1.401298464324817e-45, -3.4028234663852886e38, float("inf")]),
        "f64": (pa.float64(), [0.1 + 0.2, 5e-324, 1.7976931348623157e308, float("nan")]),
        "zero": (pa.float64(), [-0.0, 0.0, 1e16, 1e-7]),
        "dec": (pa.decimal128(12, 2), [Decimal("-9999999999.99"), Decimal("0.01"), Decimal("0.00"),
                                       Decimal("1.50")]),
        "big": (pa.decimal128(38, 10), [Decimal("9" * 28 + "." + "9" * 10),
                                        Decimal("-0.0000000001"), Decimal(0), Decimal(10**20)]),
        "huge": (pa.decimal256(60, 5), [Decimal("9" * 55 + ".12345"), Decimal(-1), Decimal(0),
                                        Decimal("0.00001")]),
        "flag": (pa.bool_(), [True, False, True, False]),
        "text": (pa.utf8(), ["", "  spaces ", 'a,b;"c"\r\n\td\re', "Ünï 💜 \x01 _x0041_ =1+1"]),
        "null_like": (pa.utf8(), ["NULL", '""', '"', "\\N"]),
        "raw": (pa.binary(), [b"", b"\x00\xff", bytes(range(256)), b"a"]),
        "uuid": (pa.binary(16), [b"\x00" * 16, b"\xff" * 16, bytes(range(16)), b"a" * 16]),
        "day": (pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1900, 2, 28),
                              dt.date(2026, 11, 21)]),
        "clock": (pa.time64("us"), [dt.time(0), dt.time(23, 59, 59, 999999), dt.time(12, 30),
                                    dt.time(1, 2, 3, 4000)]),
        "moment": (pa.timestamp("us"), [first, last, dt.datetime(2026, 11, 21, 14, 5, 0, 123000),
                                        dt.datetime(1899, 12, 31)]),
        "instant": (pa.timestamp("us", "UTC"), [first.replace(tzinfo=UTC), last.replace(tzinfo=UTC),
                                                dt.datetime(2026, 3, 29, 1, tzinfo=UTC),
                                                dt.datetime(1970, 1, 1, tzinfo=UTC)]),
        "berlin": (pa.timestamp("us", "Europe/Berlin"),
                   [dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)] * 4),
        "json": (pa.utf8(), ["{}", '{"a": [1, null, "x,y"]}', "null", '"\\u00e9"']),
        "list": (pa.list_(pa.int64()), [[], [1, None, 2**63 - 1], [0], [-1]]),
        "decimals": (pa.list_(pa.decimal128(38, 2)), [[Decimal("1.10")], [], [None],
                                                      [Decimal("9" * 36 + ".99")]]),
    }  # fmt: skip
    fields, arrays = [], []
    for name, (type_, values) in columns.items():
        metadata = {b"pypods.type": name.encode()} if name in ("uuid", "json") else None
        fields.append(pa.field(name, type_, metadata=metadata))
        arrays.append(pa.array([None, *values], type_))
    return pa.table(arrays, schema=pa.schema(fields))


def declared(schema: pa.Schema) -> dict[str, str]:
    """Return a schema as the setting "columns" has it."""
    from pypods.connectors.types import text_of

    return {field.name: text_of(field) for field in schema}

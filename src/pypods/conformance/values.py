"""Checks of values: each type to the system and back, equal, or refused with an error."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from pypods.conformance.check import WrongError, check, demand
from pypods.conformance.subject import Subject, is_kind, rows_of
from pypods.errors import PodCallError

UTC = dt.UTC
TEXTS = [
    "",
    " ",
    "a",
    "ü😀漢",
    "'; drop table x; --",
    '"',
    "\\",
    "\\N",
    "\n\r\t",
    "NULL",
    "x" * 70000,
]
BYTES = [b"", b"\0", b"\xff\x00\xfe", bytes(range(256)), b"\\x00"]
MICROSECOND = dt.timedelta(microseconds=1)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999)


def type_table() -> dict[str, tuple[Any, list[Any]]]:
    """Return the types of the contract by name: the Arrow field and values, with extremes."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    table: dict[str, tuple[Any, list[Any]]] = {}

    def add(name: str, type_: Any, values: list[Any], kind: str = "") -> None:
        metadata = {b"pypods.type": kind.encode()} if kind else None
        table[name] = (pa.field("value", type_, metadata=metadata), values)

    for bits in (8, 16, 32, 64):
        edge = 2 ** (bits - 1)
        add(f"int{bits}", getattr(pa, f"int{bits}")(), [0, 1, -1, edge - 1, -edge])
        add(f"uint{bits}", getattr(pa, f"uint{bits}")(), [0, 1, 2 * edge - 1])
    add("float32", pa.float32(), [0.0, 1.5, -1.5, 3.4028234663852886e38, 1.401298464324817e-45])
    add("float64", pa.float64(), [0.0, 0.1, -1e308, 5e-324, 1.7976931348623157e308, 2.0**53 + 2])
    add("float64 infinity", pa.float64(), [float("inf"), float("-inf")])
    add("float64 nan", pa.float64(), [float("nan")])
    add("bool", pa.bool_(), [True, False])
    add("decimal(9,2)", pa.decimal128(9, 2), [Decimal("0.01"), Decimal("-9999999.99"), Decimal(0)])
    add("decimal(15,0)", pa.decimal128(15, 0), [Decimal(10**15 - 1), Decimal(1 - 10**15)])
    add("decimal(18,4)", pa.decimal128(18, 4), [Decimal("99999999999999.9999"), Decimal("0.0001")])
    add(
        "decimal(38,10)",
        pa.decimal128(38, 10),
        [Decimal("1234567890123456789012345678.0123456789"), Decimal("-0.0000000001"), Decimal(1)],
    )
    add("decimal(38,0)", pa.decimal128(38, 0), [Decimal(10**38 - 1), Decimal(1 - 10**38)])
    add("decimal(38,38)", pa.decimal128(38, 38), [Decimal("0." + "9" * 38), Decimal("-1e-38")])
    add("decimal(50,5)", pa.decimal256(50, 5), [Decimal("9" * 45 + "." + "9" * 5)])
    add("text", pa.utf8(), TEXTS)
    add("text with NUL", pa.utf8(), ["a\0b"])
    add("large text", pa.large_utf8(), ["a", "ü"])
    add("dictionary", pa.dictionary(pa.int8(), pa.utf8()), ["a", "b", "a"])
    add("binary", pa.binary(), BYTES)
    add("fixed binary", pa.binary(3), [b"\0\0\0", b"abc"])
    dates = [dt.date(1970, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1582, 10, 10)]
    add("date", pa.date32(), dates)
    add("time", pa.time64("us"), [dt.time(0), dt.time(23, 59, 59, 999999), dt.time(0, 0, 0, 1)])
    moments = [dt.datetime(1970, 1, 1), dt.datetime(1, 1, 1), LAST, LAST - MICROSECOND]
    add("timestamp", pa.timestamp("us"), moments)
    add("timestamp ms", pa.timestamp("ms"), [dt.datetime(2024, 2, 29, 1, 2, 3, 4000)])
    zoned = [each.replace(tzinfo=UTC) for each in moments]
    add("timestamp UTC", pa.timestamp("us", "UTC"), zoned)
    add("timestamp zone", pa.timestamp("us", "Asia/Tokyo"), [zoned[0]])
    texts = ["{}", '{"a": [1, null, "ü"], "b": {"c": 1.10}}', "null", "[]", '"x"', "1e400"]
    add("json", pa.utf8(), texts, "json")
    uuids = [UUID(int=0).bytes, UUID(int=2**128 - 1).bytes, UUID(int=2**64).bytes]
    add("uuid", pa.binary(16), uuids, "uuid")
    add("list of int64", pa.list_(pa.int64()), [[], [1], [None, 2**63 - 1]])
    add("list of text", pa.list_(pa.utf8()), [[], [""], [None, "NULL", '{"a",b}', "ü"]])
    add("list of lists", pa.list_(pa.list_(pa.int64())), [[], [[1], [2, 3]], [[]]])
    struct = pa.struct([("a", pa.int64()), ("b", pa.utf8())])
    add("struct", struct, [{"a": 1, "b": None}, {"a": None, "b": "x"}])
    return table


@check("carries each type there and back, or refuses it", "read", "write")
def check_types(subject: Subject) -> None:
    """Each type arrives equal, with nulls and extremes; or the connector raises an error."""
    mode = subject.capabilities["write"][0]
    wrong = []
    for name, (field, values) in type_table().items():
        try:
            _check_type(subject, name, field, [*values, None], mode)
        except WrongError as exc:
            wrong.append(f"{name}: {exc}")
    demand(not wrong, "; ".join(wrong))


def _check_type(subject: Subject, name: str, field: Any, values: list[Any], mode: str) -> None:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    stream = subject.scratch.new_stream()
    ids = pa.array(range(len(values)), pa.int64())
    given = pa.array(values, field.type)
    table = pa.Table.from_arrays(
        [ids, given], schema=pa.schema([pa.field("id", pa.int64()), field])
    )
    try:
        subject.fill(stream, table, mode=mode)
    except PodCallError as exc:
        if not (is_kind(exc, "DataError") or is_kind(exc, "SchemaError")):
            raise WrongError(f"{exc.type_name}: {exc}") from None
        subject.notes.append(f"{name}: refused ({exc})")
        return
    arrived = subject.read(stream)
    got = [value for _, value in sorted(rows_of(arrived), key=lambda row: row[0])]
    type_ = arrived.schema.field("value").type
    kind = (arrived.schema.field("value").metadata or {}).get(b"pypods.type", b"").decode()
    if len(got) != len(values):
        raise WrongError(f"{len(values)} rows became {len(got)}")
    for one, other in zip(values, got, strict=True):
        if not same_value(one, other, kind):
            raise WrongError(f"{one!r:.90} became {other!r:.90} ({type_})")
    subject.notes.append(f"{name}: {kind or type_}")


def same_value(given: Any, got: Any, kind: str) -> bool:
    """Whether a value arrived: equal and of its type, or as JSON of it where that is what it is."""
    import json

    if given is None or got is None:
        return given is got
    if kind == "json":
        loads = partial(json.loads, parse_float=Decimal, parse_int=Decimal)
        return bool((loads(given) if isinstance(given, str) else given) == loads(got))
    if isinstance(given, float) and isinstance(got, float):
        return given == got or (given != given and got != got)
    if isinstance(given, int) and isinstance(got, Decimal):
        return given == got
    return type(given) is type(got) and bool(given == got)


@check("keeps each of the types it makes", "read", "write", "schema")
def check_schema_is_stable(subject: Subject) -> None:
    """A table made from what was read has the same schema, so that a second run changes nothing."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    fields = {
        f"c{at}": field.with_name(f"c{at}") for at, (field, _) in enumerate(type_table().values())
    }
    stream, other = subject.scratch.new_stream(), subject.scratch.new_stream()
    while True:
        given = pa.schema(list(fields.values()))
        try:
            subject.fill(stream, given.empty_table())
        except PodCallError as exc:
            refused = [name for name in fields if repr(name) in str(exc)]
            if not is_kind(exc, "SchemaError") or not refused:
                raise
            del fields[refused[0]]
            continue
        break
    once = subject.schema(stream)
    subject.fill(other, once.empty_table())
    twice = subject.schema(other)
    for one, two in zip(once, twice, strict=True):
        demand(one.equals(two), f"{fields[one.name]} became {one}, and that {two}")
    changes = subject.prepare(
        stream, given, mode=subject.capabilities["write"][0], key=(), run=subject.new_run(),
        drift="freeze",
    )["changes"]  # fmt: skip
    demand(changes == [], f"a second run of the same schema changes {changes}")

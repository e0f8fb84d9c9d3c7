"""The sum over the rows of a stream: equal for equal rows, in whatever order and batches."""

from __future__ import annotations

from pypods.connectors.batches import conform
from pypods.connectors.types import kind_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["checksum_of"]

MODULUS = 2**64


def checksum_of(batches: Iterable[Any], schema: Any) -> dict[str, Any]:
    """Return ``{"rows", "sum"}`` of batches, each cast to the schema first. Raises DataError.

    A row's text is that of its values, each with its length before it, or a mark for null. Its
    BLAKE2b of 8 bytes is a number; the sum is that of these numbers modulo 2**64.
    """
    from hashlib import blake2b

    rows, total = 0, 0
    for batch in batches:
        batch = conform(batch, schema, first_row=rows)
        columns = [_texts(column, field) for column, field in zip(batch.columns, schema)]
        if not columns:
            rows += batch.num_rows
            continue
        for row in zip(*columns):
            digest = blake2b(b"".join(row), digest_size=8).digest()
            total += int.from_bytes(digest, "little")
        rows += batch.num_rows
    return {"rows": rows, "sum": f"{total % MODULUS:016x}"}


def _texts(column: Any, field: Any) -> list[bytes]:
    """Return each value of a column as bytes that no other value has."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    type_ = column.type
    if is_.is_timestamp(type_) or is_.is_time64(type_):
        column = column.cast(pa.int64())
    elif is_.is_date32(type_):
        column = column.cast(pa.int32())
    render: Any = str
    if is_.is_floating(type_):
        render = _plain_float
    elif is_.is_decimal(type_):
        render = _plain_decimal
    elif is_.is_binary(type_) or is_.is_fixed_size_binary(type_):
        return [_framed(each) for each in column.to_pylist()]
    elif kind_of(field) == "json":
        render = _canonical_json
    elif is_.is_nested(type_):
        render = _nested
    return [
        b"-" if each is None else _framed(render(each).encode("utf-8", "surrogatepass"))
        for each in column.to_pylist()
    ]


def _framed(raw: bytes | None) -> bytes:
    return b"-" if raw is None else b"+" + len(raw).to_bytes(8, "little") + raw


def _plain_float(value: float) -> str:
    # Zeros are equal, whatever their sign; SQLite, for one, keeps none.
    return repr(value or 0.0)


def _plain_decimal(value: Any) -> str:
    return format(value, "f")


def _canonical_json(text: str) -> str:
    """Return JSON with sorted keys and without spaces; its numbers by value, all digits kept."""
    import json
    from decimal import Decimal

    def number(digits: str) -> dict[str, str]:
        value = Decimal(digits)
        sign, figures, exponent = value.as_tuple()
        stripped = "".join(map(str, figures)).rstrip("0") or "0"
        zeros = len(figures) - len(stripped) if value else 0
        return {"\0number": f"{sign}:{stripped}:{int(exponent) + zeros if value else 0}"}

    value = json.loads(text, parse_float=number, parse_int=number)
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _nested(value: Any) -> str:
    import datetime as dt

    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_nested(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_nested, value)) + "]"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        # Python's versions, and pytz, say UTC in different words.
        value = value.astimezone(dt.timezone.utc)
    return repr(value)

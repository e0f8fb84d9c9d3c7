"""Values of rows and Arrow schemas as text, to be kept in bookkeeping and come back equal."""

from __future__ import annotations

import json

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["dump_schema", "dump_values", "load_schema", "load_values", "row_as_json"]


def dump_values(values: Any) -> str:
    """Return a list of values as JSON that ``load_values`` reads. Raises TypeError."""
    return json.dumps([_tagged(each) for each in values], separators=(",", ":"))


def load_values(text: str) -> list[Any]:
    """Return the values of ``dump_values``."""
    return [_untagged(each) for each in json.loads(text)]


def dump_schema(schema: Any) -> str:
    """Return an Arrow schema, its metadata included, as text that ``load_schema`` reads."""
    from base64 import b64encode

    return b64encode(schema.serialize().to_pybytes()).decode("ascii")


def load_schema(text: str) -> Any:
    """Return the schema of ``dump_schema``."""
    from base64 import b64decode

    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    return pa.ipc.read_schema(pa.py_buffer(b64decode(text)))


def _tagged(value: Any) -> Any:
    import datetime as dt
    from decimal import Decimal
    from uuid import UUID

    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, UUID):
        return {"uuid": value.hex}
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.timezone.utc)
        return {"timestamp": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if isinstance(value, dt.time):
        return {"time": value.isoformat()}
    raise TypeError(f"a {type(value).__name__} cannot be kept as a position")


def _untagged(value: Any) -> Any:
    import datetime as dt
    from decimal import Decimal
    from uuid import UUID

    if not isinstance(value, dict):
        return value
    makers: dict[str, Any] = {
        "float": float.fromhex,
        "decimal": Decimal,
        "bytes": bytes.fromhex,
        "uuid": UUID,
        "timestamp": dt.datetime.fromisoformat,
        "date": dt.date.fromisoformat,
        "time": dt.time.fromisoformat,
    }
    ((tag, text),) = value.items()
    return makers[tag](text)


def row_as_json(row: dict[str, Any]) -> str:
    """Return a row as JSON for a person to read: numbers exact, bytes in hexadecimal."""
    return json.dumps(row, default=_readable, ensure_ascii=False)


def _readable(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return str(value)

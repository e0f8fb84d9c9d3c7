"""Values as text, for files that have nothing else; each read back as it was by its type.

===================  ========================================================================
bool                 ``true``, ``false``; ``1`` and ``0`` are read as well
integers, decimals   digits, as ``-12.50``
floats               the shortest digits that are the same number; ``nan``, ``inf``, ``-inf``
date, time           ``2026-11-21``, ``14:05:00.123456``
timestamp            ``2026-11-21 14:05:00.123456``; with a zone the instant in UTC, with a Z
binary               Base64, or hexadecimal digits if that is asked for
uuid                 8-4-4-4-12 hexadecimal digits
list, struct         JSON; what JSON has no type for is text in the forms above
===================  ========================================================================
"""

from __future__ import annotations

from pypods.connectors.batches import misfit
from pypods.connectors.errors import DataError
from pypods.connectors.types import kind_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["BINARY_FORMS", "array_from_text", "text_from_array", "texts_of_bytes"]

BINARY_FORMS = ("base64", "hex")
#: What Arrow's casts read and should not: 0x10 is no integer, and neither is text with spaces.
_INTEGER = r"^[+-]?[0-9]+$"
_EPOCH = "1970-01-01 "


# --- to text ------------------------------------------------------------------------------------


def text_from_array(array: Any, field: Any, *, binary: str = "base64") -> Any:
    """Return an array of texts for an array of the field's type."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    type_ = field.type
    if is_.is_string(type_):
        return array
    if is_.is_timestamp(type_) and type_.tz is not None:
        return array.cast(pa.timestamp("us", "UTC")).cast(pa.utf8())
    if is_.is_decimal(type_):
        texts = array.cast(pa.utf8())
        if pc.any(pc.match_substring(texts, "E")).as_py():
            return _each(array, lambda value: format(value, "f"))
        return texts
    if kind_of(field) == "uuid":
        return _each(array, _uuid_text)
    if is_.is_binary(type_) or is_.is_fixed_size_binary(type_):
        return _each(array, bytes.hex if binary == "hex" else _base64)
    if is_.is_nested(type_):
        import json

        return _each(array, lambda value: json.dumps(_plain(value, binary), ensure_ascii=False))
    return array.cast(pa.utf8())


def _each(array: Any, convert: Callable[[Any], str]) -> Any:
    import pyarrow as pa

    return pa.array(
        [None if each is None else convert(each) for each in array.to_pylist()], pa.utf8()
    )


def _base64(raw: bytes) -> str:
    from base64 import b64encode

    return b64encode(raw).decode("ascii")


def _uuid_text(raw: bytes) -> str:
    from uuid import UUID

    return str(UUID(bytes=raw))


def _plain(value: Any, binary: str) -> Any:
    """Return a value of a list or a struct as JSON has it."""
    import datetime as dt
    from decimal import Decimal

    if isinstance(value, dict):
        return {name: _plain(each, binary) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, binary) for each in value]
    if isinstance(value, bytes):
        return value.hex() if binary == "hex" else _base64(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.timezone.utc).isoformat()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return repr(value)
    return value


# --- from text ----------------------------------------------------------------------------------


def array_from_text(array: Any, field: Any, *, binary: str = "base64", first_row: int = 0) -> Any:
    """Return an array of the field's type from one of texts.

    Raises DataError, which names the row (``first_row`` is the number of the first) and the column.
    """
    import pyarrow as pa

    try:
        return _parsed(array, field, binary)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, TypeError, ArithmeticError):
        pass
    low, high = 0, len(array)  # The first misfit is at low or after it, and before high.
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _parsed(array.slice(low, middle - low), field, binary)
        except (pa.ArrowInvalid, ValueError, TypeError, ArithmeticError):
            high = middle
        else:
            low = middle
    raise misfit(array, low, field, first_row)


def _parsed(array: Any, field: Any, binary: str) -> Any:
    """Return the array, or raise one of many errors where a text is no value."""
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_

    type_ = field.type
    if kind_of(field) == "json":
        import json

        for each in array.to_pylist():
            if each is not None:
                json.loads(each)
    if is_.is_string(type_):
        return array
    if is_.is_integer(type_):
        wrong = pc.invert(pc.match_substring_regex(array, _INTEGER))
        if pc.any(wrong).as_py():
            raise ValueError("no integer")
        return pc.utf8_ltrim(array, "+").cast(type_)
    if is_.is_time(type_):
        joined = pc.binary_join_element_wise(_EPOCH, array, "")
        return joined.cast(pa.timestamp("us")).cast(type_)
    if kind_of(field) == "uuid":
        from uuid import UUID

        return _from_each(array, field, lambda text: UUID(text).bytes)
    if is_.is_binary(type_) or is_.is_fixed_size_binary(type_):
        return _from_each(array, field, bytes.fromhex if binary == "hex" else _from_base64)
    if is_.is_nested(type_):
        import json
        from decimal import Decimal

        def convert(text: str) -> Any:
            value = json.loads(text, parse_float=Decimal)
            return _typed(value, type_, binary)

        return _from_each(array, field, convert)
    return array.cast(type_)


def _from_each(array: Any, field: Any, convert: Callable[[str], Any]) -> Any:
    import pyarrow as pa

    return pa.array(
        [None if each is None else convert(each) for each in array.to_pylist()], field.type
    )


def _from_base64(text: str) -> bytes:
    from base64 import b64decode

    return b64decode(text, validate=True)


def _typed(value: Any, type_: Any, binary: str) -> Any:
    """Return a value of a list or a struct from what JSON had. Raises ValueError and others."""
    import pyarrow as pa
    import pyarrow.types as is_

    if value is None:
        return None
    if is_.is_list(type_):
        return [_typed(each, type_.value_type, binary) for each in _only(value, list)]
    if is_.is_struct(type_):
        fields = {type_.field(at).name: type_.field(at) for at in range(type_.num_fields)}
        unknown = set(_only(value, dict)) - set(fields)
        if unknown:
            raise ValueError(f"{unknown} would be lost")
        return {name: _typed(value.get(name), field.type, binary) for name, field in fields.items()}
    if is_.is_string(type_):
        return _only(value, str)
    if is_.is_boolean(type_):
        return _only(value, bool)
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bool):
        raise ValueError("truth is no number")
    return _parsed(pa.array([text]), pa.field("", type_), binary)[0].as_py()


def _only(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


# --- bytes that are to be text ------------------------------------------------------------------


def texts_of_bytes(raw: Any, field: Any, *, first_row: int = 0, advice: str = "") -> Any:
    """Return an array of texts from one of their bytes in UTF-8.

    Raises DataError for bytes that are none, with ``advice`` on what to do.
    """
    import pyarrow as pa

    try:
        return raw.cast(pa.utf8())
    except pa.ArrowInvalid:
        pass
    at = next(at for at, each in enumerate(raw.to_pylist()) if not _is_text(each or b""))
    raise DataError(
        f"row {first_row + at} (from 0), column {field.name!r}: bytes that are no UTF-8 text"
        + (f"; {advice}" if advice else ""),
        position=first_row + at,
        column=field.name,
    )


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True

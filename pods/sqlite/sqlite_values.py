"""Columns as SQLite keeps them to columns of their declared type and back; no connection."""

from __future__ import annotations

from decimal import Decimal

from pypods.connectors.batches import conform, misfit
from pypods.connectors.errors import DataError
from pypods.connectors.types import kind_of

from .sqlite_types import NUMERIC_DIGITS

#: What stands for a REAL and for NULL among the texts of a column that has both.
OF_REAL, OF_NULL = "", "-"
#: Arrow writes an exponent for numbers with more zeros behind the point.
_PLAIN_SCALE = 6
#: A decimal128 of 19 digits, which an integer is, has room for no more behind the point.
_MOST_SCALE = 18


def to_declared(array, field, first_row: int):
    """Return a column that SQLite gave, in its declared type. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    given, wanted = array.type, field.type
    if given == wanted:
        return array
    if array.null_count == len(array):
        return pa.nulls(len(array), wanted)
    if kind_of(field) == "uuid":
        return _uuids(array, field, first_row)
    if is_.is_boolean(wanted) and is_.is_integer(given):
        bad = _first(pc.and_(array.is_valid(), pc.invert(pc.is_in(array, pa.array([0, 1], given)))))
        if bad is not None:
            raise misfit(array, bad, field, first_row)
        return array.cast(wanted)
    if is_.is_decimal(wanted) and is_.is_floating(given):
        return _decimals(array, field, first_row)
    batch = pa.record_batch([array], names=[field.name])
    return conform(batch, pa.schema([field]), first_row=first_row).column(0)


def _first(mask):
    import pyarrow.compute as pc

    at = pc.index(mask, True).as_py()
    return None if at < 0 else at


def _decimals(array, field, first_row: int):
    """Return decimals from REALs: of each the one whose nearest REAL it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    precision, scale = field.type.precision, field.type.scale
    if scale > _MOST_SCALE:
        return _shortest_decimals(array, field)
    power = float(10**scale)
    whole = pc.round(pc.multiply(array, power))
    # Both are integers that a double holds, so the division is rounded once: to the nearest.
    same = pc.and_(
        pc.equal(pc.divide(whole, power), array),
        pc.less(pc.abs(whole), float(10 ** min(precision, NUMERIC_DIGITS))),
    )
    if not pc.all(same).as_py():
        if precision > NUMERIC_DIGITS:
            return _shortest_decimals(array, field)
        raise misfit(array, _first(pc.invert(same)), field, first_row)
    whole = whole.cast(pa.int64()).cast(pa.decimal128(19, 0))
    if not scale:
        return whole.cast(field.type)
    unit = pa.scalar(Decimal(1).scaleb(-scale), pa.decimal128(scale, scale))
    return pc.multiply(whole, unit).cast(field.type)


def _shortest_decimals(array, field):
    """Return decimals from REALs: of each the shortest text that stands for it."""
    import pyarrow as pa

    try:
        return pa.array([to_python(value, field) for value in array.to_pylist()], field.type)
    except (pa.ArrowInvalid, TypeError) as exc:
        raise DataError(f"column {field.name!r}: {exc}", column=field.name) from None


def mixed_decimals(reals, texts, field, first_row: int):
    """Return decimals of a column that has REALs beside INTEGERs and TEXTs.

    ``texts`` has OF_REAL where the value is in ``reals``, OF_NULL, or the value. Raises DataError
    for what only the slow way takes, or refuses with its place.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    is_real = pc.equal(texts, OF_REAL)
    none = pa.scalar(None, pa.float64())
    if pc.all(is_real).as_py():
        return _decimals(reals, field, first_row)
    made = _decimals(pc.if_else(is_real, reals, none), field, first_row)
    is_text = pc.invert(pc.or_(is_real, pc.equal(texts, OF_NULL)))
    if not pc.any(is_text).as_py():
        return made
    given = pc.if_else(is_text, texts, pa.scalar(None, pa.utf8()))
    try:
        parsed = given.cast(field.type)
    except pa.ArrowInvalid as exc:  # It may be one for Python, which takes spaces around it.
        raise DataError(f"column {field.name!r}: {exc}", column=field.name) from None
    return pc.coalesce(made, parsed)


def _uuids(array, field, first_row: int):
    import uuid

    import pyarrow as pa

    made = []
    for at, value in enumerate(array.to_pylist()):
        try:
            if value is None:
                made.append(None)
            elif isinstance(value, bytes):
                made.append(uuid.UUID(bytes=value).bytes)
            else:
                made.append(uuid.UUID(value).bytes)
        except (ValueError, AttributeError, TypeError):
            raise misfit(array, at, field, first_row) from None
    return pa.array(made, field.type)


def to_python(value, field):
    """Return one value that sqlite3 gave as pyarrow takes it for the field; or as it is."""
    import datetime as dt
    from decimal import InvalidOperation
    from uuid import UUID

    import pyarrow.types as is_

    type_ = field.type
    try:
        if value is None:
            return None
        if is_.is_decimal(type_):
            made = Decimal(value if isinstance(value, (int, str)) else repr(value))
            return made if made.is_finite() else value
        if is_.is_boolean(type_):
            return bool(value) if value in (0, 1) and not isinstance(value, str) else value
        if is_.is_string(type_):
            return value if isinstance(value, (str, bytes)) else _text_of_number(value)
        if kind_of(field) == "uuid":
            return UUID(bytes=value).bytes if isinstance(value, bytes) else UUID(value).bytes
        if isinstance(value, str) and is_.is_temporal(type_):
            if is_.is_date(type_):
                return dt.date.fromisoformat(value)
            if is_.is_time(type_):
                return dt.time.fromisoformat(value)
            return dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
        if is_.is_floating(type_) and isinstance(value, int):
            return float(value) if int(float(value)) == value else value
    except (ValueError, TypeError, AttributeError, InvalidOperation, OverflowError):
        return value
    return value


def _text_of_number(value) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def to_kept(column, field):
    """Return a column's values as SQLite keeps them. Raises DataError for NaN, which it has not."""
    import uuid

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as is_

    type_ = column.type
    if is_.is_floating(type_):
        bad = _first(pc.is_nan(column).fill_null(False))
        if bad is not None:
            raise DataError(
                f"row {bad} (from 0), column {field.name!r}: SQLite has no NaN, it would be NULL",
                position=bad,
                column=field.name,
            )
    elif kind_of(field) == "uuid":
        return [None if each is None else str(uuid.UUID(bytes=each)) for each in column.to_pylist()]
    elif is_.is_decimal(type_):
        if 0 <= type_.scale <= _PLAIN_SCALE:
            return column.cast(pa.utf8()).to_pylist()
        return [None if each is None else format(each, "f") for each in column.to_pylist()]
    elif is_.is_timestamp(type_) and type_.tz:
        plain = column.cast(pa.timestamp("us")).cast(pa.utf8())
        return pc.binary_join_element_wise(plain, "+00:00", "").to_pylist()
    elif is_.is_temporal(type_):
        return column.cast(pa.utf8()).to_pylist()
    return column.to_pylist()

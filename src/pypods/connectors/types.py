"""Column types: Arrow's, as the meeting place, and their texts; no rows.

What Arrow has no type for is text, or bytes, with the field's metadata ``pypods.type`` saying what
it is: ``json``, ``uuid``, or a database's own name for it, as ``interval``.
"""

from __future__ import annotations

import re

from pypods.connectors.errors import SchemaError, SettingsError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "common_field",
    "declared_fields",
    "field_from_text",
    "fits",
    "holds",
    "kind_of",
    "normal_field",
    "normal_schema",
    "schema_from_rows",
    "text_of",
    "with_kind",
]

KIND = b"pypods.type"
UUID_BYTES = 16
NOT_NULL = " not null"
#: Decimal digits that every integer of the type fits into.
INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
UINT64_DIGITS = 20
MAX_DECIMAL128_DIGITS = 38
MAX_DECIMAL256_DIGITS = 76
#: Bits of integers that a float of that many bits holds exactly.
FLOAT_INTEGER_BITS = {16: 11, 32: 24, 64: 53}


# --- kinds --------------------------------------------------------------------------------------


def kind_of(field: Any) -> str:
    """Return what a field is beyond its Arrow type: ``json``, ``uuid``, ``inet``, or nothing."""
    kind: str = (field.metadata or {}).get(KIND, b"").decode()
    return kind


def with_kind(field: Any, kind: str) -> Any:
    """Return the field with nothing else in its metadata than what it is."""
    return field.with_metadata({KIND: kind.encode()} if kind else None)


# --- texts --------------------------------------------------------------------------------------


def field_from_text(name: str, text: str, nullable: bool = True) -> Any:
    """Return a field from a type's text: ``int32``, ``decimal(12,2)``, ``list<utf8>``, ``json``.

    Raises SchemaError.
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    plain = text.strip()
    if plain == "json":
        return with_kind(pa.field(name, pa.utf8(), nullable), "json")
    if plain == "uuid":
        return with_kind(pa.field(name, pa.binary(UUID_BYTES), nullable), "uuid")
    if plain.startswith("utf8:"):
        return with_kind(pa.field(name, pa.utf8(), nullable), plain[5:])
    return pa.field(name, _type_from_text(plain, name), nullable)


def declared_fields(columns: Any) -> dict[str, Any]:
    """Return the fields that the setting ``columns`` declares, by name.

    It is ``{"id": "int64 not null"}``. Raises SettingsError and SchemaError.
    """
    fields = {}
    for name, text in (columns or {}).items():
        if not isinstance(text, str):
            raise SettingsError(f"the type of column {name!r} is text, as int64, not {text!r}")
        required = text.lower().endswith(NOT_NULL)
        text = text[: -len(NOT_NULL)] if required else text
        fields[name] = field_from_text(name, text, not required)
    return fields


def _type_from_text(text: str, name: str) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    simple = {
        "bool": pa.bool_,
        "utf8": pa.utf8,
        "binary": pa.binary,
        "date": pa.date32,
        "float32": pa.float32,
        "float64": pa.float64,
    }
    if text in simple:
        return simple[text]()
    if re.fullmatch(r"u?int(8|16|32|64)", text):
        return getattr(pa, text)()
    found = re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(-?\d+)\s*\)", text)
    if found:
        precision, scale = int(found[1]), int(found[2])
        if 1 <= precision <= MAX_DECIMAL256_DIGITS:
            return _decimal(precision, scale)
    if text in ("time", "time(us)"):
        return pa.time64("us")
    found = re.fullmatch(r"timestamp(?:\(us(?:,\s*([\w/+:-]+))?\))?", text)
    if found:
        return pa.timestamp("us", found[1])
    if text.startswith("list<") and text.endswith(">"):
        return pa.list_(_type_from_text(text[5:-1].strip(), name))
    raise SchemaError(f"column {name!r} has the type {text!r}, which is none of the contract's")


def text_of(field: Any) -> str:
    """Return the text of a field's type, as ``field_from_text`` reads it; for messages, any."""
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    kind, type_ = kind_of(field), field.type
    if kind in ("json", "uuid"):
        return kind
    if kind:
        return f"utf8:{kind}"
    if is_.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if is_.is_string(type_):
        return "utf8"
    if is_.is_date32(type_):
        return "date"
    if is_.is_time64(type_):
        return "time(us)"
    if is_.is_timestamp(type_):
        return f"timestamp(us, {type_.tz})" if type_.tz else "timestamp(us)"
    if is_.is_floating(type_):
        return f"float{type_.bit_width}"
    if is_.is_list(type_):
        return f"list<{text_of(type_.value_field)}>"
    return str(type_)


def schema_from_rows(schema: Any) -> Any:
    """Return a schema from ``[(name, type text, nullable)]``, or the schema that it is already."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    if isinstance(schema, (list, tuple)):
        return pa.schema([field_from_text(*each) for each in schema])
    if isinstance(schema, pa.Schema):
        return schema
    return pa.schema(schema)


# --- the types of the contract ------------------------------------------------------------------


def normal_schema(schema: Any) -> Any:
    """Return a schema in the types of the contract. Raises SchemaError."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    return pa.schema([normal_field(field) for field in schema])


def normal_field(field: Any) -> Any:
    """Return a field in the type of the contract that holds the same values. Raises SchemaError."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    kind, type_ = kind_of(field), field.type
    if isinstance(type_, pa.BaseExtensionType):
        names = {"arrow.uuid": "uuid", "arrow.json": "json"}
        kind, type_ = kind or names.get(type_.extension_name, ""), type_.storage_type
    return with_kind(pa.field(field.name, _normal_type(type_, field.name), field.nullable), kind)


def _normal_type(type_: Any, name: str) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if is_.is_dictionary(type_):
        return _normal_type(type_.value_type, name)
    if is_.is_null(type_) or is_.is_large_string(type_) or "string_view" in str(type_):
        return pa.utf8()
    if is_.is_large_binary(type_) or "binary_view" in str(type_):
        return pa.binary()
    if is_.is_float16(type_):
        return pa.float32()
    if is_.is_decimal(type_):
        return _decimal(type_.precision, type_.scale)
    if is_.is_date(type_):
        return pa.date32()
    if is_.is_time(type_):
        return pa.time64("us")
    if is_.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    if is_.is_map(type_):
        entry = pa.struct([("key", type_.key_type), ("value", type_.item_type)])
        return pa.list_(_normal_type(entry, name))
    if is_.is_list(type_) or is_.is_large_list(type_) or is_.is_fixed_size_list(type_):
        return pa.list_(normal_field(type_.value_field).with_name("item"))
    if is_.is_struct(type_):
        return pa.struct([normal_field(type_.field(i)) for i in range(type_.num_fields)])
    known = (is_.is_integer, is_.is_floating, is_.is_boolean, is_.is_string, is_.is_binary)
    if any(each(type_) for each in known) or is_.is_fixed_size_binary(type_):
        return type_
    raise SchemaError(
        f"column {name!r} has the Arrow type {type_}, which no connector carries; "
        f"cast it to text or to a number first"
    )


def _decimal(precision: int, scale: int) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    if scale < 0:
        precision, scale = precision - scale, 0
    if precision <= MAX_DECIMAL128_DIGITS:
        return pa.decimal128(precision, scale)
    return pa.decimal256(precision, scale)


# --- which holds which --------------------------------------------------------------------------


def holds(wide: Any, narrow: Any) -> bool:
    """Whether every value of the narrow type is one of the wide type, without any loss."""
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if wide == narrow or is_.is_null(narrow):
        return True
    if is_.is_integer(narrow):
        return _holds_integers(wide, narrow)
    if is_.is_floating(narrow):
        return bool(is_.is_floating(wide) and wide.bit_width >= narrow.bit_width)
    if is_.is_decimal(narrow):
        return bool(
            is_.is_decimal(wide)
            and wide.scale >= narrow.scale
            and wide.precision - wide.scale >= narrow.precision - narrow.scale
        )
    if is_.is_fixed_size_binary(narrow):
        return bool(is_.is_binary(wide))
    if is_.is_date(narrow):
        return bool(is_.is_timestamp(wide) and wide.tz is None)
    if is_.is_timestamp(narrow):
        # One instant, whatever zone it is shown in.
        return bool(is_.is_timestamp(wide) and (wide.tz is None) == (narrow.tz is None))
    if is_.is_list(narrow):
        return bool(is_.is_list(wide) and holds(wide.value_type, narrow.value_type))
    return False


def _holds_integers(wide: Any, narrow: Any) -> bool:
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    signed = is_.is_signed_integer(narrow)
    bits = narrow.bit_width
    if is_.is_integer(wide):
        if is_.is_signed_integer(wide):
            return bool(wide.bit_width >= bits if signed else wide.bit_width > bits)
        return bool(not signed and wide.bit_width >= bits)
    if is_.is_decimal(wide):
        digits = UINT64_DIGITS if bits == 64 and not signed else INTEGER_DIGITS[bits]
        return bool(wide.precision - wide.scale >= digits)
    if is_.is_floating(wide):
        return bool(bits - signed <= FLOAT_INTEGER_BITS[wide.bit_width])
    return False


def fits(target: Any, source: Any) -> bool:
    """Whether a column takes every value of another one, without any loss."""
    kind, wanted = kind_of(source), kind_of(target)
    if kind != wanted and not (wanted == "" and kind not in ("uuid", "") and _is_text(target)):
        # JSON and a database's own types are text, so text takes them; nothing else does.
        return wanted == "json" and kind == "" and _is_nested(source)
    return holds(target.type, source.type)


def _is_text(field: Any) -> bool:
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    return bool(is_.is_string(field.type))


def _is_nested(field: Any) -> bool:
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    return bool(is_.is_nested(field.type))


def common_field(one: Any, other: Any) -> Any:
    """Return the narrowest field of the contract that takes the values of both, or None."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if fits(one, other):
        return one
    if fits(other, one):
        return other.with_name(one.name)
    if kind_of(one) or kind_of(other):
        return None
    candidates = [pa.int16(), pa.int32(), pa.int64(), pa.float64()]
    numbers = [each.type for each in (one, other)]
    if all(is_.is_integer(each) or is_.is_decimal(each) for each in numbers):
        scale = max(each.scale if is_.is_decimal(each) else 0 for each in numbers)
        whole = max(_whole_digits(each) for each in numbers)
        if whole + scale <= MAX_DECIMAL256_DIGITS:
            candidates.append(_decimal(whole + scale, scale))
    for type_ in candidates:
        if all(holds(type_, each) for each in numbers):
            return pa.field(one.name, type_, one.nullable or other.nullable)
    return None


def _whole_digits(type_: Any) -> int:
    import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

    if is_.is_decimal(type_):
        return int(type_.precision - type_.scale)
    return UINT64_DIGITS if str(type_) == "uint64" else INTEGER_DIGITS[type_.bit_width]

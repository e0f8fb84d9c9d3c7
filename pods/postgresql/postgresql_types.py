"""PostgreSQL's types to Arrow fields and back; no values, no connection.

What Arrow has no type for is text as PostgreSQL writes it, and the field's ``pypods.type`` is the
type's name: ``interval``, ``inet``, ``timetz``.
"""

from __future__ import annotations

import re

from pypods.connectors.types import field_from_text, kind_of, text_of, with_kind

#: The type's text in SQL, for values that are compared with the column.
SQL_TYPE = b"postgresql.type"
MAX_DIGITS = 76
#: Of a NUMERIC without precision whose column is empty.
EMPTY_SCALE = 9

_SIMPLE = {
    "bool": "bool", "int2": "int16", "int4": "int32", "int8": "int64",
    "float4": "float32", "float8": "float64",
    "text": "utf8", "varchar": "utf8", "bpchar": "utf8", "name": "utf8",
    "bytea": "binary", "date": "date", "time": "time(us)",
    "timestamp": "timestamp(us)", "timestamptz": "timestamp(us, UTC)",
    "uuid": "uuid", "json": "json", "jsonb": "json",
}  # fmt: skip
#: Arrays of these arrive as lists; numeric ones too, where precision is given.
_LISTED = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "date",
           "timestamp", "timestamptz")  # fmt: skip
_WRITTEN = {
    "bool": "boolean", "int16": "smallint", "int32": "integer", "int64": "bigint",
    "float32": "real", "float64": "double precision", "utf8": "text", "binary": "bytea",
    "date": "date", "time(us)": "time", "timestamp(us)": "timestamp",
    "timestamp(us, UTC)": "timestamptz", "uuid": "uuid", "json": "json",
}  # fmt: skip
#: PostgreSQL's own types that a column is made of again, if it is said to be one.
OWN_KINDS = ("bit", "bit varying", "box", "cidr", "circle", "inet", "interval", "line", "lseg",
             "macaddr", "macaddr8", "money", "path", "point", "polygon", "timetz", "tsquery",
             "tsvector", "varbit", "xml")  # fmt: skip


class Column:
    """A column as the catalog has it; ``base`` is the type's name below domains."""

    def __init__(self, row) -> None:
        (self.name, self.sql_type, self.base, self.category, self.element, self.modifier,
         self.nullable, self.has_default) = row  # fmt: skip
        #: Largest scale and number of digits before the point, of a NUMERIC without precision.
        self.digits = None

    @property
    def is_free_numeric(self) -> bool:
        """Whether it is a NUMERIC of any precision."""
        return self.base == "numeric" and self.modifier < 0

    def type_text(self) -> str:
        """Return the contract's text for the type."""
        if self.base == "numeric":
            return self._numeric()
        if self.category == "A" and self.element in _LISTED:
            return f"list<{_SIMPLE[self.element]}>"
        return _SIMPLE.get(self.base) or f"utf8:{self.base}"

    def _numeric(self) -> str:
        if not self.is_free_numeric:
            precision = ((self.modifier - 4) >> 16) & 0xFFFF
            scale = (self.modifier - 4) & 0x7FF
            scale = scale - 0x800 if scale & 0x400 else scale
            if scale < 0:
                precision, scale = precision - scale, 0
            precision = max(precision, scale)
            return f"decimal({precision},{scale})" if precision <= MAX_DIGITS else "utf8:numeric"
        if self.digits is None or self.digits == (None, None):
            return f"decimal(38,{EMPTY_SCALE})"
        scale, whole = self.digits
        if scale is None or whole is None or scale + whole > MAX_DIGITS:
            return "utf8:numeric"
        return f"decimal({38 if scale + whole <= 38 else MAX_DIGITS},{scale})"

    def field(self):
        """Return the Arrow field."""
        field = field_from_text(self.name, self.type_text(), self.nullable)
        metadata = {**(field.metadata or {}), SQL_TYPE: self.sql_type.encode()}
        return field.with_metadata(metadata)


def sql_type_of(field) -> str:
    """Return the type's text in SQL, as the catalog has it, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def is_read_as_text(field) -> bool:
    """Whether the column is to be cast to text, because Arrow has no type for it."""
    return kind_of(field) not in ("", "json", "uuid")


def stored_field(field):
    """Return the field that a column made for this one is read as."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    if kind == "uuid" and is_.is_fixed_size_binary(type_):
        return field
    if kind in ("json", *OWN_KINDS):
        return field
    if is_.is_list(type_):
        inner = text_of(stored_field(type_.value_field.with_name(field.name)))
        listed = {_SIMPLE[name] for name in _LISTED}
        if inner in listed:
            return field_from_text(field.name, f"list<{inner}>", field.nullable)
    if is_.is_nested(type_):
        return with_kind(field.with_type(pa.utf8()), "json")
    small = {"int8": "int16", "uint8": "int16", "uint16": "int32", "uint32": "int64",
             "uint64": "decimal(20,0)"}  # fmt: skip
    if str(type_) in small:
        return field_from_text(field.name, small[str(type_)], field.nullable)
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        return with_kind(field.with_type(pa.binary()), "")
    if is_.is_timestamp(type_) and type_.tz:
        return with_kind(field.with_type(pa.timestamp("us", "UTC")), "")
    return with_kind(field, "")


def is_number(field) -> bool:
    """Whether the field's values are exact numbers."""
    import pyarrow.types as is_

    return kind_of(field) == "" and (is_.is_decimal(field.type) or is_.is_integer(field.type))


def as_numeric(field):
    """Return the field of exact numbers as one of a NUMERIC without precision."""
    import pyarrow as pa
    import pyarrow.types as is_

    if is_.is_integer(field.type):
        field = field.with_type(pa.decimal128(20, 0))
    return field.with_metadata({SQL_TYPE: b"numeric"})


def sql_type_for(field) -> str | None:
    """Return the SQL type of a column for a field of ``stored_field``, or None."""
    import pyarrow.types as is_

    kind = kind_of(field)
    if is_.is_decimal(field.type):
        return f"numeric({field.type.precision},{field.type.scale})"
    if is_.is_list(field.type):
        inner = _WRITTEN.get(text_of(field.type.value_field))
        return f"{inner}[]" if inner else None
    if kind in OWN_KINDS:
        return kind
    return _WRITTEN.get(text_of(with_kind(field, kind if kind in ("json", "uuid") else "")))


def base_of(sql_type: str) -> str:
    """Return a type's text without its length: ``character`` of ``character(3)``."""
    return sql_type.partition("(")[0].strip()


#: What ADBC's COPY writes exactly, as PostgreSQL's own binary form: type in SQL to Arrow's.
BINARY_PAIRS = {
    "boolean": "bool", "smallint": "int16", "integer": "int32", "bigint": "int64",
    "real": "float", "double precision": "double", "text": "string",
    "character varying": "string", "character": "string", "json": "string", "jsonb": "string",
    "bytea": "binary", "date": "date32[day]", "time without time zone": "time64[us]",
    "timestamp without time zone": "timestamp[us]",
    "timestamp with time zone": "timestamp[us, tz=UTC]",
    "uuid": "fixed_size_binary[16]",
    "smallint[]": "list<item: int16>", "integer[]": "list<item: int32>",
    "bigint[]": "list<item: int64>", "text[]": "list<item: string>",
    "real[]": "list<item: float>", "double precision[]": "list<item: double>",
}  # fmt: skip


def rounds_to(field) -> int:
    """Return the microseconds that a column rounds times to: 1000 for ``timestamp(3)``."""
    found = re.match(r"(?:timestamp|time)\((\d)\)", sql_type_of(field))
    return 10 ** (6 - int(found[1])) if found else 1


def is_written_in_binary(field) -> bool:
    """Whether ADBC writes the column exactly."""
    import pyarrow.types as is_

    sql_type = sql_type_of(field)
    if base_of(sql_type) == "numeric":
        return is_.is_decimal128(field.type)
    # "(6)" stands in the middle of what is otherwise "timestamp without time zone".
    return BINARY_PAIRS.get(base_of(sql_type)) == str(field.type)

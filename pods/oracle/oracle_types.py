"""Oracle's types to Arrow fields and back; no values, no connection.

Oracle has one kind of number, no date without a time, and up to version 21 neither truth nor JSON.
Columns that are made here say by a CHECK constraint what else they hold, and are read as that:
NUMBER(19) between the edges of 64 bits is an int64. What Arrow has no type for is text as Oracle
writes it, and the field's ``pypods.type`` is the type's name.
"""

from __future__ import annotations

import re

from pypods.connectors.errors import SchemaError
from pypods.connectors.types import field_from_text, kind_of, text_of, with_kind

#: The type's text in SQL, for values that are compared with the column.
SQL_TYPE = b"oracle.type"
MAX_DIGITS = 38
#: Of a NUMBER without precision whose column is empty.
EMPTY_SCALE = 9
#: Bytes of a text, and of bytes, in a key of one column.
KEY_TEXT_BYTES = 4000
KEY_RAW_BYTES = 2000

_SIMPLE = {
    "BINARY_FLOAT": "float32", "BINARY_DOUBLE": "float64",
    "VARCHAR2": "utf8", "NVARCHAR2": "utf8", "CHAR": "utf8", "NCHAR": "utf8",
    "CLOB": "utf8", "NCLOB": "utf8", "LONG": "utf8",
    "RAW": "binary", "LONG RAW": "binary", "BLOB": "binary",
    "DATE": "timestamp(us)", "TIMESTAMP": "timestamp(us)", "BOOLEAN": "bool", "JSON": "json",
    "TIMESTAMP WITH TIME ZONE": "timestamp(us, UTC)",
    "TIMESTAMP WITH LOCAL TIME ZONE": "timestamp(us, UTC)",
}  # fmt: skip
#: A column that is made, and what it says of its values: {} is its name.
_WRITTEN = {
    "bool": ("NUMBER(1)", "{} in (0, 1)"),
    "float32": ("BINARY_FLOAT", ""), "float64": ("BINARY_DOUBLE", ""),
    "utf8": ("CLOB", ""), "binary": ("BLOB", ""), "json": ("CLOB", "{} is json"),
    "date": ("DATE", "{} = trunc({})"), "timestamp(us)": ("TIMESTAMP(6)", ""),
    "timestamp(us, UTC)": ("TIMESTAMP(6) WITH TIME ZONE", ""),
    "uuid": ("RAW(16)", "length({}) = 32"),
}  # fmt: skip
for _bits, _digits in ((8, 3), (16, 5), (32, 10), (64, 19)):
    _edge = 2 ** (_bits - 1)
    _WRITTEN[f"int{_bits}"] = (f"NUMBER({_digits})", f"{{}} between {-_edge} and {_edge - 1}")
    _unsigned = f"NUMBER({len(str(2 * _edge - 1))})"
    _WRITTEN[f"uint{_bits}"] = (_unsigned, f"{{}} between 0 and {2 * _edge - 1}")
#: Of a decimal of so few digits that its NUMBER would be read as an integer.
_DECIMAL, _DECIMAL_FORM, _INTEGER_DIGITS = "decimal", "{} = round({})", 18
#: Own types that a column is made of again, if it is said to be one.
OWN_KINDS = ("number", "interval day to second", "interval year to month")
#: How a column is read that the driver does not give as Arrow data, or not all of it.
_FORMS = {
    "JSON": "json_serialize({} returning clob)", "XMLTYPE": "xmlserialize(content {} as clob)",
    "INTERVAL DAY TO SECOND": "to_char({})", "INTERVAL YEAR TO MONTH": "to_char({})",
    "ROWID": "rowidtochar({})", "UROWID": "to_char({})",
    "TIMESTAMP WITH TIME ZONE": "sys_extract_utc({})",
    "TIMESTAMP WITH LOCAL TIME ZONE": "sys_extract_utc({})",
}  # fmt: skip


class Column:
    """A column as the catalog, or a query's description, has it."""

    def __init__(
        self, name, data_type, length=0, precision=None, scale=None, nullable=True, said=None
    ) -> None:
        self.name = name
        # "TIMESTAMP(9) WITH TIME ZONE" says its digits in the middle.
        self.base = re.sub(r"\(\d+\)", "", data_type).strip()
        self.data_type = data_type
        self.length = length
        self.precision = precision
        self.scale = scale
        self.nullable = nullable
        #: The type that a CHECK constraint says, or None.
        self.said = said
        #: Largest scale and number of digits before the point, of a NUMBER without precision.
        self.digits = None

    @property
    def is_free_number(self) -> bool:
        """Whether it is a number of any precision."""
        return self.base == "FLOAT" or (
            self.base == "NUMBER" and self.precision is None and self.scale is None
        )

    def sql_type(self) -> str:
        """Return the type's text in SQL."""
        if self.base == "NUMBER" and not self.is_free_number:
            digits = "*" if self.precision is None else self.precision
            return f"NUMBER({digits})" if not self.scale else f"NUMBER({digits},{self.scale})"
        if self.base in ("VARCHAR2", "CHAR"):
            return f"{self.base}({self.length} BYTE)"
        if self.base in ("NVARCHAR2", "NCHAR", "RAW"):
            return f"{self.base}({self.length})"
        return self.data_type

    def type_text(self) -> str:
        """Return the contract's text for the type."""
        if self.said:
            return f"decimal({self.precision},0)" if self.said == _DECIMAL else self.said
        if self.is_free_number:
            return self._free_number()
        if self.base == "NUMBER":
            return self._number()
        return _SIMPLE.get(self.base) or f"utf8:{self.base.lower()}"

    def _number(self) -> str:
        precision, scale = self.precision or MAX_DIGITS, self.scale or 0
        if scale < 0:
            precision, scale = precision - scale, 0
        precision = max(precision, scale)
        if precision > MAX_DIGITS:
            return "utf8:number"
        if scale == 0:
            for bits, digits in ((8, 2), (16, 4), (32, 9), (64, _INTEGER_DIGITS)):
                if precision <= digits:
                    return f"int{bits}"
        return f"decimal({precision},{scale})"

    def _free_number(self) -> str:
        if self.digits is None:
            return f"decimal({MAX_DIGITS},{EMPTY_SCALE})"
        scale, whole = self.digits
        if scale is None or scale + whole > MAX_DIGITS:
            return "utf8:number"
        return f"decimal({MAX_DIGITS},{scale})"

    def field(self):
        """Return the Arrow field."""
        field = field_from_text(self.name, self.type_text(), self.nullable)
        return field.with_metadata({**(field.metadata or {}), SQL_TYPE: self.sql_type().encode()})


def described_column(name, type_code, _display, size, precision, scale, nullable):
    """Return a column of a query, from what the driver describes."""
    data_type = type_code.name.replace("DB_TYPE_", "")
    plain = {"VARCHAR": "VARCHAR2", "NVARCHAR": "NVARCHAR2", "XMLTYPE": "XMLTYPE",
             "TIMESTAMP": f"TIMESTAMP({scale or 0})",
             "TIMESTAMP_TZ": f"TIMESTAMP({scale or 0}) WITH TIME ZONE",
             "TIMESTAMP_LTZ": f"TIMESTAMP({scale or 0}) WITH LOCAL TIME ZONE",
             "LONG_RAW": "LONG RAW", "INTERVAL_DS": "INTERVAL DAY TO SECOND",
             "INTERVAL_YM": "INTERVAL YEAR TO MONTH"}  # fmt: skip
    data_type = plain.get(data_type, data_type)
    if data_type == "NUMBER":
        # A NUMBER without precision has the scale -127, one of FLOAT a precision as well.
        free = scale == -127 or not precision
        precision, scale = (None, None) if free else (precision, scale)
    else:
        precision = scale = None
    return Column(name, data_type, size or 0, precision, scale, nullable is not False)


def said_by(condition: str, quoted: str) -> str | None:
    """Return the type that a CHECK constraint on a column says, as one made here does."""
    forms = {_DECIMAL: _DECIMAL_FORM, **{text: form for text, (_, form) in _WRITTEN.items()}}
    for text, form in forms.items():
        if form and condition == _filled(form, quoted):
            return text
    return None


def _filled(form: str, quoted: str) -> str:
    return form.format(*[quoted] * form.count("{}"))


def check_of(field, quoted: str) -> str:
    """Return the condition of a column that is made for a field, or nothing.

    One that is made like another column has a condition only if that one's type needs it.
    """
    import pyarrow.types as is_

    sql_type, form = _WRITTEN.get(_written_text(field), ("", ""))
    if is_.is_decimal(field.type) and not field.type.scale:
        if field.type.precision <= _INTEGER_DIGITS:
            return _filled(_DECIMAL_FORM, quoted)
    elif sql_type_of(field) in ("", sql_type):
        return _filled(form, quoted)
    return ""


def sql_type_of(field) -> str:
    """Return the type's text in SQL, as the catalog has it, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def base_of(field) -> str:
    """Return the type's text without its sizes."""
    return re.sub(r"\([^)]*\)", "", sql_type_of(field)).strip()


def is_lob(field) -> bool:
    """Whether a column's texts are LOBs, which cannot be compared as they are."""
    return base_of(field) in ("CLOB", "NCLOB")


def is_finer_than_arrow(field) -> bool:
    """Whether a column keeps parts of microseconds."""
    return re.match(r"TIMESTAMP\([7-9]\)", sql_type_of(field)) is not None


def rounds_to(field) -> int:
    """Return the microseconds that a column rounds times to: 1000 for ``TIMESTAMP(3)``."""
    if base_of(field) == "DATE":
        return 1_000_000
    found = re.match(r"TIMESTAMP\((\d)\)", sql_type_of(field))
    return 10 ** max(6 - int(found[1]), 0) if found else 1


def select_item(field, name: str) -> str:
    """Return what a column is read as: ``name`` is its name in SQL.

    Behind a time that Arrow's microseconds may not hold comes whether they do not. Raises
    SchemaError for a type that cannot be read.
    """
    form = _FORMS.get(base_of(field))
    if kind_of(field) == "number":
        form = "to_char({})"
    elif kind_of(field) not in ("", "json", "uuid") and form is None:
        raise SchemaError(
            f"column {field.name!r}: {kind_of(field)} cannot be read; leave it out with columns, "
            f"or read it as another type with a query"
        )
    item = form.format(name) if form else name
    if is_finer_than_arrow(field):
        return f"{item}, case when {item} <> cast({item} as timestamp(6)) then 1 else 0 end"
    return item


def asked_type(field):
    """Return the Arrow type that the driver is asked for."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, base = field.type, base_of(field)
    if is_.is_boolean(type_) and base != "BOOLEAN":
        return pa.int8()
    if is_.is_string(type_):
        is_short = base in ("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR")
        return pa.string() if is_short else pa.large_string()
    if is_.is_timestamp(type_):
        return pa.timestamp("us")
    if is_.is_binary(type_) or kind_of(field) == "uuid":
        return pa.large_binary() if base == "BLOB" else pa.binary()
    return type_


def stored_field(field):
    """Return the field that a column made for this one is read as."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    if kind == "uuid" and is_.is_fixed_size_binary(type_):
        return field
    if kind in ("json", *OWN_KINDS):
        return field
    if is_.is_nested(type_):
        return with_kind(field.with_type(pa.utf8()), "json")
    if is_.is_fixed_size_binary(type_) and not is_.is_decimal(type_):
        return with_kind(field.with_type(pa.binary()), "")
    if is_.is_timestamp(type_) and type_.tz:
        return with_kind(field.with_type(pa.timestamp("us", "UTC")), "")
    return with_kind(field, "")


def _written_text(field) -> str:
    kind = kind_of(field)
    return text_of(with_kind(field, kind if kind in ("json", "uuid") else ""))


def sql_type_for(field) -> str | None:
    """Return the SQL type of a column for a field of ``stored_field``, or None."""
    import pyarrow.types as is_

    if is_.is_decimal(field.type):
        precision, scale = field.type.precision, field.type.scale
        return f"NUMBER({precision},{scale})" if precision <= MAX_DIGITS else None
    if kind_of(field) in OWN_KINDS:
        return kind_of(field).upper()
    found = _WRITTEN.get(_written_text(field))
    return found[0] if found else None


def key_type(sql_type: str, columns: int) -> str:
    """Return a type that may be in a key of so many columns, for one that may be too long."""
    if sql_type in ("CLOB", "NCLOB"):
        return f"VARCHAR2({KEY_TEXT_BYTES // columns} BYTE)"
    return f"RAW({KEY_RAW_BYTES // columns})" if sql_type == "BLOB" else sql_type

"""ClickHouse's types to Arrow fields and back; no values, no connection.

Most cross as they are. What Arrow has no type for is text as ClickHouse writes it, and the field's
``pypods.type`` is the type's name in lower case. Bytes, JSON and times of a day are Strings, and
the column's comment says which.
"""

from __future__ import annotations

import re

from pypods.connectors.types import KIND, field_from_text, kind_of, with_kind

#: The type's text in SQL.
SQL_TYPE = b"clickhouse.type"
COMMENT = "pypods.type="
#: What is a String with such a comment.
_COMMENTED = {"binary": "binary", "json": "json", "time": "time(us)"}
_SIMPLE = {
    "Bool": "bool", "Int8": "int8", "Int16": "int16", "Int32": "int32", "Int64": "int64",
    "UInt8": "uint8", "UInt16": "uint16", "UInt32": "uint32", "UInt64": "uint64",
    "Float32": "float32", "Float64": "float64", "BFloat16": "float32", "String": "utf8",
    "UUID": "uuid", "Date": "date", "Date32": "date", "JSON": "json",
    "Int128": "decimal(39,0)", "UInt128": "decimal(39,0)",
}  # fmt: skip
#: Selected as text, and made what the field says from that.
_TEXTS = ("Int128", "UInt128", "JSON")
_WRITTEN = {
    text: name for name, text in _SIMPLE.items() if name not in ("BFloat16", "Date", *_TEXTS)
}
#: Inside of lists and structs.
_INNER = ("Bool", "String", "Float32", "Float64", "Date32")
OWN_KINDS = {"ipv4": "IPv4", "ipv6": "IPv6", "int256": "Int256", "uint256": "UInt256"}


def split_type(text: str):
    """Return a type without what it is wrapped in, and whether it may be NULL."""
    nullable = False
    while True:
        found = re.fullmatch(
            r"(LowCardinality|Nullable|SimpleAggregateFunction)\((.*)\)", text, re.DOTALL
        )
        if not found:
            return text, nullable
        nullable = nullable or found[1] == "Nullable"
        text = found[2]
        if found[1] == "SimpleAggregateFunction":
            text = split_arguments(text)[1]


def split_arguments(text: str):
    """Return what stands between the commas that are in no brackets and no quotes."""
    parts, depth, start, quote, at = [], 0, 0, "", 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'`\"":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [*parts, text[start:].strip()]


def _arguments(base: str, name: str):
    return split_arguments(base[len(name) + 1 : -1]) if base.startswith(name + "(") else None


def field_of(name: str, sql_type: str, comment: str):
    """Return the field of a column, from ClickHouse's text for its type."""
    base, nullable = split_type(sql_type)
    marked = comment[len(COMMENT) :] if comment.startswith(COMMENT) else ""
    if base == "String" and marked in _COMMENTED:
        field = field_from_text(name, _COMMENTED[marked], nullable)
    else:
        field = _plain_field(name, base, nullable)
    return field.with_metadata({**(field.metadata or {}), SQL_TYPE: sql_type.encode()})


def _plain_field(name: str, base: str, nullable: bool):
    import pyarrow as pa

    if base in _SIMPLE:
        return field_from_text(name, _SIMPLE[base], nullable)
    if base.startswith("JSON("):
        return field_from_text(name, "json", nullable)
    if base.startswith("Decimal("):
        return field_from_text(name, base.replace("Decimal", "decimal"), nullable)
    if base.startswith("FixedString("):
        return pa.field(name, pa.binary(int(base[12:-1])), nullable)
    if base.startswith("Enum"):
        return field_from_text(name, "utf8", nullable)
    if base.startswith("DateTime"):
        digits, zone = time_of(base)
        if digits > 6:
            return field_from_text(name, f"utf8:datetime64({digits})", nullable)
        return pa.field(name, pa.timestamp("us", zone), nullable)
    type_ = _nested(base)
    if type_ is not None:
        return pa.field(name, type_, nullable)
    return field_from_text(name, f"utf8:{base.partition('(')[0].lower()}", nullable)


def time_of(base: str):
    """Return the digits after a second's point, and the zone, of a DateTime or DateTime64."""
    found = re.match(r"DateTime(64)?(?:\((\d+)?(?:, )?(?:'(.*)')?\))?", base)
    return (int(found[2]) if found[1] else 0), found[3] or None


def _nested(base: str):
    """Return the Arrow type of an array, a tuple with names or a map of simple types, or None."""
    import pyarrow as pa

    for name in ("Array", "Map"):
        inner = _arguments(base, name)
        if inner is not None:
            types = [_inner(each) for each in inner]
            if any(each is None for each in types):
                return None
            if name == "Array":
                return pa.list_(types[0])
            return pa.list_(pa.struct([("key", types[0]), ("value", types[1])]))
    fields = []
    for each in _arguments(base, "Tuple") or ():
        found = re.fullmatch(r"(`(?:[^`\\]|\\.)*`|\w+) (.*)", each, re.DOTALL)
        type_ = _inner(found[2]) if found else None
        if type_ is None:
            return None
        name = re.sub(r"\\(.)", r"\1", found[1][1:-1]) if found[1][0] == "`" else found[1]
        fields.append((name, type_))
    return pa.struct(fields) if fields else None


def _inner(sql_type: str):
    base, _ = split_type(sql_type)
    if base in _INNER or re.fullmatch(r"U?Int(8|16|32|64)", base) or base.startswith("Decimal("):
        return _plain_field("inner", base, True).type
    return _nested(base)


def sql_type_of(field) -> str:
    """Return ClickHouse's text for the type of a column that is there, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def select_item(field, quoted: str) -> str:
    """Return what is selected for a column."""
    base, _ = split_type(sql_type_of(field))
    if base == "BFloat16":
        return f"toFloat32({quoted})"
    if base == "Date":
        return f"toDate32({quoted})"
    if base.startswith("DateTime") and time_of(base)[0] <= 6:
        return f"toDateTime64({quoted}, 6, 'UTC')"
    if base.startswith("AggregateFunction("):
        return f"hex({quoted})"
    if base in _TEXTS or base.startswith(("JSON(", "Enum")) or kind_of(field) not in (
        "", "json", "uuid",
    ):  # fmt: skip
        return f"toString({quoted})"
    return quoted


def stored_field(field):
    """Return the field that a column made for this one is read as."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    if kind == "json" or kind in OWN_KINDS or re.fullmatch(r"datetime64\(\d\)", kind):
        return with_kind(field, kind)
    if kind == "uuid" and is_.is_fixed_size_binary(type_):
        return with_kind(field, kind)
    if is_.is_nested(type_):
        if _sql_type(type_) is None:
            return field_from_text(field.name, "json", field.nullable)
        # Neither an Array nor a Tuple can be NULL.
        return with_kind(field.with_type(_stored_type(type_)).with_nullable(False), "")
    if is_.is_timestamp(type_) and type_.tz and not re.fullmatch(r"[A-Za-z_/+-]+", type_.tz):
        return with_kind(field.with_type(pa.timestamp("us", "UTC")), "")
    return with_kind(field, "")


def _stored_type(type_):
    import pyarrow as pa
    import pyarrow.types as is_

    if is_.is_list(type_):
        return pa.list_(_stored_type(type_.value_type))
    if is_.is_struct(type_):
        return pa.struct([(each.name, _stored_type(each.type)) for each in type_])
    return type_


def sql_type_for(field) -> str | None:
    """Return the SQL type of a column for a field of ``stored_field``, or None."""
    import pyarrow.types as is_

    kind = kind_of(field)
    if kind in OWN_KINDS:
        base = OWN_KINDS[kind]
    elif kind.startswith("datetime64"):
        base = f"DateTime64({kind[11:-1]}, 'UTC')"
    elif kind == "uuid":
        base = "UUID"
    else:
        base = "String" if kind else _sql_type(field.type)
    nested = is_.is_nested(field.type)
    return f"Nullable({base})" if base and field.nullable and not nested else base


def _sql_type(type_) -> str | None:
    import pyarrow as pa
    import pyarrow.types as is_

    from pypods.connectors.types import text_of

    if is_.is_decimal(type_):
        return f"Decimal({type_.precision}, {type_.scale})"
    if is_.is_timestamp(type_):
        return f"DateTime64(6, '{type_.tz}')" if type_.tz else "DateTime64(6)"
    if is_.is_binary(type_) or is_.is_time(type_):
        return "String"
    if is_.is_fixed_size_binary(type_):
        return f"FixedString({type_.byte_width})"
    if is_.is_list(type_):
        inner = _inner_sql(type_.value_type)
        return inner and f"Array({inner})"
    if is_.is_struct(type_):
        inner = [_inner_sql(each.type) for each in type_]
        if not inner or None in inner:
            return None
        names = [quote_name(each.name) for each in type_]
        return f"Tuple({', '.join(f'{name} {sql}' for name, sql in zip(names, inner))})"
    return _WRITTEN.get(text_of(pa.field("x", type_)))


def _inner_sql(type_) -> str | None:
    import pyarrow.types as is_

    sql = _sql_type(type_)
    if sql is None or is_.is_nested(type_):
        return sql
    known = sql in _INNER or sql.startswith(("Decimal(", "Int", "UInt"))
    return f"Nullable({sql})" if known and not is_.is_binary(type_) else None


def quote_name(name: str) -> str:
    """Return a name as it stands in SQL; ClickHouse reads backslashes in it too."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def comment_of(field) -> str:
    """Return what a column's comment has to say of a field."""
    import pyarrow.types as is_

    if sql_type_of(field) and split_type(sql_type_of(field))[0] != "String":
        return ""
    if is_.is_time(field.type):
        return COMMENT + "time"
    if is_.is_binary(field.type):
        return COMMENT + "binary"
    kind = (field.metadata or {}).get(KIND, b"").decode()
    return COMMENT + "json" if kind == "json" else ""

"""Types of MySQL and MariaDB to Arrow fields and back; no values, no connection.

A column that we make for instants in UTC, or for UUIDs, says so in its comment: TIMESTAMP ends in
2038, and MySQL has no type for UUIDs. It is read as what it was.
"""

from __future__ import annotations

import re

from pypods.connectors.types import field_from_text, kind_of, text_of, with_kind

#: The column's type in SQL, for how it is read and written.
SQL_TYPE = b"mysql.type"
UTC_COMMENT = "pypods: timestamp in UTC"
UUID_COMMENT = "pypods: uuid"
MAX_DIGITS = 65
MAX_SCALE = 38
#: Of a text or bytes in a key: InnoDB has 3072 bytes for all of it.
KEY_CHARACTERS = 255

_SIMPLE = {
    "tinyint": "int8", "smallint": "int16", "mediumint": "int32", "int": "int32",
    "bigint": "int64", "float": "float32", "double": "float64", "date": "date",
    "time": "time(us)", "datetime": "timestamp(us)", "timestamp": "timestamp(us, UTC)",
    "year": "int16", "json": "json", "uuid": "uuid",
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), "utf8"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob"), "binary"),
    **dict.fromkeys(("mediumblob", "longblob"), "binary"),
}  # fmt: skip
GEOMETRIES = ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
              "multipolygon", "geometrycollection", "geomcollection")  # fmt: skip
_WRITTEN = {
    "bool": "tinyint(1)", "int8": "tinyint", "int16": "smallint", "int32": "int",
    "int64": "bigint", "uint8": "tinyint unsigned", "uint16": "smallint unsigned",
    "uint32": "int unsigned", "uint64": "bigint unsigned", "float32": "float",
    "float64": "double", "utf8": "longtext", "binary": "longblob", "date": "date",
    "time(us)": "time(6)", "timestamp(us)": "datetime(6)", "json": "json",
    "timestamp(us, UTC)": f"datetime(6) comment '{UTC_COMMENT}'",
    "uuid": f"binary(16) comment '{UUID_COMMENT}'",
}  # fmt: skip
#: What the protocol calls types, by number.
_NUMBERED = {
    1: "tinyint", 2: "smallint", 3: "int", 4: "float", 5: "double", 7: "timestamp", 8: "bigint",
    9: "mediumint", 10: "date", 11: "time", 12: "datetime", 13: "year", 16: "bit", 245: "json",
    255: "geometry",
}  # fmt: skip
_DECIMALS = (0, 246)
_ENUM_FLAG, _SET_FLAG, _UNSIGNED_FLAG = 256, 2048, 32
_BINARY_CHARSET = 63
_ENUM, _SET = 247, 248


def base_of(sql_type: str) -> str:
    """Return a type's first word: ``decimal`` of ``decimal(5,2) unsigned``."""
    return re.match(r"\w*", sql_type)[0].lower()


def sql_type_of(field) -> str:
    """Return the column's type in SQL, or nothing."""
    return (field.metadata or {}).get(SQL_TYPE, b"").decode()


def make_field(name, sql_type: str, *, nullable: bool, comment: str = "", is_bool: bool = True,
               is_json: bool = False):  # fmt: skip
    """Return the Arrow field of a column of that type."""
    text = _type_text(sql_type, comment, is_bool)
    field = field_from_text(name, "json" if is_json else text, nullable)
    return field.with_metadata({**(field.metadata or {}), SQL_TYPE: sql_type.encode()})


def _type_text(sql_type: str, comment: str, is_bool: bool) -> str:
    base = base_of(sql_type)
    numbers = [int(each) for each in re.findall(r"\d+", sql_type.partition(")")[0])]
    if base == "decimal":
        return f"decimal({numbers[0]},{numbers[1] if len(numbers) > 1 else 0})"
    if base == "bit":
        return "bool" if numbers[:1] == [1] else "uint64"
    if base == "tinyint" and numbers == [1] and "unsigned" not in sql_type and is_bool:
        return "bool"
    if base == "datetime" and comment == UTC_COMMENT:
        return "timestamp(us, UTC)"
    if sql_type == "binary(16)" and comment == UUID_COMMENT:
        return "uuid"
    if base in GEOMETRIES:
        return "binary"
    simple = _SIMPLE.get(base, f"utf8:{base}")
    return "u" + simple if "unsigned" in sql_type and simple.startswith("int") else simple


def field_of_result(each, *, is_bool: bool):
    """Return the Arrow field for a column of a result, from the driver's description of it."""
    unsigned = bool(each.flags & _UNSIGNED_FLAG)
    number = each.type_code
    if number in _DECIMALS:
        digits = each.length - (each.scale > 0) - (not unsigned)
        sql_type = f"decimal({min(max(digits, each.scale, 1), MAX_DIGITS)},{each.scale})"
    elif each.flags & _ENUM_FLAG or number == _ENUM:
        sql_type = "enum"
    elif each.flags & _SET_FLAG or number == _SET:
        sql_type = "set"
    elif number in _NUMBERED:
        sql_type = _NUMBERED[number]
        if sql_type in ("bit", "tinyint"):
            sql_type += f"({each.length})"
        if sql_type in ("time", "datetime", "timestamp") and 0 < each.scale <= 6:
            sql_type += f"({each.scale})"
    else:
        sql_type = "longblob" if each.charsetnr == _BINARY_CHARSET else "longtext"
    if unsigned and base_of(sql_type).endswith("int"):
        sql_type += " unsigned"
    return make_field(each.name, sql_type, nullable=True, is_bool=is_bool)


def stored_field(field):
    """Return the field that a column made for this one is read as, or None if there is none."""
    import pyarrow as pa
    import pyarrow.types as is_

    type_, kind = field.type, kind_of(field)
    if (kind == "uuid" and is_.is_fixed_size_binary(type_)) or kind == "json":
        return with_kind(field, kind)
    if is_.is_nested(type_):
        return with_kind(field.with_type(pa.utf8()), "json")
    if is_.is_decimal(type_):
        fits = type_.precision <= MAX_DIGITS and type_.scale <= MAX_SCALE
        return with_kind(field, "") if fits else None
    if is_.is_fixed_size_binary(type_):
        return with_kind(field.with_type(pa.binary()), "")
    if is_.is_timestamp(type_) and type_.tz:
        return with_kind(field.with_type(pa.timestamp("us", "UTC")), "")
    return with_kind(field, "")


def takes(there, given) -> bool:
    """Whether a column takes values of which its Arrow type says less than the server knows."""
    import pyarrow.types as is_

    base = base_of(sql_type_of(there))
    if base == "year":
        return is_.is_integer(given.type)
    # An ENUM, a SET, an address: the server refuses texts that are none of its values.
    own = kind_of(there) not in ("", "json", "uuid")
    return own and is_.is_string(given.type) and kind_of(given) in ("", kind_of(there))


def sql_type_for(field) -> str | None:
    """Return the SQL type of a column for a field of ``stored_field``, or None."""
    import pyarrow.types as is_

    if is_.is_decimal(field.type):
        return f"decimal({field.type.precision},{field.type.scale})"
    return _WRITTEN.get(text_of(field))


def key_type_for(sql_type: str) -> str:
    """Return the type for a column of a key: texts and bytes have to have an end there."""
    ends = {"longtext": f"varchar({KEY_CHARACTERS})", "longblob": f"varbinary({KEY_CHARACTERS})"}
    return ends.get(sql_type, sql_type)


def rounds_to(field) -> int:
    """Return the microseconds that a column rounds times to: 1000 for ``datetime(3)``."""
    found = re.match(r"(?:timestamp|datetime|time)(?:\((\d)\))?", sql_type_of(field))
    return 10 ** (6 - int(found[1] or 0)) if found else 1

"""XSD types to Arrow fields, and elements to values; from the texts, so that nothing is rounded.

===================================  =============================================================
boolean                              bool
byte … unsignedLong                  integers of that size
integer and those made of it         decimal(38,0)
decimal                              decimal(38,10)
float, double                        float32, float64
dateTime                             timestamp(us, UTC): a zone is needed
date, time                           date, time, without a zone
base64Binary, hexBinary              binary
other simple types                   utf8; with the type's name where it is none of text
what repeats, complex types, any     json
===================================  =============================================================
"""

from __future__ import annotations

import re

from lxml import etree
from zeep.xsd.types import builtins
from zeep.xsd.types.complex import ComplexType

from pypods.connectors.errors import SchemaError, SettingsError
from pypods.connectors.records.json_columns import column_from_json, without_further_zeros
from pypods.connectors.records.json_text import dump_json
from pypods.connectors.types import field_from_text, kind_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "column_from_xml",
    "columns_of",
    "find_all",
    "json_of",
    "member_at",
    "members",
    "record_of",
    "type_at",
]

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
#: The text of an element that has attributes too.
TEXT = "value"
IN_ANSWER = "in the answer"
#: From what is made of others to what those are.
_TYPES = (
    (builtins.Boolean, "bool"),
    (builtins.UnsignedByte, "uint8"), (builtins.UnsignedShort, "uint16"),
    (builtins.UnsignedInt, "uint32"), (builtins.UnsignedLong, "uint64"),
    (builtins.Byte, "int8"), (builtins.Short, "int16"), (builtins.Int, "int32"),
    (builtins.Long, "int64"), (builtins.Integer, "decimal(38,0)"),
    (builtins.Decimal, "decimal(38,10)"), (builtins.Float, "float32"),
    (builtins.Double, "float64"), (builtins.DateTime, "timestamp(us, UTC)"),
    (builtins.Date, "date"), (builtins.Time, "time"), (builtins.Base64Binary, "binary"),
    (builtins.HexBinary, "binary"), (builtins.String, "utf8"), (builtins.AnyURI, "utf8"),
)  # fmt: skip
_FLOATS = {"INF": "inf", "-INF": "-inf", "NaN": "nan"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Member:
    """An element or an attribute of a complex type."""

    def __init__(self, name: str, type_: Any, *, repeats: bool, is_attribute: bool = False) -> None:
        self.name = name
        self.type = type_
        self.repeats = repeats
        self.is_attribute = is_attribute

    @property
    def is_nested(self) -> bool:
        """Whether its value is JSON."""
        return self.repeats or self.text is None

    @property
    def text(self) -> str | None:
        """The text of the Arrow type of one value; None for what is no simple type."""
        for known, text in _TYPES:
            if isinstance(self.type, known):
                return text
        if isinstance(self.type, (ComplexType, type(None))) or not hasattr(self.type, "xmlvalue"):
            return None
        if isinstance(self.type, builtins.BuiltinType):
            return f"utf8:{self.type.qname.localname}"
        return None if type(self.type).__name__ == "AnyType" else "utf8"

    @property
    def is_hex(self) -> bool:
        """Whether its bytes are hexadecimal digits."""
        return isinstance(self.type, builtins.HexBinary)


def members(type_: Any) -> dict[str, Member]:
    """Return the members of a type by name, those of choices and sequences within it as well."""
    found: dict[str, Member] = {}
    if not isinstance(type_, ComplexType):
        return found
    for name, attribute in type_.attributes:
        if name is not None:
            found[name] = Member(name, attribute.type, repeats=False, is_attribute=True)
    for name, element in type_.elements:
        inner = getattr(element, "type", None)
        if getattr(element, "name", None) is None:  # What lxml knows as any.
            continue
        if not hasattr(element, "qname") or element.qname is None:
            found[TEXT] = Member(TEXT, inner, repeats=False)
            continue
        local = element.qname.localname
        found[local] = Member(local, inner, repeats=bool(element.accepts_multiple))
        del name
    return found


def member_at(known: dict[str, Member], path: list[str], shown: str, where: str) -> Member:
    """Return the member at a path of elements. Raises SettingsError, with what is there."""
    found = None
    for at, step in enumerate(path):
        if step not in known:
            raise SettingsError(
                f"{shown}: there is no {'.'.join(path[: at + 1])!r} {where}; there is "
                f"{', '.join(known) or 'nothing'}"
            )
        found = known[step]
        known = members(found.type)
    assert found is not None
    return found


def type_at(type_: Any, path: list[str], shown: str) -> Any:
    """Return the type at a path of elements. Raises SettingsError, with what is there."""
    return member_at(members(type_), path, shown, IN_ANSWER).type if path else type_


class Columns:
    """The columns of a type's records: ``schema``, and by name ``members`` and ``paths``.

    A path is there for a column that has not its element's name; ``record`` are the members of a
    record itself, by their names.
    """

    def __init__(self, record: dict[str, Member]) -> None:
        self.record = record
        self.members: dict[str, Member] = {}
        self.paths: dict[str, list[str]] = {}
        self.schema: Any = None


def columns_of(type_: Any, declared: dict[str, Any], shown: str) -> Columns:
    """Return the columns of records of a type. Raises SettingsError.

    What is declared has a ``type`` and a ``path``, either of which may be empty. An element that a
    column has the path of is called as that column is; what lies deeper has a column of its own.
    """
    import pyarrow as pa

    # A list of plain values is one of records of one column.
    made = Columns(members(type_) or {TEXT: Member(TEXT, type_, repeats=False)})
    made.paths = {name: column.path for name, column in declared.items() if column.path}
    for name in declared:
        if name not in made.paths and name not in made.record:
            raise SettingsError(
                f"{shown}: there is no column {name!r}; there is {list(made.record)}"
            )
    for local, member in made.record.items():
        called = [name for name, path in made.paths.items() if path == [local]]
        own = [] if called or local in made.paths else [local]
        made.members.update(dict.fromkeys(called + own, member))
    for name, path in made.paths.items():
        if name not in made.members:
            made.members[name] = _leaf(made.record, path, f"{shown}: column {name!r}")
    fields = []
    for name, member in made.members.items():
        text = declared[name].type if name in declared else None
        try:
            fields.append(
                field_from_text(name, text or ("json" if member.is_nested else member.text))
            )
        except SchemaError as exc:
            raise SettingsError(f"{shown}: {exc}") from None
    made.schema = pa.schema(fields)
    return made


def _leaf(record: dict[str, Member], path: list[str], shown: str) -> Member:
    for at in range(1, len(path)):
        if member_at(record, path[:at], shown, IN_ANSWER).repeats:
            raise SettingsError(
                f"{shown}: {'.'.join(path[:at])!r} repeats, so nothing in it is a column; read it "
                f"as the JSON that it is"
            )
    return member_at(record, path, shown, IN_ANSWER)


def find_all(element: Any, path: list[str]) -> list[Any]:
    """Return the elements at a path below one, whatever their namespace."""
    found = [element]
    for step in path:
        found = [child for each in found for child in _children(each) if _local(child) == step]
    return found


def record_of(element: Any, known: dict[str, Member], shown: str) -> dict[str, Any]:
    """Return a record: texts of simple columns, and values of JSON for the others."""
    if list(known) == [TEXT] and not len(element):
        return {TEXT: _simple(element, known[TEXT])}
    record: dict[str, Any] = {}
    for name, value in element.attrib.items():
        local = etree.QName(name).localname
        if local in known and known[local].is_attribute:
            record[local] = value
    if TEXT in known and not len(element):
        record[TEXT] = _simple(element, known[TEXT])
    for child in _children(element):
        name = _local(child)
        member = known.get(name)
        if member is None:
            raise SchemaError(
                f"{shown} has an element {name!r}, which the WSDL does not have there"
            )
        value = json_of(child, member.type) if member.is_nested else _simple(child, member)
        if member.repeats:
            record.setdefault(name, []).append(value)
        else:
            record[name] = value
    return record


def _simple(element: Any, _: Member) -> str | None:
    return None if element.get(NIL) in ("true", "1") else element.text or ""


def json_of(element: Any, type_: Any) -> Any:
    """Return an element as a value of JSON: numbers and truth by their type, all else text."""
    from decimal import Decimal

    if element.get(NIL) in ("true", "1"):
        return None
    known = members(type_)
    if known or len(element):
        value: dict[str, Any] = {
            etree.QName(name).localname: text
            for name, text in element.attrib.items()
            if not name.startswith("{http://www.w3.org/2001/XMLSchema-instance}")
        }
        for child in _children(element):
            name = _local(child)
            member = known.get(name)
            made = json_of(child, None if member is None else member.type)
            if (member is not None and member.repeats) or name in value:
                there = value.setdefault(name, [])
                if not isinstance(there, list):
                    there = value[name] = [there]
                there.append(made)
            else:
                value[name] = made
        if not len(element) and element.text and element.text.strip():
            value[TEXT] = element.text
        return value
    text = element.text or ""
    if isinstance(type_, builtins.Boolean):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.strip(), text)
    if isinstance(type_, (builtins.Decimal, builtins.Float, builtins.Double)):
        plain = text.strip()
        if _NUMBER.fullmatch(plain):
            return Decimal(plain)
    return text


def column_from_xml(values: list[Any], field: Any, member: Member, first_row: int) -> Any:
    """Return an array of one column's values. Raises DataError."""
    import pyarrow as pa
    import pyarrow.types as is_

    from pypods.connectors.text_forms import array_from_text

    if member.is_nested:
        return column_from_json(values, field, first_row=first_row, loose=True)
    # What lies deeper in a record was JSON already.
    values = [each if each is None or isinstance(each, str) else dump_json(each) for each in values]
    if is_.is_string(field.type) and kind_of(field) != "json":
        return pa.array(values, field.type)
    # Spaces around what is no text do not count; what is empty is nothing, but for bytes.
    texts = [None if each is None else each.strip() for each in values]
    if not is_.is_binary(field.type):
        texts = [each or None for each in texts]
    if is_.is_floating(field.type):
        texts = [_FLOATS.get(each, each) for each in texts]
    if is_.is_timestamp(field.type) or is_.is_time(field.type):
        texts = without_further_zeros(texts)
    binary = "hex" if member.is_hex else "base64"
    if is_.is_binary(field.type) and binary == "base64":
        texts = [None if each is None else "".join(each.split()) for each in texts]
    return array_from_text(pa.array(texts, pa.utf8()), field, binary=binary, first_row=first_row)


def _children(element: Any) -> list[Any]:
    return [child for child in element if isinstance(child.tag, str)]


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)

"""What arrives of a value whose class this side does not have; nothing of how it crosses."""

from __future__ import annotations

__all__ = ["BsonValue", "EnumMember", "Record"]


class EnumMember:
    """An enum member whose class this side does not have: equal to another of the same name."""

    __slots__ = ("module", "name", "qualname", "value")

    def __init__(self, module: str, qualname: str, name: str | None, value: object) -> None:
        self.module = module
        self.qualname = qualname
        self.name = name
        self.value = value

    def __eq__(self, other: object) -> bool:
        if type(other) is not EnumMember:
            return NotImplemented
        return (self.module, self.qualname, self.name, self.value) == (
            other.module,
            other.qualname,
            other.name,
            other.value,
        )

    def __hash__(self) -> int:
        return hash((self.module, self.qualname, self.name))

    def __repr__(self) -> str:
        return f"<{self.qualname}.{self.name}: {self.value!r}>"


class Record:
    """A dataclass instance whose class this side does not have; its fields are attributes."""

    __slots__ = ("fields", "module", "qualname")

    def __init__(self, module: str, qualname: str, fields: dict[str, object]) -> None:
        self.module = module
        self.qualname = qualname
        self.fields = fields

    def __getattr__(self, name: str) -> object:
        # Slots that are not set yet (a copy under construction) must not recurse into here.
        if name not in Record.__slots__ and name in self.fields:
            return self.fields[name]
        raise AttributeError(f"{name!r} is no field of this record")

    def __eq__(self, other: object) -> bool:
        if type(other) is not Record:
            return NotImplemented
        return (self.module, self.qualname, self.fields) == (
            other.module,
            other.qualname,
            other.fields,
        )

    def __hash__(self) -> int:
        return hash((self.module, self.qualname, *self.fields.items()))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.qualname}({inside})"


class BsonValue:
    """A value of a BSON type for which this side has no class, passed on as it came.

    ``element_type`` is BSON's own number of the type and ``data`` the bytes of the value.
    """

    __slots__ = ("data", "element_type")

    def __init__(self, element_type: int, data: bytes) -> None:
        self.element_type = element_type
        self.data = data

    def __eq__(self, other: object) -> bool:
        if type(other) is not BsonValue:
            return NotImplemented
        return (self.element_type, self.data) == (other.element_type, other.data)

    def __hash__(self) -> int:
        return hash((self.element_type, self.data))

    def __repr__(self) -> str:
        return f"BsonValue(0x{self.element_type:02x}, {self.data!r})"

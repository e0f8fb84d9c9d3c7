"""Arrow values to kind ``w`` and back: tables, batches, arrays, schemas, frames of polars.

====  =============================================  =========================================
kind  type                                           content
====  =============================================  =========================================
w     what speaks Arrow's PyCapsule interface        document: origin, form, type, groups
====  =============================================  =========================================

``origin`` is the class that it was, ``form`` what it can be taken as ("schema", "array" or
"stream"), ``type`` an Arrow type (see ``Field.to_content``). ``groups`` are the batches: of each
group the numbers of every batch, and the data of them all (:mod:`pypods.wire.arrow.reading`).

It arrives as what it was in a pod that has the library (:mod:`pypods.wire.arrow.libraries`), and is
an :class:`ArrowValue` elsewhere: that speaks the same interface and can be passed on. On the host
only polars' frames arrive as such, and the classes that the host's user names.
"""

from __future__ import annotations

import sys
from itertools import chain
from struct import Struct

from pypods.errors import PodError, ProtocolError, ValueTransferError
from pypods.wire.arrow.checks import secure
from pypods.wire.arrow.libraries import in_its_library, made_by
from pypods.wire.arrow.nodes import node_from_numbers, row_count
from pypods.wire.buffers import as_view, place

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

    from pypods.wire.arrow.nodes import Node
    from pypods.wire.arrow.schemas import Field

__all__ = [
    "ArrowArrayValue",
    "ArrowSchemaValue",
    "ArrowValue",
    "capsule_of_stream",
    "rebuild_arrow",
    "reduce_arrow",
]

#: Of a structure itself: length, no nulls, no offset, and one buffer, which is not there.
_STRUCT_NUMBERS = Struct("<6q")


def _around(rows: int) -> bytes:
    """Return the numbers of a table, before those of its columns."""
    return _STRUCT_NUMBERS.pack(rows, 0, 0, 1, -1, 0)


class ArrowSchemaValue:
    """An Arrow type, field or schema: ``pyarrow.schema(value)`` takes it."""

    def __init__(self, origin: str, form: str, type_content: Any) -> None:
        #: Module and name of the class that it was.
        self.origin = origin
        self.form = form
        #: What the frame said of the type; looked at when it is needed.
        self.type_content = type_content
        self._known_field: Field | None = None

    @property
    def field(self) -> Field:
        """The type. Raises ProtocolError for what is none, ValueTransferError for another's."""
        if self._known_field is None:
            from pypods.wire.arrow.schemas import field_from_content

            self._known_field = field_from_content(self.type_content)
        return self._known_field

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, or of the fields of a structure."""
        return [child.name for child in self.field.children]

    def __arrow_c_schema__(self) -> Any:
        """Return a capsule of the type."""
        from pypods.wire.arrow.serving import schema_capsule

        return schema_capsule(self.field)

    def __repr__(self) -> str:
        return f"<Arrow {self.origin}: {', '.join(self.column_names) or self.field.format}>"


class ArrowValue(ArrowSchemaValue):
    """A table or another stream of Arrow data, where the other side wrote it.

    ``pyarrow.table(value)``, ``polars.from_arrow(value)``, duckdb and whatever else speaks Arrow's
    PyCapsule interface take it without a copy, any number of times.
    """

    def __init__(
        self, origin: str, form: str, type_content: Any, groups: list[Any], *, trusted: bool
    ) -> None:
        super().__init__(origin, form, type_content)
        #: Of each group the packed numbers of its batches, and a view of their data.
        self.groups = groups
        #: Whether what is said of the data is believed without a look.
        self.is_trusted = trusted

    @property
    def num_rows(self) -> int:
        """How many rows, or items, there are."""
        return sum(row_count(packed) for batches, _ in self.groups for packed in batches)

    @property
    def nbytes(self) -> int:
        """How many bytes the data take."""
        return sum(data.nbytes for _, data in self.groups)

    def __len__(self) -> int:
        return self.num_rows

    def nodes(self) -> Iterator[tuple[Node, Any]]:
        """Return the arrays and their data, all of them looked through if need be.

        Raises ProtocolError for one that leads out of its data.
        """
        nodes = []
        for batches, data in self.groups:
            for packed in batches:
                node = node_from_numbers(self.field, packed, data.nbytes)
                if not self.is_trusted:
                    secure(node, data)
                nodes.append((node, data))
        return iter(nodes)

    def as_column(self) -> ArrowValue:
        """Return a table whose only column this is."""
        groups = [
            [[_around(row_count(packed)) + packed for packed in batches], data]
            for batches, data in self.groups
        ]
        table_type = ["+s", "", 0, None, [self.type_content], None]
        return ArrowValue(self.origin, "stream", table_type, groups, trusted=self.is_trusted)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of a stream of the batches. Raises ProtocolError for broken ones."""
        pyarrow = sys.modules.get("pyarrow")
        if pyarrow is not None and hasattr(pyarrow.Table, "__arrow_c_stream__"):
            # Its own capsules stand whatever happens while they are taken, see ``callback``.
            return _make_stream(pyarrow, self).__arrow_c_stream__(requested_schema)
        from pypods.wire.arrow.serving import stream_capsule

        return stream_capsule(self.field, self.nodes())

    def __repr__(self) -> str:
        inside = ", ".join(self.column_names) or self.field.format
        return f"<Arrow {self.origin}: {inside}; {self.num_rows} rows>"


class ArrowArrayValue(ArrowValue):
    """One array or record batch: ``pyarrow.array`` and ``pyarrow.record_batch`` take it too."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:
        """Return capsules of the type and of the array. Raises ProtocolError for a broken one."""
        pyarrow = sys.modules.get("pyarrow")
        if pyarrow is not None and hasattr(pyarrow.Array, "__arrow_c_array__"):
            made = _make_array(pyarrow, self)
            capsules: tuple[Any, Any] = made.__arrow_c_array__(requested_schema)
            return capsules
        from pypods.wire.arrow.serving import array_capsules

        return array_capsules(self.field, *next(self.nodes()))


def capsule_of_stream(values: Iterator[Any]) -> Any:
    """Return a capsule of the batches of many values, each taken when the consumer asks for it.

    Raises TypeError where one is no Arrow value, ValueError where there is none: it has no type.
    """
    first = next(values, None)
    if first is None:
        raise ValueError("a stream without a batch has no schema")
    checked = _all_arrow(first, values)
    first = next(checked)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and hasattr(pyarrow.Table, "__arrow_c_stream__"):
        table = _make_object(pyarrow, first, "Table")
        tables = (_make_object(pyarrow, value, "Table") for value in checked)
        batches = (batch for each in chain([table], tables) for batch in each.to_batches())
        reader = pyarrow.RecordBatchReader.from_batches(table.schema, batches)
        return reader.__arrow_c_stream__()
    from pypods.wire.arrow.serving import stream_capsule

    nodes = (node for value in chain([first], checked) for node in value.nodes())
    return stream_capsule(first.field, nodes)


def _all_arrow(first: Any, others: Iterator[Any]) -> Iterator[ArrowValue]:
    for value in chain([first], others):
        if not isinstance(value, ArrowValue):
            raise TypeError(f"a stream of Arrow data has a {type(value).__name__} in it")
        yield value


def _make_object(pyarrow: Any, value: ArrowSchemaValue, name: str) -> Any:
    from pypods.wire.arrow.pyarrow_arrays import make_object

    return made_by(pyarrow, value, lambda library, each: make_object(library, each, name))


def _make_stream(pyarrow: Any, value: ArrowValue) -> Any:
    from pypods.wire.arrow.pyarrow_arrays import make_stream

    return made_by(pyarrow, value, make_stream)


def _make_array(pyarrow: Any, value: ArrowValue) -> Any:
    from pypods.wire.arrow.pyarrow_arrays import make_single

    return made_by(pyarrow, value, make_single)


# Reducing --------------------------------------------------------------------------------------


def reduce_arrow(value: Any) -> Any:
    """Return kind and content of what speaks the interface. Raises ValueTransferError."""
    try:
        return _reduce(value)
    except PodError:
        raise
    except Exception as exc:
        cls = type(value)
        raise ValueTransferError(
            f"{cls.__module__}.{cls.__qualname__} cannot cross: {exc}"
        ) from exc


def _reduce(value: Any) -> Any:
    from pypods.wire.arrow import reading

    cls = type(value)
    form = "stream"
    groups: list[Any] = []
    if cls.__module__.startswith("polars.") and cls.__name__ == "Series":
        # As a column: of its own it has no name, nor in old versions all its types.
        table, tables = reading.read_stream(value.to_frame().__arrow_c_stream__())
        (field,) = table.children
        groups = [
            [[packed[_STRUCT_NUMBERS.size :] for packed in batches], data]
            for batches, data in tables
        ]
    elif hasattr(cls, "__arrow_c_stream__"):
        field, groups = reading.read_stream(value.__arrow_c_stream__())
        if hasattr(cls, "__arrow_c_array__"):
            if not groups:  # A stream may leave out a batch without rows.
                field, groups = reading.read_array(*value.__arrow_c_array__())
            form = "array" if [len(batches) for batches, _ in groups] == [1] else "stream"
    elif hasattr(cls, "__arrow_c_array__"):
        form = "array"
        field, groups = reading.read_array(*value.__arrow_c_array__())
    elif hasattr(cls, "__arrow_c_schema__"):
        form = "schema"
        field = reading.read_schema(value.__arrow_c_schema__())
    else:
        from pypods.wire.arrow.old_pyarrow import read_old

        form, field, groups = read_old(value)
    return b"w", {
        "origin": f"{cls.__module__}.{cls.__qualname__}",
        "form": form,
        "type": field.to_content(),
        "groups": groups,
    }


def reduce_arrow_value(value: Any) -> Any:
    """Return kind and content of what stands in for an Arrow value."""
    content = {
        "origin": value.origin,
        "form": value.form,
        "type": value.type_content,
        "groups": [],
    }
    if isinstance(value, ArrowValue):
        content["groups"] = [[each, place(data, data.nbytes)] for each, data in value.groups]
        if not value.is_trusted:
            content["checked"] = False  # A pod believes the host, but this is another pod's.
    return b"w", content


# Rebuilding ------------------------------------------------------------------------------------


def rebuild_arrow(content: Any, classes: Any) -> Any:
    """Return the value of a content, as what it was or as an ArrowValue."""
    origin, form, type_content = content["origin"], content["form"], content["type"]
    if type(origin) is not str or type(type_content) is not list:
        raise ProtocolError("an Arrow value without origin or type")
    groups = [
        [_checked_batches(batches), as_view(data, classes).toreadonly()]
        for batches, data in content["groups"]
    ]
    trusted = classes.trusts and content.get("checked", True) is True
    if form == "schema":
        value = ArrowSchemaValue(origin, form, type_content)
    elif form == "stream":
        value = ArrowValue(origin, form, type_content, groups, trusted=trusted)
    elif form == "array" and [len(batches) for batches, _ in groups] == [1]:
        value = ArrowArrayValue(origin, form, type_content, groups, trusted=trusted)
    else:
        raise ProtocolError("an Arrow value is neither schema, array nor stream")
    return in_its_library(value, classes)


def _checked_batches(batches: Any) -> Any:
    if type(batches) is not list or any(type(packed) is not bytes for packed in batches):
        raise ProtocolError("an Arrow batch is no numbers")
    return batches

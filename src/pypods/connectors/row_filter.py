"""Rows of record batches chosen by conditions, as SELECT has them in ``sql/select``; with pyarrow.

NULL fulfils no condition but ``is null``; NaN is equal to itself and greater than all numbers.
"""

from __future__ import annotations

from pypods.connectors.conditions import check_after, check_condition
from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.names import check_columns

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["RowFilter"]

_COMPARE = {"=": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater",
            ">=": "greater_equal"}  # fmt: skip


class RowFilter:
    """Conditions on columns of a schema. Raises SchemaError, SettingsError and DataError.

    ``where`` are conditions that all hold; ``after`` are values of the columns ``order_by``, and
    rows are strictly after them, NULLs being first.
    """

    def __init__(
        self, schema: Any, shown: str, *, where: Any = None, order_by: Any = None, after: Any = None
    ) -> None:
        self.schema = schema
        self.shown = shown
        self.conditions = [self._check(each) for each in where or ()]
        self.order = check_columns(order_by or [], schema.names, shown)
        #: Columns of the order with their values, if there is a row to go on after.
        self.after: list[tuple[str, Any]] | None = None
        if after is not None:
            pairs = check_after(order_by, after, schema.names, shown)
            self.after = [(name, self._scalar(name, each)) for name, each in pairs]

    @property
    def columns(self) -> set[str]:
        """The columns that are needed to choose."""
        return {name for name, _, _ in self.conditions} | set(self.order)

    def needed(self, wanted: Any) -> list[str]:
        """Return the columns that are wanted, or needed to choose, as the schema orders them."""
        found = {*wanted, *self.columns}
        return [name for name in self.schema.names if name in found]

    def apply(self, batch: Any) -> Any:
        """Return the batch with the rows for which everything holds."""
        import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

        masks = [self._mask(batch.column(name), *rest) for name, *rest in self.conditions]
        if self.after is not None:
            masks.append(self._after_mask(batch))
        for mask in masks[1:]:
            masks[0] = pc.and_(masks[0], mask)
        return batch.filter(masks[0]) if masks else batch

    def _check(self, condition: Any) -> tuple[str, str, Any]:
        name, operator, value = check_condition(condition, self.schema.names, self.shown)
        if operator == "in":
            return name, operator, [self._scalar(name, each) for each in value]
        return name, operator, None if value is None else self._scalar(name, value)

    def _scalar(self, name: str, value: Any) -> Any:
        """Return a value in its column's type. Raises DataError."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
        import pyarrow.types as is_  # type: ignore[import-untyped,unused-ignore]

        from pypods.connectors.rows import column_of

        field = self.schema.field(name)
        if is_.is_nested(field.type):
            raise SettingsError(f"column {name!r} is {field.type}, which has no order")
        if isinstance(value, str) and not is_.is_string(field.type):
            try:
                return pa.scalar(value).cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise DataError(
                    f"{value!r} is no value of column {name!r}, which is {field.type}", column=name
                ) from None
        try:
            return column_of([value], field)[0]
        except DataError:
            raise DataError(
                f"{value!r} is no value of column {name!r}, which is {field.type}", column=name
            ) from None

    def _mask(self, column: Any, operator: str, value: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if operator == "is null":
            return pc.is_null(column)
        if operator == "is not null":
            return pc.is_valid(column)
        if operator == "in":
            mask = pa.repeat(pa.scalar(False), len(column))
            for each in value:
                mask = pc.or_(mask, _compared("=", column, each))
            return mask
        return _compared(operator, column, value)

    def _after_mask(self, batch: Any) -> Any:
        """Return which rows come after, compared column by column."""
        import pyarrow.compute as pc

        mask = None
        for name, value in reversed(self.after or []):
            column = batch.column(name)
            if value.is_valid:
                further, same = _compared(">", column, value), _compared("=", column, value)
            else:
                further, same = pc.is_valid(column), pc.is_null(column)
            mask = further if mask is None else pc.or_(further, pc.and_(same, mask))
        return mask


def _compared(operator: str, column: Any, value: Any) -> Any:
    """Return which values compare so; null is not, and NaN is the greatest number."""
    import pyarrow.compute as pc
    import pyarrow.types as is_

    if is_.is_floating(column.type):
        nan = pc.is_nan(column)
        if value.as_py() != value.as_py():
            mask = {
                "=": nan, ">=": nan, "!=": pc.invert(nan), "<": pc.invert(nan),
                "<=": pc.is_valid(column), ">": pc.and_(nan, pc.invert(nan)),
            }[operator]  # fmt: skip
        else:
            mask = pc.call_function(_COMPARE[operator], [column, value])
            if operator in (">", ">=", "!="):
                mask = pc.or_(mask, nan)
    else:
        mask = pc.call_function(_COMPARE[operator], [column, value])
    return pc.fill_null(mask, False)

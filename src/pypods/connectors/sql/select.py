"""SELECT statements from columns, conditions, order and position; values bound, names checked."""

from __future__ import annotations

from pypods.connectors.conditions import check_after, check_condition
from pypods.connectors.errors import SettingsError
from pypods.connectors.names import check_columns
from pypods.connectors.sql.statement import Statement, Value, join

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Selection"]


class Selection:
    """What is to be read of a relation whose columns are those of an Arrow schema.

    ``relation`` is SQL, the table's quoted name or a query in brackets; ``shown`` is its name in
    messages. Raises SchemaError for columns that are not there and SettingsError for conditions
    that are none.
    """

    def __init__(self, database: Any, relation: Statement, schema: Any, shown: str) -> None:
        self.database = database
        self.relation = relation
        self.schema = schema
        self.shown = shown

    def rows(
        self,
        *,
        columns: Any = None,
        where: Any = None,
        order_by: Any = None,
        after: Any = None,
        limit: Any = None,
        condition: Any = None,
    ) -> Statement:
        """Return the SELECT of these rows; ``condition`` is one more, in SQL."""
        names = check_columns(columns, self.schema.names, self.shown)
        shown = [self.database.select_item(self.schema.field(name)) for name in names]
        statement = Statement("select ", join(", ", shown) if shown else "1")
        statement += self._from_where(where, order_by, after, condition)
        if order_by:
            statement += " order by " + ", ".join(self._order(name) for name in order_by)
        if limit is not None:
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
                raise SettingsError(f"limit is a number of rows, not {limit!r}")
            statement = self.database.limited(statement, limit)
        return statement

    def count(self, *, where: Any = None, condition: Any = None) -> Statement:
        """Return the SELECT of their number."""
        return Statement("select count(*)", self._from_where(where, None, None, condition))

    def _from_where(self, where: Any, order_by: Any, after: Any, condition: Any) -> Statement:
        conditions = self.conditions(where)
        if after is not None:
            conditions.append(self._after(order_by, after))
        if condition:
            conditions.append(condition)
        statement = Statement(" from ", self.relation)
        if conditions:
            statement += Statement(
                " where ", join(" and ", [Statement("(", each, ")") for each in conditions])
            )
        return statement

    def conditions(self, where: Any) -> list[Statement]:
        """Return one statement for each ``[column, operator, value]``."""
        return [
            self._condition(*check_condition(each, self.schema.names, self.shown))
            for each in where or ()
        ]

    def _condition(self, name: str, operator: str, value: Any) -> Statement:
        field = self.schema.field(name)
        quoted = self.database.operand(field)
        if value is None:
            return Statement(quoted, " ", operator)
        if operator == "in":
            if not value:
                return Statement("1 = 0")
            values = join(", ", [Value(each, field) for each in value])
            return Statement(quoted, " in (", values, ")")
        return Statement(
            quoted, " ", "<>" if operator == "!=" else operator, " ", Value(value, field)
        )

    def _order(self, name: str) -> str:
        (name,) = check_columns([name], self.schema.names, self.shown)
        ordered: str = self.database.ascending(self.schema.field(name))
        return ordered

    def _after(self, order_by: Any, after: Any) -> Statement:
        """Return the condition for rows that come strictly after, NULLs being first."""
        pairs = check_after(order_by, after, self.schema.names, self.shown)
        condition = Statement()
        for name, value in reversed(pairs):
            quoted = self.database.operand(self.schema.field(name))
            bound = Value(value, self.schema.field(name))
            if value is None:
                further = Statement(quoted, " is not null")
                same = Statement(quoted, " is null")
            else:
                further = Statement(quoted, " > ", bound)
                same = Statement(quoted, " = ", bound)
            if not condition:
                condition = further
                continue
            condition = Statement(further, " or (", same, " and (", condition, "))")
            if value is not None:
                # Says no more, but an index on the first column can follow it.
                condition = Statement(quoted, " >= ", bound, " and (", condition, ")")
        return condition

"""What an integration asks of its connectors, checked against what they can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypods.errors import OperationError
from pypods.integrator.cursor import decode_cursor, start_of
from pypods.integrator.transfer import Reading

if TYPE_CHECKING:
    from pypods.integrator.operation import Integration
    from pypods.integrator.sides import Side

__all__ = ["Plan", "check_capabilities", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """How an integration is done: what is read, in which mode it is written, in how many parts."""

    reading: Reading
    mode: str
    key: list[str]
    process_count: int
    #: The cursor from which on rows are read, as stored; None for all.
    since: Any


def check_capabilities(integration: Integration, source: Side, target: Side, mode: str) -> None:
    """Raise OperationError for what a connector does not claim."""
    wanted = integration.source

    def need(side: Side, capability: str, what: str) -> None:
        if not side.can(capability):
            raise OperationError(
                f'integration "{integration.name}": the connector {side.connector} cannot {what}'
            )

    need(source, "read", "be a source")
    if wanted.query is not None:
        need(source, "query", "read a query; name a stream")
    if wanted.where:
        need(source, "where", "choose rows by where")
    if integration.cursor is not None:
        need(source, "where", "choose rows by where, which a cursor needs")
        need(source, "order", "order rows, which a cursor needs")
    modes = target.about["capabilities"].get("write") or []
    if mode not in modes:
        offered = ", ".join(modes) or "none: it cannot be a target"
        raise OperationError(
            f'integration "{integration.name}": the connector {target.connector} has no mode '
            f"{mode}; it has {offered}"
        )


def make_plan(
    integration: Integration,
    source: Side,
    target: Side,
    schema: dict[str, Any],
    *,
    cursor: Any,
    full_refresh: bool,
) -> Plan:
    """Return how an integration is done, knowing the source's schema and the target's cursor."""
    wanted = integration.source
    mode = "replace" if full_refresh and integration.cursor is not None else integration.mode
    check_capabilities(integration, source, target, mode)
    since = None if full_refresh or integration.cursor is None else cursor
    where = [list(condition) for condition in wanted.where]
    if since is not None and integration.cursor is not None:
        start = start_of(decode_cursor(since), integration.lag)
        if start is not None:
            where.append([integration.cursor, ">=", start])
    order_by = choose_order(integration, source, target, schema)
    count = integration.process_count
    if integration.limit is not None or not (
        source.can("partition") and target.can("parallel_write", default=True)
    ):
        count = 1
    reading = Reading(
        columns=list(wanted.columns) if wanted.columns is not None else None,
        where=where,
        order_by=order_by,
        limit=integration.limit,
        query=wanted.query,
        batch_rows=integration.batch_rows,
        names=dict(wanted.renames),
        position=[wanted.new_name(name) for name in order_by],
        can_go_on=bool(order_by)
        and integration.resume == "checkpoint"
        and source.can("after")
        and target.can("resume"),
    )
    key = [wanted.new_name(name) for name in integration.key]
    return Plan(reading, mode, key, count, since)


def choose_order(
    integration: Integration, source: Side, target: Side, schema: dict[str, Any]
) -> list[str]:
    """Return the columns to read in the order of, so that reading can go on after any row.

    They have to tell rows apart: the source's own key, else the integration's; none where that
    cannot be.
    """
    columns = integration.source.columns
    key = list(schema.get("key") or integration.key)
    if columns is not None and any(name not in columns for name in key):
        key = list(integration.key)
    if integration.cursor is not None:
        return [integration.cursor, *(name for name in key if name != integration.cursor)]
    if (
        integration.resume == "restart"
        or not key
        or not (source.can("order") and source.can("after") and target.can("resume"))
    ):
        return []
    if not schema.get("key") and integration.mode in ("append", "replace"):
        return []  # Nobody said that the key tells rows apart.
    return key

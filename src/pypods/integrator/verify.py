"""Source and target compared by sums over their rows, where they are to be equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypods.integrator.report import Verification

if TYPE_CHECKING:
    from pypods.integrator.operation import Integration
    from pypods.integrator.plan import Plan
    from pypods.integrator.report import IntegrationReport
    from pypods.integrator.sides import Side

__all__ = ["verify"]


def verify(
    integration: Integration,
    plan: Plan,
    schema: dict[str, Any],
    source: Side,
    target: Side,
    report: IntegrationReport,
) -> Verification:
    """Return the sums of both sides, and whether they are equal.

    Both are read again, whole. Where the target may hold more than was moved they are not
    compared.
    """
    reason = why_not(integration, plan, source, target, report)
    if reason is not None:
        return Verification(None, f"not compared: {reason}")
    wanted = integration.source
    new_names = names_in(schema["schema"])
    there = target.call("checksum", target.stream, schema=schema["schema"], columns=new_names)
    optional: dict[str, Any] = {"query": wanted.query, "columns": wanted.columns}
    given = {name: value for name, value in optional.items() if value is not None}
    own = source.call("schema", source.stream, **given)["schema"] if wanted.renames else None
    own = schema["schema"] if own is None else own
    optional = {"where": plan.reading.where or None, "query": wanted.query}
    given = {name: value for name, value in optional.items() if value is not None}
    here = source.call("checksum", source.stream, schema=own, columns=names_in(own), **given)
    found = Verification(
        here == there, "source and target are equal, row by row",
        here["rows"], there["rows"], here["sum"], there["sum"],
    )  # fmt: skip
    if here["rows"] != there["rows"]:
        found.note = (
            f"{source.label} has {here['rows']} rows and {target.label} {there['rows']}; "
            "was the source written to meanwhile?"
        )
    elif not found.equal:
        found.note = (
            f"{source.label} and {target.label} have {here['rows']} rows each, "
            f"and some differ (sums {here['sum']} and {there['sum']})"
        )
    return found


def names_in(schema: Any) -> list[str]:
    """Return the names of the columns of a schema, which may be a list of names and types."""
    if isinstance(schema, list):
        return [field[0] for field in schema]
    return list(getattr(schema, "column_names", None) or schema.names)


def why_not(
    integration: Integration, plan: Plan, source: Side, target: Side, report: IntegrationReport
) -> str | None:
    """Return why the two sides need not be equal; None where they have to be."""
    if integration.limit is not None:
        return "only a part of the source was read"
    if report.bad_rows:
        return f"{report.bad_rows} bad rows were left out"
    if plan.since is not None:
        return "only rows from the cursor on were read"
    for side in (source, target):
        if "checksum" not in dir(side.worker()):
            return f"the connector {side.connector} has no checksums"
    if any("left out" in change for change in report.changes):
        return "columns were left out"
    if plan.mode != "replace" and report.rows_in_target != report.rows_written:
        there = "an unknown number of" if report.rows_in_target is None else report.rows_in_target
        return f"the target has {there} rows, and {report.rows_written} were written"
    return None

"""What differs between a stream's columns and those that are to be written, and what to do."""

from __future__ import annotations

from pypods.connectors.errors import SchemaError, SettingsError
from pypods.connectors.types import common_field, text_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["POLICIES", "Plan", "plan_columns"]

POLICIES = ("evolve", "freeze", "discard")


class Plan:
    """How rows get into a target: ``schema`` is what batches are made to be.

    ``add`` and ``widen`` are fields that the target gets; ``changes`` says all that in words.
    """

    def __init__(self) -> None:
        self.fields: list[Any] = []
        self.add: list[Any] = []
        self.widen: list[Any] = []
        self.changes: list[str] = []

    @property
    def schema(self) -> Any:
        """The schema that batches must have."""
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

        return pa.schema(self.fields)


def plan_columns(source: Any, target: Any, policy: str, *, database: Any, shown: str) -> Plan:
    """Return the plan for a source's schema and a target's description (None: it is to be made).

    ``evolve`` adds columns and widens types, ``freeze`` refuses whatever differs, ``discard``
    leaves out columns that the target has not. Raises SchemaError, with all that does not fit.
    """
    if policy not in POLICIES:
        raise SettingsError(f"drift is {', '.join(POLICIES)}, not {policy!r}")
    plan = Plan()
    _refuse_twins(source, database)
    if target is None:
        for field in source:
            stored = database.stored(field)
            plan.fields.append(stored)
            if not stored.type.equals(field.type):
                plan.changes.append(f"column {field.name!r}: {text_of(field)} as {text_of(stored)}")
        return plan
    known = {database.fold(field.name): field for field in target.schema}
    problems: list[str] = []
    for field in source:
        stored = database.stored(field)
        there = known.pop(database.fold(field.name), None)
        if there is None:
            _plan_missing(plan, stored, policy, problems)
        else:
            _plan_present(plan, stored, there, policy, problems, database)
    for field in known.values():
        if field.nullable or field.name in target.defaults:
            plan.changes.append(f"column {field.name!r} is not written: NULL or its default")
        else:
            problems.append(f"column {field.name!r} must have a value, and none is written")
    if problems:
        raise SchemaError(f"{shown}: " + "; ".join(problems))
    if not plan.fields:
        raise SchemaError(f"{shown} has none of the columns that are to be written")
    return plan


def _refuse_twins(source: Any, database: Any) -> None:
    names: dict[str, str] = {}
    for field in source:
        folded = database.fold(field.name)
        if folded in names:
            raise SchemaError(
                f"columns {names[folded]!r} and {field.name!r} have one name in "
                f"{database.title}; rename one"
            )
        names[folded] = field.name


def _plan_missing(plan: Plan, field: Any, policy: str, problems: list[str]) -> None:
    if policy == "freeze":
        problems.append(f"column {field.name!r} is new, and drift is freeze")
    elif policy == "discard":
        plan.changes.append(f"column {field.name!r} is left out")
    else:
        # What is there already has no value in it.
        plan.add.append(field.with_nullable(True))
        plan.fields.append(field.with_nullable(True))
        plan.changes.append(f"column {field.name!r} is added as {text_of(field)}")


def _plan_present(
    plan: Plan, field: Any, there: Any, policy: str, problems: list[str], database: Any
) -> None:
    taken = database.taken(there, field)
    if taken is not None:
        plan.fields.append(taken.with_name(field.name))
        return
    wider = common_field(there, field)
    if wider is None or policy != "evolve":
        why = "" if wider is None else f", and drift is {policy}"
        problems.append(
            f"column {there.name!r} is {text_of(there)} and does not take {text_of(field)}{why}"
        )
        return
    wider = wider.with_name(there.name).with_nullable(there.nullable)
    plan.widen.append(wider)
    plan.fields.append(wider.with_name(field.name))
    plan.changes.append(
        f"column {there.name!r} is widened from {text_of(there)} to {text_of(wider)}"
    )

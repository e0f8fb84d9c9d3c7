"""Outcomes as a table for people and as JSON for machines; measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from axis import Axis, Outcome

__all__ = ["in_units", "to_document", "to_text", "write_aim", "write_rate", "write_value"]

_UNITS = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
}


def to_document(
    about: Mapping[str, Any], outcomes: Iterable[tuple[Axis, Outcome]]
) -> dict[str, Any]:
    """Return everything measured, in seconds or bytes."""
    return {**about, "axes": {axis.name: _describe(axis, outcome) for axis, outcome in outcomes}}


def _describe(axis: Axis, outcome: Outcome) -> dict[str, Any]:
    series = {
        name: {"p50": each.p50, "p95": each.p95, "samples": len(each.samples)}
        for name, each in outcome.series.items()
    }
    places = {
        name: {
            "contestant": place.contestant,
            "kind": place.kind,
            "variant": place.variant,
            "amount": place.amount,
            "absent": outcome.absent.get(name),
        }
        for name, place in outcome.places.items()
    }
    comparisons = [
        {
            "what": each.what,
            "value": each.value,
            "unit": each.unit,
            "aim": each.aim,
            "more_is_better": each.more_is_better,
            "is_met": each.is_met,
            "note": each.note,
        }
        for each in outcome.comparisons
    ]
    return {
        "title": axis.title,
        "method": axis.method,
        "unit": axis.unit,
        "amount_unit": axis.amount_unit,
        "series": series,
        "places": places,
        "comparisons": comparisons,
        "facts": dict(outcome.facts),
    }


def to_text(document: Mapping[str, Any]) -> str:
    """Return the same as text: for each axis its series, then the comparisons."""
    lines = [
        f"{part:9} " + ", ".join(f"{name} {value}" for name, value in document[part].items())
        for part in ("machine", "versions")
    ]
    for axis in document["axes"].values():
        lines += ["", *_list_axis(axis)]
    return "\n".join(lines)


def _list_axis(axis: Mapping[str, Any]) -> list[str]:
    names = [*axis["series"], *(each["what"] for each in axis["comparisons"]), *axis["places"]]
    width = max(map(len, names))
    lines = [axis["title"], f"  {'':{width}}  {'p50':>10}  {'p95':>10}  {'samples':>8}"]
    for name, each in axis["series"].items():
        times = "  ".join(f"{in_units(each[p], axis['unit']):>10}" for p in ("p50", "p95"))
        amount = axis["places"].get(name, {}).get("amount", 0)
        rate = write_rate(amount, each["p50"], axis["amount_unit"])
        lines.append(f"  {name:{width}}  {times}  {each['samples']:>8}  {rate}".rstrip())
    absent = {name: each["absent"] for name, each in axis["places"].items() if each["absent"]}
    lines += [f"  {name:{width}}  - {reason}" for name, reason in absent.items()]
    lines += [f"  {each['what']:{width}}  {judge(each)}" for each in axis["comparisons"]]
    lines += [f"  {name}: {value}" for name, value in axis["facts"].items()]
    return lines


def judge(comparison: Mapping[str, Any]) -> str:
    """Return a comparison's value, its aim, and whether that is met."""
    value, aim, unit = (comparison[name] for name in ("value", "aim", "unit"))
    text = f"{'-' if value is None else write_value(value, unit):>10}"
    if comparison["note"]:
        text += f" ({comparison['note']})"
    if aim is None:
        return text
    verdict = "met" if comparison["is_met"] else "NOT met"
    return f"{text}  aim: {write_aim(comparison)}, {verdict}"


def write_aim(comparison: Mapping[str, Any]) -> str:
    """Return what a value has to be."""
    bound = "at least" if comparison["more_is_better"] else "at most"
    return f"{bound} {write_value(comparison['aim'], comparison['unit'])}"


def write_value(value: float, unit: str) -> str:
    """Return a value with its unit."""
    if unit != "times":
        return in_units(value, unit)
    return f"{value:,.0f} x" if value >= 100 else f"{value:.2f} x"


def write_rate(amount: float, seconds: float, unit: str) -> str:
    """Return how much that is in a second; nothing where it means nothing."""
    if not amount or not unit or not seconds:
        return ""
    rate = amount / seconds
    if unit == "bytes":
        return f"{rate / 1e9:.2f} GB/s" if rate >= 1e7 else f"{rate / 1e6:.2f} MB/s"
    return f"{rate:,.0f} {unit}/s"


def in_units(value: float, unit: str = "seconds") -> str:
    """Return seconds or bytes in the unit that suits."""
    for size, name in _UNITS[unit]:
        if abs(value) >= size:
            return f"{value / size:.1f} {name}"
    size, name = _UNITS[unit][-1]
    return f"{value / size:.1f} {name}"

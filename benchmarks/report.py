"""Outcomes as a table for people and as JSON for machines; measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from axis import Axis, Comparison, Outcome

__all__ = ["to_document", "to_text"]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def to_document(
    about: Mapping[str, Any], outcomes: Iterable[tuple[Axis, Outcome]]
) -> dict[str, Any]:
    """Return everything measured, in seconds."""
    axes = {
        axis.name: {
            "title": axis.title,
            "series": {
                name: {"p50": each.p50, "p95": each.p95, "samples": len(each.samples)}
                for name, each in outcome.series.items()
            },
            "comparisons": [
                {
                    "what": each.what,
                    "value": each.value,
                    "unit": each.unit,
                    "aim": each.aim,
                    "is_met": each.is_met,
                }
                for each in outcome.comparisons
            ],
            "facts": dict(outcome.facts),
        }
        for axis, outcome in outcomes
    }
    return {**about, "axes": axes}


def to_text(about: Mapping[str, Any], outcomes: Iterable[tuple[Axis, Outcome]]) -> str:
    """Return the same as text: for each axis its series, then the comparisons."""
    lines = [
        f"{part:9} " + ", ".join(f"{name} {value}" for name, value in content.items())
        for part, content in about.items()
        if isinstance(content, Mapping)
    ]
    for axis, outcome in outcomes:
        width = max(map(len, [*outcome.series, *(each.what for each in outcome.comparisons)]))
        lines += ["", axis.title, f"  {'':{width}}  {'p50':>10}  {'p95':>10}  {'samples':>8}"]
        lines += [
            f"  {name:{width}}  {_in_units(each.p50):>10}  {_in_units(each.p95):>10}"
            f"  {len(each.samples):>8}"
            for name, each in outcome.series.items()
        ]
        lines += [f"  {each.what:{width}}  {_judge(each)}" for each in outcome.comparisons]
        lines += [f"  {name}: {value}" for name, value in outcome.facts.items()]
    return "\n".join(lines)


def _judge(comparison: Comparison) -> str:
    text = f"{_write(comparison.value, comparison.unit):>10}"
    if comparison.aim is None:
        return text
    bound = "at least" if comparison.more_is_better else "at most"
    verdict = "met" if comparison.is_met else "NOT met"
    return f"{text}  aim: {bound} {_write(comparison.aim, comparison.unit)}, {verdict}"


def _write(value: float, unit: str) -> str:
    if unit == "seconds":
        return _in_units(value)
    return f"{value:,.0f} x" if value >= 100 else f"{value:.2f} x"


def _in_units(seconds: float) -> str:
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e6:.1f} µs"

"""Draw what a run measured: a picture for each axis. Runs where matplotlib is, see ``plots.txt``.

``python plots.py FOLDER [png] < RUN.json``: one file for each axis, its name the axis's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams.update(
    {
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": "pypods",
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
from matplotlib import pyplot as plt  # noqa: E402 - the settings come first
from matplotlib.ticker import (  # noqa: E402
    FuncFormatter,
    LogLocator,
    MultipleLocator,
    NullFormatter,
)

COLOURS = {"pypods": "#0969da", "peer": "#8c959f", "floor": "#2da44e"}
NAMES = {"pypods": "pypods", "peer": "others", "floor": "floors: the bare mechanism"}
UNITS = {
    "seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
}
ROW_INCHES, COLUMN_INCHES, MARGIN_INCHES = 0.24, 3.1, 1.0


def main() -> None:
    folder = Path(sys.argv[1])
    ending = sys.argv[2] if len(sys.argv) > 2 else "svg"
    folder.mkdir(parents=True, exist_ok=True)
    for name, axis in json.load(sys.stdin)["axes"].items():
        if axis["series"]:
            figure = draw(axis)
            metadata = {"Date": None} if ending == "svg" else None
            figure.savefig(folder / f"{name}.{ending}", metadata=metadata, dpi=110)
            plt.close(figure)


def draw(axis: dict[str, Any]) -> Any:
    """Return a picture: contestants from the fastest on down, a column for each variant."""
    variants = list(dict.fromkeys(place["variant"] for place in axis["places"].values()))
    measured = {
        (axis["places"][name]["contestant"], axis["places"][name]["variant"]): each
        for name, each in axis["series"].items()
    }
    kinds = {place["contestant"]: place["kind"] for place in axis["places"].values()}
    titles = [title for title in kinds if any((title, each) in measured for each in variants)]
    titles.sort(key=lambda title: rank(measured, title, variants), reverse=True)
    height = len(titles) * ROW_INCHES + MARGIN_INCHES
    figure, columns = plt.subplots(
        1,
        len(variants),
        sharey=True,
        squeeze=False,
        figsize=(1.6 + COLUMN_INCHES * max(2, len(variants)), height),
        layout="constrained",
    )
    for column, variant in zip(columns[0], variants, strict=True):
        draw_column(column, axis["unit"], variant, titles, kinds, measured)
    columns[0][0].set_yticks(range(len(titles)), titles)
    for label in columns[0][0].get_yticklabels():
        if kinds[label.get_text()] == "pypods":
            label.set_fontweight("bold")
    shown = [kind for kind in NAMES if kind in {kinds[title] for title in titles}]
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[kind]) for kind in shown]
    figure.legend(
        handles,
        [NAMES[kind] for kind in shown],
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    return figure


def rank(
    measured: dict[tuple[str, str], Any], title: str, variants: list[str]
) -> tuple[int, float]:
    """Sort by the first variant that a contestant has, those without the first one last."""
    for number, variant in enumerate(variants):
        if (title, variant) in measured:
            return number, measured[title, variant]["p50"]
    raise AssertionError(title)


def draw_column(
    column: Any,
    unit: str,
    variant: str,
    titles: list[str],
    kinds: dict[str, str],
    measured: dict[tuple[str, str], Any],
) -> None:
    found = {title: measured.get((title, variant)) for title in titles}
    measured_here = [each for each in found.values() if each]
    most = max((each["p95"] for each in measured_here), default=1.0)
    least = 0.0
    if unit == "seconds":
        column.set_xscale("log")
        column.xaxis.set_major_locator(LogLocator(numticks=5))
        least = min((each["p50"] for each in measured_here), default=0.1) / 3
    for row, (title, each) in enumerate(found.items()):
        if each is None:
            column.text(least, row, " not measured", va="center", color="#8c959f", fontsize=7)
            continue
        column.barh(row, each["p50"] - least, left=least, height=0.7, color=COLOURS[kinds[title]])
        column.plot([each["p50"], each["p95"]], [row, row], color="#24292f", linewidth=0.9)
        text = f" {write(each['p50'], unit)}"
        column.text(max(each["p50"], each["p95"]), row, text, va="center", fontsize=8)
    column.set_xlim(least, most * (most / least) ** 0.28 if least else most * 1.25)
    column.set_ylim(-0.6, len(titles) - 0.4)
    column.set_title(variant, fontsize=10)
    if unit == "bytes":
        column.xaxis.set_major_locator(MultipleLocator(20 * 2**20))
    column.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: write(value, unit, digits=0) if value else "")
    )
    column.xaxis.set_minor_formatter(NullFormatter())
    column.tick_params(axis="y", length=0)
    column.grid(axis="x", color="#d0d7de", linewidth=0.6)
    column.set_axisbelow(True)


def write(value: float, unit: str, digits: int = 2) -> str:
    """Return a value in the unit that suits it, with three digits at most."""
    fitting = (each for each in UNITS[unit] if value >= each[0] * 0.9995)
    size, name = next(fitting, UNITS[unit][-1])
    number = value / size
    shown = f"{number:.0f}" if number >= 100 or not digits else f"{number:.{digits + 1}g}"
    return f"{shown} {name}"


if __name__ == "__main__":
    main()

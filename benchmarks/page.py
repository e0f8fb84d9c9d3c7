"""The page about performance, written from one run; measures nothing and judges nothing itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from installs import make_environment
from report import in_units, write_aim, write_rate, write_value

from pypods.pods.interpreters import get_host_interpreter

__all__ = ["describe_run", "write_page"]

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
IMAGES = PAGE.with_name("images") / "performance"
INTRODUCTION = """# Performance

What pypods costs, beside floors that nothing can go below and beside other libraries that call \
into another process. This page and its pictures are written by the benchmark, from one run:

```sh
make bench BENCH="--page"
```

`make bench BENCH="--quick null_call"` tries one axis out, `--json` prints what this page is made \
of, `--help` names the axes and all who take part."""
HOW = """## How it is taken

Every contestant runs in an environment of its own, made by the benchmark from pinned \
requirements ([benchmarks/peers/](../benchmarks/peers)): a host program, and the worker that it \
starts. All of them do the same things, which are in \
[benchmarks/inside/](../benchmarks/inside), and what comes back is compared with what it has to \
be. They work in turns, a short while each, in several rounds, so that what else the machine does \
disturbs everybody; the first call of a kind is not counted. A time is the median of all samples \
(p50), with what nineteen of twenty did not exceed (p95) in brackets. A ratio is the median over \
the rounds' own ratios. Where a batch of calls is timed as one, there are few samples, and p95 is \
the slowest. The programs of those who are not at turn stay open, idle; Ray's look after their \
cluster meanwhile.

Who needs too long (20 s for a turn) is ended, with all its processes, and shown with the reason. \
The pictures of times have logarithmic scales, and a thin line from p50 to p95."""


def write_page(document: Mapping[str, Any], *, cache: Path) -> None:
    """Write docs/performance.md, and draw its pictures."""
    draw(document, IMAGES, cache=cache)
    PAGE.write_text(describe_run(document), encoding="utf-8")


def describe_run(document: Mapping[str, Any]) -> str:
    """Return the page's text."""
    return "\n\n".join(_list_parts(document)) + "\n"


def draw(document: Mapping[str, Any], folder: Path, *, cache: Path, ending: str = "svg") -> None:
    """Draw a picture for each axis, in an environment that has matplotlib."""
    cache.mkdir(parents=True, exist_ok=True)
    venv = cache / "plots"
    make_environment(venv, get_host_interpreter().path, [HERE / "plots.txt"])
    words = [venv / "bin" / "python", HERE / "plots.py", folder, ending]
    subprocess.run(words, input=json.dumps(document), text=True, check=True)


def _list_parts(document: Mapping[str, Any]) -> Iterator[str]:
    yield INTRODUCTION
    machine, versions = document["machine"], document["versions"]
    yield (
        f"This run: {machine['date'][:10]}, {machine['minutes']:.0f} minutes, on "
        f"{machine['cores']} cores of {machine['processor']}, {machine['system']}; load average "
        f"before it {machine['load_average']}. The hosts' interpreter: {versions['host_python']}; "
        f"the workers': {versions['pod_python']}. pypods {versions['pypods']}, pymongo "
        f"{versions['pymongo']}, uv {versions['uv']}, virtualenv {versions['virtualenv']}."
    )
    if machine["load_average"] > machine["cores"] / 2:
        yield (
            "**The machine had other work to do meanwhile.** Times are longer than they need be, "
            "and what takes more than one core suffers most."
        )
    if machine.get("quick"):
        yield "**Tried out with `--quick`: few samples of small values, so no aim means anything.**"
    yield "## Aims"
    yield (
        "As ratios within this run. Whether an aim is met is computed from the run. "
        "Where one could not be measured, the reason is in its place."
    )
    yield "\n".join(_list_aims(document["axes"]))
    yield HOW
    yield "\n".join(_list_contestants(document["contestants"], versions))
    for name, axis in document["axes"].items():
        yield f"## {axis['title']}"
        if axis["method"]:
            yield axis["method"]
        if axis["series"]:
            yield f"![{axis['title']}](images/performance/{name}.svg)"
        yield "\n".join(_list_series(axis))
        if others := [each for each in axis["comparisons"] if each["aim"] is None]:
            yield "\n".join(f"- {each['what']}: {_write(each)}" for each in others)
        if axis["facts"]:
            yield from _list_growth(axis["facts"])
        if reasons := list(_list_absent(axis["places"])):
            yield "Not measured:\n\n" + "\n".join(reasons)


def _list_aims(axes: Mapping[str, Any]) -> Iterator[str]:
    yield "| axis | compared | value | aim | |"
    yield "|---|---|---|---|---|"
    for axis in axes.values():
        for each in axis["comparisons"]:
            if each["aim"] is not None:
                verdict = "met" if each["is_met"] else "**not met**"
                yield (
                    f"| {axis['title']} | {each['what']} | {_write(each)} | {write_aim(each)} "
                    f"| {verdict} |"
                )


def _write(comparison: Mapping[str, Any]) -> str:
    value = comparison["value"]
    if value is not None:
        return write_value(value, comparison["unit"])
    return f"({_quote(comparison['note'])})"


def _list_contestants(
    contestants: Mapping[str, Mapping[str, str]], versions: Mapping[str, str]
) -> Iterator[str]:
    yield "| | version | its worker's environment |"
    yield "|---|---|---|"
    for title, each in contestants.items():
        if each["kind"] != "floor":
            name = f"**{title}**" if each["kind"] == "pypods" else title
            ours = each["kind"] == "pypods"
            version = each["version"] or versions["pypods" if ours else "host_python"]
            yield f"| {name} | {version} | {each['worker']} |"


def _list_series(axis: Mapping[str, Any]) -> Iterator[str]:
    places, series = axis["places"], axis["series"]
    variants = list(dict.fromkeys(each["variant"] for each in places.values()))
    cells = {(each["contestant"], each["variant"]): name for name, each in places.items()}
    kinds = {each["contestant"]: each["kind"] for each in places.values()}
    shown = [
        title for title in kinds if any(cells.get((title, each)) in series for each in variants)
    ]
    shown.sort(key=lambda title: _rank(title, variants, cells, series))
    yield f"| | {' | '.join(each or 'p50 (p95)' for each in variants)} |"
    yield f"|---|{'---|' * len(variants)}"
    for title in shown:
        row = [_write_cell(axis, cells.get((title, each), "")) for each in variants]
        name = {"pypods": f"**{title}**", "floor": f"*{title}*"}.get(kinds[title], title)
        yield f"| {name} | {' | '.join(row)} |"


def _rank(
    title: str,
    variants: list[str],
    cells: Mapping[tuple[str, str], str],
    series: Mapping[str, Any],
) -> tuple[int, float]:
    for number, variant in enumerate(variants):
        name = cells.get((title, variant))
        if name in series:
            return number, series[name]["p50"]
    raise AssertionError(title)


def _write_cell(axis: Mapping[str, Any], name: str) -> str:
    each = axis["series"].get(name)
    if each is None:
        return "-"
    unit = axis["unit"]
    text = f"{in_units(each['p50'], unit)} ({in_units(each['p95'], unit)})"
    amount = axis["places"][name]["amount"]
    rate = write_rate(amount, each["p50"], axis["amount_unit"])
    return f"{text}, {rate}" if rate else text


def _list_growth(facts: Mapping[str, Any]) -> Iterator[str]:
    """Give what a relay cost its host, where that was looked at."""
    grew, shared, watched = (
        {
            name.removeprefix(f"{fact}: "): value
            for name, value in facts.items()
            if name.startswith(fact + ":")
        }
        for fact in ("host grew, bytes", "host grew with what it shares, bytes", "batches watched")
    )
    if not grew:
        return
    lines = [
        "| | batches | the host's own memory grew by | with what it shares |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {watched[name]} | {in_units(grew[name], 'bytes')} "
        f"| {in_units(shared[name], 'bytes')} |"
        for name in grew
        if not name.startswith("memcpy")
    ]
    yield "\n".join(lines)


def _list_absent(places: Mapping[str, Any]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in places.values():
        if each["absent"]:
            reasons.setdefault((each["contestant"], each["absent"]), []).append(each["variant"])
    variants = {each["variant"] for each in places.values()}
    for (title, reason), found in reasons.items():
        where = f" ({'; '.join(found)})" if len(found) < len(variants) else ""
        yield f"- {title}{where}: {_quote(reason)}"


def _quote(text: str) -> str:
    """Return a text from elsewhere so that no part of it is taken for Markdown."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return text

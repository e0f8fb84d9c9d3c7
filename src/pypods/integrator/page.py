"""A report as one HTML page that needs nothing else: no script, no file beside it."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypods.integrator.report import ExecutionReport, IntegrationReport

__all__ = ["report_page"]

WIDTH, HEIGHT = 720.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 12.0, 28.0
#: Of a plot's curve: many batches in one step, so that it is a curve.
STEPS = 60

STYLE = """
:root { color-scheme: light dark; --line: #2563eb; --grid: #8884; --bad: #b91c1c; --good: #15803d; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--grid); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.failed, .interrupted, .different { color: var(--bad); font-weight: 600; }
.finished, .equal { color: var(--good); }
.error { border-left: 4px solid var(--bad); padding: .4rem .8rem; white-space: pre-wrap; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dd { margin: 0; }
"""


def report_page(report: ExecutionReport) -> str:
    """Return the page about an execution."""
    began = datetime.fromtimestamp(report.started).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    sections = "\n".join(section(each) for each in report.integrations)
    error = f'<p class="error">{escape(report.error)}</p>' if report.error else ""
    title = escape(f"{report.operation}: {report.status}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(report.operation)}: <span class="{report.status}">{report.status}</span></h1>
<p>{escape(report.id)}, begun {began}, {report.seconds:.1f} s</p>
{error}
{overview(report)}
{sections}
</body>
</html>
"""


def overview(report: ExecutionReport) -> str:
    """Return the table of all integrations."""
    rows = "\n".join(
        "<tr>"
        f"<td>{escape(each.name)}</td>"
        f'<td class="{escape(each.status)}">{escape(each.status)}</td>'
        f'<td class="number">{each.rows_written:,}</td>'
        f'<td class="number">{each.seconds:.1f}</td>'
        f'<td class="number">{each.rows_per_second:,.0f}</td>'
        f'<td class="number">{each.retries}</td>'
        f'<td class="number">{each.bad_rows}</td>'
        f"<td>{checksum(each)}</td>"
        "</tr>"
        for each in report.integrations
    )
    return f"""<table>
<thead><tr><th>Integration</th><th>Status</th><th class="number">Rows</th>
<th class="number">Seconds</th><th class="number">Rows/s</th><th class="number">Retries</th>
<th class="number">Bad rows</th><th>Checksum</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def checksum(report: IntegrationReport) -> str:
    """Return what verifying found, in a word."""
    found = report.verification
    if found is None:
        return ""
    if found.equal is None:
        return "not compared"
    return (
        '<span class="equal">equal</span>'
        if found.equal
        else '<span class="different">different</span>'
    )


def section(report: IntegrationReport) -> str:
    """Return what there is to say of one integration, with its plot."""
    facts: list[tuple[str, str]] = [
        ("from", report.source),
        ("to", report.target),
        ("mode", report.mode),
        ("run", report.run),
        ("rows read", f"{report.rows_read:,}"),
        ("rows written", f"{report.rows_written:,}"),
        ("bytes written", f"{report.bytes_written:,}"),
        ("batches", f"{report.batches:,}"),
    ]
    if report.rows_in_target is not None:
        facts.append(("rows in the target", f"{report.rows_in_target:,}"))
    if report.rows_resumed:
        facts.append(("there from before", f"{report.rows_resumed:,}"))
    if report.parts > 1:
        facts.append(("parts", str(report.parts)))
    if report.peak_pod_memory is not None:
        facts.append(("pods' memory, at most", f"{report.peak_pod_memory / 1e6:,.0f} MB"))
    facts += [("change", change) for change in report.changes]
    if report.verification is not None:
        facts.append(("checksums", report.verification.note))
        if report.verification.source_sum is not None:
            sums = f"{report.verification.source_sum} and {report.verification.target_sum}"
            facts.append(("sums", sums))
    listed = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    error = f'<p class="error">{escape(report.error)}</p>' if report.error else ""
    return f"<h2>{escape(report.name)}</h2>\n{error}\n<dl>\n{listed}\n</dl>\n{plot(report)}"


def speeds(points: list[tuple[float, int]]) -> list[tuple[float, float]]:
    """Return the middle of each step of time, and the rows a second in it."""
    end = points[-1][0] if points else 0.0
    if end <= 0:
        return []
    step = end / STEPS
    result = []
    before = float(points[0][1])
    index = 0
    for number in range(1, STEPS + 1):
        at = number * step
        while index + 1 < len(points) and points[index + 1][0] <= at:
            index += 1
        there, count = points[index]
        now = float(count)
        if index + 1 < len(points):  # Between two points rows are taken to come evenly.
            next_at, next_count = points[index + 1]
            if next_at > there:
                now += (next_count - count) * (at - there) / (next_at - there)
        result.append((at - step / 2, (now - before) / step))
        before = now
    return result


def plot(report: IntegrationReport) -> str:
    """Return an SVG of rows a second over time; nothing where nothing was written."""
    curve = speeds(report.throughput)
    highest = max((speed for _, speed in curve), default=0.0)
    if highest <= 0:
        return ""
    end = report.throughput[-1][0]
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(seconds: float, speed: float) -> str:
        return f"{LEFT + across * seconds / end:.1f},{TOP + down * (1 - speed / highest):.1f}"

    line = " ".join(place(seconds, speed) for seconds, speed in curve)
    floor = TOP + down
    name = escape(f"Rows a second of {report.name} over {end:.1f} seconds")
    return f"""<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{name}">
<title>{name}</title>
<line x1="{LEFT}" y1="{TOP}" x2="{WIDTH - RIGHT}" y2="{TOP}" stroke="var(--grid)"/>
<line x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}" stroke="var(--grid)"/>
<polyline points="{line}" fill="none" stroke="var(--line)" stroke-width="2"/>
<text x="{LEFT - 6}" y="{TOP + 4}" text-anchor="end">{short(highest)}</text>
<text x="{LEFT - 6}" y="{floor + 4}" text-anchor="end">0</text>
<text x="{LEFT}" y="{HEIGHT - 8}">0 s</text>
<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{end:.1f} s</text>
<text x="{LEFT + 8}" y="{TOP + 14}">rows a second, over the seconds since the start</text>
</svg>"""


def short(number: float) -> str:
    """Return a number with a letter for thousands or millions."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f} {letter}"
    return f"{number:.0f}"

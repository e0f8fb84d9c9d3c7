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
.wide { overflow-x: auto; } .note { opacity: .7; }
code { font-size: .9em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } figcaption { font-size: .85rem; opacity: .7; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .9rem; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  :root { --line: #60a5fa; --bad: #f87171; --good: #4ade80; }
}
@media (min-width: 50rem) { dl.counts { grid-template-columns: repeat(2, max-content 1fr); } }
"""


def report_page(report: ExecutionReport) -> str:
    """Return the page about an execution."""
    began = datetime.fromtimestamp(report.started).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    sections = "\n".join(section(each) for each in report.integrations)
    # What an integration's section says needs not be said twice.
    is_said = any(each.error == report.error for each in report.integrations)
    error = "" if is_said else shown_error(report.error)
    go_on = ""
    if report.status in ("failed", "interrupted"):
        go_on = f"<p>To go on: <code>pypods integrate resume {escape(report.id)}</code></p>"
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
<p><code>{escape(report.id)}</code>, begun {began}, {report.seconds:.1f} s</p>
{go_on}
{error}
{overview(report)}
{sections}
</body>
</html>
"""


def shown_error(error: str | None) -> str:
    """Return an error as it stands on the page, or nothing."""
    return f'<p class="error">{escape(error)}</p>' if error else ""


def overview(report: ExecutionReport) -> str:
    """Return the table of all integrations."""
    rows = "\n".join(map(overview_row, report.integrations))
    return f"""<div class="wide"><table>
<thead><tr><th>Integration</th><th>Status</th><th class="number">Rows</th>
<th class="number">Seconds</th><th class="number">Rows/s</th><th class="number">Retries</th>
<th class="number">Bad rows</th><th>Checksum</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""


def overview_row(report: IntegrationReport) -> str:
    """Return an integration's row; one that did not begin has no numbers."""
    numbers = [""] * 5
    if was_begun(report):
        numbers = [
            f"{report.rows_written:,}",
            f"{report.seconds:.1f}",
            f"{report.rows_per_second:,.0f}",
            str(report.retries),
            f"{report.bad_rows:,}",
        ]
    status = escape(report.status)
    return (
        f'<tr><td>{escape(report.name)}</td><td class="{status}">{status}</td>'
        + "".join(f'<td class="number">{each}</td>' for each in numbers)
        + f"<td>{checksum(report)}</td></tr>"
    )


def was_begun(report: IntegrationReport) -> bool:
    """Whether there is anything to say of it besides its name."""
    return report.status not in ("pending", "skipped")


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
    facts = [("from", report.source), ("to", report.target), ("mode", report.mode)]
    heading = f"<h2>{escape(report.name)}</h2>"
    if not was_begun(report):
        return f'{heading}\n<p class="note">It did not begin.</p>\n{listed(facts)}'
    facts.append(("run", report.run))
    for name, cursor in (("from", report.cursor_before), ("to", report.cursor_after)):
        if cursor is not None:
            value = cursor.get("value") if isinstance(cursor, dict) else cursor
            facts.append((f"cursor {name}", str(value)))
    facts += [("change", change) for change in report.changes]
    found = report.verification
    if found is not None:
        facts.append(("checksums", found.note))
        if found.source_sum is not None:
            sums = [found.source_sum, str(found.target_sum)]
            facts.append(("sums", " and ".join(dict.fromkeys(sums))))
    parts = (heading, shown_error(report.error), listed(facts), counts(report), plot(report))
    return "\n".join(part for part in parts if part)


def counts(report: IntegrationReport) -> str:
    """Return the list of an integration's numbers."""
    facts = [
        ("rows read", f"{report.rows_read:,}"),
        ("rows written", f"{report.rows_written:,}"),
        ("bytes written", f"{short(report.bytes_written)}B"),
        ("batches", f"{report.batches:,}"),
    ]
    if report.rows_in_target is not None:
        facts.append(("rows in the target", f"{report.rows_in_target:,}"))
    if report.rows_resumed:
        facts.append(("there from before", f"{report.rows_resumed:,}"))
    if report.bad_rows:
        facts.append(("set aside as bad", f"{report.bad_rows:,}"))
    if report.parts > 1:
        facts.append(("parts", str(report.parts)))
    if report.peak_pod_memory is not None:
        facts.append(("pods' memory, at most", f"{report.peak_pod_memory / 1e6:,.0f} MB"))
    return listed(facts, kind=' class="counts"')


def listed(facts: list[tuple[str, str]], *, kind: str = "") -> str:
    """Return names and texts as a list."""
    lines = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f"<dl{kind}>\n{lines}\n</dl>"


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
    area = f"{place(curve[0][0], 0)} {line} {place(curve[-1][0], 0)}"
    name = escape(f"Rows a second of {report.name} over {end:.1f} seconds")
    grid = "\n".join(
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="var(--grid)"/>\n'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(highest * share)}</text>'
        for share in (0.0, 0.5, 1.0)
        for y in [TOP + down * (1 - share)]
    )
    ticks = "\n".join(
        f'<text x="{LEFT + across * share:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">'
        f"{end * share:.1f} s</text>"
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    )
    return f"""<figure>
<figcaption>Rows a second, over the seconds since the integration began.</figcaption>
<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{name}">
<title>{name}</title>
{grid}
<polygon points="{area}" fill="var(--line)" fill-opacity=".12"/>
<polyline points="{line}" fill="none" stroke="var(--line)" stroke-width="2"/>
{ticks}
</svg>
</figure>"""


def short(number: float) -> str:
    """Return a number with a letter for thousands or millions."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f} {letter}"
    return f"{number:.0f}"

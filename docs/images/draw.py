"""Draw the README's picture, once for light screens and once for dark: `python draw.py`."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

LIGHT = {
    "ink": "#1f2328", "soft": "#59636e", "line": "#d1d9e0", "paper": "#ffffff", "box": "#f6f8fa",
    "old": "#bc4c00", "old_fill": "#fff1e5", "new": "#0969da", "new_fill": "#ddf4ff",
    "host": "#1a7f37",
}  # fmt: skip
DARK = {
    "ink": "#f0f6fc", "soft": "#9198a1", "line": "#3d444d", "paper": "#0d1117", "box": "#151b23",
    "old": "#f0883e", "old_fill": "#2b1d11", "new": "#58a6ff", "new_fill": "#10233d",
    "host": "#3fb950",
}  # fmt: skip
SANS = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
TITLE = "One program calls two pods, each with its own Python and its own version of a driver"
TOP, WIDTH, HEIGHT = 28, 920, 320
CODE = [
    'PodLoader("old_duckdb") as old',
    'PodLoader("new_duckdb") as new',
    "",
    "rows = old.query(sql)",
    "new.insert(rows)",
]
PODS = [
    ("old", "old_duckdb", "3.8", "0.8.1", 40),
    ("new", "new_duckdb", "3.13", "2.0.0", 220),
]


def text(
    x: int, y: int, words: str, fill: str, *, size: int = 14, mono: bool = False, **more: str
) -> str:
    """Return one line of text."""
    family = MONO if mono else SANS
    rest = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return (
        f'<text x="{x}" y="{y}" font-family="{family}" font-size="{size}" fill="{fill}"{rest} '
        f'xml:space="preserve">{escape(words)}</text>'
    )


def box(
    x: int, y: int, width: int, height: int, fill: str, stroke: str, *, radius: int = 10
) -> str:
    """Return a rounded rectangle."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="1.5"/>'
    )


def pipe(y: int, color: str, colors: dict[str, str], *, back: bool) -> list[str]:
    """Return a pipe between the host and a pod, with frames under way."""
    left, right = 348, 548
    tip = f"M{left + 9},{y - 5} l-9,5 l9,5" if back else f"M{right - 9},{y - 5} l9,5 l-9,5"
    frames = [box(x, y - 7, 26, 14, colors["paper"], color, radius=3) for x in (392, 436, 480)]
    return [
        f'<path d="M{left},{y} H{right}" stroke="{color}" stroke-width="1.5" fill="none"/>',
        f'<path d="{tip}" stroke="{color}" stroke-width="1.5" fill="none"/>',
        *(frames[:2] if back else frames[1:]),
    ]


def draw(colors: dict[str, str]) -> str:
    """Return the picture in these colors."""
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {TOP} {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(TITLE)}</title>',
        box(24, 40, 316, 296, colors["box"], colors["line"]),
        text(44, 72, "your program", colors["ink"], size=17, font_weight="600"),
        text(44, 94, "Python 3.11 with pypods, no driver", colors["soft"]),
        box(44, 114, 276, 132, colors["paper"], colors["line"], radius=6),
    ]
    for number, line in enumerate(CODE):
        color = colors["old"] if number in (0, 3) else colors["new"]
        parts.append(text(56, 140 + 23 * number, line, color, size=13, mono=True))
    parts += [
        text(44, 278, "Values arrive equal and of the same type.", colors["soft"], size=13),
        text(44, 298, "Errors arrive with the pod's traceback.", colors["soft"], size=13),
        text(44, 318, "Nothing that arrives is executed.", colors["soft"], size=13),
        text(448, 192, "frames over", colors["soft"], size=13, text_anchor="middle"),
        text(448, 210, "stdin and stdout", colors["soft"], size=13, text_anchor="middle"),
    ]
    for key, name, python, version, y in PODS:
        color = colors[key]
        parts += [
            *pipe(y + 44, color, colors, back=False),
            *pipe(y + 74, color, colors, back=True),
            box(556, y, 340, 116, colors["box"], color),
            text(576, y + 30, f"pods/{name}", colors["ink"], size=15, mono=True, font_weight="600"),
            text(876, y + 30, "a process of its own", colors["soft"], size=12, text_anchor="end"),
            box(576, y + 46, 144, 50, colors[f"{key}_fill"], color, radius=6),
            text(588, y + 67, "interpreter", colors["soft"], size=12),
            text(588, y + 86, f"Python {python}", color, font_weight="600"),
            box(732, y + 46, 144, 50, colors[f"{key}_fill"], color, radius=6),
            text(744, y + 67, "driver", colors["soft"], size=12),
            text(744, y + 86, f"duckdb {version}", color, font_weight="600"),
        ]
    parts += [
        (
            f'<path d="M556,188 H896" stroke="{colors["soft"]}" stroke-width="1.5" '
            'stroke-dasharray="3 5"/>'
        ),
        box(606, 176, 240, 24, colors["paper"], colors["line"], radius=12),
        text(
            726, 193, "no one environment holds both", colors["soft"], size=13, text_anchor="middle"
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    here = Path(__file__).parent
    here.joinpath("pods-light.svg").write_text(draw(LIGHT), encoding="utf-8")
    here.joinpath("pods-dark.svg").write_text(draw(DARK), encoding="utf-8")

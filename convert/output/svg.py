"""Turns a matplotlib figure into SVG text: the same bytes for the same figure, text as text, colours from the page.

Never decides what is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from convert.output.theme import LIGHT, render_colour_style

WIDTH = 420  # of a plot, in px; one line of text is 12 px, so that it is still readable in a window of 400 px
# Browser fonts are at most as wide as DejaVu Sans, with which matplotlib measures.
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "plot",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["line"],
    "axes.labelcolor": LIGHT["soft"],
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlecolor": LIGHT["ink"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": LIGHT["line"],
    "xtick.color": LIGHT["line"],
    "ytick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["soft"],
    "ytick.labelcolor": LIGHT["soft"],
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "text.color": LIGHT["ink"],
    "legend.frameon": False,
    "legend.fontsize": 12,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_ROLES = {colour: role for role, colour in LIGHT.items()}
_ALONE = "text { font-family: system-ui, sans-serif; }"


def make_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of ``width`` x ``height`` px whose parts are laid out without overlaps."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")


def to_svg(figure: Figure, label: str, tips: Mapping[str, str] | None = None, *, alone: bool = False) -> str:
    """The figure as one ``<svg>`` element with ``label`` for screen readers. ``tips`` are shown under the pointer, by
    the ``gid`` of an artist. With ``alone`` it is a file with its own colours, else it takes those of the page.
    """
    buffer = io.StringIO()
    # The SVG metadata would hold the date.
    with matplotlib.rc_context({name: SETTINGS[name] for name in ("svg.fonttype", "svg.hashsalt")}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = buffer.getvalue()
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 : drawn.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r"#[0-9a-f]{6}\b", lambda found: _colour(found.group()), body)
    body = body.replace(f"font-family: '{SETTINGS['font.family']}'; ", "")
    for gid, tip in (tips or {}).items():
        body = body.replace(f'<g id="{gid}">', f'<g id="{gid}"><title>{escape(tip)}</title>')
    body = re.sub(r"\s*\n\s*", " ", _name_only_used(body)).strip()
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    room = f"min-width: {0.75 * width:.0f}px" if width > WIDTH else ""
    head = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" class="plot"'
    style = f'style="stroke-linejoin: round; max-width: {1.4 * width:.0f}px; {room}"'
    if not alone:
        return f"<svg {head} {style}>{body}</svg>"
    paper = '<rect width="100%" height="100%" style="fill: var(--card)"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {head} width="{width}" '
        f'style="stroke-linejoin: round"><style>{render_colour_style()}\n{_ALONE}</style>{paper}{body}</svg>\n'
    )


def _colour(colour: str) -> str:
    return f"var(--{_ROLES[colour]})" if colour in _ROLES else colour


def _name_only_used(body: str) -> str:
    """``body`` without the names that nothing refers to."""
    used = {first or second for first, second in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", body)}
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    return re.sub(r"(url\(#|href=\"#| id=\")", r"\1plot-", body)


def name_charts_apart(page: str) -> str:
    """The page with the parts of its charts renamed so that no two charts share a name."""
    first, *charts = page.split('<svg viewBox="')
    parts = [
        re.sub(r"(url\(#|href=\"#| id=\")plot-", rf"\g<1>plot{number}-", chart)
        for number, chart in enumerate(charts, start=1)
    ]
    return '<svg viewBox="'.join([first, *parts])

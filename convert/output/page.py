"""The frame of a self-contained HTML page (no script, no font, no file beside it; light and dark) and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #ffffff; --ink: #1d2327; --soft: #5d6870; --line: #dcdfdf;
  --one: #2f6fab; --two: #b5651d; --three: #7a7f85; --bad: #b3261e; --mark: #fff3d1; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181b; --card: #1c2226; --ink: #e6e9ea; --soft: #9aa5ac;
  --line: #343c42; --one: #6fb1ea; --two: #f0a35e; --three: #9aa5ac; --bad: #ff8a80; --mark: #3d3517; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 84rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p, li { max-width: 60rem; } p { margin: .25rem 0 .75rem; } .soft { color: var(--soft); }
.answer { background: var(--mark); border-radius: .5rem; padding: .75rem 1rem; font-size: 1.1rem; max-width: none; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.card h2 { margin: 0 0 .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child, td.words { text-align: left; } td.words { white-space: normal; min-width: 22rem; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
tr.mark td { background: var(--mark); font-weight: 600; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
svg .soft { fill: var(--soft); } svg .rule { stroke: var(--line); } svg .front { stroke: var(--soft);
  stroke-dasharray: 5 4; fill: none; }
svg .one { fill: var(--one); stroke: var(--one); } svg .two { fill: var(--two); stroke: var(--two); }
svg .three { fill: var(--three); stroke: var(--three); } svg .bad { fill: var(--bad); stroke: var(--bad); }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """The whole page; ``parts`` are HTML."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def table(
    head: Sequence[str], body: Iterable[Sequence[str]], *, words: Sequence[int] = (), marked: int | None = None
) -> str:
    """A table of text; ``words`` are columns of sentences, ``marked`` the row that stands out."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    rows = []
    for number, row in enumerate(body):
        columns = "".join(
            f'<td class="words">{escape(cell)}</td>' if index in words else f"<td>{escape(cell)}</td>"
            for index, cell in enumerate(row)
        )
        rows.append(f"<tr{' class=mark' if number == marked else ''}>{columns}</tr>")
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """The same table for a terminal or a pull request."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in body])

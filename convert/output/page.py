"""Pages from templates: one environment, one frame (`templates/base.html`), plain values in, HTML out.

A page is a template beside its module that extends the frame; its text is escaped, and charts come from `plot`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from convert.output.svg import name_charts_apart
from convert.output.theme import render_colour_style

_FRAME = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Table:
    """A table of text whose first column holds names; ``names`` are further columns of names, ``words`` those of
    sentences, and ``marked`` is the row that stands out.
    """

    head: Sequence[str]
    body: Sequence[Sequence[str]]
    words: Sequence[int] = ()
    names: Sequence[int] = ()
    marked: int | None = None


def render_page(template: Path, **values: object) -> str:
    """The page made from the ``template`` file, as self-contained HTML; every value that it names must be given."""
    return name_charts_apart(_open_templates(template.parent).get_template(template.name).render(**values))


@cache
def _open_templates(folder: Path) -> Environment:
    """The templates in ``folder`` and those of the frame. In each, ``ui`` holds the frame's macros."""
    templates = Environment(
        loader=FileSystemLoader([folder, _FRAME]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(svg=Markup, count=count, percent=say_percent)
    templates.globals.update(colours=Markup(render_colour_style()))
    templates.globals.update(ui=templates.get_template("ui.html").module)
    return templates


def count(num: int, noun: str, plural: str = "") -> str:
    """How many there are, in words that agree: "1 image", "2,000 images"."""
    return f"{num:,} {noun if num == 1 else plural or noun + 's'}"


def say_percent(rate: float | None, digits: int = 1) -> str:
    """A rate in [0, 1] as per cent; "none" when there is none."""
    return "none" if rate is None else f"{rate:.{digits}%}"


def render_markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """The same table for a terminal or a pull request."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in body])

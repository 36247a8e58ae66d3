"""Pages: what a template is given is escaped, numbers agree in words, and nothing outside is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from convert.output.page import Table, count, render_page, say_percent
from convert.output.theme import DARK, LIGHT

ROOT = Path(__file__).parents[3]
FRAME = ROOT / "convert" / "output" / "templates"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "toy.html"
    path.write_text(
        '{% extends "base.html" %}\n{% block content %}<h1>{{ name }}</h1>{{ ui.table(found, "A table") }}{% endblock %}\n'
    )
    return path


def test_a_page_is_whole_and_escapes_what_it_is_given(template: Path) -> None:
    found = Table(["name", "words", "num"], [["<i>", "a & b", "1"], ["y", "z", "2"]], words=(1,), marked=1)
    page = render_page(template, title="<t>", name="<script>", found=found)
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert "<title>&lt;t&gt;</title>" in page and "<h1>&lt;script&gt;</h1>" in page and "<script" not in page
    assert '<th scope="row">&lt;i&gt;</th><td class="words">a &amp; b</td><td>1</td>' in page
    assert page.count('<tr class="mark">') == 1 and page.index('class="mark"') < page.index(">z<")


def test_a_value_that_is_missing_is_an_error_and_not_a_hole(template: Path) -> None:
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        render_page(template, title="t", found=Table([], []))


def test_numbers_agree_in_words() -> None:
    assert count(1, "image") == "1 image" and count(0, "image") == "0 images" and count(2000, "image") == "2,000 images"
    assert count(1, "entry", "entries") == "1 entry" and count(2, "entry", "entries") == "2 entries"
    assert say_percent(0.1234) == "12.3%" and say_percent(1, 0) == "100%" and say_percent(None) == "none"


def test_no_template_asks_for_anything_outside_or_turns_escaping_off() -> None:
    for path in sorted((ROOT / "convert").rglob("templates/**/*.*")):
        text = path.read_text("utf-8")
        assert not re.search(r"https?:|<script|<link|@import|\burl\(|safe\b|autoescape", text), path


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_text_stands_out_from_what_it_stands_on(colours: dict[str, str]) -> None:
    def brightness(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for text in ("ink", "soft", "good", "bad"):
        for ground in ("paper", "card") + (("mark",) if text == "ink" else ()):
            low, high = sorted((brightness(colours[text]), brightness(colours[ground])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)

"""Charts: no label covers another one or leaves the frame, ticks are round, and the same values give the same bytes."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from convert.output.plot import (
    Bar,
    Curve,
    Point,
    draw_bars,
    draw_confusion,
    draw_curves,
    draw_intervals,
    draw_scatter,
    find_pareto,
)
from convert.output.svg import name_charts_apart
from convert.output.theme import DARK, LIGHT

TEXT = re.compile(r"<text (.*?)>(.*?)</text>", re.S)


def written(drawn: str) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Each text of a chart with its box (left, top, right, bottom), measured by the font that charts are laid out with."""
    found = []
    for attributes, text in TEXT.findall(drawn):
        size = float(re.search(r"font-size: ([\d.]+)px", attributes)[1])  # type: ignore[index]
        place = re.search(r'translate\(([-\d.]+) ([-\d.]+)\)|x="([-\d.]+)" y="([-\d.]+)"', attributes)
        x, y = (float(number) for number in place.groups() if number)  # type: ignore[union-attr]
        anchor = match[1] if (match := re.search(r"text-anchor: (\w+)", attributes)) else "start"
        turn = match[1] if (match := re.search(r"rotate\((-?\d+)", attributes)) else "0"
        bold = "bold" if "bold" in attributes else "normal"
        text = text.replace("&lt;", "<").replace("&gt;", ">").strip()
        width = TextPath((0, 0), text, size, prop=FontProperties(family="DejaVu Sans", weight=bold)).get_extents().width
        shift = {"start": 0.0, "middle": -width / 2, "end": -width}[anchor]
        left, top, right, bottom = shift, -0.75 * size, shift + width, 0.05 * size
        if turn in ("-90", "90"):
            found.append((text, (x + top, y - right, x + bottom, y - left)))
        else:
            assert abs(float(turn)) == 0
            found.append((text, (x + left, y + top, x + right, y + bottom)))
    return found


def faults(drawn: str) -> list[str]:
    """Texts that cover each other or leave the frame, and texts that are too small."""
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', drawn).groups())  # type: ignore[union-attr]
    texts = written(drawn)
    found = [
        f"outside: {text} {box}" for text, box in texts if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height
    ]
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            found.append(f"{one!r} covers {other!r}")
    sizes = {float(size) for size in re.findall(r"font-size: ([\d.]+)px", drawn)}
    return found + [f"{size} px" for size in sizes if size < 11]


NAMES = ("float32", "int8 weights, float activations", "uint8 in and out", "pruned 50 %", "int16 activations")


def points(num: int, seed: int, spread: float) -> list[Point]:
    draw = random.Random(seed)
    rates = [draw.uniform(0.7, 0.7 + spread) for _ in range(num)]
    costs = [1000 * draw.uniform(1, 1 + 20 * spread) for _ in range(num)]
    names = [f"{NAMES[index % len(NAMES)]} {index}" for index in range(num)]
    return [Point(n, c, r, (r - 0.02, r + 0.02)) for n, c, r in zip(names, costs, rates, strict=True)]


@pytest.mark.parametrize(
    ("num", "seed", "spread"), [(2, 0, 0.2), (6, 1, 0.2), (14, 2, 0.2), (14, 3, 0.01), (24, 4, 0.25)]
)
def test_no_name_of_a_scatter_covers_another_one(num: int, seed: int, spread: float) -> None:
    assert faults(draw_scatter(points(num, seed, spread), ("bytes", "accuracy"))) == []


BAR = re.compile(r'd="M ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+) *"[^>]*stroke-opacity: 0\.45')


@pytest.mark.parametrize(("num", "seed"), [(2, 0), (6, 1), (9, 5), (14, 2)])
def test_no_name_of_a_scatter_stands_on_an_interval_however_long(num: int, seed: int) -> None:
    long = [Point(p.name, p.cost, p.rate, (p.rate - 0.1, p.rate + 0.1)) for p in points(num, seed, 0.1)]
    drawn = draw_scatter(long, ("bytes", "accuracy"))
    bars = [tuple(map(float, found)) for found in BAR.findall(drawn)]
    assert len(bars) == num
    names = {point.name for point in long} | {str(number) for number in range(1, num + 1)}
    for text, (left, top, right, bottom) in written(drawn):
        lowest = max(low for _, low, *_ in bars)
        for x, low, _, high in bars:
            covered = left < x < right and top < max(low, high) and min(low, high) < bottom
            assert not (text in names and bottom < lowest and covered), f"{text} stands on an interval"


def test_names_that_find_no_room_become_numbers_with_a_key() -> None:
    drawn = draw_scatter(points(14, 3, 0.01), ("bytes", "accuracy"))
    key = [attributes for attributes, text in TEXT.findall(drawn) if text.strip() == "1 float32 0"]
    assert len(key) == 1 and "font-size: 12px" in key[0], "readable in a window of 400 px"
    texts = [text for text, _ in written(drawn)]
    assert "1 float32 0" in texts and "1" in texts and "14" in texts
    few = [text for text, _ in written(draw_scatter(points(2, 0, 0.2), ("bytes", "accuracy")))]
    assert "float32 0" in few and "1" not in few


@pytest.mark.parametrize("costs", [(1.0, 1.0), (1.0, 1000.0), (0.001, 0.0011), (1.0, 1e9)])
def test_a_scatter_has_a_few_round_ticks_for_any_span_of_costs(costs: tuple[float, float]) -> None:
    drawn = draw_scatter([Point("", costs[0], 0.5, (0.4, 0.6)), Point("", costs[1], 0.7, (0.6, 0.8))], ("cost", "rate"))
    ticks = [text for text, _ in written(drawn) if re.fullmatch(r"[\d.e+-]+( [kM])?", text)]
    assert 1 <= len(ticks) <= 7 and all(len(tick) <= 7 for tick in ticks) and faults(drawn) == []


def test_the_pareto_front_holds_what_nothing_beats_in_both() -> None:
    found = [Point(n, c, r, (r, r)) for n, c, r in (("a", 1, 0.5), ("b", 2, 0.4), ("c", 3, 0.9), ("d", 3, 0.8))]
    assert [point.name for point in find_pareto(found)] == ["a", "c"]


def test_curves_name_themselves_and_their_axes() -> None:
    curves = [
        Curve("training", (1, 2, 3), (0.1, 0.5, 0.7), "two"),
        Curve("validation", (1, 2, 3), (0.1, 0.4, 0.6), "one", 2),
    ]
    drawn = draw_curves(curves, ("epoch", "accuracy"), wanted=("wanted", 0.9))
    texts = [text for text, _ in written(drawn)]
    assert {"training", "validation", "wanted", "epoch", "accuracy", "1", "2", "3", "20 %", "80 %"} <= set(texts)
    assert faults(drawn) == []


def test_names_too_long_for_one_line_of_the_legend_get_more_lines() -> None:
    curves = [
        Curve("right among the accepted", (0.2, 1.0), (0.99, 0.9)),
        Curve("the stored threshold", (0.9,), (0.95,), "two"),
    ]
    drawn = draw_curves(curves, ("coverage", "precision"), share=True, wanted=("wanted precision", 0.95))
    assert "wanted precision" in {text for text, _ in written(drawn)} and faults(drawn) == []


def test_a_long_history_has_round_epochs() -> None:
    drawn = draw_curves([Curve("a", tuple(range(1, 97)), (0.5,) * 95 + (0.9,))], ("epoch", "accuracy"))
    texts = [text for text, _ in written(drawn)]
    assert {"0", "20", "40", "60", "80"} <= set(texts) and faults(drawn) == []


def test_bars_wrap_long_names_and_say_their_values_also_below_zero() -> None:
    rows = [Bar("conv", 30.25), Bar("a layer whose name is very long indeed, longer than a line", -4.0, "bad")]
    drawn = draw_bars({"one": rows, "two": rows[:1]}, "noise, dB")
    texts = [text for text, _ in written(drawn)]
    assert {"one", "two", "noise, dB", "30.2", "-4.0", "a layer whose name is very"} <= set(texts)
    assert faults(drawn) == []
    assert faults(draw_bars({"": [Bar("all zero", 0.0)]}, "dB")) == []


def test_a_long_title_and_a_long_axis_are_wrapped() -> None:
    rows = [Bar("teachable-machine-lite (tflite-runtime)", 69.98), Bar("bare invoke()", 1.0)]
    title = "a network with a name, 96x96, from a 1920x1080 JPEG file"
    drawn = draw_bars({title: rows, f"another {title}": rows}, "median time against the first row of each of the parts")
    assert faults(drawn) == []


def test_intervals_have_a_row_each() -> None:
    rows = [("float32", 0.9, (0.88, 0.92)), ("uint8 on a backend with a long name", 1.0, (0.97, 1.0))]
    drawn = draw_intervals(rows, "accuracy")
    assert "float32" in [text for text, _ in written(drawn)] and faults(drawn) == []


@pytest.mark.parametrize(
    "labels", [("cup", "pen"), tuple(f"class number {n}" for n in range(25)), ("a" * 40, "b c " * 9)]
)
def test_a_confusion_matrix_shows_each_count_once(labels: tuple[str, ...]) -> None:
    num = len(labels)
    drawn = draw_confusion(
        labels, [[1000 + row if row == column else 0 for column in range(num)] for row in range(num)]
    )
    texts = [text for text, _ in written(drawn)]
    assert all(texts.count(str(1000 + row)) == 1 for row in range(num)) and "0" not in texts
    assert "truth" in texts and "answer" in texts and faults(drawn) == []


def test_a_class_without_images_is_an_empty_row() -> None:
    assert faults(draw_confusion(["cup", "pen"], [[3, 1], [0, 0]])) == []


def test_the_same_values_give_the_same_bytes_and_no_date() -> None:
    first, second = (draw_scatter(points(6, 1, 0.2), ("bytes", "accuracy")) for _ in range(2))
    assert first == second and "20" + "2" not in re.sub(r"[\d.]+", lambda m: m[0] if len(m[0]) == 4 else "", first)


def test_a_chart_takes_its_colours_from_the_page_and_alone_brings_both_themes() -> None:
    curves = [Curve("a", (1, 2), (0.1, 0.5))]
    inline, alone = (draw_curves(curves, ("epoch", "accuracy"), alone=alone) for alone in (False, True))
    assert not re.findall(r"#[0-9a-f]{6}\b", inline) and "var(--one)" in inline and "<style" not in inline
    assert LIGHT["one"] in alone and DARK["one"] in alone and alone.startswith("<svg xmlns=")


def test_two_charts_of_one_page_share_no_name_and_refer_only_to_their_own() -> None:
    chart = draw_bars({"": [Bar("a", 1.0)]}, "x")
    charts = name_charts_apart(f"<p>{chart}</p><p>{chart}</p>").split("</svg>")[:2]
    names = [re.findall(r'id="([^"]+)"', drawn) for drawn in charts]
    used = [set(re.findall(r'(?:url\(#|href="#)([^")]+)', drawn)) for drawn in charts]
    assert names[0] and len(set(names[0])) == len(names[0]) and not set(names[0]) & set(names[1])
    assert [set(found) for found in names] == used


def test_what_a_pointer_is_told_is_escaped() -> None:
    found = [Point("<b>", 10, 0.5, (0.4, 0.6)), Point("", 20, 0.6, (0.5, 0.7), "three", False, "beaten <x>")]
    drawn = draw_scatter(found, ("bytes", "accuracy"))
    assert (
        "<title>&lt;b&gt;: 50.00% at 10</title>" in drawn and "<title>beaten &lt;x&gt;: 60.00% at 20</title>" in drawn
    )

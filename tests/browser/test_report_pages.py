"""The pages of the host in a real browser, at three widths and in both themes: no label covers another one, nothing is cut
off, the page is never wider than its window, and no name is given twice.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convert.explain.layer_signals import Signals
from convert.explain.report import explain_signals
from convert.explain.report import to_html as explain_page
from convert.measure.gallery import Shown
from convert.output.page import Table, render_page
from convert.output.plot import draw_confusion, draw_intervals
from convert.report.conversion_page import TEMPLATES, Chart, FlipSection, GallerySection, Tile
from convert.report.search_page import render as search_page
from convert.report.thumbnail_cards import describe_shown
from convert.report.training_section import describe_training
from convert.report.verdict import Statement, Verdict

pytestmark = pytest.mark.slow
LABELS = ["airplane", "a class with quite a long name", *(f"class {number}" for number in range(8))]
FAULTS = """(() => {
  const faults = [], page = document.documentElement;
  if (page.scrollWidth > innerWidth) faults.push(`the page is ${page.scrollWidth} px wide in ${innerWidth}`);
  for (const chart of document.querySelectorAll('svg')) {
    const frame = chart.getBoundingClientRect();
    const texts = [...chart.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([text, a], index) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 3 || a.bottom > frame.bottom + 3)
        faults.push(`${text} leaves its chart`);
      for (const [other, b] of texts.slice(0, index))
        // The box of a line of text is higher than its letters.
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
          faults.push(`${text} covers ${other}`);
    });
  }
  for (const sentence of document.querySelectorAll('td.words, p, h1, h2, .card b, .card span')) {
    const box = sentence.getBoundingClientRect();
    if (box.right > innerWidth) faults.push(`cut off: ${sentence.textContent.slice(0, 40)}`);
  }
  const names = [...document.querySelectorAll('[id]')].map(element => element.id);
  if (new Set(names).size < names.length) faults.push('a name is given twice');
  return faults;
})()"""


def make_conversion_page() -> str:
    """The report's page from plain values: ten classes, wrong answers everywhere."""
    matrix = [[180 if row == column else (row * column) % 7 for column in range(10)] for row in range(10)]
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    cards = describe_shown([Shown(f"a/long/path/to/image-{n}.jpg", LABELS[1], LABELS[0], 0.9) for n in range(9)],
                           {f"a/long/path/to/image-{n}.jpg": image for n in range(9)})  # fmt: skip
    report = SimpleNamespace(
        name="a-name-of-a-model-that-is-rather-long", labels=LABELS, max_drop=1.0, num_calibration_images=1,
        calibration_seed=0, input_tensor=SimpleNamespace(scale=1 / 128, zero_point=127),
        audit=SimpleNamespace(problems=(), degenerate=()),
        verification=SimpleNamespace(passed=False, tested=True, num_images=2000, refusals=["It lost 3 points."], backend_agreement=0.99),
    )  # fmt: skip
    said = Statement("bad", "No better than guessing", "93.7% of 300 held-out test images right. " * 3)
    verdict = Verdict(said, said, ("Be careful with a class with quite a long name.",) * 3)
    rows = [("float32", 0.91, (0.89, 0.93)), ("uint8 on litert", 0.90, (0.88, 0.92))]
    history = [{"epoch": n, "train_accuracy": n / 50, "validation_accuracy": n / 60} for n in range(1, 41)]
    return render_page(
        TEMPLATES / "conversion.html", title="t", report=report, verdict=verdict, next_steps=["Convert again."] * 3, tiles=[Tile("1,234", "parameters")] * 4,
        accuracy_chart=draw_intervals(rows, "accuracy"), accuracies=Table(["model"] * 8, [["uint8 on litert"] * 8]),
        classes=Table(["class", "recall"], [[label, "90.0%"] for label in LABELS]),
        confusions=[Chart("float32", draw_confusion(LABELS, matrix)), Chart("uint8", draw_confusion(LABELS, matrix))],
        unknown=None, field_test=None, scenes=None, gallery=GallerySection(9, cards, cards), flips=[FlipSection("litert", 1, 2, cards)],
        training=describe_training({"history": history, "best_epoch": 40}),
        calibration=Table(["class", "images"], [[label, "20"] for label in LABELS]),
        sizes=Table(["flatbuffer", "bytes"], [["float32 model", "321,276"]]),
        operators=Table(["operator", "layer"], [["CONV_2D", "a_layer"]], names=(1,)),
    )  # fmt: skip


def make_search_page() -> str:
    rows = [
        {"trial": n, "model": f"scaled-plain-w{n}-d1", "size": 32, "validation_accuracy": 0.5 + n / 50,
         "accuracy": 0.5 + (n % 7) / 20, "correct": 500 + 50 * (n % 7), "num_images": 1000, "bytes": 4000 + 900 * n,
         "macs": 10000 * n, "latency_ms": 0.01 + 0.001 * n, "time_ratio": 1.0}
        for n in range(1, 19)
    ]  # fmt: skip
    return search_page(
        {"search": "a search", "budget": {"max_bytes": 90000}, "num_trials": 18, "winner": 3, "front": rows[:12],
         "all": rows, "like": "seed.tflite", "num_ended_early": 0, "count_too_slow": 1}
    )  # fmt: skip


def make_explain_page() -> str:
    """Twelve layers, each with a complaint."""
    layers = [
        Signals(layer=f"block{n}_convolution", kind="CONV_2D", reads=(), own_db=3.0 - n, accumulated_db=10.0,
                weights_db=12.0, per_channel=False, scale=0.1, channels=(1.0, 90.0, 1.0), clipped=0.03, used=0.2, dead=1,
                drowned=2)
        for n in range(12)
    ]  # fmt: skip
    return explain_page(explain_signals("a model", layers, 64, 0.9))


@pytest.mark.parametrize("make", [make_conversion_page, make_search_page, make_explain_page])
def test_every_label_is_readable_at_every_width_and_in_both_themes(make: Any, page: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(make(), encoding="utf-8")
    page.complaints.clear()
    for width in (400, 900, 1400):
        for dark in (False, True):
            page.size(width, 1000, dark=dark, phone=width == 400)
            page.open(path.as_uri())
            page.wait_for("document.readyState === 'complete' && document.querySelector('svg') !== null")
            assert (width, dark, page.value(FAULTS)) == (width, dark, [])
            ground = page.value("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(20, 24, 27)" if dark else "rgb(251, 251, 249)")
    page.open("about:blank")
    assert page.complaints == []

"""The pages of the host, each made from plain values: long names, wrong answers, a complaint for everything."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from convert.compare.page import render as compare_page
from convert.compare.rows import Accuracy, Comparison, Row
from convert.compare.variants import OTHER, PRUNED, SAME_MODEL, Failure
from convert.explain.layer_signals import Signals
from convert.explain.report import explain_signals
from convert.explain.report import to_html as explain_page
from convert.improve.judgement import Answer
from convert.improve.page import Improvement
from convert.improve.page import to_html as improve_page
from convert.measure.gallery import Shown
from convert.measure.latency import Timing
from convert.output.page import Table, render_page
from convert.output.plot import draw_confusion, draw_intervals
from convert.report.conversion_page import TEMPLATES, Chart, FlipSection, GallerySection, Tile
from convert.report.search_page import render as search_page
from convert.report.thumbnail_cards import describe_shown
from convert.report.training_section import describe_training
from convert.report.verdict import Statement, Verdict

LABELS = ["airplane", "a class with quite a long name", *(f"class {number}" for number in range(8))]


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
        ranges="The ranges of the inner tensors hold all that calibration gave.",
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


def make_compare_page() -> str:
    """Nine variants, close together, some of which other programs refuse."""
    names = ["float32", "float16", "dynamic range", "int8 with uint8 input", "int8", "int16 activations", "pruned 50 %",
             "pruned 75 %", "another-run-with-a-long-name"]  # fmt: skip
    groups = [SAME_MODEL] * 6 + [PRUNED] * 2 + [OTHER]
    rows = []
    for number, (name, group) in enumerate(zip(names, groups, strict=True)):
        rate = 0.80 - number / 300
        found = Accuracy(
            "litert", rate, (rate - 0.02, rate + 0.02), rate, rate, rate, number / 300, (-0.01, 0.03), 0.4, 0.97
        )
        timing = Timing(name, "litert", "litert-xnnpack 2.3.0", 1, 50, 1 + number / 9, 1.5, 1 + number / 9)
        refused = {"MediaPipe": "it takes uint8 or float32 inputs"} if number == 4 else {}
        size = 400_000 - 35_000 * number
        rows.append(Row(name, f"how the variant {name} is made, in a few words", group, size, size // 2, 900, 0.4, 5000, 0,
                        (found,), (timing,), refused))  # fmt: skip
    failures = (Failure("int4", SAME_MODEL, "no kernel of tflite-runtime 2.14 runs it"),)
    return compare_page(
        Comparison("a-run-with-a-long-name", 2000, 200, ("litert",), (1,), "AMD EPYC", tuple(rows), failures)
    )


def make_improve_page() -> str:
    """Forty answers, a quarter of them better and a tenth worse."""
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    answers = []
    for number in range(40):
        truth, other = LABELS[number % 2], LABELS[1 - number % 2]
        old, new = (other if number % 4 == 0 else truth), (other if number % 10 == 5 else truth)
        answers.append(Answer(f"{truth}/20261130T101010.{number:03}Z-0001.jpg", truth, old, 0.81, new, 0.93))
    found = Improvement("build/old.tflite", "build/new.tflite", tuple(answers), (), frozenset({answers[0].image}), 7)
    return improve_page(found, {answer.image: image for answer in answers})


PAGES: dict[str, Callable[[], str]] = {
    "conversion": make_conversion_page,
    "search": make_search_page,
    "explain": make_explain_page,
    "compare": make_compare_page,
    "improve": make_improve_page,
}

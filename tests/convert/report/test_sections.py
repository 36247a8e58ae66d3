"""The parts of the report's page, on literal figures: each value is said, numbers agree in words, names are escaped."""

from __future__ import annotations

import base64
import re

import cv2
import numpy as np
import pytest

from convert.converter.range_choice import Closeness, RangeChoice
from convert.measure.gallery import Shown
from convert.measure.gate import Flip
from convert.measure.threshold import Acceptance, UnknownReport, apply_threshold, fit_threshold, trace_coverage
from convert.output.page import render_page
from convert.report.conversion import describe_ranges
from convert.report.conversion_page import TEMPLATES, GallerySection
from convert.report.thumbnail_cards import describe_flips, describe_shown, make_thumbnail
from convert.report.training_section import describe_training, find_best_gain
from convert.report.unknown_section import describe_acceptance, describe_unknown


def section(name: str, **values: object) -> str:
    """The section's HTML with all white space as single spaces."""
    return " ".join(render_page(TEMPLATES / "sections" / f"{name}.html", **values).split())


def scored(best: list[float], right: list[bool]) -> tuple[np.ndarray, list[int]]:
    """Two-class probabilities whose best class is 0 with these probabilities; labels 0 where right, else 1."""
    top = np.array(best, np.float32)
    return np.stack([top, 1 - top], axis=1), [0 if hit else 1 for hit in right]


def report_unknown(threshold: float = 0.6, **changes: object) -> UnknownReport:
    probabilities, labels = scored([0.9, 0.8, 0.7, 0.55], [True, True, False, False])
    values: dict[str, object] = {
        "fit": fit_threshold(probabilities, labels, 0.95), "test": apply_threshold(probabilities, labels, threshold),
        "curve": trace_coverage(probabilities, labels), "calibration_error": 0.123,
    }  # fmt: skip
    return UnknownReport(**{**values, **changes})  # type: ignore[arg-type]


def test_the_page_says_what_the_threshold_does_and_where_it_comes_from() -> None:
    text = section("unknown", unknown=describe_unknown(report_unknown()))
    assert "Below a probability of <b>0.600</b> the answer is “unknown”. It was fitted for a precision of 95%" in text
    assert "On the 4 test images 3 answers are accepted (coverage 75.0%); 66.7% of these are right" in text
    assert "cannot be reached on these images" in text and "Calibration error there: 12.3%" in text
    given = section("unknown", unknown=describe_unknown(report_unknown(fit=None)))
    assert "no validation images to fit it on" in given and "wanted precision" not in given
    why = section("unknown", unknown=describe_unknown(report_unknown(without="It has <none>.")))
    assert "cannot tell what is unlike anything seen in training. It has &lt;none&gt;." in why
    apart = report_unknown(class_thresholds={"<pen>": 0.9, "cup": 0.8})
    assert "&lt;pen&gt; <b>0.900</b>, cup <b>0.800</b>." in section("unknown", unknown=describe_unknown(apart))
    assert "<pen> needs 0.900. cup needs 0.800." in describe_acceptance(apart)
    outside = section(
        "unknown", unknown=describe_unknown(report_unknown(out_of_distribution=Acceptance(0.6, 40, 39, 0)))
    )
    assert "Of 40 out-of-distribution images 1 is answered “unknown” (2.5%)" in outside


def test_the_chart_has_the_wanted_precision_and_the_stored_threshold() -> None:
    found = describe_unknown(report_unknown())
    assert found is not None and ">wanted precision</text>" in found.chart
    assert (
        ">the stored threshold</text>" in found.chart and ">coverage: share of answers accepted</text>" in found.chart
    )
    assert describe_unknown(None) is None


def test_a_threshold_that_accepts_nothing_has_no_precision() -> None:
    text = section("unknown", unknown=describe_unknown(report_unknown(threshold=0.99)))
    assert "0 answers are accepted (coverage 0.0%); none of these are right" in text
    assert "the stored threshold" not in text


def test_the_terminal_line_names_coverage_and_precision() -> None:
    assert describe_acceptance(report_unknown()) == (
        "Below 0.600 the answer is unknown: 75.0% of the test images are accepted, 66.7% of these are right."
    )
    assert describe_acceptance(report_unknown(threshold=0.0)) == "Every answer is accepted (threshold 0)."
    assert describe_acceptance(report_unknown(threshold=0.0, without="Why.")).endswith("(threshold 0). Why.")
    assert describe_acceptance(report_unknown(without="Why.")).endswith("these are right. No neighbours: Why.")


def test_a_gallery_shows_the_image_the_truth_and_the_answer_and_escapes_names() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    cards = describe_shown([Shown("a<b", "<cup>", "pen", 0.915), Shown("c", "pen", "pen", 0.2)], {"a<b": image})
    text = section("gallery", gallery=GallerySection(1, cards, cards[1:]))
    assert "1 test image is answered wrongly" in text and "&lt;cup&gt;" in text and "<cup>" not in text
    assert '<span class="bad">pen 92%</span>' in text and '<span class="good">pen 20%</span>' in text
    assert text.count("<img") == 1 and 'alt="a&lt;b"' in text
    assert "None." in section("gallery", gallery=GallerySection(0, [], cards))


def test_a_flip_shows_both_answers() -> None:
    card = describe_flips(
        [Flip(image="x", truth="cup", float_label="cup", float_score=0.6, label="pen", score=0.5)], {}
    )
    assert [line.text for line in card[0].lines] == ["float: cup 60%", "integer: pen 50%", "x"]
    assert card[0].images == ()


def test_a_small_image_keeps_its_pixels_and_a_photo_is_shrunk() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    tiny, photo = make_thumbnail("t", pixels), make_thumbnail("p", np.zeros((300, 600, 3), np.uint8))
    assert tiny.tiny and not photo.tiny

    def decode(address: str) -> np.ndarray:
        return cv2.imdecode(np.frombuffer(base64.b64decode(address.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)

    assert np.array_equal(decode(tiny.address), pixels)
    assert decode(photo.address).shape == (80, 160, 3) and photo.address.startswith("data:image/jpeg")


METRICS = {
    "data_warnings": [{"kind": "tiny", "text": "2 images are <tiny>.", "num": 12, "files": ["a/b.jpg"]}],
    "class_counts": {"test": {"cup": 3}, "train": {"cup": 30}, "validation": {"cup": 4}},
    "history": [{"round": 0, "validation_accuracy": 0.5}, {"round": 1, "validation_accuracy": 0.8, "loss": 1.0}],
    "best_epoch": 1,
    "temperature": {"temperature": 0.58, "error_before": 0.12, "error_after": 0.028, "num_images": 341},
}


def test_the_page_shows_warnings_counts_history_and_temperature() -> None:
    page = section("training", training=describe_training(METRICS))
    assert "2 images are &lt;tiny&gt;." in page and "and 11 more" in page and "12 files" in page
    assert page.index(">train</th>") < page.index(">validation</th>") < page.index(">test</th>")
    assert ">round</text>" in page and ">validation accuracy</text>" in page
    assert "from 12.0% to 2.8%" in page and "341 validation images" in page


CURVE = {
    "shares": [0.25, 0.5, 0.75, 1.0], "num_different": [25, 50, 75, 100], "accuracy": [0.5, 0.6, 0.65, 0.7],
    "interval": [[0.4, 0.6], [0.5, 0.7], [0.55, 0.75], [0.6, 0.8]], "num_images": 100, "num_folds": 1,
    "gain": [0.1, 0.02, 0.18], "class_gain": {"cup": [0.02, -0.1, 0.14], "<pen>": [0.2, 0.05, 0.35]},
    "sentence": "the head alone says <so>",
}  # fmt: skip


def test_the_page_says_whether_there_are_enough_images_and_which_class_gains() -> None:
    page = section("training", training=describe_training({"learning_curve": CURVE}))
    assert "Do I have enough images?" in page and "The head alone says &lt;so&gt;. Near-duplicates count once." in page
    assert "<td>25</td><td>50.0%</td><td>40.0% to 60.0%</td>" in page
    assert page.index("&lt;pen&gt;") < page.index(">cup<"), "the class that gains most comes first"
    assert "<td>+20.0</td><td>+5 to +35</td>" in page
    assert find_best_gain(CURVE) == ("<pen>", 0.2, 0.05, 0.35)
    assert find_best_gain({"class_gain": {"cup": [0.2, -0.1, 0.5]}}) is None and find_best_gain(3) is None
    assert describe_training({"learning_curve": {"shares": []}}) is None


@pytest.mark.parametrize(
    "metrics",
    [{}, {"history": 3, "data_warnings": "x", "class_counts": [], "temperature": 1}, {"history": [{"epoch": 1}]}],
)
def test_metrics_of_another_form_are_left_out(metrics: dict[str, object]) -> None:
    assert describe_training(metrics) is None


def test_no_warning_is_said_too() -> None:
    assert "There are no warnings about the images" in section(
        "training", training=describe_training({"data_warnings": []})
    )


def test_every_section_of_the_page_is_a_block_that_another_page_may_fill() -> None:
    page = (TEMPLATES / "conversion.html").read_text("utf-8")
    included = set(re.findall(r'include "sections/(\w+)\.html"', page))
    assert included == {path.stem for path in (TEMPLATES / "sections").iterdir()}
    assert all(f"{{% block {name} %}}" in page for name in included)


def test_the_choice_of_ranges_says_what_both_came_to() -> None:
    whole, narrower = Closeness(agreement=0.95, difference=0.02), Closeness(agreement=0.97, difference=0.012)
    assert describe_ranges(None) == "The ranges of the inner tensors hold all that calibration gave."
    assert describe_ranges(RangeChoice(True, whole, narrower, 200, True)) == (
        "The ranges of the inner tensors leave out the few values furthest out: on 200 calibration images kept for this "
        "the scores are 0.012 off float32's and 97.0% of the labels agree; the other choice gives 0.020 and 95.0%."
    )
    assert describe_ranges(RangeChoice(False, whole, narrower, 1, False)) == (
        "The ranges of the inner tensors hold all that calibration gave, including the few values furthest out: on "
        "1 calibration image the scores are 0.020 off float32's and 95.0% of the labels agree; the other choice gives "
        "0.012 and 97.0%."
    )

"""The threshold keeps its promise on the pictures it was fitted on, at the highest coverage, and says when it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.inputs.source import ImageEntry
from convert.measure.gallery import gallery
from convert.measure.threshold import LOWEST, Acceptance, UnknownReport, accepted, coverage_curve, fit_threshold
from convert.report.training_section import training_section
from convert.report.unknown_section import acceptance_line, gallery_section, sentences, unknown_section
from edge_runtime.errors import DataError


def scored(best: list[float], right: list[bool]) -> tuple[np.ndarray, list[int]]:
    """Three-class probabilities whose best class is 0 with these probabilities; labels 0 where right, else 1."""
    top = np.array(best, np.float32)
    return np.stack([top, (1 - top) * 0.6, (1 - top) * 0.4], axis=1), [0 if hit else 1 for hit in right]


def test_the_lowest_threshold_that_reaches_the_precision_is_taken() -> None:
    best = [0.55] * 10 + [0.7] * 10 + [0.9] * 40
    right = [False] * 10 + [True] * 5 + [False] * 5 + [True] * 40
    fit = fit_threshold(*scored(best, right), wanted=0.95)
    assert 0.7 < fit.threshold < 0.9
    assert fit.threshold == pytest.approx(0.8)
    assert (fit.reached, fit.validation.num_accepted, fit.validation.num_correct) == (True, 40, 40)
    # One more mistake is assumed: 45 of 51 is enough for 88 %, not for 89 %.
    assert fit_threshold(*scored(best, right), wanted=0.88).threshold < 0.7
    assert fit_threshold(*scored(best, right), wanted=0.89).threshold > 0.7


def test_a_model_that_is_good_enough_still_calls_the_less_than_likely_unknown() -> None:
    fit = fit_threshold(*scored([0.4] + [0.99] * 60, [True] * 61), wanted=0.95)
    assert fit.threshold == LOWEST
    assert fit.validation.num_accepted == 60


def test_a_precision_that_cannot_be_had_gives_the_closest_and_says_so() -> None:
    best = [0.6] * 20 + [0.9] * 20
    right = [False] * 20 + [True, False] * 10
    fit = fit_threshold(*scored(best, right), wanted=0.95)
    assert not fit.reached
    assert 0.6 < fit.threshold < 0.9


def test_a_handful_of_sure_answers_is_no_ground_for_a_threshold() -> None:
    best = [0.6] * 97 + [0.99] * 3
    right = [True, False] * 48 + [True] + [True] * 3
    fit = fit_threshold(*scored(best, right), wanted=0.7)
    assert (fit.reached, fit.validation.coverage) == (False, 1.0)


def test_scores_without_labels_are_refused() -> None:
    with pytest.raises(DataError, match=r"There are 1 scores for 2 labels; expected one row a label"):
        fit_threshold(np.ones((1, 3), np.float32), [0, 1], 0.95)


def test_pictures_of_no_class_are_never_right() -> None:
    probabilities, _ = scored([0.9, 0.4], [True, True])
    found = accepted(probabilities, [-1, -1], 0.5)
    assert (found.num_accepted, found.num_correct, found.coverage, found.precision) == (1, 0, 0.5, 0.0)
    assert accepted(probabilities, [-1, -1], 0.95).precision is None


def test_the_curve_falls_from_all_to_few_answers() -> None:
    rng = np.random.default_rng(0)
    best = rng.uniform(0.34, 1, 500).tolist()
    curve = coverage_curve(*scored(best, (rng.random(500) < best).tolist()))
    coverages = [point.coverage for point in curve]
    assert coverages[0] == 1 and coverages == sorted(coverages, reverse=True) and coverages[-1] > 0
    assert (curve[-1].precision or 0) > (curve[0].precision or 0)


def entries(labels: list[int]) -> list[ImageEntry]:
    return [ImageEntry(f"p{i}<", label, Path("x"), None, "") for i, label in enumerate(labels)]


def test_the_gallery_has_the_surest_mistakes_and_the_least_sure_answers() -> None:
    probabilities, labels = scored([0.9, 0.6, 0.99, 0.4], [False, False, True, True])
    found = gallery(probabilities, entries(labels), ("cup", "pen", "toy"))
    assert [item.image for item in found.mistakes] == ["p0<", "p1<"]
    assert [item.image for item in found.least_sure] == ["p3<", "p1<", "p0<", "p2<"]
    assert (found.mistakes[0].truth, found.mistakes[0].label, found.num_mistakes) == ("pen", "cup", 2)


def report(threshold: float = 0.6, **changes: object) -> UnknownReport:
    probabilities, labels = scored([0.9, 0.8, 0.7, 0.55], [True, True, False, False])
    fit = fit_threshold(probabilities, labels, 0.95)
    values: dict[str, object] = {
        "fit": fit, "test": accepted(probabilities, labels, threshold),
        "curve": coverage_curve(probabilities, labels), "calibration_error": 0.123,
    }  # fmt: skip
    return UnknownReport(**{**values, **changes})  # type: ignore[arg-type]


def test_the_page_says_what_the_threshold_does_and_where_it_comes_from() -> None:
    text = sentences(report())
    assert "Below a probability of <b>0.600</b>" in text
    assert "on the 4 test pictures 3 answers are accepted (coverage 75.0%); 66.7% of these are right" in text.lower()
    assert "cannot be had on these pictures" in text and "12.3%" in text
    assert "no validation pictures" in sentences(report(fit=None))
    stranger = sentences(report(strangers=Acceptance(0.6, 40, 10, 0)))
    assert "Of 40 pictures of none of the classes 30 (75.0%) are answered “unknown”" in stranger


def test_the_curve_is_drawn_with_the_wanted_precision_and_the_threshold() -> None:
    page = unknown_section(report())
    assert page.count("<polyline") == 1 and 'class="wanted"' in page and page.count("<circle") == 1
    assert 'class="wanted"' not in unknown_section(report(fit=None))


def test_names_on_the_page_are_escaped() -> None:
    probabilities, labels = scored([0.9], [False])
    page = gallery_section(gallery(probabilities, entries(labels), ("<cup>", "pen", "toy")), lambda name: "<img>")
    assert "&lt;cup&gt;" in page and "<cup>" not in page and "p0&lt;" in page


def test_the_terminal_line_names_coverage_and_precision() -> None:
    assert acceptance_line(report()) == (
        "Below 0.600 the answer is unknown: 75.0% of the test images are accepted, 66.7% of these are right."
    )
    assert acceptance_line(report(threshold=0.0)) == "Every answer is accepted (threshold 0)."


METRICS = {
    "data_warnings": [{"kind": "tiny", "text": "2 pictures are <tiny>.", "num": 12, "files": ["a/b.jpg"]}],
    "class_counts": {"test": {"cup": 3}, "train": {"cup": 30}, "validation": {"cup": 4}},
    "history": [{"round": 0, "validation_accuracy": 0.5}, {"round": 1, "validation_accuracy": 0.8, "loss": 1.0}],
    "best_epoch": 1,
    "temperature": {"temperature": 0.58, "error_before": 0.12, "error_after": 0.028, "num_images": 341},
}


def test_the_page_shows_warnings_counts_history_and_temperature() -> None:
    page = training_section(METRICS)
    assert "2 pictures are &lt;tiny&gt;." in page and "and 11 more" in page and "12 files" in page
    assert page.index("<th>train</th>") < page.index("<th>validation</th>") < page.index("<th>test</th>")
    assert page.count("<polyline") == 1 and page.count("<circle") == 1
    assert "from 12.0% to 2.8%" in page


@pytest.mark.parametrize(
    "metrics",
    [{}, {"history": 3, "data_warnings": "x", "class_counts": [], "temperature": 1}, {"history": [{"epoch": 1}]}],
)
def test_metrics_of_another_form_are_left_out(metrics: dict[str, object]) -> None:
    assert training_section(metrics) == ""


def test_no_warning_is_said_too() -> None:
    assert "No warning about the pictures" in training_section({"data_warnings": []})

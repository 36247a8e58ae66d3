"""What a conversion means, in words: whether it lost anything, how good the model is, and what to be careful about.

Two different questions: a model that is no better than guessing converts without any loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convert.measure.image_time import FRAME_HEIGHT, FRAME_WIDTH, ImageTime
from convert.measure.threshold import FEW_IMAGES as FEW_VALIDATION_IMAGES
from convert.output.page import count
from convert.report.conversion import ConversionReport
from edge_runtime.metrics import ClassificationReport, wilson_interval

# Width of the interval of the difference in accuracy between the two models: beyond this, the test images cannot tell.
WIDEST_DROP_INTERVAL = 0.06
# Width of the interval of the accuracy itself.
WIDEST_INTERVAL = 0.1
# The figures of a class with fewer test images are little more than a guess.
FEW_TEST_IMAGES = 10
# From here upwards, a camera scene or a set of foreign images gets a warning.
LARGE_COST = 0.1
MANY_PASS = 0.5
_MOST_NAMES = 5


@dataclass(frozen=True)
class Statement:
    """An answer in a few words and its reason in a sentence; ``kind`` is a style of the page: good, unsure or bad."""

    kind: Literal["good", "unsure", "bad"]
    words: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """``conversion``: what did integers cost? ``model``: how good is it? ``warnings``: what makes both doubtful?"""

    conversion: Statement
    model: Statement
    warnings: tuple[str, ...]


def judge(report: ConversionReport) -> Verdict:
    """The Verdict on everything that was measured."""
    return Verdict(_judge_conversion(report), _judge_model(report), tuple(_list_warnings(report)))


def list_names(names: Sequence[str]) -> str:
    """A few names in words: "a", "a and b", "a, b, c, d, e and 3 more"."""
    shown = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        return f"{', '.join(shown)} and {len(names) - _MOST_NAMES} more"
    return " and ".join([*([", ".join(shown[:-1])] if shown[1:] else []), shown[-1]])


def _judge_conversion(report: ConversionReport) -> Statement:
    verified = report.verification
    if not verified.passed:
        return Statement("bad", "Refused", "No file was written, for the reasons below.")
    if not verified.tested:
        agreement = min(backend.agreement for backend in verified.backends)
        images = count(verified.num_images, "calibration image")
        return Statement(
            "unsure", "Passed on agreement alone",
            f"The integer model gives the float model's label on {agreement:.1%} of {images}. What that costs in "
            "accuracy takes held-out images with labels.",
        )  # fmt: skip
    worst = max(verified.backends, key=lambda backend: backend.drop)
    low, high = worst.drop_interval
    images = count(verified.num_images, "test image")
    # Adding zero turns -0.0 into 0.0.
    found = f"{-100 * worst.drop + 0.0:+.1f} points on {images} (95 % interval {-100 * high:+.1f} to {-100 * low:+.1f})"
    if high - low > WIDEST_DROP_INTERVAL:
        return Statement("unsure", "Too few test images to tell", f"Against the float model: {found}.")
    if low > 0:
        return Statement(
            "good", f"Passed: integers cost {100 * worst.drop:.1f} points",
            f"Against the float model: {found}; {report.max_drop:g} are accepted.",
        )  # fmt: skip
    return Statement("good", "Passed: conversion lost nothing", f"Against the float model: {found}.")


def _judge_model(report: ConversionReport) -> Statement:
    verified = report.verification
    if not verified.tested:
        return Statement(
            "unsure",
            "It is unknown how good the model is",
            "There are no held-out images with labels to measure it on.",
        )
    found = verified.backends[0].report
    counts = {row.label: row.support for row in found.per_class}
    largest = max(counts, key=lambda label: counts[label])
    share, images = counts[largest] / verified.num_images, count(verified.num_images, "held-out test image")
    low, high = found.accuracy_interval
    rate = f"{verified.backends[0].num_correct:,} of {images}"
    between = f"between {low:.1%} and {high:.1%} of images like these (95 % interval)"
    if share == 1:
        return Statement("unsure", "Too few test images to tell", f"{rate} right, and all of them show {largest}.")
    if low <= share:
        return Statement(
            "bad", "No better than guessing",
            f"{rate}: {between}. Always saying {largest} would be right for {share:.1%} of them.",
        )  # fmt: skip
    if high - low > WIDEST_INTERVAL:
        return Statement(
            "unsure", f"{found.accuracy:.0%} right, roughly", f"{rate}: {between}. More test images would tell."
        )
    return Statement("good", f"{found.accuracy:.1%} right", f"{rate}: {between}.")


def _list_warnings(report: ConversionReport) -> list[str]:
    verified = report.verification
    if not verified.tested:
        return []
    first = verified.backends[0].report
    return [*_warn_about_labels(report), *_warn_about_classes(first), *_warn_about_camera(report)]


def _warn_about_labels(report: ConversionReport) -> list[str]:
    order, better, found = report.label_order, report.normalization, []
    if order is not None:
        rates = (f"{right / order.num_images:.1%}" for right in (order.num_correct_reordered, order.num_correct))
        pairs = zip(report.labels, order.labels, strict=True)
        moved = [f"what is called {old} is {new}" for old, new in pairs if old != new]
        found.append(
            f"The labels fit far better in another order, {' instead of '.join(rates)} right: {list_names(moved)}."
        )
    if better is not None:
        found.append(
            f"Another normalisation fits far better: with {better.flags} the model is right on {better.num_correct} of "
            f"{count(better.num_images, 'test image')}, with what was given on {better.num_correct_given}."
        )
    return found


def _warn_about_classes(found: ClassificationReport) -> list[str]:
    absent = [row.label for row in found.per_class if row.support == 0]
    few = [row.label for row in found.per_class if 0 < row.support < FEW_TEST_IMAGES]
    warnings = []
    if absent:
        verb, they = ("has", "it is") if len(absent) == 1 else ("have", "they are")
        warnings.append(f"{list_names(absent)} {verb} no test image: how well {they} recognised is unknown.")
    if few:
        verb = "has" if len(few) == 1 else "have"
        warnings.append(
            f"{list_names(few)} {verb} fewer than {FEW_TEST_IMAGES} test images: see the intervals of each class."
        )
    return warnings


def _warn_about_camera(report: ConversionReport) -> list[str]:
    warnings = []
    if report.field_test is not None:
        worst = report.field_test.worst
        if -worst.change >= LARGE_COST:
            warnings.append(
                f"As a camera would show them, fewer are right: {worst.scene} costs {-100 * worst.change:.0f} points."
            )
    if report.unknown is not None:
        for item in report.unknown.foreign:
            if item.acceptance.coverage >= MANY_PASS:
                warnings.append(
                    f"{item.acceptance.coverage:.0%} of {item.acceptance.num_images} images that belong to none of the "
                    f"classes ({item.name}) get a label instead of “unknown”."
                )
        fit = report.unknown.fit
        if fit is not None and fit.validation.num_images < FEW_VALIDATION_IMAGES:
            warnings.append(
                f"The threshold was fitted on {count(fit.validation.num_images, 'validation image')} only; "
                f"at least {FEW_VALIDATION_IMAGES} make it reliable."
            )
    return warnings


def describe_recall(num_correct: int, num: int) -> str:
    """A class's share of right answers with its interval, for a sentence: "71.4 % (58 to 82)"."""
    low, high = wilson_interval(num_correct, num)
    return f"{num_correct / num:.1%} (95 % interval {low:.0%} to {high:.0%})"


def describe_time(found: ImageTime) -> str:
    """What was timed, and where."""
    return (
        f"a frame of {FRAME_WIDTH}x{FRAME_HEIGHT}, one thread, {found.backend} on {found.processor} (the fastest of "
        f"{found.num_calls}: {found.fastest_ms:.2g} ms); a device differs: edge-runtime bench"
    )

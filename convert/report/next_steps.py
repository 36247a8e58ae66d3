"""What to do after a conversion, most urgent first: from problems to the next command."""

from __future__ import annotations

from collections.abc import Mapping

from convert.measure.threshold import OWN_EMPTY_SCENE
from convert.output.page import count
from convert.report.conversion import ConversionReport
from convert.report.training_section import find_best_gain
from convert.report.verdict import FEW_TEST_IMAGES, Verdict, describe_recall, list_names
from edge_runtime.metrics import ClassMetrics

# Your own photos can be learnt in a larger size than these.
SMALLER_SIZES = ("tiny", "small")


def list_next_steps(report: ConversionReport, verdict: Verdict) -> tuple[str, ...]:
    """Sentences, most urgent first; the last one is a command."""
    steps = _mend_input(report)
    if not report.verification.passed:
        return (*steps, _find_the_loss(report))
    if not report.verification.tested:
        steps.append("Keep labelled images out of training and pass them with --test DIR, one directory per class.")
    elif verdict.model.words == "No better than guessing":
        steps.append("Check the images and labels first: a network that learnt anything does better than this.")
    if report.verification.tested:
        steps += [*_name_classes(report), *_say_enough(report), *_advise_size(report), *_look_at_nothing(report)]
    return (*steps, f"Try it: edge-runtime run --model {report.file} --camera 0 --web")


def _find_the_loss(report: ConversionReport) -> str:
    command = f"See which layer loses: python -m convert.explain {report.source}"
    if not report.source.endswith(".keras"):
        return command
    return (
        f"{command} with the same flags. More calibration images like those that the device will see may help: "
        "--calibration DIR, --calibration-images N."
    )


def _mend_input(report: ConversionReport) -> list[str]:
    steps, better = [], report.normalization
    if better is not None:
        steps.append(f"Convert again with {better.flags}.")
    if report.label_order is not None:
        order = ", ".join(report.label_order.labels)
        steps.append(f"Put the labels into the order of the model's outputs and convert again: {order}.")
    return steps


def _name_classes(report: ConversionReport) -> list[str]:
    """Which classes need images: those with too few to judge, and the one that is recognised worst."""
    rows = report.verification.backends[0].report.per_class
    few = [row.label for row in rows if row.support < FEW_TEST_IMAGES]
    steps = []
    if few:
        steps.append(f"Add images of {list_names(few)}: {FEW_TEST_IMAGES} is the least for the test.")
    best = find_best_gain(report.training.get("learning_curve"))
    if best is not None:
        name, gain, low, high = best
        between = f"95 % interval {100 * low:+.0f} to {100 * high:+.0f}"
        found = f"its second half brought {100 * gain:+.0f} points ({between})"
        return [*steps, f"More images of {name} would pay off most: {found}."]
    judged = [row for row in rows if row.support >= FEW_TEST_IMAGES and row.recall < 1]
    if judged:
        steps.append(_describe_weakest(min(judged, key=lambda row: row.recall), report))
    return steps


def _describe_weakest(row: ClassMetrics, report: ConversionReport) -> str:
    matrix, index = report.verification.backends[0].report.confusion, report.labels.index(row.label)
    mistaken = max((number, label) for number, label in zip(matrix[index], report.labels, strict=True)
                   if label != row.label)  # fmt: skip
    counts = report.training.get("class_counts")
    learnt = counts.get("train", {}).get(row.label) if isinstance(counts, Mapping) else None
    has = f", learnt from {count(learnt, 'image')}" if isinstance(learnt, int) else ""
    found = describe_recall(matrix[index][index], row.support)
    return (
        f"More images of {row.label} would help most: {found} of them are recognised{has}; "
        f"most often they are taken for {mistaken[1]}."
    )


def _say_enough(report: ConversionReport) -> list[str]:
    """What the learning curve says about more images."""
    curve = report.training.get("learning_curve")
    sentence = curve.get("sentence") if isinstance(curve, Mapping) else None
    if not isinstance(sentence, str) or not sentence:
        return []
    return [f"Do I have enough images? {sentence[0].upper()}{sentence[1:]}."]


def _advise_size(report: ConversionReport) -> list[str]:
    """What training found out about a larger size, in its own words."""
    advice = report.training.get("size_advice")
    sentence = advice.get("sentence") if isinstance(advice, Mapping) else None
    if isinstance(sentence, str):
        return [f"Size: {sentence}."]
    if report.size in SMALLER_SIZES:
        return [f"Whether SIZE=full would be better than {report.size} was not tried; its file is four times as large."]
    return []


def _look_at_nothing(report: ConversionReport) -> list[str]:
    """What to do about the empty scene, if it gets labels."""
    foreign = {item.name: item.acceptance for item in report.unknown.foreign} if report.unknown else {}
    passing = [name for name, found in foreign.items() if "empty" in name and found.coverage > 0.1]
    if not passing:
        return []
    if OWN_EMPTY_SCENE in passing:
        found = foreign[OWN_EMPTY_SCENE]
        return [
            f"More images of the empty scene would help (a label for {found.num_accepted} of the {found.num_images} "
            "that were tried): edge-runtime collect --background --camera 0, then train again."
        ]
    if OWN_EMPTY_SCENE in foreign:
        return []
    return [
        "Show it what the camera sees when nothing is there: edge-runtime collect --background --camera 0, then train "
        "again with these images."
    ]

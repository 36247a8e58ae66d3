"""The verdict separates what conversion cost from how good the model is, and says what to do next."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from convert.inputs.adapting import Pixels
from convert.measure.field_test import AS_THEY_ARE, FieldRow, FieldTest
from convert.measure.gate import BackendReport, ClassChange, VerificationReport
from convert.measure.image_time import ImageTime
from convert.measure.label_order import LabelOrder
from convert.measure.normalization_check import BetterNormalization
from convert.measure.threshold import Acceptance, ForeignSet, ThresholdFit, UnknownReport
from convert.report.conversion import ConversionReport
from convert.report.conversion_page import make_tiles, to_html
from convert.report.conversion_text import to_data, to_markdown
from convert.report.next_steps import list_next_steps
from convert.report.verdict import judge, list_names
from convert.tflite.audit import AuditReport
from edge_runtime.contract import TensorSpec
from edge_runtime.metrics import classification_report, mcnemar_p, paired_difference_interval

LABELS = ("cup", "pen", "key")
GOOD = [[95, 3, 2], [5, 90, 5], [2, 2, 96]]


def make_report(
    confusion: list[list[int]] = GOOD, *, changed: tuple[int, int] = (1, 1), tested: bool = True,
    refusals: tuple[str, ...] = (), labels: tuple[str, ...] = LABELS, **changes: Any,
) -> ConversionReport:  # fmt: skip
    """A report of one backend; ``changed`` = (only float right, only integer right)."""
    found = classification_report(confusion, labels)  # type: ignore[arg-type]
    num = sum(map(sum, confusion))
    right = sum(row[index] for index, row in enumerate(confusion))
    backend = BackendReport(
        "litert", "XNNPACK", right, found, (changed[0] - changed[1]) / num, paired_difference_interval(*changed, num),
        *changed, mcnemar_p(*changed), 1 - sum(changed) / num,
        tuple(ClassChange(row.label, row.recall, row.recall) for row in found.per_class), (),
    )  # fmt: skip
    verified = VerificationReport(
        num, tested, right + changed[0] - changed[1], found if tested else None, (backend,), 1.0, refusals
    )
    audit = AuditReport(40, 1, 5, 2_500_000, (), {"int8": 1}, (), (), ())
    values: dict[str, Any] = {
        "name": "things", "labels": labels, "io": "uint8", "max_drop": 1.0, "float_bytes": 90,
        "bytes_before_packing": 50, "bytes_after_packing": 40, "input_tensor": TensorSpec((1, 8, 8, 3), "uint8", 1.0, 0),
        "calibration_counts": {"cup": 1}, "calibration_seed": 0, "num_calibration_images": 1, "audit": audit,
        "verification": verified, "source": "runs/things", "file": "build/things.tflite", "file_bytes": 1234,
        "image_time": ImageTime("litert", "a processor", 20, 1.84, 1.7),
    }  # fmt: skip
    return ConversionReport(**{**values, **changes})


def test_a_good_model_without_loss_is_said_in_two_sentences() -> None:
    verdict = judge(make_report())
    assert (verdict.conversion.kind, verdict.conversion.words) == ("good", "Passed: conversion lost nothing")
    assert verdict.conversion.reason == (
        "Against the float model: +0.0 points on 300 test images (95 % interval -1.1 to +1.1)."
    )
    assert (verdict.model.kind, verdict.model.words) == ("good", "93.7% right")
    assert "281 of 300 held-out test images: between 90.3% and 95.9% of images like these" in verdict.model.reason
    assert verdict.warnings == ()


def test_passing_the_conversion_says_nothing_about_a_model_that_guesses() -> None:
    verdict = judge(make_report([[40, 30, 30], [33, 34, 33], [30, 30, 40]]))
    assert verdict.conversion.words == "Passed: conversion lost nothing"
    assert (verdict.model.kind, verdict.model.words) == ("bad", "No better than guessing")
    assert "Always saying cup would be right for 33.3% of them." in verdict.model.reason


def test_always_saying_the_largest_class_is_guessing_too() -> None:
    assert judge(make_report([[90, 0, 0], [5, 0, 0], [5, 0, 0]])).model.words == "No better than guessing"


def test_few_test_images_cannot_tell() -> None:
    verdict = judge(make_report([[7, 0, 0], [0, 6, 0], [0, 1, 6]], changed=(0, 0)))
    assert verdict.conversion.words == "Too few test images to tell" and verdict.conversion.kind == "unsure"
    assert verdict.model.words == "95% right, roughly" and "More test images would tell" in verdict.model.reason
    assert verdict.warnings == ("cup, pen and key have fewer than 10 test images: see the intervals of each class.",)
    one = judge(make_report([[30, 0, 0], [0, 0, 0], [0, 0, 0]], changed=(0, 0)))
    assert one.model.words == "Too few test images to tell" and "all of them show cup" in one.model.reason
    assert one.warnings == ("pen and key have no test image: how well they are recognised is unknown.",)


def test_numbers_agree_in_words() -> None:
    text = to_markdown(make_report([[1, 0, 0], [0, 0, 0], [0, 0, 0]], changed=(0, 0)))
    assert (
        "1 of 1 held-out test image right" in text
        and "1 test image (95 %" in text
        and "\n\n1 held-out test image\n" in text
    )
    assert "1 parameter, " in text and "1 test images" not in text


def test_what_integers_cost_is_said_when_it_is_sure() -> None:
    report = make_report([[950, 30, 20], [50, 900, 50], [20, 20, 960]], changed=(30, 10))
    assert judge(report).conversion.words == "Passed: integers cost 0.7 points"
    assert "-0.7 points on 3,000 test images" in judge(report).conversion.reason


def test_a_refused_model_has_no_file_and_the_next_step_is_to_find_the_loss() -> None:
    report = make_report(refusals=("accuracy: lost",), file_bytes=None)
    assert judge(report).conversion.words == "Refused"
    text = to_markdown(report)
    assert "- refused: accuracy: lost" in text and "file: " not in text
    assert text.rstrip().endswith("1. See which layer loses: python -m convert.explain runs/things")
    foreign = dataclasses.replace(report, source="x.keras")
    advice = list_next_steps(foreign, judge(foreign))[-1]
    assert "python -m convert.explain x.keras with the same flags" in advice and "--calibration DIR" in advice
    assert [tile.figure for tile in make_tiles(report)][2] == "none"


def test_without_held_out_images_nobody_knows_how_good_it_is() -> None:
    report = make_report(tested=False)
    verdict = judge(report)
    assert (
        verdict.conversion.words == "Passed on agreement alone"
        and "99.3% of 300 calibration images" in verdict.conversion.reason
    )
    assert verdict.model.words == "It is unknown how good the model is"
    assert "Keep labelled images out of training and pass them with --test DIR" in list_next_steps(report, verdict)[0]
    assert make_tiles(report)[0].figure == "unknown"


def test_accuracy_and_time_are_the_first_two_tiles_and_bytes_are_those_on_disk() -> None:
    tiles = make_tiles(make_report())
    assert [tile.figure for tile in tiles] == ["93.7%", "1.8 ms", "1,234 B", "2.50 M", "yes"]
    assert tiles[0].words == "accuracy on litert, 95 % interval 90.3% to 95.9%"
    assert tiles[1].words.startswith(
        "a frame of 640x480, one thread, litert on a processor (the fastest of 20: 1.7 ms)"
    )


def test_labels_in_another_order_and_another_normalisation_are_warned_about_first() -> None:
    report = make_report(
        label_order=LabelOrder(("pen", "cup", "key"), 100, 290, 300),
        normalization=BetterNormalization(Pixels((127.5,), (127.5,), "bgr"), 190, 40, 200),
    )
    order, normalization = judge(report).warnings
    assert order == (
        "The labels fit far better in another order, 96.7% instead of 33.3% right: what is called cup is pen and what is "
        "called pen is cup."
    )
    assert "with --mean 127.5 --std 127.5 --channels bgr the model is right on 190 of 200 test images" in normalization
    steps = list_next_steps(report, judge(report))
    assert steps[:2] == (
        "Convert again with --mean 127.5 --std 127.5 --channels bgr.",
        "Put the labels into the order of the model's outputs and convert again: pen, cup, key.",
    )


def test_the_camera_and_the_empty_scene_are_warned_about() -> None:
    rows = (FieldRow(AS_THEY_ARE, "litert", 9, 9, 0.0), FieldRow("dark", "litert", 4, 4, -0.5))
    fit = ThresholdFit(0.95, 0.5, Acceptance(0.5, 18, 18, 18), reached=False)
    unknown = UnknownReport(
        fit, Acceptance(0.5, 300, 290, 280), (), 0.1, foreign=(ForeignSet("empty scenes", Acceptance(0.5, 80, 60, 0)),)
    )
    report = make_report(field_test=FieldTest(10, rows), unknown=unknown)
    camera, empty, few = judge(report).warnings
    assert "dark costs 50 points" in camera
    assert empty == (
        "75% of 80 images that belong to none of the classes (empty scenes) get a label instead of “unknown”."
    )
    assert few == "The threshold was fitted on 18 validation images only; at least 100 make it reliable."
    assert any("edge-runtime collect --background" in step for step in list_next_steps(report, judge(report)))
    own = ForeignSet("images of the empty scene (background)", Acceptance(0.5, 8, 1, 0))
    trained = make_report(unknown=dataclasses.replace(unknown, foreign=(*unknown.foreign, own)))
    assert (
        "More images of the empty scene would help (a label for 1 of the 8 that were tried): edge-runtime collect "
        "--background --camera 0, then train again."
    ) in list_next_steps(trained, judge(trained))
    none = dataclasses.replace(own, acceptance=Acceptance(0.5, 8, 0, 0))
    good = make_report(unknown=dataclasses.replace(unknown, foreign=(*unknown.foreign, none)))
    assert not any("--background" in step for step in list_next_steps(good, judge(good)))


def test_the_weakest_class_the_size_and_the_next_command_come_last() -> None:
    report = make_report(size="small", training={"class_counts": {"train": {"pen": 1}}})
    assert list_next_steps(report, judge(report)) == (
        "More images of pen would help most: 90.0% (95 % interval 83% to 94%) of them are recognised, learnt from 1 "
        "image; most often they are taken for key.",
        "Whether SIZE=full would be better than small was not tried; its file is four times as large.",
        "Try it: edge-runtime run --model build/things.tflite --camera 0 --web",
    )
    advised = make_report(size="small", training={"size_advice": {"sentence": "a larger size would hardly help"}})
    assert "Size: a larger size would hardly help." in list_next_steps(advised, judge(advised))
    curve = {"sentence": "it is so", "class_gain": {"key": [0.1, 0.02, 0.2], "cup": [0.3, -0.1, 0.7]}}
    learnt = make_report(training={"learning_curve": curve})
    assert list_next_steps(learnt, judge(learnt))[:2] == (
        "More images of key would pay off most: its second half brought +10 points (95 % interval +2 to +20).",
        "Do I have enough images? It is so.",
    )
    guessing = make_report([[40, 30, 30], [33, 34, 33], [30, 30, 40]])
    assert "Check the images and labels first" in list_next_steps(guessing, judge(guessing))[0]


def test_json_and_page_have_the_verdict_and_the_next_steps() -> None:
    report = make_report([[95, 3, 2], [5, 90, 5], [0, 0, 0]], changed=(0, 0))
    data = to_data(report)
    assert data["verdict"]["model"]["words"] == "92.5% right" and data["next_steps"]
    page = " ".join(to_html(report, {}).split())
    assert "Passed: conversion lost nothing" in page and "key has no test image" in page
    assert '<th scope="row">key</th><td>0</td><td>–</td>' in page, "a class without images has no recall"
    assert "83% to 94%" in page, "the interval of a class"
    assert page.index("What to do next") > page.index("Operators in order of execution")


@pytest.mark.parametrize(
    ("num", "words"),
    [(1, "a"), (2, "a and b"), (3, "a, b and c"), (5, "a, b, c, d and e"), (7, "a, b, c, d, e and 2 more")],
)
def test_a_few_names_are_listed(num: int, words: str) -> None:
    assert list_names("abcdefg"[:num]) == words

"""A model card says what the run, the file and the report say, and only of those that belong together."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from convert.report.card import main
from convert.report.card_facts import read_card
from edge_runtime.contract import CONTRACT_VERSION, Contract, InputSpec, ModelSpec, Normalization, Score
from edge_runtime.errors import DataError
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.metrics import classification_report
from edge_runtime.model.model_file import write_model

LABELS = ("red", "green", "blue")
CONFUSION = [[9, 1, 0], [0, 10, 0], [3, 0, 7]]
CONFIG = {
    "name": "toy", "data": "colours", "model": "toy", "seed": 4, "input": {"resize": "stretch"},
    "teacher": {"name": "master", "sha256": "ab12"}, "start": {"name": "first", "sha256": "cd34"},
    "recipe": {"name": "modern", "epochs": 2, "flip": True, "learning_rate": 0.25},
    "dataset": {"name": "colours", "citation": "Nobody, 2020", "train": 90, "validation": 12, "test": 30},
}  # fmt: skip
METRICS = {
    "best_epoch": 2, "training_seconds": 12.5, "parameters": 77,
    "history": [
        {"epoch": 1, "train_accuracy": 0.5, "validation_accuracy": 0.4},
        {"epoch": 2, "train_accuracy": 0.75, "validation_accuracy": 0.8},
    ],
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, "data": "/home/anna/colours"}))
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    return folder


@pytest.fixture
def file(tmp_path: Path, toy: bytes) -> Path:
    """A converted toy with its report beside it: 26 of 30 right, in float 25."""
    path = tmp_path / "toy.tflite"
    interpreter = Interpreter(toy)
    provenance = {
        "training": CONFIG, "versions": {"keras": "3.0"}, "calibration": {"images": [{}] * 6},
        "flatbuffer_bytes": {"before_packing": 2 * len(toy), "after_packing": len(toy)},
    }  # fmt: skip
    contract = Contract(
        version=CONTRACT_VERSION,
        spec=ModelSpec("toy", LABELS, InputSpec(8, 8), "probabilities"),
        normalization=Normalization((0.0,), (255.0,)),
        input_tensor=interpreter.input,
        output_tensor=interpreter.output,
        threshold=0.0,
        scores=(Score("float32", 25, 30), Score("litert", 26, 30)),
        parts={},
        provenance=provenance,
    )
    path.write_bytes(write_model(toy, contract, None))
    report = dataclasses.asdict(classification_report(CONFUSION, LABELS))
    backend = {
        "backend": "litert", "num_correct": 26, "drop": -1 / 30, "drop_interval": [-0.1, 0.05], "mcnemar_p": 1.0,
        "agreement": 29 / 30, "report": report,
    }  # fmt: skip
    verification = {
        "num_images": 30, "float_num_correct": 25, "float_report": report, "backend_agreement": 1.0, "backends": [backend],
    }  # fmt: skip
    path.with_suffix(".report.json").write_text(
        json.dumps({"verification": verification}, default=lambda a: a.tolist())
    )
    return path


def test_the_card_has_every_figure_of_its_three_sources(
    run: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run), str(file), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    card = file.with_suffix(".md").read_text()
    assert "| float32 | 25 | 83.33% | 66.44% to 92.66% |" in card
    assert "| int8 on litert | 26 | 86.67% | 70.32% to 94.69% | +3.33 (-5.00 to +10.00) | 1 | 96.67% |" in card
    assert f"({0.5:.1%} saved)" in card and f"{figures['macs']:,} |" in card and f"`{figures['file_sha256']}`" in card
    assert "| teacher | master, SHA-256 `ab12` |" in card
    assert "| goes on from the weights of | first, SHA-256 `cd34` |" in card
    assert "| seed | 4 |" in card and "| flip | yes |" in card and "| learning rate | 0.25 |" in card
    assert "12 s, 6.2 s an epoch" in card and "90 training, 12 validation, 30 test" in card
    assert "| blue | 1.000 | 0.700 | 0.824 | 0.700 | 10 |" in card and "| blue | 3 | 0 | 7 |" in card
    assert "The weakest class is blue: 70.0%" in card and "The commonest mistake is red for blue, 3 times." in card
    assert "![Accuracy by epoch](toy.svg)" in card and "`make zoo MODEL=toy`" in card
    assert figures["correct"] == {"float32": 25, "litert": 26} and figures["accuracy"]["litert"][0] == 26 / 30


def test_the_card_has_the_field_test_where_the_report_has_one(run: Path, file: Path) -> None:
    report = file.with_suffix(".report.json")
    row = {"scene": "dark", "backend": "litert", "num_correct": 12, "num_accepted": 5, "change": -0.2}
    found = {"num_images": 20, "rows": [row, {**row, "backend": "tflite"}]}
    report.write_text(json.dumps({**json.loads(report.read_text()), "field_test": found}))
    assert main([str(run), str(file)]) == 0
    card = file.with_suffix(".md").read_text()
    assert "## As a camera would show them" in card and card.count("| dark | 60.0% | -20.0 |") == 1
    assert "20 test images in the scenes" in card
    report.write_text(json.dumps({**json.loads(report.read_text()), "field_test": None}))
    assert main([str(run), str(file), "--force"]) == 0
    assert "As a camera" not in file.with_suffix(".md").read_text()


def test_the_curves_are_a_file_of_their_own(run: Path, file: Path) -> None:
    assert main([str(run), str(file)]) == 0
    chart = file.with_suffix(".svg").read_text()
    assert chart.startswith('<svg xmlns="http://www.w3.org/2000/svg"') and "prefers-color-scheme: dark" in chart
    assert ">validation</text>" in chart and ">training</text>" in chart and ">epoch</text>" in chart


def test_a_card_is_not_replaced_unasked(run: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run), str(file)]) == 0
    assert main([str(run), str(file)]) == 2
    assert "exists and is not overwritten unasked" in capsys.readouterr().err
    assert main([str(run), str(file), "--force"]) == 0


def test_a_run_that_did_not_make_the_file_is_refused(run: Path, file: Path) -> None:
    (run / "config.json").write_text(json.dumps({**CONFIG, "seed": 5}))
    with pytest.raises(DataError, match="they do not belong together; name the run that was converted"):
        read_card(run, file, file.with_suffix(".report.json"))


def test_a_report_of_another_conversion_is_refused(run: Path, file: Path) -> None:
    report = file.with_suffix(".report.json")
    report.write_text(report.read_text().replace('"num_correct": 26', '"num_correct": 27'))
    with pytest.raises(
        DataError, match=r"'litert': 26\} right answers, .* measured \{'litert': 27\}: they do not belong"
    ):
        read_card(run, file, report)


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 66, "There is no .*report.json; train and convert first"),
        ("{", 65, "cannot be read .*; expected what training and conversion write"),
        ("[]", 65, "holds a list, expected a JSON object"),
        ("{}", 65, "lacks 'verification'; expected what python -m convert writes"),
    ],
)
def test_a_missing_or_damaged_report_is_named(
    run: Path, file: Path, content: str | None, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = file.with_suffix(".report.json")
    report.unlink()
    if content is not None:
        report.write_text(content)
    assert main([str(run), str(file)]) == code
    assert re.search(message, capsys.readouterr().err)
    assert not file.with_suffix(".md").exists()


def test_a_run_without_epochs_makes_no_card(run: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "metrics.json").write_text(json.dumps({**METRICS, "history": [{"round": 1}]}))
    assert main([str(run), str(file)]) == 65
    assert "lacks 'epoch' in its files" in capsys.readouterr().err

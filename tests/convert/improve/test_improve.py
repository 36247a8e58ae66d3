"""Old against new: only on images that neither learnt, image by image, with one verdict."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from convert.improve.__main__ import main
from convert.improve.held_out import choose_held_out, read_log
from convert.improve.judgement import Answer, judge
from convert.inputs.source import ImageEntry, Source, hash_entries
from edge_runtime.contract import Contract, InputSpec, ModelSpec
from edge_runtime.errors import DataError
from edge_runtime.model.model_file import open_model, write_model

TOY = Path(__file__).parents[2] / "edge_runtime" / "toys" / "uint8_metadata.tflite"
COLOURS = {"red": (30, 30, 200), "green": (30, 200, 30), "blue": (200, 30, 30)}


def entries(*numbers: int) -> tuple[ImageEntry, ...]:
    return tuple(ImageEntry(f"{n}.png", n % 3, Path(f"{n}.png"), None, f"{n:064x}") for n in numbers)


def source(test: tuple[ImageEntry, ...], data: str = "") -> Source:
    spec = ModelSpec("toy", ("red", "green", "blue"), InputSpec(8, 8), "logits")
    return Source(Path("model.keras"), spec, entries(90), test, {"config": {"data": data}})


def old_contract(tested: tuple[ImageEntry, ...]) -> Contract:
    toy = open_model(TOY).contract
    return dataclasses.replace(
        toy, provenance={"test": {"sha256_of_list": hash_entries(tested)}}, parts={"model": "ab"}
    )


def line(number: int, model: str = "ab") -> dict[str, Any]:
    return {"sha256": f"{number:064x}", "label": "red", "record": {"model_sha256": model}}


def test_only_what_the_old_run_held_out_too_is_compared() -> None:
    old_test = entries(1, 2, 3)
    found = choose_held_out(source(entries(2, 3, 4)), old_contract(old_test), source(old_test), [])
    assert ([entry.name for entry in found.entries], found.num_left_out) == (["2.png", "3.png"], 1)


def test_frames_saved_while_the_old_model_ran_are_new_to_it() -> None:
    log = [line(2), line(3, "another model"), {"sha256": "x"}, {"sha256": f"{4:064x}", "record": "odd"}]
    found = choose_held_out(source(entries(2, 3, 4)), old_contract(entries(9)), None, log)
    assert [entry.name for entry in found.entries] == ["2.png"]
    assert found.from_camera == {f"{2:064x}"} and found.num_left_out == 2


def test_with_the_same_test_split_all_of_it_is_fair() -> None:
    found = choose_held_out(source(entries(1, 2)), old_contract(entries(1, 2)), None, [])
    assert len(found.entries) == 2 and found.num_left_out == 0


def test_without_a_proof_there_is_no_comparison() -> None:
    with pytest.raises(DataError, match="None of the 2 test images of the new run is known to be new to the old model"):
        choose_held_out(source(entries(1, 2)), old_contract(entries(9)), None, [line(1, "other")])
    with pytest.raises(DataError, match="The old run's test images are not those that the old file was tested on"):
        choose_held_out(source(entries(1, 2)), old_contract(entries(9)), source(entries(1, 2)), [])


def test_the_log_is_found_beside_the_images_and_cut_lines_are_passed_over(tmp_path: Path) -> None:
    assert read_log(source(entries(1), str(tmp_path))) == []
    (tmp_path / ".sorted").mkdir()
    (tmp_path / ".sorted" / "sorted.jsonl").write_text(json.dumps(line(1)) + '\n[1]\n{"sha256": "cut')
    assert read_log(source(entries(1), str(tmp_path))) == [line(1)]


def answers(num: int, truth: str, old: str, new: str) -> list[Answer]:
    return [Answer(f"{truth}-{old}-{new}-{n}", truth, old, 0.9, new, 0.8) for n in range(num)]


def test_a_verdict_needs_more_than_chance() -> None:
    clear = judge(
        answers(80, "red", "red", "red") + answers(15, "red", "blue", "red") + answers(2, "red", "red", "blue")
    )
    assert clear is not None and clear.kind == "better" and clear.gain == pytest.approx(13 / 97)
    assert clear.interval[0] > 0 and clear.words.startswith("The new model is better on 97 images (+13.4 points")
    chance = judge(
        answers(80, "red", "red", "red") + answers(3, "red", "blue", "red") + answers(1, "red", "red", "blue")
    )
    assert chance is not None and chance.kind == "alike"
    assert chance.words.startswith("No measurable difference on 84 images (+2.4 points")
    worse = judge(answers(9, "red", "red", "blue"))
    assert worse is not None and worse.kind == "worse"
    assert judge([]) is None


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory whose test split has ten images of each colour."""
    photos, folder = tmp_path / "photos", tmp_path / "run"
    folder.mkdir()
    lists: dict[str, list[dict[str, Any]]] = {"calibration": [], "test": []}
    rng = np.random.default_rng(3)
    for label, (name, colour) in enumerate(COLOURS.items()):
        (photos / name).mkdir(parents=True)
        for number in range(11):
            pixels = np.clip(rng.integers(-20, 20, (24, 32, 3)) + np.array(colour), 0, 255).astype(np.uint8)
            content = cv2.imencode(".png", pixels)[1].tobytes()
            file = photos / name / f"{number}.png"
            file.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            entry = {"name": f"{name}/{number}.png", "label": label, "file": str(file), "row": None, "sha256": digest}
            lists["test" if number else "calibration"].append(entry)
    toy = open_model(TOY).contract.spec
    spec = {"name": "toy", "labels": list(COLOURS), "input": dataclasses.asdict(toy.input), "output": "logits"}
    (folder / "contract.json").write_text(json.dumps(spec))
    (folder / "images.json").write_text(json.dumps(lists))
    (folder / "config.json").write_text(json.dumps({"data": str(photos)}))
    (folder / "metrics.json").write_text("{}")
    (folder / "model.keras").write_bytes(b"never opened")
    return folder


def model_file(path: Path, run: Path, labels: tuple[str, ...]) -> Path:
    """The toy model, with its answers called ``labels``, as if tested on the run's images."""
    toy = open_model(TOY)
    listed = json.loads((run / "images.json").read_text())["test"]
    text = "".join(f"{entry['name']}\0{entry['sha256']}\n" for entry in listed)
    contract = dataclasses.replace(
        toy.contract,
        spec=dataclasses.replace(toy.contract.spec, labels=labels),
        provenance={"test": {"sha256_of_list": hashlib.sha256(text.encode()).hexdigest()}},
        parts={},
    )
    path.write_bytes(write_model(toy.flatbuffer, contract, None))
    return path


def test_a_worse_model_is_refused_with_the_images_side_by_side(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = model_file(tmp_path / "good.tflite", run, ("red", "green", "blue"))
    bad = model_file(tmp_path / "bad.tflite", run, ("green", "red", "blue"))
    assert main([str(run), "--model", str(bad), "--against", str(good)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("The new model is worse on 30 images (-66.7 points") and "| red | 10 |" in out
    page = (tmp_path / "bad.improve.html").read_text()
    assert page.count("<img") == 20 and '<p class="answer bad">The new model is worse' in page
    assert main([str(run), "--model", str(good), "--against", str(bad)]) == 0
    assert capsys.readouterr().out.startswith("The new model is better on 30 images (+66.7 points")
    assert main([str(run), "--model", str(good), "--against", str(good)]) == 0
    assert capsys.readouterr().out.startswith("No measurable difference on 30 images (+0.0 points")


def test_classes_that_the_old_model_lacks_are_counted_apart(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = model_file(tmp_path / "new.tflite", run, ("red", "green", "blue"))
    old = model_file(tmp_path / "old.tflite", run, ("red", "green", "<b>yellow"))
    assert main([str(run), "--model", str(new), "--against", str(old)]) == 0
    out = capsys.readouterr().out
    assert "The new model gets 10 of 10 images right in classes that the old model lacks (blue)." in out
    assert out.startswith("No measurable difference on 20 images")


def test_a_missing_file_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run), "--model", str(tmp_path / "no.tflite"), "--against", str(TOY)]) == 66
    assert "There is no model file" in capsys.readouterr().err

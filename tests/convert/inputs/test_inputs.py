"""What conversion refuses before it does any work, each message by its text; and how calibration images are drawn."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.config import ConvertConfig
from convert.inputs.adapting import Pixels
from convert.inputs.calibration import choose_calibration
from convert.inputs.keras_model import KerasFile
from convert.inputs.run_directory import read_run_directory
from convert.inputs.source import ImageEntry, Source
from convert.output.atomic import write_atomically
from convert.output.progress import with_progress
from edge_runtime.contract import InputSpec, ModelSpec, to_json
from edge_runtime.errors import DataError, MissingInputError, OutputError, UsageError

SPEC = ModelSpec("two", ("a", "b"), InputSpec(4, 4), "logits")


def entries(folder: Path, labels: list[int], prefix: str, value: int = 0) -> tuple[ImageEntry, ...]:
    made = []
    for index, label in enumerate(labels):
        path = folder / f"{prefix}{index:02}.png"
        cv2.imwrite(str(path), np.full((5, 6, 3), value + index, np.uint8))
        made.append(ImageEntry(path.name, label, path, None, hashlib.sha256(path.read_bytes()).hexdigest()))
    return tuple(made)


def source(folder: Path, calibration: list[int], test_value: int = 200) -> Source:
    pool = entries(folder, calibration, "train")
    return Source(KerasFile(folder / "model.keras"), SPEC, pool, entries(folder, [0, 1], "test", test_value), {})


def test_calibration_is_balanced_named_and_depends_on_the_seed_alone(tmp_path: Path) -> None:
    made = source(tmp_path, [0] * 15 + [1] * 5)
    chosen = choose_calibration(made, 8, seed=1)
    assert chosen.counts(SPEC.labels) == {"a": 4, "b": 4} and chosen.images.shape == (8, 4, 4, 3)
    assert choose_calibration(made, 8, seed=1).entries == chosen.entries
    assert choose_calibration(made, 8, seed=2).entries != chosen.entries
    assert choose_calibration(made, 14, seed=1).counts(SPEC.labels) == {"a": 9, "b": 5}
    assert len(choose_calibration(made, 500, seed=1).entries) == 20


def test_a_calibration_image_with_the_bytes_of_a_test_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 4 calibration images are in the test split, first train03\.png"):
        choose_calibration(source(tmp_path, [0, 0, 1, 1], test_value=3), 4, seed=0)


def test_an_image_that_changed_after_training_is_an_error(tmp_path: Path) -> None:
    made = source(tmp_path, [0, 1])
    cv2.imwrite(str(made.calibration[0].path), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match="it changed after training"):
        choose_calibration(made, 2, seed=0)
    made.calibration[1].path.unlink()
    with pytest.raises(MissingInputError, match=r"There is no image .*check the path"):
        made.calibration[1].read()


def test_an_array_row_comes_back_as_blue_green_red(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    np.save(tmp_path / "a.npy", array)
    entry = ImageEntry("x", 0, tmp_path / "a.npy", 1, hashlib.sha256(array[1].tobytes()).hexdigest())
    assert np.array_equal(entry.read(), array[1][:, :, ::-1])
    with pytest.raises(DataError, match=r"expected \(n, h, w, 3\) uint8 with a row 5"):
        ImageEntry("x", 0, tmp_path / "a.npy", 5, "").read()
    with pytest.raises(MissingInputError, match="There is no image array"):
        ImageEntry("x", 0, tmp_path / "none.npy", 0, "").read()
    (tmp_path / "bad.npy").write_bytes(b"bad")
    with pytest.raises(DataError, match="cannot be read"):
        ImageEntry("x", 0, tmp_path / "bad.npy", 0, "").read()


def test_a_run_directory_is_checked_whole(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="There is no run directory"):
        read_run_directory(tmp_path / "none")
    run = tmp_path / "run"
    run.mkdir()
    (run / "contract.json").write_text(to_json(SPEC))
    with pytest.raises(MissingInputError, match=r"lacks model\.keras, config\.json, metrics\.json, images\.json"):
        read_run_directory(run)
    for name in ("model.keras", "config.json", "metrics.json"):
        (run / name).write_text("{}")
    good = {"name": "n", "label": 0, "file": "f", "row": None, "sha256": "00"}
    for lists, message in (
        ([], "does not hold the lists"),
        ({"calibration": [], "test": [good]}, "has no calibration images"),
        ({"calibration": [{"name": "n"}], "test": [good]}, "calibration entry 0 is"),
        ({"calibration": [{**good, "label": 2}], "test": [good]}, "has label 2, expected 0 to 1"),
        ({"calibration": [good, good], "test": [good]}, "2 calibration images have 1 names"),
    ):
        (run / "images.json").write_text(json.dumps(lists))
        with pytest.raises(DataError, match=message):
            read_run_directory(run)
    (run / "images.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        read_run_directory(run)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_calibration_images": 0}, "There are 0 calibration images"),
        ({"io": "float32"}, "type is 'float32', expected uint8 or int8"),
        ({"max_drop": -1.0}, "largest allowed drop is -1.0 points"),
        ({"threshold": 2.0}, "threshold is 2.0"),
        ({"out": Path("x.bin")}, "expected a name that ends in .tflite"),
        ({"source": Path("m.keras")}, "needs --labels and --calibration"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ConvertConfig(**{"source": Path("run"), **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"std": (0.0,)}, r"standard deviation is 0\.0"),
        ({"mean": (1.0, 2.0)}, r"mean is \(1\.0, 2\.0\), expected one number or R,G,B"),
        ({"std": (float("nan"),)}, r"standard deviation is \(nan,\), expected one number"),
        ({"channels": "yuv"}, "order of channels is 'yuv', expected rgb or bgr"),
    ],
)
def test_a_foreign_model_needs_pixels_that_can_be_meant(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Pixels(**settings)


def test_files_appear_whole_and_replace_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.tflite"
    write_atomically(path, b"one", force=False)
    with pytest.raises(UsageError, match="is not overwritten unasked"):
        write_atomically(path, b"two", force=False)
    assert path.read_bytes() == b"one"
    write_atomically(path, b"two", force=True)
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(path / "below", b"", force=False)


def test_progress_says_how_long_is_left_and_ends_with_a_total() -> None:
    lines: list[str] = []
    clock = iter(range(0, 1000, 6))
    assert list(with_progress([1, 2, 3, 4], "Work", lines.append, lambda: float(next(clock)))) == [1, 2, 3, 4]
    assert lines == ["Work: 2 of 4, 12 s left\n", "Work: 4 in 30.0 s\n"]

"""Arrays and `tf.data` become the same run directory as folders do; what they must be is said."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import DataError, MissingInputError, UsageError
from train import Curves, fit_arrays
from train.arrays import hold_out_arrays, read_pairs

LABELS = ("blue", "green")


def pairs(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    indices = np.arange(num) % 2
    images = random.integers(0, 90, (num, 8, 8, 3), np.uint8)
    images[np.arange(num), :, :, 2 - indices] += 120
    return images, indices


@pytest.mark.tensorflow
def test_arrays_and_tf_data_become_a_run_directory_that_converts(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices(pairs(80)).batch(16)
    curves = Curves(tmp_path / "curves.csv")
    run = fit_arrays(
        data,
        tmp_path / "run",
        LABELS,
        test=pairs(12, 5),
        model="seed_cnn",
        epochs=3,
        curves=curves,
        stream=io.StringIO(),
    )
    lists = json.loads((run / "images.json").read_text())
    assert len(lists["test"]) == 12 and len(lists["calibration"]) == 72
    assert [line.split(",")[0] for line in (tmp_path / "curves.csv").read_text().splitlines()] == ["epoch", *"123"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.csv", "run"]
    with pytest.raises(UsageError, match="already exists"):
        fit_arrays(pairs(80), run, LABELS)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-photos.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/own-photos.md", "exec"), {})
    assert (tmp_path / "runs" / "arrays" / "model.keras").is_file()
    assert (tmp_path / "build" / "curves.csv").read_text().count("\n") == 3


def test_grey_images_and_one_hot_labels_are_taken() -> None:
    images, indices = pairs(6)
    found, classes = read_pairs((images[..., 0], np.eye(2)[indices]), 2)
    assert found.shape == (6, 8, 8, 3) and np.array_equal(found[..., 2], images[..., 0])
    assert np.array_equal(classes, indices)
    assert np.array_equal(read_pairs((images[..., :1], indices[:, np.newaxis]), 2)[1], indices)
    singly = read_pairs(list(zip(*pairs(6), strict=True)), 2)
    assert np.array_equal(singly[0], images) and np.array_equal(singly[1], indices)


@pytest.mark.parametrize(
    ("images", "indices", "message"),
    [
        (np.zeros((4, 8, 8, 3), np.float32), [0, 1, 0, 1], r"float32, expected \(n, height, width, 3\) uint8, RGB"),
        (np.zeros((4, 8, 8, 2), np.uint8), [0, 1, 0, 1], r"\(4, 8, 8, 2\) uint8, expected"),
        (np.zeros((4, 8, 8, 3), np.uint8), [0, 1], r"labels are \(2,\) int64 for 4 images, expected one class index"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0, 2], "class indices are 0 to 2, expected 0 to 1"),
    ],
)
def test_what_arrays_must_be_is_said(images: np.ndarray, indices: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_pairs((images, np.array(indices)), 2)
    with pytest.raises(DataError, match="data set is empty"):
        read_pairs([], 2)


def test_a_tenth_of_each_class_is_held_out_and_equal_images_stay_together() -> None:
    images, indices = pairs(60)
    images, indices = np.concatenate([images, images]), np.concatenate([indices, indices])
    (rest, _), (held, of) = hold_out_arrays(images, indices, LABELS)
    assert len(held) == 12 and np.bincount(of).tolist() == [6, 6]
    assert not {image.tobytes() for image in rest} & {image.tobytes() for image in held}
    with pytest.raises(DataError, match="The class green has 1 different images, expected at least 2"):
        hold_out_arrays(images[[0, 1, 2]], indices[[0, 1, 2]], LABELS)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.usefixtures("brief_heads")
def test_arrays_learn_on_top_of_imagenets_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    from train.transfer.backbone import efficientnet_lite0

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        efficientnet_lite0.find_weights_file()
    except MissingInputError as error:
        pytest.skip(str(error))
    run = fit_arrays(
        pairs(40), tmp_path / "run", LABELS, model="transfer", size="tiny", minutes=3, epochs=0, stream=io.StringIO()
    )
    config = json.loads((run / "config.json").read_text())
    assert config["name"] == "arrays-tiny" and config["input"]["height"] == 128
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "transfer", "size": (64, 64)}, r'size is \(64, 64\), but the model "transfer" comes as tiny'),
        ({"model": "transfer", "size": "huge"}, r"'huge', but the model transfer comes as tiny"),
        ({"model": "small", "size": "tiny"}, r"size='tiny' goes with model=\"transfer\"; small takes"),
        ({"model": "small", "minutes": 3}, r"minutes=3 goes with model=\"transfer\""),
    ],
)
def test_settings_of_the_other_way_of_training_are_refused(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_arrays(pairs(40), tmp_path / "run", LABELS, **settings)

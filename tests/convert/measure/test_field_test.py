"""The field test shows every image in every scene, through the device's classifier, on every backend."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.inputs.source import make_entry
from convert.measure.field_test import AS_THEY_ARE, SCENES, fill_frame, run_field_test
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.model.model_file import read_model

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


def test_the_image_stands_in_the_middle_and_is_as_large_as_told() -> None:
    white, black = np.full((30, 30, 3), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    frame = fill_frame(white, 0.5, black)
    rows, columns = np.nonzero(frame[:, :, 0])
    assert frame.shape == (480, 640, 3)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (120, 359, 200, 439)


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_an_image_and_the_same_again_by_its_seed(scene: str) -> None:
    one, again = (SCENES[scene](IMAGE, np.random.default_rng(3)) for _ in range(2))
    assert one.dtype == np.uint8 and one.ndim == 3 and one.shape[2] == 3 and one.flags.c_contiguous
    np.testing.assert_array_equal(one, again)
    assert (scene == AS_THEY_ARE) == (one.shape == IMAGE.shape and np.array_equal(one, IMAGE))


def test_every_backend_gets_a_row_a_scene_with_its_change(tmp_path: Path) -> None:
    toys = Path(__file__).parents[2] / "edge_runtime" / "toys"
    model = read_model((toys / "uint8.tflite").read_bytes(), "toy", "red\ngreen\nblue")
    entries = []
    for label, channel in enumerate((2, 1, 0)):  # BGR
        image = np.full((40, 40, 3), 60, np.uint8)
        image[:, :, channel] = 120
        path = tmp_path / f"{label}.png"
        assert cv2.imwrite(str(path), image)
        entries.append(make_entry(path, tmp_path, label))
    found = run_field_test({name: Classifier(model, backend=name) for name in list_available_backends()}, entries, 0.4)
    assert found.num_images == 3
    assert [(row.scene, row.backend) for row in found.rows] == [
        (s, b) for s in SCENES for b in list_available_backends()
    ]
    rows = {(row.scene, row.backend): row for row in found.rows}
    for backend in list_available_backends():
        assert (rows[AS_THEY_ARE, backend].num_correct, rows[AS_THEY_ARE, backend].change) == (3, 0.0)
        assert rows["very dark (x 0.25)", backend].num_correct == 3, "darkness alone does not change a hue"
        half = rows["filling 50 % of a frame", backend]
        assert half.change == (half.num_correct - 3) / 3

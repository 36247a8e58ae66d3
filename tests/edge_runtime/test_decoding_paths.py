"""Shrinking on load keeps the contract: the shipped model is as often right through each decoding path as through
the plain one.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.classifier import Classifier
from edge_runtime.image_file import decode_image, read_image
from edge_runtime.model_file import default_model
from edge_runtime.shrink import decode_shrunk
from edge_runtime.yuyv import yuyv_to_bgr

SHEETS = Path(__file__).parents[2] / "train/datasets/cifar10_mini"
PER_ROW, SIDE = 40, 32
TOLERANCE = 0.003


def to_yuyv(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) BGR as (h, w, 2) YUYV, colours shared by pairs of pixels, video range."""
    blue, green, red = (picture[..., channel].astype(np.float32) for channel in range(3))
    raw = np.empty((*picture.shape[:2], 2), np.uint8)
    raw[..., 0] = 16.5 + 0.2568 * red + 0.5041 * green + 0.0979 * blue
    blueness, redness = -0.1482 * red - 0.2910 * green + 0.4392 * blue, 0.4392 * red - 0.3678 * green - 0.0714 * blue
    raw[:, 0::2, 1] = 128.5 + (blueness[:, 0::2] + blueness[:, 1::2]) / 2
    raw[:, 1::2, 1] = 128.5 + (redness[:, 0::2] + redness[:, 1::2]) / 2
    return raw


@pytest.mark.slow
@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720)])
def test_every_decoding_path_is_as_often_right_as_the_plain_one(size_wh: tuple[int, int]) -> None:
    if not SHEETS.is_dir():
        pytest.skip("the embedded data set is not here; this test needs the whole checkout")
    right: dict[str, list[bool]] = {"plain": [], "shrunk": [], "yuyv": []}
    with Classifier(default_model()) as classifier:
        spec = classifier.contract.spec.input
        for index, label in enumerate(classifier.contract.spec.labels):
            sheet = read_image(SHEETS / f"test_{label}.webp")
            for number in range(100):
                top, left = number // PER_ROW * SIDE, number % PER_ROW * SIDE
                small = sheet[top : top + SIDE, left : left + SIDE]
                large = cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC)
                content = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
                frames = {
                    "plain": decode_image(content, label),
                    "shrunk": decode_shrunk(content, label, spec),
                    "yuyv": yuyv_to_bgr(to_yuyv(large), spec),
                }
                assert frames["shrunk"].shape[0] * 8 == frames["yuyv"].shape[0] * 8 == size_wh[1]
                for path, frame in frames.items():
                    right[path].append(classifier.classify(frame).index == index)
    answers = {path: np.array(values) for path, values in right.items()}
    assert answers["plain"].mean() > 0.8
    for path in ("shrunk", "yuyv"):
        loss = answers["plain"].mean() - answers[path].mean()
        # What chance alone does to a paired difference of this many pictures, at 95 %.
        chance = 1.96 * np.sqrt((answers["plain"] != answers[path]).sum()) / len(answers[path])
        assert loss <= TOLERANCE + chance, f"{path}: {loss:.4f} below the plain path"

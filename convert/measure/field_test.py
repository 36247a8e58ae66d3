"""The field test: the test images as a camera would show them: small, on other backgrounds, in other light, blurred.

Measured with the device's own `Classifier` on each backend. It shows what the model was trained for, not what the
conversion cost, so no model is refused because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import ImageEntry
from convert.measure.foreign_images import make_empty_scene
from convert.output.progress import with_progress
from edge_runtime.inference.classifier import Classifier
from edge_runtime.pixels.preprocess import Image

FRAME_HEIGHT, FRAME_WIDTH = 480, 640
# Each image is shown in every scene on every backend; since the changes are paired, so many tell points apart.
MAX_IMAGES = 200
AS_THEY_ARE = "as they are"


@dataclass(frozen=True)
class FieldRow:
    """How one backend does on the images in one ``scene``; ``change`` of accuracy, [-1, 1], against `AS_THEY_ARE`."""

    scene: str
    backend: str
    num_correct: int
    num_accepted: int
    change: float


@dataclass(frozen=True)
class FieldTest:
    """One row per scene and backend, in the order of the scenes; ``num_images`` of the test split were shown."""

    num_images: int
    rows: tuple[FieldRow, ...]

    @property
    def worst(self) -> FieldRow:
        """The scene that costs most on the first backend."""
        first = self.rows[0].backend
        return min((row for row in self.rows if row.backend == first), key=lambda row: row.change)


def run_field_test(
    classifiers: Mapping[str, Classifier],
    entries: Sequence[ImageEntry],
    lowest: float | NDArray[np.float64],
    seed: int = 0,
) -> FieldTest:
    """The FieldTest of the integer model's ``classifiers`` by backend, on up to `MAX_IMAGES` of the labelled
    ``entries``; answers below ``lowest``, one threshold or one per class, count as unknown. The same seed gives the
    same scenes.
    """
    places = np.unique(np.linspace(0, len(entries) - 1, min(len(entries), MAX_IMAGES)).round().astype(int)).tolist()
    correct = {(scene, name): 0 for scene in SCENES for name in classifiers}
    accepted = dict(correct)
    limits = np.broadcast_to(lowest, len(next(iter(classifiers.values())).labels))
    for place in with_progress(places, "Field test"):
        image, label = entries[place].read(), entries[place].label
        for scene, show in SCENES.items():
            frame = show(image, np.random.default_rng([seed, place]))
            for name, classifier in classifiers.items():
                scores = classifier.probabilities(frame)
                best = int(scores.argmax())
                correct[scene, name] += best == label
                accepted[scene, name] += bool(scores[best] >= limits[best])
    num = len(places)
    rows = (
        FieldRow(scene, name, count, accepted[scene, name], (count - correct[AS_THEY_ARE, name]) / num)
        for (scene, name), count in correct.items()
    )
    return FieldTest(num, tuple(rows))


def fill_frame(image: Image, share: float, background: Image) -> Image:
    """(480, 640, 3) uint8 BGR: ``image`` (h, w, 3) in the middle of ``background``, ``share`` of a frame's size."""
    scale = share * min(FRAME_HEIGHT / image.shape[0], FRAME_WIDTH / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    frame = cv2.resize(background, (FRAME_WIDTH, FRAME_HEIGHT), interpolation=cv2.INTER_LINEAR)
    top, left = (FRAME_HEIGHT - height) // 2, (FRAME_WIDTH - width) // 2
    smaller = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    frame[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=smaller)
    filled: Image = frame.astype(np.uint8)
    return filled


def _letterbox(image: Image, random: np.random.Generator) -> Image:
    return fill_frame(image, 1.0, np.zeros((FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8))


def _before(share: float) -> Callable[[Image, np.random.Generator], Image]:
    return lambda image, random: fill_frame(image, share, make_empty_scene(random, int(random.integers(4))))


def _light(blue: float, green: float, red: float) -> Callable[[Image, np.random.Generator], Image]:
    factors = np.array((blue, green, red))
    return lambda image, random: (image * factors).clip(0, 255).astype(np.uint8)


def _blur(image: Image, random: np.random.Generator) -> Image:
    blurred: Image = cv2.GaussianBlur(image, (0, 0), max(image.shape[:2]) / 150).astype(np.uint8)
    return blurred


def _add_noise(image: Image, random: np.random.Generator) -> Image:
    noisy: Image = (image + random.normal(0, 15, image.shape)).clip(0, 255).astype(np.uint8)
    return noisy


def _compress(image: Image, random: np.random.Generator) -> Image:
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    decoded: Image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return decoded


def _rotate(image: Image, random: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    fill = image.reshape(-1, 3).mean(axis=0).tolist()
    turned: Image = np.asarray(cv2.warpAffine(image, turn, (width, height), borderValue=fill), np.uint8)
    return turned


def _crop(image: Image, random: np.random.Generator) -> Image:
    edges = [side // 10 for side in image.shape[:2]]
    return np.ascontiguousarray(image[edges[0] : image.shape[0] - edges[0], edges[1] : image.shape[1] - edges[1]])


SCENES: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    AS_THEY_ARE: lambda image, random: image,
    "letterboxed into 640x480": _letterbox,
    "filling 75 % of a frame": _before(0.75),
    "filling 50 % of a frame": _before(0.5),
    "blurred (side / 150)": _blur,
    "noise (sigma 15)": _add_noise,
    "dark (x 0.5)": _light(0.5, 0.5, 0.5),
    "very dark (x 0.25)": _light(0.25, 0.25, 0.25),
    "warm light": _light(0.75, 1.0, 1.15),
    "cold light": _light(1.15, 1.0, 0.75),
    "JPEG at 40": _compress,
    "rotated by 5 degrees": _rotate,
    "cropped to 80 %": _crop,
}

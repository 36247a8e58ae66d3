"""Whether the last minutes still look like what the model was measured on: light, sharpness, scores, similarity.

Pure: it is given one frame per second, opens nothing and reads no clock. Two rules on the last `WINDOW_S` seconds:

- *one scene*: four fifths of the frames lie far outside the reference in the same signal: beyond its 1st (or 99th)
  percentile by half the distance from there to the median. Hardly one in 200 scenes like those of the reference does,
  so a camera that shows one of the others for hours raises no alarm.
- *many scenes*: of at least 20 scenes, six in ten have a score or a similarity below the reference's 5th percentile. At
  most one in ten normal scenes has, so 12 of 20 occur once in 17 million windows of independent scenes.

Drift ends when fewer than half (one scene) or four in ten (many scenes) do.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract.drift_reference import PROBABILITIES, DriftReference
from edge_runtime.inference.postprocess import Prediction
from edge_runtime.pixels.light import measure_light
from edge_runtime.pixels.preprocess import Image

NO_REFERENCE = "not watched: the file carries no drift reference; convert the model again"
SPACING_S = 0.9
WINDOW_S = 90.0
LEAST_S, LEAST_FRAMES = 60.0, 30
ONE_SCENE_BEGINS, ONE_SCENE_ENDS = 0.8, 0.5
LEAST_SCENES = 20
MANY_SCENES_BEGINS, MANY_SCENES_ENDS = 0.6, 0.4
MARGIN = 0.5
# As a share of the median: more than the rounding of a reference whose images are all alike.
LEAST_MARGIN = 1e-3
# Two frames show different scenes when the means of at least one of their 4x4 parts differ by this much of 255.
OTHER_SCENE = 24


@dataclass(frozen=True, eq=False)
class Sample:
    """The measurements of one frame: ``values`` by signal, and its (4, 4) ``thumbnail``."""

    now_s: float
    values: dict[str, float]
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True)
class Signal:
    """One signal's limits: far ``below`` and far ``above`` the reference (None where no value is too high), and
    ``low``: its 5th percentile.
    """

    words: str
    below: float
    above: float | None
    low: float
    usual: float


class DriftWatch:
    """``reason`` says in words what has drifted, empty while nothing has. For a camera that is looked at every
    ``interval_s`` seconds (more than one), all times are longer by that factor.
    """

    def __init__(self, reference: DriftReference, interval_s: float = 0.0) -> None:
        self._scale = max(1.0, interval_s)
        self._signals = {
            "light": _limit("the light", reference.light, both=True),
            "sharpness": _limit("the sharpness", reference.sharpness),
            "score": _limit("the score", reference.scores),
        }
        if reference.similarities:
            self._signals["similarity"] = _limit("the likeness to training images", reference.similarities)
        self._samples: deque[Sample] = deque()
        self.reason = ""

    def is_due(self, now_s: float) -> bool:
        """Whether the next frame should be added: one a second is enough."""
        return not self._samples or now_s - self._samples[-1].now_s >= SPACING_S * self._scale

    def add(self, image: Image, prediction: Prediction, now_s: float) -> None:
        """Adds the model's (h, w, 3) uint8 input, its answer, and when it gave it (monotonic)."""
        light = measure_light(image)
        values = {"light": light.mean, "sharpness": light.sharpness, "score": prediction.score}
        if prediction.similarity is not None:
            values["similarity"] = prediction.similarity
        self._take(Sample(now_s, values, _thumbnail(image)), now_s)

    def repeat(self, now_s: float) -> None:
        """Adds the last sample again, because the scene has not changed; does nothing before the first sample."""
        if self._samples:
            self._take(dataclasses.replace(self._samples[-1], now_s=now_s), now_s)

    def _take(self, sample: Sample, now_s: float) -> None:
        self._samples.append(sample)
        while now_s - self._samples[0].now_s > WINDOW_S * self._scale:
            self._samples.popleft()
        if now_s - self._samples[0].now_s >= LEAST_S * self._scale and len(self._samples) >= LEAST_FRAMES:
            self.reason = self._explain()

    def _explain(self) -> str:
        needed = ONE_SCENE_ENDS if self.reason else ONE_SCENE_BEGINS
        for name, signal in self._signals.items():
            found = np.array([sample.values[name] for sample in self._samples if name in sample.values])
            if not len(found):
                continue
            sides = (
                ("low", found < signal.below),
                ("high", found > (np.inf if signal.above is None else signal.above)),
            )
            for side, outside in sides:
                if outside.mean() >= needed:
                    return self._words(f"{signal.words} is far too {side}", float(np.median(found)), signal.usual)
        scenes = self._list_scenes()
        needed = MANY_SCENES_ENDS if self.reason else MANY_SCENES_BEGINS
        low = [any(self._is_low(sample, name) for name in ("score", "similarity")) for sample in scenes]
        if len(scenes) >= LEAST_SCENES and np.mean(low) >= needed:
            return (
                f"drift: {sum(low)} of the last {len(scenes)} scenes are scored, or resemble training images, less "
                "than 95 % of the images that the model was measured on; look at the camera, and at what it is shown"
            )
        return ""

    def _words(self, what: str, median: float, usual: float) -> str:
        return (
            f"drift: for the last {self._samples[-1].now_s - self._samples[0].now_s:.0f} s {what}: {median:.3g}, where "
            f"the model was measured it was {usual:.3g}; look at the camera, its focus, the light and the scene"
        )

    def _is_low(self, sample: Sample, name: str) -> bool:
        return name in self._signals and name in sample.values and sample.values[name] < self._signals[name].low

    def _list_scenes(self) -> list[Sample]:
        """The first sample of each scene."""
        scenes: list[Sample] = []
        for sample in self._samples:
            if not scenes or np.abs(sample.thumbnail - scenes[-1].thumbnail).max() >= OTHER_SCENE:
                scenes.append(sample)
        return scenes


def _limit(words: str, quantiles: Sequence[float], *, both: bool = False) -> Signal:
    by_probability = dict(zip(PROBABILITIES, quantiles, strict=True))
    median, low, high = (by_probability[probability] for probability in (0.5, 0.01, 0.99))
    least = LEAST_MARGIN * abs(median)
    below = low - max(MARGIN * (median - low), least)
    above = high + max(MARGIN * (high - median), least) if both else None
    return Signal(words, below, above, by_probability[0.05], median)


def _thumbnail(image: Image) -> NDArray[np.float32]:
    """(4, 4) means of the green channel."""
    rows, columns = image.shape[0] // 4, image.shape[1] // 4
    if not rows or not columns:
        return np.full((4, 4), image[..., 1].mean(), np.float32)
    parts = image[: 4 * rows, : 4 * columns, 1].reshape(4, rows, 4, columns)
    means: NDArray[np.float32] = parts.mean(axis=(1, 3)).astype(np.float32)
    return means

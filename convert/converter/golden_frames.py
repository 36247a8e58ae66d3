"""Chooses the frames that travel inside the file for the device's self-test: odd sizes, and a clear answer with all
kernels.

Kernels round differently, so only a frame whose best class leads by a margin gets the same label everywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.config import CLEAR_MARGIN
from convert.inputs.source import ImageEntry
from edge_runtime.contract import InputSpec
from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.inference.quantization import dequantize
from edge_runtime.inference.selftest import SIMILARITY_STEP
from edge_runtime.model.goldens import Goldens, hash_input, repeat_pixels
from edge_runtime.pixels.preprocess import SAMPLED_REDUCTION, Image

NUM_FRAMES = 16
# With this many products, reference kernels take seconds per frame, and a device tests a new model for only a minute.
MANY_MACS, NUM_FRAMES_OF_MANY = 300_000_000, 6
# Bytes grow with the square of this; a 224-pixel model gets images of this size too, and enlarges them.
_LARGEST_BASE = 36
# The pixels of the last two are repeated until the frame is large enough to be sampled (preprocess.py).
_NUM_REPEATED = 2
_NUM_CANDIDATES = 400
# Height and width of the images relative to the input: smaller, larger, wide, tall.
_SHAPES = (
    (0.75, 1.1), (1.3, 0.9), (1.6, 2.1), (1.0, 1.0), (2.2, 1.2), (1.0, 1.9), (0.6, 0.65), (1.4, 1.4),
    (1.1, 0.55), (1.8, 1.5), (0.9, 1.25), (1.25, 1.7), (0.5, 1.5), (1.15, 1.05), (1.45, 1.35), (0.95, 1.3),
)  # fmt: skip


def count_frames(macs: int) -> int:
    """How many goldens a model with ``macs`` products per input carries."""
    return NUM_FRAMES if macs < MANY_MACS else NUM_FRAMES_OF_MANY


@dataclass(frozen=True, eq=False)
class _Golden:
    """One chosen image (h, w, 3) uint8 BGR, how often its pixels are repeated, and what came of it."""

    image: Image
    repeats: int
    digest: NDArray[np.uint8]
    output: NDArray[np.generic]
    reference_output: NDArray[np.generic]
    similarity: float


@dataclass(frozen=True, eq=False)
class _Kernels:
    """The integer model on each backend, with its usual and its reference kernels, and its neighbours."""

    classifiers: Mapping[str, Classifier]
    references: Mapping[str, Interpreter]
    table: NeighbourTable | None

    @property
    def first(self) -> Classifier:
        return next(iter(self.classifiers.values()))

    def try_image(self, image: Image, repeats: int) -> tuple[_Golden | None, float]:
        """The golden of an image that all kernels answer clearly and alike, else None; and the smallest lead, negative
        where they give different labels.
        """
        input_tensor = self.first.input_tensor(repeat_pixels(image, repeats))
        stored = [classifier.interpreter.invoke(input_tensor) for classifier in self.classifiers.values()]
        reference = [interpreter.invoke(input_tensor) for interpreter in self.references.values()]
        real = [dequantize(output, self.first.contract.output_tensor) for output in (*stored, *reference)]
        lead = min(map(_margin, real))
        if len({int(output.argmax()) for output in real}) != 1:
            return None, -lead
        cosines = _similarities(
            (*(item.interpreter for item in self.classifiers.values()), *self.references.values()), self.table
        )
        same_reference = all(np.array_equal(output, reference[0]) for output in reference)
        same_cosine = max(cosines) - min(cosines) <= SIMILARITY_STEP / 2
        if not (same_reference and same_cosine and lead >= CLEAR_MARGIN):
            return None, lead
        golden = _Golden(image, repeats, hash_input(input_tensor), stored[0], reference[0], cosines[0])
        return golden, lead


def choose_goldens(
    classifiers: Mapping[str, Classifier],
    entries: Sequence[ImageEntry],
    scores: Mapping[str, NDArray[np.float32]],
    others: Sequence[ImageEntry] = (),
    table: NeighbourTable | None = None,
    num_frames: int = NUM_FRAMES,
) -> Goldens:
    """Up to ``num_frames`` goldens from ``entries``; ``scores`` (n, classes) by backend say which are likely clear.

    ``classifiers`` are the integer model on each backend; the outputs of the first are recorded. When too few images
    of ``entries`` are clear, ``others`` follow, and then all of them again in other sizes. With a ``table`` of
    neighbours the cosine to them is recorded too, and must be the same with all kernels.

    Raises:
        ModelError: no image at all has the same clear answer with all kernels.
    """
    kernels = _open_kernels(classifiers, table)
    candidates = [entries[index] for index in _clearest(scores)[:_NUM_CANDIDATES]] + list(others)
    chosen: list[_Golden] = []
    leads: list[float] = []
    found_at = 0
    for turn, entry in enumerate(itertools.cycle(candidates)):
        if len(chosen) == num_frames or turn - found_at > len(candidates):
            break
        is_repeated = len(chosen) >= num_frames - _NUM_REPEATED
        size = kernels.first.contract.spec.input
        image, repeats = _odd_sized(entry.read(), len(chosen), size, is_repeated=is_repeated)
        golden, lead = kernels.try_image(image, repeats)
        leads.append(lead)
        if golden is not None:
            found_at = turn
            chosen.append(golden)
    if not chosen:
        raise ModelError(_say_undecided(leads, num_frames))
    return Goldens(
        tuple(golden.image for golden in chosen),
        np.array([golden.repeats for golden in chosen], np.uint8),
        np.stack([golden.digest for golden in chosen]),
        np.stack([golden.output for golden in chosen]),
        np.stack([golden.reference_output for golden in chosen]),
        kernels.first.interpreter.kernels,
        tuple(sorted(kernels.references)),
        None if table is None else np.array([golden.similarity for golden in chosen], np.float32),
    )


def _open_kernels(classifiers: Mapping[str, Classifier], table: NeighbourTable | None) -> _Kernels:
    first = next(iter(classifiers.values()))
    neighbours = first.contract.neighbours
    extra = () if table is None or neighbours is None else (neighbours.tensor,)
    references = {
        backend: Interpreter(first.model.flatbuffer, backend, kernels="reference", extra_outputs=extra)
        for backend in classifiers
    }
    return _Kernels(classifiers, references, table)


def _say_undecided(leads: Sequence[float], num_frames: int) -> str:
    """Why no image became a golden, by the smallest lead that each had on any kernel."""
    best = max(leads)
    if best >= CLEAR_MARGIN:
        return (
            f"No image has the same clear answer on all kernels: a lead of up to {best:.2f}, but other bytes with "
            f"reference kernels; expected {num_frames} images that agree. Report it with the model."
        )
    return (
        f"No image has the same clear answer on all kernels: the best class leads the second by {max(best, 0.0):.2f} "
        f"at most, expected {CLEAR_MARGIN} on {num_frames} images. Either the model is undecided, then train it longer "
        "or on more images; or what it ends in keeps its scores close together (a second softmax, a cosine, logits "
        "times a small number), then leave that out."
    )


def _similarities(interpreters: Sequence[Interpreter], table: NeighbourTable | None) -> list[float]:
    """The cosine to the neighbours of what each interpreter ran last; zeros without a table."""
    if table is None:
        return [0.0] * len(interpreters)
    return [table.similarity(interpreter.extra(0).reshape(-1)) for interpreter in interpreters]


def _clearest(scores: Mapping[str, NDArray[np.float32]]) -> list[int]:
    """Image indices, clearest first, taking turns between the predicted classes."""
    margins = np.min(
        [np.diff(np.partition(values, -2, axis=1)[:, -2:], axis=1)[:, 0] for values in scores.values()], axis=0
    )
    answers = next(iter(scores.values())).argmax(axis=1)
    ranked = sorted(range(len(margins)), key=lambda index: (-float(margins[index]), index))
    turns: dict[int, int] = {}
    order = []
    for index in ranked:
        turn = turns.get(int(answers[index]), 0)
        turns[int(answers[index])] = turn + 1
        order.append((turn, int(answers[index]), index))
    return [index for *_, index in sorted(order)]


def _odd_sized(frame: Image, turn: int, spec: InputSpec, *, is_repeated: bool) -> tuple[Image, int]:
    """The image for golden number ``turn``, and how often its pixels are repeated."""
    height, width = _SHAPES[turn % len(_SHAPES)]
    base_height, base_width = min(spec.height, _LARGEST_BASE), min(spec.width, _LARGEST_BASE)
    size_wh = int(width * base_width) | 1, int(height * base_height) | 1
    shrinks = size_wh[0] < frame.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    image = cast(Image, cv2.resize(frame, size_wh, interpolation=interpolation))
    if not is_repeated:
        return image, 1
    growth = SAMPLED_REDUCTION * max(spec.height / size_wh[1], spec.width / size_wh[0])
    return image, (int(growth) + 1) | 1  # odd, as the sizes are, and above the growth


def _margin(probabilities: NDArray[np.float32]) -> float:
    second, best = np.partition(probabilities, -2)[-2:]
    return float(best - second)

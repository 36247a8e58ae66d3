"""Chooses the ranges of the integer file: it is made with both, and the one whose answers are closer to float32, on
images that neither was calibrated on, is kept; if there is little between them, the converter's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import TensorSpec
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.inference.quantization import dequantize

NUM_HELD_OUT = 200
# With fewer left over, the calibration images decide, which favours the whole ranges: those hold their extremes.
ENOUGH_HELD_OUT = 20
# Scores have to be closer by more than this many standard errors. Few labels change, and those by chance: one image in
# a hundred decides nothing.
NUM_ERRORS = 1.0
MOST_LABELS_LOST = 0.0101


@dataclass(frozen=True)
class Closeness:
    """How close an integer file comes to float32. ``difference``: the largest difference of a class's score, in
    [0, 1], as a mean over images; ``agreement``: the share of images with the same label.
    """

    difference: float
    agreement: float


@dataclass(frozen=True)
class RangeChoice:
    """``narrowed`` says whether the file's inner tensors leave out the most extreme values; ``whole`` and ``narrower``
    are what both came to on ``num_images``, which were ``held_out`` from calibration or not.
    """

    narrowed: bool
    whole: Closeness
    narrower: Closeness
    num_images: int
    held_out: bool


def choose_ranges(
    whole: NDArray[np.float32], narrower: NDArray[np.float32], expected: NDArray[np.float32], *, held_out: bool
) -> RangeChoice:
    """The RangeChoice from (n, classes) float32 scores: those of the files with whole and with narrower ranges, and the
    ``expected`` ones of the float32 model.
    """
    differences = [np.abs(scores.astype(np.float64) - expected).max(axis=1) for scores in (whole, narrower)]
    same = [scores.argmax(axis=1) == expected.argmax(axis=1) for scores in (whole, narrower)]
    gain = differences[0] - differences[1]
    closer = bool(gain.mean() > NUM_ERRORS * gain.std() / np.sqrt(len(gain)))
    lost = float(same[0].mean() - same[1].mean())
    found = [Closeness(float(off.mean()), float(right.mean())) for off, right in zip(differences, same, strict=True)]
    return RangeChoice(closer and lost <= MOST_LABELS_LOST, found[0], found[1], len(expected), held_out)


def answer_all(flatbuffer: bytes, inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    """(n, classes) float32 scores of n input tensors (H, W, 3) in the stored dtype of the model in ``flatbuffer``."""
    interpreter = Interpreter(flatbuffer)
    output: TensorSpec = interpreter.output
    return np.stack([dequantize(interpreter.invoke(values), output) for values in inputs])

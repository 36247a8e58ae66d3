"""Notices what a rewrite of the model loses: each one is compared with the model as Keras loaded it from its file.

The gate compares the integer model with the float one, but both are made from the same clone, so it cannot see what the
clone lost.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import Source
from edge_runtime.errors import ModelError

# Adding float32 in another order changes a probability by less than a thousandth, half precision by a few hundredths.
_ALLOWED = 0.01
_ALLOWED_FROM_HALF = 0.05


def expect_same_answers(
    source: Source, answer: Callable[[NDArray[np.uint8]], NDArray[np.float32]], rewritten: str
) -> None:
    """Raises ModelError unless ``answer``, (n, H, W, 3) uint8 RGB to (n, classes) probabilities, agrees with the model
    as loaded; ``rewritten`` names what answers, for the message.
    """
    expected = source.reference.probabilities
    found = answer(source.reference.images)
    differences = np.abs(found - expected)
    # Where the file itself gives no finite numbers, the gate refuses it.
    differences = np.where(np.isfinite(expected), np.nan_to_num(differences, nan=1.0), 0.0)
    allowed = _ALLOWED_FROM_HALF if _holds_half(source) else _ALLOWED
    row, index = np.unravel_index(int(differences.argmax()), differences.shape)
    if differences[row, index] > allowed:
        kinds = sorted({type(layer).__name__ for layer in source.model.network._flatten_layers(include_self=False)})
        raise ModelError(
            f"{rewritten} gives {source.spec.labels[index]} {found[row, index]:.3f} on a calibration image, "
            f"{source.model} as Keras loads it {expected[row, index]:.3f}; expected at most {allowed:g} apart. One of "
            f"its layers is not converted correctly: replace or leave out what is unusual among "
            f"{', '.join(kinds)}."
        )


def _holds_half(source: Source) -> bool:
    layers = source.model.network._flatten_layers(include_self=False, recursive=True)
    return any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers)

"""The one normalisation of all architectures, as the model's first layer; conversion turns it into the input's scale.

(pixel - 127) / 128 is exactly what an 8-bit tensor with scale 1/128 and zero point 127 means.
"""

from __future__ import annotations

import keras

from edge_runtime.contract import InputSpec


def add_normalized_input(input_spec: InputSpec) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The model's input (n, h, w, 3), RGB pixels 0..255, and the same scaled to about [-1, 1]."""
    pixels = keras.Input((input_spec.height, input_spec.width, 3), name="pixels")
    return pixels, keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="normalize")(pixels)

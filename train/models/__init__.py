"""The architectures by name; each has its own file with one ``build(input_spec, num_classes)``.

Imports an architecture only on demand, so that listing them does not load TensorFlow.
Never knows how one is trained.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError

if TYPE_CHECKING:
    import keras

MODELS = ("seed_cnn", "resnet8", "micro", "small")
SCALED = "scaled"  # a family: scaled-KIND-wWIDTH-dDEPTH[-s2]


def build_model(name: str, input_spec: InputSpec, num_classes: int) -> keras.Model:
    """The untrained model ``name``: (n, h, w, 3) pixels 0..255 -> (n, num_classes) logits, stock layers only.

    Raises:
        UsageError: there is no such architecture, or the input is too small for it.
    """
    if name.startswith(f"{SCALED}-"):
        scaled: keras.Model = importlib.import_module(f"train.models.{SCALED}").build(input_spec, num_classes, name)
        return scaled
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}, expected one of {', '.join(MODELS)}.")
    model: keras.Model = importlib.import_module(f"train.models.{name}").build(input_spec, num_classes)
    return model

"""Classifies camera frames on a small device with one verified TFLite file; never imports TensorFlow.

The public names load on first use, so that `import edge_runtime.contract` stays free of OpenCV and the interpreter.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edge_runtime.version import __version__

if TYPE_CHECKING:
    from edge_runtime.cameras.opening import open_camera
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.inference.postprocess import Prediction
    from edge_runtime.model.model_file import open_model

__all__ = ["Classifier", "Prediction", "__version__", "open_camera", "open_model"]

_HOMES = {
    "Classifier": "edge_runtime.inference.classifier",
    "Prediction": "edge_runtime.inference.postprocess",
    "open_camera": "edge_runtime.cameras.opening",
    "open_model": "edge_runtime.model.model_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edge_runtime' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)

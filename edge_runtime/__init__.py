"""Classifies camera frames on a small device with one verified TFLite file; never imports TensorFlow.

Everything that a program needs is here: `Classifier` and `open_camera`, the values that they return, and every error
that they raise. Each name is loaded on first use, so that `import edge_runtime` does not load OpenCV or the
interpreter.
"""

from __future__ import annotations

import sys

# Before anything slow: a service that is stopped while it starts ends well. Not in a program that imports this package.
if sys.argv[1:2] == ["run"] and (
    (sys.argv[0] == "-m" and "edge_runtime" in getattr(sys, "orig_argv", ["edge_runtime"]))
    or sys.argv[0].endswith("edge-runtime")
):
    import os
    import signal

    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))

import importlib
from typing import TYPE_CHECKING, Any

from edge_runtime.version import __version__

if TYPE_CHECKING:
    from edge_runtime.cameras.frame import Frame, FrameSource
    from edge_runtime.cameras.opening import open_camera
    from edge_runtime.errors import (
        AlreadyRunningError,
        CameraError,
        ConfigurationError,
        DataError,
        EdgeRuntimeError,
        InternalError,
        MissingInputError,
        ModelError,
        OutputError,
        SignatureError,
        UsageError,
    )
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.inference.postprocess import Prediction
    from edge_runtime.model.model_file import ModelFile, open_model
    from edge_runtime.model.stated_input import StatedInput

__all__ = [
    "AlreadyRunningError",
    "CameraError",
    "Classifier",
    "ConfigurationError",
    "DataError",
    "EdgeRuntimeError",
    "Frame",
    "FrameSource",
    "InternalError",
    "MissingInputError",
    "ModelError",
    "ModelFile",
    "OutputError",
    "Prediction",
    "SignatureError",
    "StatedInput",
    "UsageError",
    "__version__",
    "open_camera",
    "open_model",
]

_HOMES = {
    "Classifier": "edge_runtime.inference.classifier",
    "Frame": "edge_runtime.cameras.frame",
    "FrameSource": "edge_runtime.cameras.frame",
    "ModelFile": "edge_runtime.model.model_file",
    "Prediction": "edge_runtime.inference.postprocess",
    "StatedInput": "edge_runtime.model.stated_input",
    "open_camera": "edge_runtime.cameras.opening",
    "open_model": "edge_runtime.model.model_file",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'edge_runtime' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, "edge_runtime.errors")), name)
    globals()[name] = value  # so that this is called only once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

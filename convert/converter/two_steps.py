"""Calibration and quantisation as two steps, between which the ranges of tensors can be changed.

The only file that uses private parts of the converter, which does both in one call
(docs/decisions/0011-ranges-chosen-by-measurement.md). Where a version of TensorFlow lacks them, `can_separate` says so
and nothing else here may be called.
"""

from __future__ import annotations

import inspect
from typing import Any

_SWITCH = "_experimental_calibrate_only"


def can_separate(converter: Any) -> bool:
    """Whether the TensorFlow that made ``converter`` has what the two steps need."""
    try:
        parameters = inspect.signature(_find_quantizer()).parameters
    except (ImportError, AttributeError, TypeError, ValueError):
        return False
    return hasattr(converter, _SWITCH) and {"input_data_type", "output_data_type"} <= set(parameters)


def stop_after_calibration(converter: Any) -> None:
    """Makes ``converter`` give a float32 model whose tensors know the smallest and the largest value they had."""
    setattr(converter, _SWITCH, True)


def quantize_calibrated(flatbuffer: bytes, ends: tuple[Any, Any]) -> bytes:
    """The full-integer model of such a float32 one; ``ends`` are the TensorFlow dtypes of its input and output.

    Raises:
        Exception: as the converter does.
    """
    return bytes(_find_quantizer()(flatbuffer, input_data_type=ends[0], output_data_type=ends[1]))


def _find_quantizer() -> Any:
    from tensorflow.lite.python.convert import mlir_quantize

    return mlir_quantize

"""A trained Keras model -> .tflite bytes: the only file that touches the TFLite converter.

Operations at the start that only scale the pixels are stripped and become the integer file's input scale and zero
point: left inside, they would stay in the file as a multiplication and an addition and waste a third of the input
levels. The same model must always give the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.converter.leading_scale import Affine, find_leading
from convert.converter.network import fix_model
from convert.converter.ranges import widen_shared
from convert.converter.two_steps import can_separate, quantize_calibrated, stop_after_calibration
from convert.inputs.source import Source
from edge_runtime.errors import DataError, ModelError
from edge_runtime.system.quiet_start import quiet_start


def to_float(source: Source) -> bytes:
    """The float32 .tflite of the whole model, normalisation inside: pixels 0..255 float32 in, probabilities out."""
    return _convert(fix_model(source, strip=False)[0])


def to_float16(source: Source) -> bytes:
    """Like `to_float`, with weights stored as float16; the arithmetic stays float32."""

    def configure(converter: Any) -> None:
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return _convert(fix_model(source, strip=False)[0], configure)


def to_dynamic_range(source: Source) -> bytes:
    """Like `to_float`, with the larger weights stored as int8; activations are quantised anew at each call, without
    calibration.
    """

    def configure(converter: Any) -> None:
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return _convert(fix_model(source, strip=False)[0], configure)


def to_integer(
    source: Source, images: NDArray[np.uint8], io_dtype: str = "uint8", *, requantized: bool = False
) -> bytes:
    """The full-integer .tflite, calibrated on ``images`` (n, H, W, 3) uint8 RGB; raw pixels (``io_dtype`` int8: - 128)
    go in. With ``requantized``, the input is uint8 in any case and a QUANTIZE operator follows it.

    Raises:
        ModelError: the converter refuses the model.
        DataError: there are no images, or they are of another shape than the model's input.
    """
    return _calibrated(source, images, "TFLITE_BUILTINS_INT8", _ends(io_dtype, requantized=requantized))[0]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A float32 ``flatbuffer`` whose tensors know their ranges; it takes pixels as ``affine`` gives them and ends in
    probabilities.
    """

    flatbuffer: bytes
    affine: Affine


def calibrate(source: Source, images: NDArray[np.uint8]) -> Calibrated | None:
    """The first half of `to_integer`, which `finish` completes; None where TensorFlow can only do both at once.

    Raises: as `to_integer`.
    """
    import tensorflow as tf

    if not can_separate(tf.lite.TFLiteConverter(funcs=[])):
        return None
    ends = ("uint8", "uint8")
    flatbuffer, affine = _calibrated(source, images, "TFLITE_BUILTINS_INT8", ends, stop_after_calibration)
    return Calibrated(widen_shared(flatbuffer), affine)


def finish(calibrated: bytes, io_dtype: str = "uint8", *, requantized: bool = False) -> bytes:
    """The full-integer .tflite of a `Calibrated` flatbuffer; flags and errors as those of `to_integer`."""
    import tensorflow as tf

    ends = _ends(io_dtype, requantized=requantized)
    return _run(lambda: quantize_calibrated(calibrated, (getattr(tf, ends[0]), getattr(tf, ends[1]))))


def to_int16_activations(source: Source, images: NDArray[np.uint8]) -> bytes:
    """int16 activations with int8 weights, calibrated on ``images`` (n, H, W, 3) uint8 RGB as `to_integer`; normalised
    float32 pixels go in (`find_input_affine`), and float32 probabilities come out.

    Raises: as `to_integer`.
    """
    operators = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    return _calibrated(source, images, operators, ("float32", "float32"))[0]


def find_input_affine(source: Source) -> Affine:
    """What the integer file's input tensor must do to pixels: the normalisation at the model's start, if a tensor can
    express it.
    """
    return find_leading(source.model.network, Affine(source.input_mean, source.input_std)).affine


def _ends(io_dtype: str, *, requantized: bool) -> tuple[str, str]:
    return "uint8" if requantized else io_dtype, io_dtype


def _calibrated(
    source: Source,
    images: NDArray[np.uint8],
    operators: str,
    ends: tuple[str, str],
    more: Callable[[Any], None] = lambda converter: None,
) -> tuple[bytes, Affine]:
    expected = (source.spec.input.height, source.spec.input.width, 3)
    if len(images) == 0 or images.shape[1:] != expected:
        raise DataError(f"The calibration images are {images.shape}, expected at least one of {expected}.")
    model, affine = fix_model(source, strip=True)

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for index, image in enumerate(images):
            pixels = image[np.newaxis].copy()
            if index == 0:
                # Both extremes, so that the input's 256 levels are exactly the 256 pixel values.
                pixels[0, 0, 0], pixels[0, -1, -1] = 0, 255
            yield [affine(pixels)]

    def configure(converter: Any) -> None:
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, operators)]
        converter.inference_input_type, converter.inference_output_type = (getattr(tf, end) for end in ends)
        more(converter)

    return _convert(model, configure), affine


def _convert(model: Any, configure: Callable[[Any], None] = lambda converter: None) -> bytes:
    import tensorflow as tf

    with quiet_start():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
    configure(converter)
    return _run(converter.convert)


def _run(work: Callable[[], Any]) -> bytes:
    # Keras prints the endpoints of the model that it exports; stdout is for results.
    with contextlib.redirect_stdout(io.StringIO()), quiet_start(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bytes(work())
        except Exception as error:  # the converter's own error derives directly from Exception; its log is left out
            failure = error
    reason = " ".join(str(failure).split())[:300]
    raise ModelError(
        f"The TFLite converter refuses the model ({reason}); expected layers that have integer kernels."
    ) from failure

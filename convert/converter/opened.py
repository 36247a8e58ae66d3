"""Makes and opens the models that a conversion compares: each flatbuffer is parsed once, each interpreter built once,
and all later stages use these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.converter import quantize
from convert.converter.contract import attach_contract, expect_whole_range, is_whole_range
from convert.converter.faithful import expect_same_answers
from convert.converter.range_choice import ENOUGH_HELD_OUT, NUM_HELD_OUT, RangeChoice, answer_all, choose_ranges
from convert.converter.ranges import narrow_ranges
from convert.inputs.calibration import Calibration, choose_held_out
from convert.inputs.source import Source
from convert.output.progress import stage
from convert.tflite import schema
from convert.tflite.audit import AuditReport, audit_tree
from convert.tflite.ends import read_ends, set_input_scale
from convert.tflite.metadata import set_metadata
from convert.tflite.names import find_layer_name
from convert.tflite.packing import compare_outputs, open_interpreters, write_packed
from edge_runtime.contract import MAX_NEIGHBOUR_BYTES, ModelSpec, Neighbours, Normalization
from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.quantization import apply_pixel_table, make_pixel_table
from edge_runtime.model.inner_tensors import find_features
from edge_runtime.model.model_file import ModelFile
from edge_runtime.system.quiet_start import quiet_start

# With fewer calibration images a centre means nothing; centres are looked for among at most so many.
LEAST_IMAGES, MOST_CENTRES = 12, 200
# Images whose inner values are counted: between 20 and 100 the resulting ranges hardly change.
NUM_COUNTED = 100


@dataclass(frozen=True, eq=False)
class FloatModel:
    """The float32 model, as the converter wrote it, on the backend that devices prefer."""

    model: ModelFile
    classifier: Classifier


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A model that was packed and given its metadata; ``bytes_before_packing`` is what the converter wrote."""

    model: ModelFile
    audit: AuditReport
    bytes_before_packing: int


@dataclass(frozen=True, eq=False)
class IntegerModel(PackedModel):
    """The full-integer model; ``classifiers`` holds it opened on each installed backend, by the backend's name;
    ``ranges`` says how far its inner tensors reach and why, None where there was no choice.
    """

    classifiers: Mapping[str, Classifier]
    ranges: RangeChoice | None = None


def open_float(source: Source, spec: ModelSpec) -> FloatModel:
    """Converts ``source`` to float32 and opens it.

    Raises:
        ModelError: the converter or the interpreter refuses the model, or it answers differently from the loaded one.
    """
    flatbuffer = quantize.to_float(source)
    model = attach_contract(flatbuffer, spec, read_ends(schema.read_tree(flatbuffer)))
    with quiet_start():
        classifier = Classifier(model)
    expect_same_answers(
        source,
        lambda images: np.stack([classifier.probabilities(image[:, :, ::-1]) for image in images]),
        "The float32 file",
    )
    return FloatModel(model, classifier)


def open_integer(source: Source, spec: ModelSpec, calibration: Calibration, io_dtype: str) -> IntegerModel:
    """Converts ``source`` to full integers, calibrated on ``calibration``, with ``io_dtype`` "uint8" or "int8" for
    input and output, and opens it. Packing is checked part by part, and by running both models.

    Raises:
        ModelError: the converter or the packer failed, or the input tensor is not the normalisation that training used.
    """
    calibrated, images = quantize.calibrate(source, calibration.images), calibration.images
    if calibrated is None:
        made = _make(
            source, spec, io_dtype, lambda again: quantize.to_integer(source, images, io_dtype, requantized=again)
        )
    else:
        made = _finish(source, spec, io_dtype, calibrated.flatbuffer)
    expect_integer_layers(source, made.packed.audit)
    ranges = None
    if calibrated is not None:
        made, ranges = _choose_ranges(source, calibration, made, calibrated, io_dtype)
    packed = made.packed
    model = _add_neighbours(packed.model, len(calibration.entries))
    affine = quantize.find_input_affine(source)
    expect_whole_range(packed.model.contract.input_tensor, affine.mean, affine.std)
    with quiet_start():
        classifiers = {backend: Classifier(model, backend=backend, maps=True) for backend in list_available_backends()}
        as_converted = open_interpreters(made.converted)
    differing = compare_outputs(as_converted, {name: item.interpreter for name, item in classifiers.items()})
    if differing:
        raise ModelError(
            f"The packed and the converted model give different outputs on {', '.join(differing)}, expected the same "
            "bytes. This is a bug in the packer; please report it."
        )
    return IntegerModel(model, packed.audit, packed.bytes_before_packing, classifiers, ranges)


@dataclass(frozen=True, eq=False)
class _Made:
    converted: bytes
    packed: PackedModel


def _finish(source: Source, spec: ModelSpec, io_dtype: str, calibrated: bytes) -> _Made:
    return _make(source, spec, io_dtype, lambda again: quantize.finish(calibrated, io_dtype, requantized=again))


def _make(source: Source, spec: ModelSpec, io_dtype: str, convert: Callable[[bool], bytes]) -> _Made:
    """What ``convert`` gives, packed; with a requantised input where the plain one does not stand for pixels."""
    affine = quantize.find_input_affine(source)
    converted = convert(False)
    packed = pack_model(converted, spec)
    if not is_whole_range(packed.model.contract.input_tensor, affine.mean, affine.std):
        # An operator whose inputs share one scale, such as a concatenation, gave the pixels that of its other inputs.
        converted = set_input_scale(convert(True), io_dtype, affine.mean, affine.std)
        packed = pack_model(converted, spec)
    return _Made(converted, packed)


def _choose_ranges(
    source: Source, calibration: Calibration, made: _Made, calibrated: quantize.Calibrated, io_dtype: str
) -> tuple[_Made, RangeChoice | None]:
    """``made``, or the same with narrower ranges, and why; None where there were no narrower ones to choose."""
    stage("Trying narrower ranges")
    some = [calibrated.affine(image) for image in calibration.images[:NUM_COUNTED]]
    narrowed = narrow_ranges(calibrated.flatbuffer, some)
    if narrowed is None:
        return made, None
    try:
        other = _finish(source, made.packed.model.contract.spec, io_dtype, narrowed)
    except ModelError:  # narrower ranges are optional: a model that converts without them is not refused
        return made, None
    if other.packed.model.flatbuffer == made.packed.model.flatbuffer or not other.packed.audit.full_integer:
        return made, None
    images = choose_held_out(source, calibration, NUM_HELD_OUT)
    held_out = len(images) >= ENOUGH_HELD_OUT
    images = images if held_out else calibration.images[:NUM_HELD_OUT]
    expected = answer_all(calibrated.flatbuffer, [calibrated.affine(image) for image in images])
    whole, narrower = (_answer(item.packed.model, images) for item in (made, other))
    choice = choose_ranges(whole, narrower, expected, held_out=held_out)
    return (other if choice.narrowed else made), choice


def _answer(model: ModelFile, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, classes) float32 scores of (n, H, W, 3) uint8 RGB images."""
    table = make_pixel_table(model.contract.normalization, model.contract.input_tensor)
    return answer_all(model.flatbuffer, [apply_pixel_table(image, table) for image in images])


def expect_integer_layers(source: Source, audit: AuditReport) -> None:
    """Raises ModelError when layers of ``source`` cannot run in integers on every backend: names them and says what to
    use instead, before any time is spent on measuring.
    """
    if audit.layer_problems:
        more = f" ({len(audit.layer_problems) - 3} more)" if len(audit.layer_problems) > 3 else ""
        raise ModelError(
            f"{source.model} cannot become a full-integer file that runs on LiteRT and tflite-runtime 2.14: "
            f"{'. '.join(audit.layer_problems[:3])}{more}."
        )


def _add_neighbours(model: ModelFile, num_calibration_images: int) -> ModelFile:
    """``model`` with a contract that says where its features are and accepts all of them: the cut and the number of
    centres are found later. Unchanged if it has no features, or there are too few images for a centre to mean anything.
    """
    features, most = find_features(model.flatbuffer), min(num_calibration_images, MOST_CENTRES)
    if features is None or most < LEAST_IMAGES or most * features.width > MAX_NEIGHBOUR_BYTES:
        return model
    neighbours = Neighbours(features.tensor, features.zero_point, features.width, most, rank=1, cut=-1.0)
    return dataclasses.replace(model, contract=dataclasses.replace(model.contract, neighbours=neighbours))


def pack_model(converted: bytes, spec: ModelSpec, normalization: Normalization | None = None) -> PackedModel:
    """A converter's flatbuffer with metadata and layer names, packed; ``normalization``, in pixel units, is read from
    its input tensor unless given.

    Raises:
        ModelError: it does not have one input and one output, or packing would change it.
    """
    tree = schema.read_tree(converted)
    found = attach_contract(converted, spec, read_ends(tree)).contract
    set_metadata(tree, spec.name, normalization or found.normalization)
    packed = write_packed(tree, find_layer_name)
    model = attach_contract(packed.flatbuffer, spec, read_ends(packed.tree))
    return PackedModel(model, audit_tree(packed.tree, len(packed.flatbuffer)), len(converted))

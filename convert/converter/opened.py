"""The models that a conversion measures against each other, made and opened: each flatbuffer is parsed once, each
interpreter built once, and all later stages use these values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from convert.converter import quantize
from convert.converter.contract import attach_contract, expect_whole_range, is_whole_range
from convert.converter.faithful import expect_same_answers
from convert.inputs.calibration import Calibration
from convert.inputs.source import Source
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
from edge_runtime.model.inner_tensors import find_features
from edge_runtime.model.model_file import ModelFile
from edge_runtime.system.quiet_start import quiet_start

# The third nearest of so many images: one image may be like none of its class, three are not.
NUM_NEIGHBOURS, RANK, LEAST_NEIGHBOURS = 200, 3, 12


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
    """The full-integer model; ``classifiers`` has it on each installed backend, by the backend's name."""

    classifiers: Mapping[str, Classifier]


def open_float(source: Source, spec: ModelSpec) -> FloatModel:
    """Converts ``source`` to float32 and opens it.

    Raises:
        ModelError: the converter or the interpreter refuses the model, or it answers otherwise than the one loaded.
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
    input and output, and opens it; that packing changed nothing was checked part by part and by running both.

    Raises:
        ModelError: the converter or the packer failed, or the input tensor is not the normalisation that training used.
    """
    converted = quantize.to_integer(source, calibration.images, io_dtype)
    affine = quantize.find_input_affine(source)
    packed = pack_model(converted, spec)
    if not is_whole_range(packed.model.contract.input_tensor, affine.mean, affine.std):
        # Operators whose inputs share one scale, such as a concatenation, gave the pixels that of their companions.
        converted = quantize.to_integer(source, calibration.images, io_dtype, requantized=True)
        converted = set_input_scale(converted, io_dtype, affine.mean, affine.std)
        packed = pack_model(converted, spec)
    expect_integer_layers(source, packed.audit)
    model = _add_neighbours(packed.model, len(calibration.entries))
    expect_whole_range(packed.model.contract.input_tensor, affine.mean, affine.std)
    with quiet_start():
        classifiers = {backend: Classifier(model, backend=backend, maps=True) for backend in list_available_backends()}
        as_converted = open_interpreters(converted)
    differing = compare_outputs(as_converted, {name: item.interpreter for name, item in classifiers.items()})
    if differing:
        raise ModelError(
            f"The packed model gives other outputs than the converted one on {', '.join(differing)}, expected the same "
            "bytes. This is a defect of the packer, report it."
        )
    return IntegerModel(model, packed.audit, packed.bytes_before_packing, classifiers)


def expect_integer_layers(source: Source, audit: AuditReport) -> None:
    """Raises ModelError when layers of ``source`` cannot run in integers on every backend: names them and what to use
    instead, before any time goes into measuring.
    """
    if audit.layer_problems:
        more = f" ({len(audit.layer_problems) - 3} more)" if len(audit.layer_problems) > 3 else ""
        raise ModelError(
            f"{source.model} cannot become a full-integer file that runs on LiteRT and tflite-runtime 2.14: "
            f"{'. '.join(audit.layer_problems[:3])}{more}."
        )


def _add_neighbours(model: ModelFile, num_calibration_images: int) -> ModelFile:
    """The model whose contract says where its features are, and accepts all of them: the cut is fitted later. As it is
    when it has no features, or there are too few images for a third nearest one to mean anything.
    """
    features, num_images = find_features(model.flatbuffer), min(num_calibration_images, NUM_NEIGHBOURS)
    if features is None or num_images < LEAST_NEIGHBOURS or num_images * features.width > MAX_NEIGHBOUR_BYTES:
        return model
    neighbours = Neighbours(features.tensor, features.zero_point, features.width, num_images, RANK, cut=-1.0)
    return dataclasses.replace(model, contract=dataclasses.replace(model.contract, neighbours=neighbours))


def pack_model(converted: bytes, spec: ModelSpec, normalization: Normalization | None = None) -> PackedModel:
    """A converter's flatbuffer with metadata and layer names, packed; ``normalization`` in pixel units is what its
    input tensor says unless given.

    Raises:
        ModelError: it has not one input and one output, or packing would change it.
    """
    tree = schema.read_tree(converted)
    found = attach_contract(converted, spec, read_ends(tree)).contract
    set_metadata(tree, spec.name, normalization or found.normalization)
    packed = write_packed(tree, find_layer_name)
    model = attach_contract(packed.flatbuffer, spec, read_ends(packed.tree))
    return PackedModel(model, audit_tree(packed.tree, len(packed.flatbuffer)), len(converted))

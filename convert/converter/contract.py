"""Puts the verified model, its contract and its goldens into one file: the same arguments always give the same
bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import PurePath
from typing import Any

from convert.config import ConvertConfig
from convert.converter.range_choice import RangeChoice
from convert.inputs.calibration import Calibration
from convert.inputs.source import Source, escape_name, hash_entries
from edge_runtime.contract import CONTRACT_VERSION, Contract, ModelSpec, Normalization, Region, Score, TensorSpec
from edge_runtime.errors import ModelError
from edge_runtime.model.model_file import ModelFile


def derive_spec(source: Source, name: str | None) -> ModelSpec:
    """The spec of the converted file: that of the training run, but with probabilities as outputs, and with ``name`` if
    one is given.
    """
    return dataclasses.replace(source.spec, output="probabilities", name=name or source.spec.name)


def attach_contract(
    flatbuffer: bytes, spec: ModelSpec, tensors: tuple[TensorSpec, TensorSpec], threshold: float = 0.0
) -> ModelFile:
    """A model in memory, ready for `Classifier`, whose accuracy is not known yet; ``tensors`` are its input and output
    (`tflite.ends`).

    Its normalisation follows from its input tensor's scale and zero point, so that raw pixels (int8: - 128) are the
    input.
    """
    contract = Contract(
        version=CONTRACT_VERSION,
        spec=spec,
        normalization=derive_normalization(tensors[0]),
        input_tensor=tensors[0],
        output_tensor=tensors[1],
        threshold=threshold,
        scores=(),
        parts={"model": hashlib.sha256(flatbuffer).hexdigest()},
        provenance={},
    )
    return ModelFile(None, flatbuffer, contract, None, ())


def derive_normalization(tensor: TensorSpec) -> Normalization:
    """The normalisation for which stored = pixel (uint8), pixel - 128 (int8) or the pixel's value (float32)."""
    if tensor.dtype == "float32":
        return Normalization((0.0,), (1.0,))
    lowest = 0 if tensor.dtype == "uint8" else -128
    return Normalization((float(tensor.zero_point - lowest),), (1.0 / tensor.scale,))


def is_whole_range(tensor: TensorSpec, mean: float, std: float) -> bool:
    """Whether the 256 values of the input ``tensor`` are the 256 pixel values, normalised by ``mean`` and ``std``."""
    found = derive_normalization(tensor)
    # A tensor's zero point is a whole number, so a mean of 127.5 becomes 127 or 128: half a level, the same for every
    # pixel.
    return abs(found.std[0] - std) <= 1e-4 * std and abs(found.mean[0] - mean) <= 0.5 + 1e-3


def expect_whole_range(tensor: TensorSpec, mean: float, std: float) -> None:
    """Raises ModelError unless `is_whole_range`."""
    found = derive_normalization(tensor)
    if not is_whole_range(tensor, mean, std):
        raise ModelError(
            f"The input tensor stands for mean {found.mean[0]:g} and std {found.std[0]:g}, but the model was trained "
            f"with mean {mean:g} and std {std:g}: raw pixels would be misread. This is a bug in the conversion; please "
            "report it."
        )


def collect_provenance(
    config: ConvertConfig,
    source: Source,
    calibration: Calibration,
    sizes: dict[str, int],
    ranges: RangeChoice | None = None,
) -> dict[str, Any]:
    """What made the file, without dates or paths of this machine."""
    ends = "narrower" if ranges is not None and ranges.narrowed else "whole"
    return {
        "calibration": {
            "seed": calibration.seed,
            "images": [
                {"name": entry.name, "label": entry.label, "sha256": entry.sha256} for entry in calibration.entries
            ],
        },
        "test": {"num_images": len(source.test), "sha256_of_list": hash_entries(source.test)},
        "training": shorten_data_path(source.training.get("config", {})),
        "conversion": {"io": config.io, "max_drop_points": config.max_drop, "ranges": ends},
        "flatbuffer_bytes": sizes,
        "versions": _versions(),
    }


def shorten_data_path(config: dict[str, Any]) -> dict[str, Any]:
    """A run's configuration as files carry it: only the last part of the path to a folder of images."""
    return {**config, "data": escape_name(PurePath(config["data"]).name)} if "data" in config else config


def complete_contract(
    model: ModelFile, scores: tuple[Score, ...], made_by: dict[str, Any], region: Region | None = None
) -> Contract:
    """The contract of ``model`` with its measured scores, its provenance and the region that it was trained on."""
    return dataclasses.replace(model.contract, scores=scores, provenance=made_by, region=region)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("tensorflow", "tensorflow-cpu", "keras", "ai-edge-litert", "tflite-runtime", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""The strict JSON form of a contract's values. Unknown or missing keys are refused; there are never any defaults."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from edge_runtime.contract.drift_reference import DriftReference
from edge_runtime.contract.layout import InputLayout
from edge_runtime.contract.values import (
    Contract,
    InputSpec,
    ModelSpec,
    Neighbours,
    Normalization,
    Provisional,
    Region,
    Score,
    TensorSpec,
)
from edge_runtime.errors import ModelError


def to_json(value: Any) -> str:
    """The canonical text of a frozen value: sorted keys, an indent of two spaces, a final line break; None values are
    left out.
    """
    data = {name: item for name, item in dataclasses.asdict(value).items() if item is not None}
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def contract_from_json(text: str) -> Contract:
    """The contract that ``to_json`` wrote; ModelError if a key is unknown or missing, or a value is out of range."""
    data = _object(text, "contract.json")
    contract: Contract = _build(
        Contract,
        data,
        spec=_spec,
        normalization=lambda value: _build(Normalization, value, mean=_floats, std=_floats),
        input_tensor=_tensor,
        output_tensor=_tensor,
        threshold=_number,
        scores=lambda value: tuple(_build(Score, item) for item in _items("scores", value)),
        neighbours=lambda value: _build(Neighbours, value, cut=_number),
        region=_region,
        layout=lambda value: _build(InputLayout, value),
        class_thresholds=_thresholds,
        drift=_drift,
        provisional=lambda value: _build(Provisional, value),
    )
    return contract


def spec_from_json(text: str) -> ModelSpec:
    """The model spec of a run directory's ``contract.json``; refuses what `contract_from_json` refuses."""
    return _spec(_object(text, "contract.json"))


def region_from_json(text: str) -> Region:
    """The region of a run directory's ``region.json``; refuses what `contract_from_json` refuses."""
    return _region(_object(text, "region.json"))


def _region(value: Any) -> Region:
    region: Region = _build(Region, value, left=_number, top=_number, width=_number, height=_number)
    return region


def _thresholds(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ModelError(f"The contract holds {value!r} as class_thresholds, expected an object of numbers by label.")
    return {label: _number(threshold) for label, threshold in value.items()}


def _drift(value: Any) -> DriftReference:
    names = ("scores", "similarities", "light", "sharpness")
    reference: DriftReference = _build(DriftReference, value, **dict.fromkeys(names, _floats))
    return reference


def _spec(value: Any) -> ModelSpec:
    spec: ModelSpec = _build(
        ModelSpec, value, labels=lambda labels: tuple(_texts(labels)), input=lambda spec: _build(InputSpec, spec)
    )
    return spec


def _tensor(value: Any) -> TensorSpec:
    tensor: TensorSpec = _build(TensorSpec, value, shape=lambda shape: tuple(_items("shape", shape)), scale=_number)
    return tensor


def _floats(value: Any) -> tuple[float, ...]:
    return tuple(_number(item) for item in _items("numbers", value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ModelError(f"The contract holds {value!r} where a number belongs.")
    try:
        return float(value)
    except OverflowError as error:
        raise ModelError(
            "The contract holds a whole number with over 300 digits where a number belongs, expected a decimal number. "
            "Convert the model again."
        ) from error


def _items(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ModelError(f"The contract holds {value!r} as {name}, expected a list.")
    return value


def _texts(value: Any) -> list[str]:
    for item in _items("labels", value):
        if not isinstance(item, str):
            raise ModelError(f"The contract holds the label {item!r}, expected text.")
    return list(value)


def _build(cls: Any, value: Any, **readers: Any) -> Any:
    """``cls`` from a JSON object whose keys must be exactly its fields, except for those that may be None; ``readers``
    turn JSON into field values.
    """
    if not isinstance(value, dict):
        raise ModelError(f"The contract holds {value!r} as {cls.__name__}, expected an object.")
    fields = {field.name: field.type for field in dataclasses.fields(cls)}
    absent = {field.name for field in dataclasses.fields(cls) if field.default is None} - value.keys()
    if value.keys() != fields.keys() - absent:
        unknown, missing = sorted(value.keys() - fields.keys()), sorted(fields.keys() - absent - value.keys())
        raise ModelError(
            f"The contract's {cls.__name__} has unknown keys {unknown} and lacks {missing}: versions differ."
        )
    for name in absent:
        del fields[name]
    for name, kind in fields.items():
        expected = {"int": int, "str": str, "dict[str, str]": dict, "dict[str, Any]": dict}.get(str(kind))
        if expected and (not isinstance(value[name], expected) or isinstance(value[name], bool)):
            raise ModelError(f"The contract's {cls.__name__}.{name} is {value[name]!r}, expected {kind}.")
    return cls(**{name: readers[name](value[name]) if name in readers else value[name] for name in fields})


def _object(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not JSON ({error}); the file is damaged, copy or convert it again.") from error

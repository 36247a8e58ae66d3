"""What a model expects and how well it was measured to perform, as frozen values with a strict JSON form.

`ModelSpec` is what a training run knows; `Contract` adds what conversion measured and is stored inside the model file
as ``contract.json``. Standard library only. Unknown or missing keys are refused; there are never any defaults.
"""

from edge_runtime.contract.drift_reference import DriftReference
from edge_runtime.contract.json_form import contract_from_json, region_from_json, spec_from_json, to_json
from edge_runtime.contract.layout import InputLayout
from edge_runtime.contract.values import (
    CONTRACT_VERSION,
    DTYPES,
    MAX_INPUT_SIDE,
    MAX_NEIGHBOUR_BYTES,
    OUTPUTS,
    RESIZE_MODES,
    SMALLEST_REGION,
    Contract,
    InputSpec,
    ModelSpec,
    Neighbours,
    Normalization,
    Provisional,
    Region,
    Score,
    TensorSpec,
    expect_name,
)

__all__ = [
    "CONTRACT_VERSION",
    "DTYPES",
    "MAX_INPUT_SIDE",
    "MAX_NEIGHBOUR_BYTES",
    "OUTPUTS",
    "RESIZE_MODES",
    "SMALLEST_REGION",
    "Contract",
    "DriftReference",
    "InputLayout",
    "InputSpec",
    "ModelSpec",
    "Neighbours",
    "Normalization",
    "Provisional",
    "Region",
    "Score",
    "TensorSpec",
    "contract_from_json",
    "expect_name",
    "region_from_json",
    "spec_from_json",
    "to_json",
]

"""Appends a contract to a third-party flatbuffer, with what is known about it and goldens recorded on this device."""

from __future__ import annotations

import dataclasses
import hashlib

from edge_runtime.errors import UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.recording import record_goldens
from edge_runtime.model.model_file import ModelFile, open_model, write_model
from edge_runtime.store.shipped import default_model


def adopt(model: ModelFile, name: str, threshold: float = 0.0) -> bytes:
    """The bytes of a model file with a contract, made from the unchanged flatbuffer of ``model``, which has none;
    ``name`` is its name, ``threshold`` the probability in [0, 1] below which the answer is "unknown".

    Raises:
        UsageError: ``model`` already has a contract.
        ModelError: the name or threshold is invalid, the interpreter refuses the model, or no image has a clear answer.
    """
    if not model.assumptions:
        raise UsageError(f"{model.contract.spec.name} already has a contract; use it as it is.")
    contract = dataclasses.replace(
        model.contract,
        spec=dataclasses.replace(model.contract.spec, name=name),
        threshold=threshold,
        provenance={
            "adopted": {
                "file": model.path.name if model.path else model.contract.spec.name,
                "sha256": hashlib.sha256(model.flatbuffer).hexdigest(),
                "assumptions": list(model.assumptions[1:]),
            }
        },
    )
    images = open_model(default_model()).goldens
    assert images is not None, "the package ships a model without goldens"
    with Classifier(dataclasses.replace(model, contract=contract)) as classifier:
        goldens = record_goldens(classifier, images)
    return write_model(model.flatbuffer, contract, goldens)

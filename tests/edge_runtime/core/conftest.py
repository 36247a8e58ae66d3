"""Toy models as bytes, and one toy packed as this project's own file with goldens recorded here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.classifier import Classifier
from edge_runtime.contract import Contract
from edge_runtime.goldens import Goldens, input_digest, repeated
from edge_runtime.interpreter import Interpreter
from edge_runtime.model_file import read_model, write_model

TOYS = Path(__file__).parent.parent / "toys"
LABEL_TEXT = "red\ngreen\nblue\n"


@pytest.fixture(scope="session")
def toy_bytes() -> Callable[[str], bytes]:
    return lambda name: (TOYS / f"{name}.tflite").read_bytes()


@pytest.fixture(scope="session")
def toy_contract(toy_bytes: Callable[[str], bytes]) -> Callable[[str], Contract]:
    return lambda name: read_model(toy_bytes(name), name, LABEL_TEXT).contract


@pytest.fixture(scope="session")
def toy_goldens(toy_bytes: Callable[[str], bytes]) -> Goldens:
    """Three frames of odd sizes, one of each colour with noise, recorded on the first interpreter that is installed."""
    chance = np.random.default_rng(0)
    pictures, repeats = [], (1, 1, 3)
    for channel in range(3):
        frame = chance.integers(0, 60, (9 + channel, 17, 3), dtype=np.uint8)
        frame[..., channel] += 180
        pictures.append(frame)
    content = toy_bytes("uint8")
    classifier = Classifier(read_model(content, "toy", LABEL_TEXT))
    reference = Interpreter(content, classifier.interpreter.backend, kernels="reference")
    inputs = np.stack([classifier.input_tensor(repeated(*each)) for each in zip(pictures, repeats, strict=True)])
    return Goldens(
        tuple(pictures),
        np.array(repeats, np.uint8),
        np.stack([input_digest(tensor) for tensor in inputs]),
        np.stack([classifier.interpreter.invoke(tensor) for tensor in inputs]),
        np.stack([reference.invoke(tensor) for tensor in inputs]),
        classifier.interpreter.kernels,
        (classifier.interpreter.backend,),
    )


@pytest.fixture(scope="session")
def toy_file(toy_bytes: Callable[[str], bytes], toy_goldens: Goldens) -> bytes:
    """The toy with metadata, without its own label zip, written as convert writes files."""
    whole = toy_bytes("uint8_metadata")
    contract = read_model(whole, "toy").contract
    return write_model(whole[: whole.index(b"PK\x03\x04")], contract, toy_goldens)

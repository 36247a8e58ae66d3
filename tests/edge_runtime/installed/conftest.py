"""Small model files of our own form that differ, a store, and keys that no other test sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.classifier import Classifier
from edge_runtime.contract import Contract
from edge_runtime.goldens import Goldens, input_digest, repeated
from edge_runtime.interpreter import Interpreter
from edge_runtime.model_file import read_model, write_model
from edge_runtime.store import Store

TOYS = Path(__file__).parents[1] / "toys"
MakeModel = Callable[..., bytes]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """The toy that says red, green or blue as a file of ours; ``number`` makes different ones, ``labels`` rename them,
    ``change`` may spoil contract and goldens."""
    whole = (TOYS / "uint8_metadata.tflite").read_bytes()
    flatbuffer, contract = whole[: whole.index(b"PK\x03\x04")], read_model(whole, "toy").contract
    classifier = Classifier(read_model(whole, "toy"))
    chance = np.random.default_rng(0)
    pictures, repeats = [], (1, 1, 3)
    for channel in range(3):
        frame = chance.integers(0, 60, (9 + channel, 17, 3), dtype=np.uint8)
        frame[..., channel] += 180
        pictures.append(frame)
    inputs = np.stack([classifier.input_tensor(repeated(*each)) for each in zip(pictures, repeats, strict=True)])
    reference = Interpreter(flatbuffer, classifier.interpreter.backend, kernels="reference")
    goldens = Goldens(
        tuple(pictures),
        np.array(repeats, np.uint8),
        np.stack([input_digest(tensor) for tensor in inputs]),
        np.stack([classifier.interpreter.invoke(tensor) for tensor in inputs]),
        np.stack([reference.invoke(tensor) for tensor in inputs]),
        classifier.interpreter.kernels,
        (classifier.interpreter.backend,),
    )

    def make(
        number: int = 0,
        labels: tuple[str, ...] = ("red", "green", "blue"),
        change: Callable[[Contract, Goldens], tuple[Contract, Goldens | None]] = lambda contract, goldens: (
            contract,
            goldens,
        ),
    ) -> bytes:
        spec = dataclasses.replace(contract.spec, labels=labels)
        own = dataclasses.replace(contract, spec=spec, provenance={"number": number})
        return write_model(flatbuffer, *change(own, goldens))

    return make


@pytest.fixture(autouse=True)
def lonely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store and no keys but those of the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGE_RUNTIME_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EDGE_RUNTIME_KEYS", str(tmp_path / "keys"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes, str], str]:
    """Writes a model file; gives its path."""

    def write(content: bytes, name: str = "model.tflite") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write

"""The toy model that the tests of the device package use."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_path() -> Path:
    """A tiny uint8 model that says whether an image is mostly red, green or blue."""
    return Path(__file__).parents[1] / "edge_runtime" / "toys" / "uint8_metadata.tflite"


@pytest.fixture
def lonely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store and no keys but those of the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGE_RUNTIME_STORE", str(tmp_path / "store"))
    (tmp_path / "keys").mkdir(exist_ok=True)
    monkeypatch.setenv("EDGE_RUNTIME_KEYS", str(tmp_path / "keys"))

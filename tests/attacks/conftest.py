"""The toy model that the tests of the device package use."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_path() -> Path:
    """A tiny uint8 model that says whether an image is mostly red, green or blue."""
    return Path(__file__).parents[1] / "edge_runtime" / "toys" / "uint8_metadata.tflite"

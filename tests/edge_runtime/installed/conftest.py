"""A store, and keys that no other test sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.store.store import Store


@pytest.fixture(autouse=True)
def only_ours(lonely: None) -> None:
    """No store and no keys but those of the test, in every test of this folder."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")

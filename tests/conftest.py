"""Loads the interpreters before anything can import TensorFlow: tflite-runtime 2.14 misreads models the other way round.

Keeps TensorFlow, whose import takes ten seconds a process, out of the fast tests.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.inference.interpreter import list_available_backends

list_available_backends()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A module of TensorFlow's tests imports it when it is collected, also where none of them will run."""
    if "not tensorflow" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text("utf-8")
    return re.search(r"^pytestmark = .*mark\.tensorflow", text, re.MULTILINE) is not None or None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    yield from _without_tensorflow(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield from _without_tensorflow(item)


def _without_tensorflow(item: pytest.Item) -> Iterator[None]:
    """A test that imports TensorFlow says so by its mark, or it fails."""
    before = "tensorflow" in sys.modules
    yield
    if not before and "tensorflow" in sys.modules and item.get_closest_marker("tensorflow") is None:
        raise AssertionError(f"{item.nodeid} imports TensorFlow; mark it with pytest.mark.tensorflow.")

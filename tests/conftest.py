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
    """A module of which no test will run is not imported either: what it needs takes seconds in every worker."""
    if collection_path.suffix != ".py":
        return None
    unwanted = [part.removeprefix("not ") for part in config.option.markexpr.split(" and ") if part.startswith("not ")]
    marks = re.search(r"^pytestmark = .*", collection_path.read_text("utf-8"), re.MULTILINE) if unwanted else None
    return (marks is not None and any(f"mark.{mark}" in marks[0] for mark in unwanted)) or None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """A module that imports TensorFlow when it is collected has the mark as a whole."""
    before = "tensorflow" in sys.modules
    report = yield
    if not before and "tensorflow" in sys.modules and "not tensorflow" in collector.config.option.markexpr:
        raise pytest.UsageError(f"{collector.nodeid} imports TensorFlow; give it pytestmark = pytest.mark.tensorflow.")
    return report


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

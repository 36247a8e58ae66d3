"""The check of one value of a recipe, and its message."""

from __future__ import annotations

from edge_runtime.errors import ConfigurationError


def expect(holds: bool, what: str, value: object, expected: str) -> None:
    """Raises ConfigurationError unless ``holds``: the ``what`` is ``value``, ``expected`` ("at least 1") was not."""
    if not holds:
        raise ConfigurationError(f"The {what} is {value!r}, expected {expected}.")

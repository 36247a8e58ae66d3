"""The error tree: exit codes, the matching builtin of each, and messages that print as one sentence."""

from __future__ import annotations

import pytest

from edge_runtime import errors

TREE = [
    ("UsageError", ValueError, 2),
    ("ModelError", ValueError, 65),
    ("DataError", ValueError, 65),
    ("MissingInputError", FileNotFoundError, 66),
    ("CameraError", ConnectionError, 69),
    ("InternalError", AssertionError, 70),
    ("OutputError", OSError, 73),
    ("AlreadyRunningError", BlockingIOError, 75),
    ("SignatureError", PermissionError, 76),
    ("ConfigurationError", ValueError, 78),
]


@pytest.mark.parametrize(("name", "builtin", "code"), TREE)
def test_each_error_is_its_builtin_and_has_its_exit_code(name: str, builtin: type[Exception], code: int) -> None:
    error = getattr(errors, name)("The lamp is off, expected on.")
    assert isinstance(error, builtin) and isinstance(error, errors.EdgeRuntimeError)
    assert error.exit_code == code
    assert str(error) == "The lamp is off, expected on."


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.EdgeRuntimeError) and name != "EdgeRuntimeError"
    }
    assert defined == {name for name, *_ in TREE}
    assert all(f"{name} ({builtin.__name__})" in str(errors.__doc__) for name, builtin, _ in TREE)


def test_an_error_without_a_message_prints_its_name() -> None:
    assert str(errors.CameraError()) == "CameraError"

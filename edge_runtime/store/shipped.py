"""The model files that come with this package: they are as trusted as the package itself."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import MissingInputError

_FOLDER = Path(__file__).parents[1] / "models"
_DEFAULT = "default.tflite"
# The default model's name in its own contract, and so in `info` and in every result.
DEFAULT_NAME = "micro"


def default_model() -> Path:
    """The path of the small model that is used if none is named and none is installed.

    Raises:
        MissingInputError: the installation lacks it.
    """
    path = _FOLDER / _DEFAULT
    if not path.is_file():
        raise MissingInputError(
            f"There is no {path}: the installation is incomplete. Name a file of yours with `model`."
        )
    return path


def list_shipped_models() -> dict[str, Path]:
    """The paths of all models that come with this package by name, the default one first."""
    paths = sorted(_FOLDER.glob("*.tflite"), key=lambda path: (path.name != _DEFAULT, path.name))
    return {path.stem: path for path in paths}


def find_shipped_model(name: str) -> Path | None:
    """The path of the shipped model of that name, or None; the default model has two names."""
    return list_shipped_models().get("default" if name == DEFAULT_NAME else name)


def is_shipped(path: Path) -> bool:
    """Whether ``path`` is in the folder of this package's own models."""
    return path.parent == _FOLDER

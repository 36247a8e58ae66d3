"""What a model's name means, in the library and on the command line."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import MissingInputError
from edge_runtime.store.shipped import DEFAULT_NAME, find_shipped_model, list_shipped_models


def find_model(model: str | Path | None = None) -> Path:
    """The file of ``model``: a path, or the name of a shipped model such as "resnet8"; None means the installed model,
    or the package's default if none is installed. Whether a path exists is left to whoever reads it.

    Raises:
        MissingInputError: there is neither a file nor a shipped model of that name.
        ModelError: ``model`` is None and the record of what is installed is damaged.
        ConfigurationError: ``model`` is None and this user may not read the installed models.
    """
    if model is None:
        from edge_runtime.store.store import Store

        return Store().current_path()
    path = Path(model)
    if isinstance(model, Path) or path.suffix or len(path.parts) != 1 or path.exists():
        return path
    shipped = find_shipped_model(model)
    if shipped is None:
        names = ", ".join((*list_shipped_models(), DEFAULT_NAME))
        raise MissingInputError(f"There is no model {model}, expected the path of a .tflite file or one of {names}.")
    return shipped

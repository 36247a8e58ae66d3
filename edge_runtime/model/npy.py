"""One array as the bytes of an .npy file in one canonical form, for what a model file carries. Never pickles."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.lib.format import read_array, write_array
from numpy.typing import NDArray

from edge_runtime.errors import ModelError


def array_to_npy(array: NDArray[Any]) -> bytes:
    """The .npy file of ``array``; `numpy.load` reads it too."""
    stream = io.BytesIO()
    whole = np.ascontiguousarray(array) if array.ndim else array
    write_array(stream, whole, version=(1, 0), allow_pickle=False)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def array_from_npy(name: str, data: bytes) -> NDArray[Any]:
    """The array that `array_to_npy` wrote; ``name`` is for the error text.

    Raises:
        ModelError: it is not an array.
    """
    try:
        array: NDArray[Any] = read_array(io.BytesIO(data), allow_pickle=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # NumPy parses the header as Python text, and which errors that gives is undocumented
        raise ModelError(f"{name} is not an array ({error}). Convert the model again.") from error
    return array

"""Recorded frames with the input and output bytes that they must give, and their form inside the model file.

Written as an .npz of stored arrays in one canonical form (`appended_zip`), so that the same goldens are the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.format import read_array, write_array
from numpy.typing import NDArray

from edge_runtime.appended_zip import split_zip, write_zip
from edge_runtime.contract import Contract
from edge_runtime.errors import ModelError
from edge_runtime.preprocess import Image


@dataclass(frozen=True, eq=False)
class Goldens:
    """``frames``: n pictures (h, w, 3) uint8 BGR of any sizes; the others in the tensors' stored dtype.

    ``inputs`` (n, H, W, 3); ``outputs`` (n, classes) as the kernels named ``kernels`` gave them;
    ``reference_outputs`` likewise for the reference kernels, on which every interpreter in ``reference_backends`` gave
    these very bytes.
    """

    frames: tuple[Image, ...]
    inputs: NDArray[Any]
    outputs: NDArray[Any]
    reference_outputs: NDArray[Any]
    kernels: str
    reference_backends: tuple[str, ...]


def goldens_to_npz(goldens: Goldens) -> bytes:
    """The content of ``golden.npz``; `numpy.load` reads it too."""
    arrays: dict[str, NDArray[Any]] = {f"frame_{index:02}": frame for index, frame in enumerate(goldens.frames)}
    arrays["inputs"] = goldens.inputs
    arrays["outputs"] = goldens.outputs
    arrays["reference_outputs"] = goldens.reference_outputs
    arrays["kernels"] = np.array(goldens.kernels)
    arrays["reference_backends"] = np.array(goldens.reference_backends)
    return write_zip({f"{name}.npy": _to_npy(array) for name, array in arrays.items()})


def goldens_from_npz(content: bytes, contract: Contract) -> Goldens:
    """The Goldens that `goldens_to_npz` wrote.

    Raises:
        ModelError: an array is missing, is not what the contract's tensors say, or is no frame.
    """
    _, members = split_zip(content, "golden.npz")
    arrays = {name.removesuffix(".npy"): _from_npy(name, data) for name, data in members.items()}
    frames = tuple(array for name, array in sorted(arrays.items()) if name.startswith("frame_"))
    taken, given = contract.input_tensor, contract.output_tensor
    expected = {
        "inputs": ((len(frames), *taken.shape[1:]), taken.dtype),
        "outputs": ((len(frames), given.shape[1]), given.dtype),
        "reference_outputs": ((len(frames), given.shape[1]), given.dtype),
    }
    for name, (shape, dtype) in expected.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            found = "missing" if array is None else f"{array.shape} {array.dtype}"
            raise ModelError(f"golden.npz: {name} is {found}, expected {shape} {dtype}. Convert the model again.")
    if not frames or any(frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 for frame in frames):
        raise ModelError(
            f"golden.npz has {len(frames)} frames, expected at least 1, each (h, w, 3) uint8. Convert the model again."
        )
    if "kernels" not in arrays or arrays["kernels"].dtype.kind != "U" or arrays["kernels"].shape != ():
        raise ModelError("golden.npz does not name the kernels that it was recorded with. Convert the model again.")
    backends = arrays.get("reference_backends")
    if backends is None or backends.dtype.kind != "U" or backends.ndim != 1:
        raise ModelError("golden.npz does not name the interpreters of its reference outputs. Convert the model again.")
    return Goldens(
        frames,
        arrays["inputs"],
        arrays["outputs"],
        arrays["reference_outputs"],
        str(arrays["kernels"]),
        tuple(map(str, backends)),
    )


def _to_npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    whole = np.ascontiguousarray(array) if array.ndim else array
    write_array(stream, whole, version=(1, 0), allow_pickle=False)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def _from_npy(name: str, data: bytes) -> NDArray[Any]:
    try:
        array: NDArray[Any] = read_array(io.BytesIO(data), allow_pickle=False)  # type: ignore[no-untyped-call]
    except (ValueError, MemoryError, SyntaxError, OverflowError) as error:
        raise ModelError(f"golden.npz: {name} is no array ({error}). Convert the model again.") from error
    return array

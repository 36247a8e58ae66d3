"""Recorded frames with the input and output bytes that they must give, and how they are stored in the model file.

They are written as an .npz of uncompressed arrays in one canonical form (`appended_zip`), so that the same goldens
always give the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Contract
from edge_runtime.errors import ModelError
from edge_runtime.model.appended_zip import split_zip, write_zip
from edge_runtime.model.npy import array_from_npy, array_to_npy

if TYPE_CHECKING:  # describing a model does not need OpenCV
    from edge_runtime.pixels.preprocess import Image

# A limit, so that a file cannot fill the device's memory by asking for many repeats.
MAX_SIDE = 4096


@dataclass(frozen=True, eq=False)
class Goldens:
    """``images``: n images (h, w, 3) uint8 BGR of any size. Each pixel stands for a square of the frame whose side is
    given by ``repeats`` (n,) uint8, so that a frame much larger than the input costs few bytes.

    ``input_digests`` (n, 32) uint8 are the `hash_input` of each frame's input tensor; ``outputs`` (n, classes), in the
    tensor's stored dtype, are what the kernels named ``kernels`` gave; ``reference_outputs`` are the same for the
    reference kernels, with which every interpreter in ``reference_backends`` gave exactly these bytes. ``similarities``
    (n,) float32 are the cosines to the contract's neighbours, None if it has none.
    """

    images: tuple[Image, ...]
    repeats: NDArray[np.uint8]
    input_digests: NDArray[np.uint8]
    outputs: NDArray[Any]
    reference_outputs: NDArray[Any]
    kernels: str
    reference_backends: tuple[str, ...]
    similarities: NDArray[np.float32] | None = None

    @property
    def frames(self) -> tuple[Image, ...]:
        """The n frames (h, w, 3) uint8 BGR."""
        return tuple(map(repeat_pixels, self.images, self.repeats.tolist()))


def repeat_pixels(image: Image, times: int) -> Image:
    """The (h, w, 3) image with every pixel repeated ``times`` times in both directions."""
    return image.repeat(times, axis=0).repeat(times, axis=1)


def hash_input(input_tensor: NDArray[Any]) -> NDArray[np.uint8]:
    """The SHA-256 of an input tensor's bytes as (32,) uint8."""
    return np.frombuffer(hashlib.sha256(input_tensor.tobytes()).digest(), np.uint8)


def goldens_to_npz(goldens: Goldens) -> bytes:
    """The content of ``golden.npz``; `numpy.load` reads it too."""
    arrays: dict[str, NDArray[Any]] = {f"picture_{index:02}": image for index, image in enumerate(goldens.images)}
    arrays["repeats"] = goldens.repeats
    arrays["input_digests"] = goldens.input_digests
    arrays["outputs"] = goldens.outputs
    arrays["reference_outputs"] = goldens.reference_outputs
    arrays["kernels"] = np.array(goldens.kernels)
    arrays["reference_backends"] = np.array(goldens.reference_backends)
    if goldens.similarities is not None:
        arrays["similarities"] = goldens.similarities
    return write_zip({f"{name}.npy": array_to_npy(array) for name, array in arrays.items()})


def goldens_from_npz(content: bytes, contract: Contract) -> Goldens:
    """The Goldens that `goldens_to_npz` wrote.

    Raises:
        ModelError: an array is missing, does not match the contract's tensors, or is not an image.
    """
    _, members = split_zip(content, "golden.npz")
    arrays = {name.removesuffix(".npy"): array_from_npy(f"golden.npz: {name}", data) for name, data in members.items()}
    images = tuple(array for name, array in sorted(arrays.items()) if name.startswith("picture_"))
    num, given = len(images), contract.output_tensor
    expected = {
        "repeats": ((num,), "uint8"),
        "input_digests": ((num, 32), "uint8"),
        "outputs": ((num, given.shape[1]), given.dtype),
        "reference_outputs": ((num, given.shape[1]), given.dtype),
    }
    if contract.neighbours is not None:
        expected["similarities"] = ((num,), "float32")
    for name, (shape, dtype) in expected.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            found = "missing" if array is None else f"{array.shape} {array.dtype}"
            raise ModelError(f"golden.npz: {name} is {found}, expected {shape} {dtype}. Convert the model again.")
    if not images or any(each.ndim != 3 or each.shape[2] != 3 or each.dtype != np.uint8 for each in images):
        raise ModelError(
            f"golden.npz has {num} images, expected at least 1, each (h, w, 3) uint8. Convert the model again."
        )
    sides = [max(image.shape) * times for image, times in zip(images, arrays["repeats"].tolist(), strict=True)]
    if not all(0 < side <= MAX_SIDE for side in sides):
        raise ModelError(
            f"golden.npz has frames with sides of up to {max(sides)} pixels, expected 1 to {MAX_SIDE}. "
            "Convert the model again."
        )
    if "kernels" not in arrays or arrays["kernels"].dtype.kind != "U" or arrays["kernels"].shape != ():
        raise ModelError("golden.npz does not name the kernels that it was recorded with. Convert the model again.")
    backends = arrays.get("reference_backends")
    if backends is None or backends.dtype.kind != "U" or backends.ndim != 1:
        raise ModelError("golden.npz does not name the interpreters of its reference outputs. Convert the model again.")
    return Goldens(
        images,
        arrays["repeats"],
        arrays["input_digests"],
        arrays["outputs"],
        arrays["reference_outputs"],
        str(arrays["kernels"]),
        tuple(map(str, backends)),
        arrays["similarities"] if contract.neighbours is not None else None,
    )

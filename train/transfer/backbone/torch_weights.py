"""Reads the tensors of a PyTorch ``.pth`` file (the layout before version 1.6) with NumPy alone.

Such a file is a pickle, and a pickle is code: this reader builds ordered dictionaries and arrays of two number types
and refuses every other name before anything of it runs. PyTorch is not needed and never imported.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class _Storage:
    """A run of ``num`` numbers that follows the pickles, found by its ``key``."""

    key: str
    dtype: np.dtype[Any]
    num: int


@dataclass(frozen=True)
class _Tensor:
    """An array of ``shape`` inside a storage, from element ``offset`` on; ``strides`` count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _StorageType:
    dtype: np.dtype[Any]


def read_torch_weights(content: bytes, name: str) -> dict[str, NDArray[Any]]:
    """The tensors of a ``.pth`` file by their name, float32 or int64; ``name`` is for errors.

    Raises:
        DataError: the file is damaged, is no such file, or wants to build anything but tensors.
    """
    if len(content) > MAX_BYTES:
        raise DataError(f"{name} has {len(content)} bytes, expected at most {MAX_BYTES}; it is no file of weights.")
    stream = io.BytesIO(content)
    try:
        magic, protocol, system = (_load(stream) for _ in range(3))
        if magic != MAGIC or protocol != PROTOCOL or not isinstance(system, dict) or not system.get("little_endian"):
            raise DataError(
                f"{name} begins with {str(magic)[:40]!r} and protocol {str(protocol)[:40]!r}, expected PyTorch's mark "
                f"{MAGIC}, protocol {PROTOCOL} and little-endian numbers; get the file again."
            )
        tensors, keys = _load(stream), _load(stream)
        storages = _read_storages(stream, tensors, keys, name)
    except DataError:
        raise
    # The errors that damaged pickles cause; the unpickler builds nothing that could raise others.
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, MemoryError) as error:
        raise DataError(f"{name} is no file of PyTorch weights ({error}); get it again.") from error
    if stream.read(1):
        raise DataError(f"{name} goes on after its last tensor, expected its end there; get the file again.")
    return {key: _array(tensor, storages, f"{name}: {key}") for key, tensor in tensors.items()}


class _TensorUnpickler(pickle.Unpickler):
    """Builds ordered dictionaries and references to tensors; any other name in the file is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in DTYPES:
            return _StorageType(DTYPES[name])
        raise DataError(f"The file wants to use {module}.{name}; expected tensors alone: do not use this file.")

    def persistent_load(self, reference: Any) -> _Storage:
        kind, storage_type, key, place, num, view = reference
        if kind != "storage" or not isinstance(storage_type, _StorageType) or place != "cpu" or view is not None:
            raise DataError(f"The file refers to {str(reference)[:80]}, expected a whole storage on the processor.")
        return _Storage(str(key), storage_type.dtype, _count(num))


def _load(stream: io.BytesIO) -> Any:
    return _TensorUnpickler(stream).load()


def _rebuild(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], grad: Any, hooks: Any
) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise DataError(f"The file makes a tensor of {str(storage)[:80]}, expected a storage.")
    sizes, steps = tuple(_count(size) for size in shape), tuple(_count(stride) for stride in strides)
    num = math.prod(sizes)
    last = _count(offset) + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True)) if num else 0
    if num > storage.num or last >= max(1, storage.num):
        raise DataError(f"A tensor of shape {sizes}, strides {steps} at {offset} leaves its {storage.num} numbers.")
    return _Tensor(storage, offset, sizes, steps)


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_BYTES:
        raise DataError(f"A size in the file is {str(value)[:40]}, expected a whole number from 0 to {MAX_BYTES}.")
    return value


def _read_storages(stream: io.BytesIO, tensors: Any, keys: Any, name: str) -> dict[str, NDArray[Any]]:
    if not isinstance(tensors, dict) or not all(
        isinstance(key, str) and isinstance(value, _Tensor) for key, value in tensors.items()
    ):
        raise DataError(f"{name} holds something other than named tensors; expected a dictionary of them.")
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(wanted):
        raise DataError(f"{name} lists other storages than its tensors use; it is damaged, get it again.")
    storages = {}
    for key in keys:
        storage = wanted[key]
        num = int.from_bytes(stream.read(8), "little")
        content = stream.read(storage.num * storage.dtype.itemsize)
        if num != storage.num or len(content) != storage.num * storage.dtype.itemsize:
            raise DataError(
                f"{name} has {num} numbers ({len(content)} bytes) for a tensor of {storage.num}: cut off or damaged; "
                "get it again."
            )
        storages[key] = np.frombuffer(content, storage.dtype)
    return storages


def _array(tensor: _Tensor, storages: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    storage = storages[tensor.storage.key]
    strides = [step * storage.itemsize for step in tensor.strides]
    # `_rebuild` has checked that every element lies inside the storage.
    values = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False)
    if not np.isfinite(values).all():
        raise DataError(f"{name} has values that are not numbers, expected finite ones; get the file again.")
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))

"""The reader of PyTorch files reads the one file it knows, and builds tensors and nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import DataError
from train.transfer.backbone.torch_weights import read_torch_weights


class Name:
    """Pickles as a reference to any module's name, without importing it."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments


class Stored:
    """Pickles as a persistent reference."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts


class Writer(pickle._Pickler):
    """Writes protocol 2 as PyTorch did; the pure Python pickler lets us write names that do not exist here."""

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Name):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(value, Stored):
            self.save(value.parts)
            self.write(pickle.BINPERSID)
        else:
            super().save(value, save_persistent_id)


def pickled(*values: Any) -> bytes:
    stream = io.BytesIO()
    for value in values:
        Writer(stream, 2).dump(value)
    return stream.getvalue()


HEADER = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
FLOATS, LONGS = Name("torch", "FloatStorage"), Name("torch", "LongStorage")


def tensor(kind: Name, key: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Call:
    storage = Stored("storage", kind, key, "cpu", 6, None)
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, strides, False, OrderedDict())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_tensors_come_out_in_their_type_and_shape_whatever_their_strides_and_offset() -> None:
    values = {"7": np.arange(6, dtype=np.float32), "9": np.arange(6, dtype=np.int64)}
    tensors = OrderedDict(
        plain=tensor(FLOATS, "7", (2, 3), (3, 1)),
        turned=tensor(FLOATS, "7", (3, 2), (1, 3)),
        last=tensor(FLOATS, "7", (2,), (1,), 4),
        number=tensor(LONGS, "9", (), (), 5),
    )
    content = pickled(*HEADER, tensors, list(values))
    for array in values.values():
        content += struct.pack("<q", len(array)) + array.tobytes()
    read = read_torch_weights(content, sha256(content))
    assert {name: array.tolist() for name, array in read.items()} == {
        "plain": [[0, 1, 2], [3, 4, 5]],
        "turned": [[0, 3], [1, 4], [2, 5]],
        "last": [4, 5],
        "number": 5,
    }
    assert [array.dtype.name for array in read.values()] == ["float32"] * 3 + ["int64"]


def test_another_file_is_refused_before_anything_of_it_is_read(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "made"),)

    content = pickle.dumps(Bomb(), 2)
    with pytest.raises(
        DataError, match=rf"have SHA-256 {sha256(content)}, expected {'0' * 64}: damaged or another version; install"
    ):
        read_torch_weights(content, "0" * 64)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("module", "name"), [("os", "system"), ("builtins", "eval"), ("torch", "load")])
def test_even_in_the_known_file_only_tensors_are_built(module: str, name: str, tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    content = pickled(*HEADER, Call(Name(module, name), f"touch '{mark}'"), [])
    with pytest.raises(DataError, match=rf"The file wants to use {module}.{name}; expected tensors alone"):
        read_torch_weights(content, sha256(content))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            OrderedDict(first=tensor(LONGS, "7", (6,), (1,)), second=tensor(FLOATS, "7", (6,), (1,))),
            r"weights second are float32 in storage 7, which holds int64 for others; expected one type",
        ),
        (
            OrderedDict(long=tensor(FLOATS, "7", (7,), (1,))),
            r"weights long end at number 6 of a storage of 6, expected",
        ),
        (OrderedDict(late=tensor(FLOATS, "7", (2,), (1,), 5)), r"weights late end at number 6 of a storage of 6"),
        (
            OrderedDict(wide=tensor(FLOATS, "7", (2, 2), (1000, 1))),
            r"weights wide end at number 1001 of a storage of 6",
        ),
        (OrderedDict(back=tensor(FLOATS, "7", (2,), (-3,), 3)), r"weights back end at number 0 of a storage of 6"),
        (OrderedDict(gone=tensor(FLOATS, "8", (1,), (1,))), r"The file lacks the storages 8: it is damaged"),
    ],
)
def test_a_tensor_that_leads_out_of_its_storage_is_refused(tensors: OrderedDict[str, Call], message: str) -> None:
    keys = ["7"] if "gone" not in tensors else []
    content = pickled(*HEADER, tensors, keys) + struct.pack("<q", 6) + np.arange(6, dtype=np.float32).tobytes()
    with pytest.raises(DataError, match=message):
        read_torch_weights(content, sha256(content))

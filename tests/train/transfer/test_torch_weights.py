"""The reader of PyTorch files builds tensors and nothing else, whatever the file asks for."""

from __future__ import annotations

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
from train.transfer.backbone.torch_weights import MAGIC, PROTOCOL, read_torch_weights


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


FLOATS, REBUILD = Name("torch", "FloatStorage"), Name("torch._utils", "_rebuild_tensor_v2")
HEADER = (MAGIC, PROTOCOL, {"protocol_version": PROTOCOL, "little_endian": True})


def tensor(key: str, num: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Call:
    return Call(REBUILD, Stored("storage", FLOATS, key, "cpu", num, None), offset, shape, strides, False, OrderedDict())


def file_of(tensors: Any, keys: Any, values: dict[str, np.ndarray], header: tuple[Any, ...] = HEADER) -> bytes:
    content = pickled(*header, tensors, keys)
    for key in keys:
        content += struct.pack("<q", len(values[key])) + values[key].tobytes()
    return content


VALUES = {"7": np.arange(6, dtype=np.float32)}


def test_tensors_come_out_in_their_shape_whatever_their_strides() -> None:
    tensors = {"plain": tensor("7", 6, (2, 3), (3, 1)), "turned": tensor("7", 6, (3, 2), (1, 3))}
    read = read_torch_weights(file_of(tensors, ["7"], VALUES), "x")
    assert read["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert read["plain"].dtype == np.float32


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("torch._utils", "x")]
)
def test_a_hostile_pickle_runs_nothing(module: str, name: str, tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    content = pickled(*HEADER, Call(Name(module, name), f"touch '{mark}'"), [])
    with pytest.raises(DataError, match=rf"The file wants to use {module}.{name}; expected tensors alone"):
        read_torch_weights(content, "x")
    assert not mark.exists()


def test_a_pickle_that_reduces_itself_runs_nothing(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "made"),)

    with pytest.raises(DataError, match=r"The file wants to use (posix|os).mkdir"):
        read_torch_weights(pickle.dumps(Bomb(), 2), "x")
    assert not (tmp_path / "made").exists()


def test_every_cut_of_a_file_is_refused() -> None:
    whole = file_of({"a": tensor("7", 6, (2, 3), (3, 1))}, ["7"], VALUES)
    for length in range(len(whole)):
        with pytest.raises(DataError):
            read_torch_weights(whole[:length], "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickled(1, 2, {}), r"x begins with '1' and protocol '2', expected PyTorch's mark"),
        (b"no pickle at all", r"x is no file of PyTorch weights"),
        (file_of({"a": 3}, [], {}), r"x holds something other than named tensors"),
        (file_of({"a": tensor("7", 6, (6,), (1,))}, [], {}), r"x lists other storages than its tensors use"),
        (file_of({"a": tensor("7", 6, (7,), (1,))}, ["7"], VALUES), r"leaves its 6 numbers"),
        (file_of({"a": tensor("7", 6, (3,), (1,), 4)}, ["7"], VALUES), r"at 4 leaves its 6 numbers"),
        (file_of({"a": tensor("7", 6, (2,), (9,))}, ["7"], VALUES), r"leaves its 6 numbers"),
        (file_of({"a": tensor("7", 6, (-1,), (1,))}, ["7"], VALUES), r"A size in the file is -1, expected a whole"),
        (file_of({"a": tensor("7", 5, (5,), (1,))}, ["7"], VALUES), r"has 6 numbers .* for a tensor of 5"),
        (file_of({"a": tensor("7", 6, (6,), (1,))}, ["7"], VALUES) + b"!", r"x goes on after its last tensor"),
        (
            file_of({"a": tensor("7", 6, (6,), (1,))}, ["7"], {"7": np.full(6, np.nan, np.float32)}),
            r"x: a has values that are not numbers",
        ),
        (pickled(*HEADER, {"a": Call(REBUILD, 1, 0, (), (), False, None)}, []), r"makes a tensor of 1, expected a"),
        (
            pickled(*HEADER, {"a": Call(REBUILD, Stored("storage", FLOATS, "7", "cuda:0", 6, None), 0)}, []),
            r"refers to .*cuda:0.*expected a whole storage on the processor",
        ),
    ],
)
def test_what_is_no_file_of_weights_is_refused_in_words(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_torch_weights(content, "x")


def test_a_file_too_large_to_be_weights_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.transfer.backbone.torch_weights.MAX_BYTES", 10)
    with pytest.raises(DataError, match=r"x has 11 bytes, expected at most 10"):
        read_torch_weights(bytes(11), "x")

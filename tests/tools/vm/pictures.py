"""Images for the simulated cameras, whose labels this machine knows."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge_runtime.contract import InputSpec
from edge_runtime.inference.classifier import Classifier
from edge_runtime.store.shipped import default_model
from train.datasets.cifar10_mini import read_mini

SIZE_WH = (320, 240)
SURE = 0.9


def save_pictures(folder: Path, labels: tuple[str, ...]) -> None:
    """``LABEL.png`` in ``folder``: for each label a test image that the shipped model recognises with confidence."""
    from edge_runtime.model.model_file import open_model

    classifier = Classifier(open_model(default_model()))
    _, test = read_mini(InputSpec(32, 32))
    wanted = set(labels)
    for image in test.images:
        picture = cv2.resize(image[..., ::-1], SIZE_WH, interpolation=cv2.INTER_CUBIC)
        found = classifier.classify(picture)
        if found.label in wanted and found.score >= SURE:
            cv2.imwrite(str(folder / f"{found.label}.png"), picture)
            wanted.remove(found.label)
        if not wanted:
            return
    raise AssertionError(f"no test picture is surely {', '.join(sorted(wanted))}")

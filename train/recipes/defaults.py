"""What is trained by default, the same for `python -m train`, `edge-train` and `make`. Never trains."""

from __future__ import annotations

from pathlib import Path

from train.recipes.config import NAMED_DATA

TRANSFER = "transfer"


def choose_model(data: str) -> str:
    """The architecture for ``data``: photos use transfer learning from ImageNet, CIFAR-10 trains from scratch."""
    return "resnet8" if data in NAMED_DATA else TRANSFER


def name_run(data: str, model: str, size: str | None) -> Path:
    """``runs/DATA-MODEL``, and ``-SIZE`` when one was chosen."""
    return Path("runs", "-".join([Path(data).expanduser().resolve().name, model, *([size] if size else [])]))

"""Frames as a device saves them: scenes of frames that look the same, each with its line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

LABELS = ("key", "lamp", "mug", "pen", "shoe")
FIRST_S = 1_764_000_000.0
Scene = tuple[str, str, float]  # what it is, what the model says, its score


@pytest.fixture
def save_frames(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Writes ``num`` noisy frames of each scene below ``folder``; the truth by file name."""

    def save(folder: Path, scenes: list[Scene], num: int = 1, camera: str = "", seed: int = 1) -> dict[str, str]:
        rng = np.random.default_rng(seed)
        truth, target = {}, folder / camera
        target.mkdir(parents=True, exist_ok=True)
        seq = 0
        for kind, said, score in scenes:
            ground = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
            scene = cv2.resize(ground, (160, 120), interpolation=cv2.INTER_LINEAR).astype(np.int64)
            for _ in range(num):
                pixels = np.clip(scene + rng.integers(-4, 5, scene.shape), 0, 255).astype(np.uint8)
                name = f"20251124T{seq // 3600:02d}{seq // 60 % 60:02d}{seq % 60:02d}.000Z-{seq:08d}"
                record = {
                    "v": 1, "type": "record", "ts": FIRST_S + 3600 * seq, "label": said, "score": score,
                    "top": [{"label": said, "score": score}], "reason": "uncertain", "model_sha256": "ab" * 32,
                }  # fmt: skip
                (target / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
                (target / f"{name}.json").write_text(json.dumps(record) + "\n")
                truth[f"{name}.jpg"] = kind
                seq += 1
        return truth

    return save

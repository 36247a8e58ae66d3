"""What every device classifies, and this machine's own answers, made once for all devices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image
from edge_runtime.contract import InputSpec
from edge_runtime.store.shipped import default_model
from train.datasets.cifar10_mini import read_mini

NUM_PICTURES, NUM_LABELS = 300, 12


@dataclass(frozen=True)
class Material:
    """Files for the device; the digest of the input bytes made of ``pictures``; outputs (300, classes) by interpreter."""

    pictures: Path
    picture: Path
    video: Path
    inputs_sha256: str
    outputs: dict[str, NDArray[np.uint8]]
    labels: NDArray[np.int64]


def make_material(work: Path, backends: tuple[str, ...]) -> Material:
    """300 embedded test pictures, the same number of each class, a photo, a video, and what they give here."""
    from tests.tools.device.on_device import pictures

    _, split = read_mini(InputSpec(32, 32))
    chosen = np.linspace(0, len(split.labels) - 1, NUM_PICTURES).round().astype(int)
    # Four times as large and of odd width, so that the device's resizing is compared as well.
    frames = np.stack([cv2.resize(split.images[index][..., ::-1], (131, 128)) for index in chosen])
    labels = split.labels[chosen]
    stored = work / "pictures.npz"
    np.savez(stored, frames=frames, labels=labels)
    outputs, digests = {}, set()
    for backend in backends:
        found = pictures(str(default_model()), str(stored), str(work / "outputs.npy"), backend)
        digests.add(str(found["inputs_sha256"]))
        outputs[backend] = np.load(work / "outputs.npy")
    (digest,) = digests
    cv2.imwrite(str(work / "photo.jpg"), cv2.resize(frames[0], (640, 480)))
    writer = cv2.VideoWriter(str(work / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240))
    background = draw_wave_image(240, 320)
    for number in range(NUM_LABELS):
        writer.write(draw_numbered_image(background, number))
    writer.release()
    return Material(stored, work / "photo.jpg", work / "clip.avi", digest, outputs, labels)

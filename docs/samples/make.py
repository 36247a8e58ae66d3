"""Makes this folder's sample images and clip from the embedded CIFAR-10 images: `python docs/samples/make.py`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_runtime.contract import InputSpec
from train.datasets.cifar10_mini import LABELS, read_mini

FOLDER = Path(__file__).parent
SHOWN = ("bird", "ship", "horse", "truck")
SIZE_WH, FPS, SECONDS_EACH = (320, 240), 10, 3


def main() -> None:
    """Writes bird.jpg, ship.jpg, horse.jpg, truck.jpg (320x240) and clip.mp4 (each of them for 3 seconds, panning)."""
    _, test = read_mini(InputSpec(32, 32))
    images = test.read(np.arange(len(test.labels)))
    video = cv2.VideoWriter(str(FOLDER / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), FPS, SIZE_WH)
    for name in SHOWN:
        first = int(np.flatnonzero(test.labels == LABELS.index(name))[0])
        frame = cv2.resize(images[first][:, :, ::-1], SIZE_WH, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(FOLDER / f"{name}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 85])
        for number in range(FPS * SECONDS_EACH):
            shift = np.array([[1.0, 0.0, number % 10 - 5.0], [0.0, 1.0, 0.0]])
            video.write(cv2.warpAffine(frame, shift, SIZE_WH, borderMode=cv2.BORDER_REFLECT))
    video.release()


if __name__ == "__main__":
    main()

"""How often the shipped models are right through each way of decoding a camera's frame, beside the plain way.

Pictures are blown up to a camera's size and coded as JPEG; "plain" decodes all of that, "shrunk JPEG" what the model
needs, and "reduced YUYV" is the same picture as a camera without a JPEG coder sends it.

    python -m tests.tools.bench.decoding_paths cifar10.npz --size 640x480 --size 1920x1080
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.inference.classifier import Classifier
from edge_runtime.metrics import paired_difference_interval
from edge_runtime.pixels.image_file import decode_image
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.shrink import decode_shrunk
from edge_runtime.pixels.yuyv import yuyv_to_bgr
from edge_runtime.store.shipped import list_shipped_models

PLAIN, SHRUNK, YUYV = "plain", "shrunk JPEG", "reduced YUYV"
PATHS = (SHRUNK, YUYV)
QUALITY = 90


@dataclass(frozen=True)
class Comparison:
    """One path beside the plain one: of ``num`` pictures ``plain`` and ``right`` are answered rightly, ``lost`` only
    by the plain path, ``gained`` only by this one.
    """

    num: int
    plain: int
    right: int
    lost: int
    gained: int

    @property
    def change(self) -> float:
        """The change of accuracy, of 1; negative is worse than the plain path."""
        return (self.gained - self.lost) / self.num

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of `change`."""
        return paired_difference_interval(self.gained, self.lost, self.num)


def frames_of(small: Image, size_wh: tuple[int, int], spec: InputSpec) -> dict[str, Image]:
    """The (h, w, 3) uint8 BGR frame that each path gives of a small BGR picture blown up to ``size_wh``."""
    large = cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC)
    content = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    raw = np.asarray(cv2.cvtColor(large, cv2.COLOR_BGR2YUV_YUYV), np.uint8)
    return {
        PLAIN: decode_image(content, "a picture"),
        SHRUNK: decode_shrunk(content, "a picture", spec),
        YUYV: yuyv_to_bgr(raw, spec),
    }


def compare_paths(
    classifiers: Mapping[str, Classifier], pictures: Iterator[tuple[Image, str]], size_wh: tuple[int, int]
) -> dict[tuple[str, str], Comparison]:
    """The comparison of each model and path, by (model, path), on (small BGR picture, label) pairs."""
    right: dict[tuple[str, str], list[bool]] = {}
    for small, label in pictures:
        frames: dict[InputSpec, dict[str, Image]] = {}
        for name, classifier in classifiers.items():
            spec = classifier.contract.spec.input
            if spec not in frames:
                frames[spec] = frames_of(small, size_wh, spec)
            for path, frame in frames[spec].items():
                answer = classifier.contract.spec.labels[classifier.classify(frame).index]
                right.setdefault((name, path), []).append(answer == label)
    answers: dict[tuple[str, str], NDArray[np.bool_]] = {key: np.array(values) for key, values in right.items()}
    return {
        (name, path): _comparison(answers[name, PLAIN], answers[name, path]) for name in classifiers for path in PATHS
    }


def _comparison(plain: NDArray[np.bool_], path: NDArray[np.bool_]) -> Comparison:
    lost, gained = int((plain & ~path).sum()), int((path & ~plain).sum())
    return Comparison(len(plain), int(plain.sum()), int(path.sum()), lost, gained)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="an .npz with x_test (n, 32, 32, 3) uint8 RGB, y_test and labels")
    parser.add_argument("--size", action="append", metavar="WxH", help="of the camera's frames; repeatable")
    parser.add_argument("--count", type=int, default=10_000, help="how many pictures (default 10000)")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    with np.load(flags.data) as data:
        images, numbers, labels = data["x_test"][: flags.count], data["y_test"].reshape(-1), data["labels"]
    print("| model | frames | path | right plainly | change in points | 95 % interval | lost / gained |")
    print("|---|---|---|---|---|---|---|")
    with ExitStack() as stack:
        classifiers = {name: stack.enter_context(Classifier(path)) for name, path in list_shipped_models().items()}
        for size in flags.size or ["640x480"]:
            width, height = (int(side) for side in size.split("x"))
            pictures = ((images[i][..., ::-1], str(labels[numbers[i]])) for i in _counted(len(images), size))
            for (name, path), each in compare_paths(classifiers, pictures, (width, height)).items():
                low, high = each.interval
                print(
                    f"| {classifiers[name].contract.spec.name} | {size} | {path} | {100 * each.plain / each.num:.2f} % "
                    f"| {100 * each.change:+.2f} | {100 * low:+.2f} to {100 * high:+.2f} "
                    f"| {each.lost} / {each.gained} |",
                    flush=True,
                )


def _counted(num: int, what: str) -> Iterator[int]:
    """0 to ``num`` - 1; every 250 the time that is left goes to stderr."""
    start_s = time.monotonic()
    for index in range(num):
        if index and index % 250 == 0:
            left_s = (time.monotonic() - start_s) / index * (num - index)
            print(f"{what}: {index}/{num}, {left_s:.0f} s left", file=sys.stderr, flush=True)
        yield index


if __name__ == "__main__":
    main()

"""Prints the table of docs/models-of-others.md: each model through edge-runtime and through a straightforward script.

The script is what a maker's README shows: resize, normalise, set the tensor, invoke, take the largest. Three counts a model: on
images that already have the input's size, where both see the same pixels; on whole photos, where each resizes; and the script
against itself, resizing with another of OpenCV's methods, which says how much of the second is the resizing.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.selftest import selftest
from edge_runtime.installed.adopt import adopt
from edge_runtime.model.model_file import open_model, read_model
from edge_runtime.model.stated_input import StatedInput
from tests.tools.foreign.models import MODELS, Foreign


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clones", type=Path, help="a folder with OWNER/REPOSITORY/ for each repository of models.py")
    parser.add_argument(
        "--images", type=Path, nargs="+", required=True, help="folders of photos; the first of each are taken"
    )
    parser.add_argument("--count", type=int, default=60, help="how many photos (default 60)")
    options = parser.parse_args()
    photos = read_photos(options.images, options.count)
    print("| kind | repository | file | top-1 alike: same pixels | each resizes | two scripts |")
    print("|---|---|---|---|---|---|")
    for foreign in MODELS:
        path = options.clones / foreign.repository / foreign.path
        row = f"| {foreign.kind} | {foreign.repository} | `{path.name}` |"
        if not path.is_file():
            print(f"{row} not there | | |", flush=True)
        elif foreign.prepare is None:
            print(f"{row} {expect_refusal(foreign, path)} | | |", flush=True)
        else:
            counts = compare(foreign, path, options.clones / foreign.repository, photos)
            print(row, " | ".join(f"{count} of {len(photos)}" for count in counts), "|", flush=True)


def read_photos(folders: Sequence[Path], count: int) -> list[NDArray[np.uint8]]:
    """(h, w, 3) uint8 BGR photos, in turns from every folder that holds some, in the order of their names."""
    leaves = sorted({path.parent for folder in folders for path in folder.rglob("*.jpg")})
    turns = [sorted(leaf.glob("*.jpg")) for leaf in leaves]
    paths = [turn[number] for number in range(max(map(len, turns))) for turn in turns if number < len(turn)]
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths[:count]]


def expect_refusal(foreign: Foreign, path: Path) -> str:
    """What the refusal says of the kind; AssertionError when it is another one or none."""
    labels = None if foreign.labels is None else make_labels(foreign, path.parent)
    try:
        model = read_model(path.read_bytes(), path.name, labels)
    except EdgeRuntimeError as error:
        assert foreign.refusal in str(error), error
        return f"refused: {foreign.refusal}"
    raise AssertionError(f"{path} was opened as {model.contract.spec}, expected a refusal.")


def make_labels(foreign: Foreign, clone: Path) -> str:
    """The text of the label file, or as many invented labels as there are classes."""
    if isinstance(foreign.labels, int):
        return "".join(f"class {letter}\n" for letter in range(foreign.labels))
    return (clone / str(foreign.labels)).read_text("utf-8")


def compare(foreign: Foreign, path: Path, clone: Path, photos: Sequence[NDArray[np.uint8]]) -> tuple[int, int, int]:
    """How many photos get the same best class: resized before both, by each, and by the script in two ways.

    The model is adopted first, and what came out must pass its self-test on every backend.
    """
    stated = StatedInput.parse(**dict(foreign.stated)) or None
    if foreign.labels is None:
        model = open_model(path, None, stated)
    else:
        model = read_model(path.read_bytes(), path.name, make_labels(foreign, clone), path, stated=stated)
    model = read_model(adopt(model, "adopted"), "adopted")
    for backend in list_available_backends():
        with Classifier(model, backend=backend) as classifier:
            report = selftest(classifier)
        assert report.passed, (path, report.failures)
    script = Script(foreign, path)
    size_wh = model.contract.spec.input.width, model.contract.spec.input.height
    same = resized = scripts = 0
    with Classifier(model, backend=list_available_backends()[0]) as classifier:
        for photo in photos:
            region = crop_square(photo) if foreign.is_cropped else photo
            by_area = np.asarray(cv2.resize(region, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
            by_line = np.asarray(cv2.resize(region, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
            wanted = script.find_best(by_area[..., ::-1])
            same += classifier.classify(by_area).index == wanted
            resized += classifier.classify(photo).index == wanted
            scripts += script.find_best(by_line[..., ::-1]) == wanted
    return same, resized, scripts


def crop_square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square in the middle of an (h, w, 3) photo."""
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    return photo[top : top + side, left : left + side]


class Script:
    """The straightforward script, with the same backend and nothing else of ours."""

    def __init__(self, foreign: Foreign, path: Path) -> None:
        package = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}[list_available_backends()[0]]
        self._native = importlib.import_module(f"{package}.interpreter").Interpreter(model_path=str(path))
        self._native.allocate_tensors()
        (self._input,), (self._output,) = self._native.get_input_details(), self._native.get_output_details()
        self._prepare = foreign.prepare

    def find_best(self, rgb: NDArray[np.uint8]) -> int:
        """The index of the largest score of an (h, w, 3) uint8 RGB image of the input's size."""
        assert self._prepare is not None
        self._native.set_tensor(self._input["index"], self._store(self._prepare(rgb))[None])
        self._native.invoke()
        scores = self._native.get_tensor(self._output["index"]).reshape(-1)
        if len(scores) == 1:
            scale, zero_point = self._output["quantization"]
            return int((scores[0] - zero_point) * (scale or 1.0) > 0.5)
        return int(scores.argmax())

    def _store(self, prepared: NDArray[np.float64]) -> NDArray[Any]:
        dtype = np.dtype(self._input["dtype"])
        if dtype == np.uint8:
            return prepared.astype(np.uint8)
        if dtype == np.int8:
            scale, zero_point = self._input["quantization"]
            return np.clip(np.rint(prepared / scale) + zero_point, -128, 127).astype(np.int8)
        return prepared.astype(np.float32)


if __name__ == "__main__":
    main()

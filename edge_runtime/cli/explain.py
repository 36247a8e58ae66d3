"""``classify --explain``: an image of each answer that shows where the model looked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import ModelError, OutputError, UsageError
from edge_runtime.inference.activation_map import NO_MAP
from edge_runtime.pixels.heat import draw_heat, encode_png
from edge_runtime.system.durable import write_durably

if TYPE_CHECKING:
    from edge_runtime.contract import InputSpec
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.inference.postprocess import Prediction
    from edge_runtime.pixels.preprocess import Image

# About the size that an image is drawn at, whatever size the model needs.
SIDE = 480


class Explainer:
    """Writes PNG files: the one file ``target``, or for several images one file each in the folder ``target``.

    Raises:
        UsageError: ``target`` names one file, but ``several`` images may come.
        ModelError: the model of ``classifier`` cannot show where it looked.
    """

    def __init__(self, target: Path, classifier: Classifier, *, several: bool) -> None:
        if not classifier.has_maps:
            raise ModelError(NO_MAP)
        is_file = target.suffix.lower() == ".png" and not target.is_dir()
        if is_file and several:
            raise UsageError(
                f"`explain` is the one file {target}, but several images may come; name a folder for them."
            )
        self._target, self._classifier, self._is_file = target, classifier, is_file

    @property
    def spec(self) -> InputSpec:
        """How small images may be decoded for drawing."""
        spec = self._classifier.input_spec
        return replace(spec, height=max(spec.height, SIDE), width=max(spec.width, SIDE))

    def write(self, name: str, number: int, image: Image, prediction: Prediction) -> str:
        """Draws where the model looked in the last frame over ``image``, (h, w, 3) uint8 BGR, named ``name``; returns a
        line that says what was drawn.

        Raises:
            EdgeRuntimeError: the file cannot be written; an OutputError where its folder cannot be made.
        """
        times = max(1, SIDE // max(image.shape[:2]))
        image = image.repeat(times, axis=0).repeat(times, axis=1)
        shares = self._classifier.last_map(prediction.index).shares()
        path = self._target if self._is_file else self._target / f"{number:04}-{Path(name).stem.replace(' ', '-')}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The folder {path.parent} cannot be made ({error.strerror}); give `explain` a place that "
                "this user may write to."
            ) from error
        write_durably(path, encode_png(draw_heat(image, shares, self._classifier.input_spec)))
        nothing = "" if shares.any() else ": nothing in it supports that"
        return f"{path}: where it looked for {prediction.top[0].label}{nothing}"

"""What a person states about the input of a model from elsewhere, because its file does not say it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_runtime.contract import RESIZE_MODES, Normalization
from edge_runtime.errors import ModelError, UsageError

# torchvision's mean and standard deviation of ImageNet's photos, as pixel values 0 to 255 instead of 0 to 1.
_IMAGENET = Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
NORMALIZE_FORMS = "0..1, -1..1, 0..255, imagenet, MEAN,STD or MEAN,MEAN,MEAN,STD,STD,STD (pixels, in the order R, G, B)"


@dataclass(frozen=True)
class StatedInput:
    """``normalization``, ``channels`` ("rgb" or "bgr"), ``resize`` (one of `RESIZE_MODES`) and ``size`` (height, width)
    of the input; each is None if it was not stated.
    """

    normalization: Normalization | None = None
    channels: str | None = None
    resize: str | None = None
    size: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        """Whether anything was stated."""
        return self != StatedInput()

    @classmethod
    def parse(
        cls,
        normalize: str | None = None,
        channels: str | None = None,
        resize: str | None = None,
        input_size: str | None = None,
    ) -> StatedInput:
        """Parses texts: ``normalize`` is one of `NORMALIZE_FORMS`, ``input_size`` is "224" or "WIDTHxHEIGHT".

        Raises:
            UsageError: one of them is malformed.
        """
        for name, value, allowed in (("channels", channels, ("rgb", "bgr")), ("resize", resize, RESIZE_MODES)):
            if value is not None and value not in allowed:
                raise UsageError(f"`{name}` is {value!r}, expected {' or '.join(allowed)}.")
        normalization = None if normalize is None else parse_normalization(normalize)
        return cls(normalization, channels, resize, None if input_size is None else _parse_size(input_size))


def parse_normalization(normalize: str) -> Normalization:
    """The Normalization that a text such as "-1..1" stands for; UsageError for a malformed text."""
    text = normalize.strip().lower()
    if text == "imagenet":
        return _IMAGENET
    if found := _RANGE.fullmatch(text):
        low, high = map(float, found.groups())
        if low < high:
            # Pixel 0 becomes low, and 255 becomes high.
            std = 255 / (high - low)
            return Normalization((0.0 - low * std,), (std,))
    if re.fullmatch(rf"{_NUMBER}(,\s*{_NUMBER})+", text):
        numbers = [float(number) for number in text.split(",")]
        if len(numbers) in (2, 6):
            half = len(numbers) // 2
            try:
                return Normalization(tuple(numbers[:half]), tuple(numbers[half:]))
            except ModelError as error:
                raise UsageError(f"`normalize` is {normalize!r}: {error}") from error
    raise UsageError(f"`normalize` is {normalize!r}, expected {NORMALIZE_FORMS}.")


def _parse_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip().lower())
    if not found or not int(found[1]) or (found[2] and not int(found[2])):
        raise UsageError(f"`input_size` is {text!r}, expected a side such as 224, or WIDTHxHEIGHT such as 320x240.")
    width = int(found[1])
    return int(found[2] or width), width

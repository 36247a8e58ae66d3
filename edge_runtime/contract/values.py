"""The frozen values of a contract, each checked when it is created. Never reads or writes a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from edge_runtime.contract.drift_reference import DriftReference
from edge_runtime.contract.layout import OURS, InputLayout
from edge_runtime.errors import ModelError

CONTRACT_VERSION = 1
RESIZE_MODES = ("stretch", "crop", "letterbox")
OUTPUTS = ("logits", "probabilities")
# A limit, so that a file with a huge table cannot use up the device's memory or time.
MAX_NEIGHBOUR_BYTES = 4 * 1024 * 1024
DTYPES = ("uint8", "int8", "float32")
SMALLEST_REGION = 0.01
MAX_INPUT_SIDE = 4096


@dataclass(frozen=True)
class InputSpec:
    """A model's input: a (height, width, 3) uint8 RGB image, made by one of `RESIZE_MODES`.

    ``stretch`` ignores the aspect ratio, ``crop`` takes the largest centred region of the target's aspect ratio,
    ``letterbox`` keeps the whole frame and pads.
    """

    height: int
    width: int
    resize: str = "stretch"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            size = getattr(self, name)
            if not isinstance(size, int) or not 1 <= size <= MAX_INPUT_SIDE:
                raise ModelError(f"The input {name} is {size!r}, expected a whole number from 1 to {MAX_INPUT_SIDE}.")
        _expect_one_of("resize mode", self.resize, RESIZE_MODES)


@dataclass(frozen=True)
class ModelSpec:
    """What training decides: a name, the labels in output order, the input, and the meaning of the output numbers."""

    name: str
    labels: tuple[str, ...]
    input: InputSpec
    output: str

    def __post_init__(self) -> None:
        expect_name(self.name)
        if len(self.labels) < 2:
            raise ModelError(f"The model has {len(self.labels)} label(s), expected at least 2.")
        for label in self.labels:
            if not label or label != label.strip() or "\n" in label:
                raise ModelError(
                    f"The label {label!r} is empty, padded with blanks or has a line break; rename the class."
                )
        if len(set(self.labels)) != len(self.labels):
            twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
            raise ModelError(f"The labels {twice} occur more than once, expected {len(self.labels)} different ones.")
        _expect_one_of("output", self.output, OUTPUTS)


@dataclass(frozen=True)
class Normalization:
    """The model computes with ``(pixel - mean) / std``; one value for all channels or one each for R, G, B."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise ModelError(
                f"The normalisation has {len(self.mean)} mean and {len(self.std)} std values, "
                "expected 1 of each or 3 of each."
            )
        if not all(math.isfinite(value) for value in self.mean) or not all(
            math.isfinite(v) and v > 0 for v in self.std
        ):
            raise ModelError(
                f"The normalisation is mean {self.mean}, std {self.std}; expected finite numbers and std above 0."
            )


@dataclass(frozen=True)
class TensorSpec:
    """An input or output tensor: ``real = (stored - zero_point) * scale``; both are 0 for float32."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        _expect_one_of("tensor dtype", self.dtype, DTYPES)
        if self.dtype != "float32" and not (math.isfinite(self.scale) and self.scale > 0):
            raise ModelError(f"The {self.dtype} tensor has scale {self.scale}, expected a finite number above 0.")


@dataclass(frozen=True)
class Score:
    """How often one way of running the model was right on the held-out test split."""

    backend: str
    num_correct: int
    num_images: int

    def __post_init__(self) -> None:
        if not 0 <= self.num_correct <= self.num_images or self.num_images < 1:
            raise ModelError(
                f"The score of {self.backend} is {self.num_correct} of {self.num_images} images, which is impossible."
            )

    @property
    def accuracy(self) -> float:
        """The share of images that were classified correctly, in [0, 1]."""
        return self.num_correct / self.num_images


@dataclass(frozen=True)
class Neighbours:
    """When a frame is unlike anything seen in training: its features (``width`` int8 values in tensor number ``tensor``
    of the flatbuffer, 0 at ``zero_point``) have a cosine below ``cut`` to the ``rank``-th nearest of the ``num_images``
    rows of the part ``"neighbours.npy"``. The rows are centres of each class's calibration images; in older files, and
    for taught photos, they are the images themselves, of which the third nearest counts.
    """

    tensor: int
    zero_point: int
    width: int
    num_images: int
    rank: int
    cut: float

    def __post_init__(self) -> None:
        if self.tensor < 0 or not -128 <= self.zero_point <= 127 or self.width < 1:
            raise ModelError(
                f"The neighbours are features of tensor {self.tensor} with zero point {self.zero_point} and width "
                f"{self.width}, expected a tensor from 0, a zero point of -128 to 127 and at least one value."
            )
        if not 1 <= self.rank <= self.num_images or self.num_images * self.width > MAX_NEIGHBOUR_BYTES:
            raise ModelError(
                f"The neighbours are number {self.rank} of {self.num_images} images with {self.width} values each, "
                f"expected one of them and at most {MAX_NEIGHBOUR_BYTES} bytes in all."
            )
        if not -1.0 <= self.cut <= 1.0:
            raise ModelError(f"The neighbours' cut is {self.cut}, expected a cosine in [-1, 1].")


@dataclass(frozen=True)
class Region:
    """The part of a camera's frame that counts, in fractions of the frame's width and height from its top left."""

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        ends = (self.left, self.top, self.left + self.width, self.top + self.height)
        # The ends may exceed the frame by a rounding error: 0.7 + 0.3 is not always 1.
        if not all(0.0 <= end <= 1.0 + 1e-6 for end in ends) or min(self.width, self.height) < SMALLEST_REGION:
            raise ModelError(
                f"The region is {self}, expected X,Y,W,H in fractions of the frame: from 0 to 1, at least "
                f"{SMALLEST_REGION:g} wide and high, such as 0.25,0.25,0.5,0.5."
            )

    def __str__(self) -> str:
        return ",".join(f"{value:.6g}" for value in (self.left, self.top, self.width, self.height))


@dataclass(frozen=True)
class Provisional:
    """Marks a model that was taught on a device from a few photos and never tested on a test split: of ``num_photos``,
    each left out once, ``num_correct`` were recognised.
    """

    num_photos: int
    num_correct: int

    def __post_init__(self) -> None:
        if not 0 <= self.num_correct <= self.num_photos or self.num_photos < 1:
            raise ModelError(
                f"The provisional model recognised {self.num_correct} of {self.num_photos} taught photos, which is "
                "impossible."
            )

    def __str__(self) -> str:
        return f"provisional: {self.num_correct} of {self.num_photos} taught photos recognised when left out"


@dataclass(frozen=True)
class Contract:
    """Everything that a device must know about one model file.

    ``parts`` maps ``"model"`` (the flatbuffer), ``"labels.txt"`` and ``"golden.npz"`` to their SHA-256 in hex.
    ``threshold`` is the probability below which the answer is "unknown". ``provenance`` is free-form JSON: what made
    the file, the calibration images with their hashes, the data set's name; no time stamps, so that one run always
    gives the same file. ``neighbours`` is a second reason for "unknown"; ``region`` is the part of the frame that the
    training images were cut from, by a camera in the same position; ``layout`` is the order of the input tensor's axes
    and colours if that is not (1, height, width, 3) RGB; ``class_thresholds`` are what some labels need instead of
    ``threshold``; ``drift`` is what normal frames give; ``provisional`` says that the model was taught on a device from
    a few photos. Each is None in files without it, whose JSON lacks the key. An output of a single number is the second
    label's score.
    """

    version: int
    spec: ModelSpec
    normalization: Normalization
    input_tensor: TensorSpec
    output_tensor: TensorSpec
    threshold: float
    scores: tuple[Score, ...]
    parts: dict[str, str]
    provenance: dict[str, Any]
    neighbours: Neighbours | None = None
    region: Region | None = None
    layout: InputLayout | None = None
    class_thresholds: dict[str, float] | None = None
    drift: DriftReference | None = None
    provisional: Provisional | None = None

    def __post_init__(self) -> None:
        if self.version != CONTRACT_VERSION:
            raise ModelError(
                f"The contract has version {self.version!r}, this runtime reads version {CONTRACT_VERSION}: "
                "install a matching edge-runtime or convert the model again."
            )
        layout = self.layout or OURS
        expected = layout.shape(self.spec.input.height, self.spec.input.width)
        if self.input_tensor.shape != expected:
            raise ModelError(f"The input tensor is {self.input_tensor.shape} but the input spec says {expected}.")
        if layout.channels == "grey" and len(self.normalization.mean) != 1:
            raise ModelError(f"The normalisation is mean {self.normalization.mean}, expected one value: it sees grey.")
        if self.output_tensor.shape != (1, len(self.spec.labels)) and not self.is_binary:
            raise ModelError(
                f"The output tensor is {self.output_tensor.shape} but there are {len(self.spec.labels)} labels."
            )
        if not 0.0 <= self.threshold <= 1.0:
            raise ModelError(f"The threshold is {self.threshold}, expected a probability in [0, 1].")
        for label, threshold in (self.class_thresholds or {}).items():
            if label not in self.spec.labels or not 0.0 <= threshold <= 1.0:
                raise ModelError(
                    f"The threshold of {label!r} is {threshold}, expected one of the model's labels and a "
                    "probability in [0, 1]."
                )

    @property
    def is_binary(self) -> bool:
        """Whether the output is one number, the score of the second of two labels."""
        return self.output_tensor.shape == (1, 1) and len(self.spec.labels) == 2


def expect_name(name: str) -> None:
    """Raises ModelError if a model cannot be called ``name``, which becomes part of file names and lines of output."""
    if not name or any(character in name for character in "/\\\0\n"):
        raise ModelError(f"The model name is {name!r}, expected one non-empty word without slashes or line breaks.")


def _expect_one_of(what: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ModelError(f"The {what} is {value!r}, expected one of {', '.join(allowed)}.")

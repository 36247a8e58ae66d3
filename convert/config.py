"""What one conversion is told to do, as one frozen value; it goes into the file's provenance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UsageError

IO_DTYPES = ("uint8", "int8")
# The best class's lead over the second, in probability, that makes an answer clear: 51 of the 256 output steps.
CLEAR_MARGIN = 0.2


@dataclass(frozen=True)
class ForeignModel:
    """What a `.keras` file that `train` did not make does not say: its labels in output order, images, preprocessing.

    ``calibration`` and ``test`` are folders of images, one directory per class (``calibration`` may also be flat);
    "unknown" is fitted on ``validation``, laid out like ``test``.
    The model takes ``(pixel - mean) / std`` of pixels 0..255, each one value or R, G, B, with its channels in the order
    "rgb" or "bgr"; 0 and 1 when it normalises inside, or not at all.
    """

    labels: Path
    calibration: Path
    test: Path | None = None
    resize: str = "stretch"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: str = "rgb"
    validation: Path | None = None


@dataclass(frozen=True)
class ConvertConfig:
    """``source`` is a run directory, or a `.keras` file described by ``foreign``; ``max_drop`` is in percentage points.

    Without ``threshold``, one is fitted that accepts ``acceptance`` of the validation images, or fewer where their
    answers would clearly be right less often than ``precision`` (all in [0, 1]); without validation images there is
    none. ``out_of_distribution`` is a folder of images that belong to none of the classes, to measure "unknown" with;
    ``field_test`` also tests on the test images as a camera would show them. Without ``out`` the file is
    ``build/<name>.tflite``; without ``name`` it has the name of its training run.
    """

    source: Path
    out: Path | None = None
    name: str | None = None
    num_calibration_images: int = 200
    seed: int = 0
    io: str = "uint8"
    max_drop: float = 1.0
    threshold: float | None = None
    precision: float = 0.95
    acceptance: float = 0.92
    out_of_distribution: Path | None = None
    force: bool = False
    field_test: bool = True
    foreign: ForeignModel | None = None

    def __post_init__(self) -> None:
        if self.num_calibration_images < 1:
            raise UsageError(f"There are {self.num_calibration_images} calibration images, expected at least 1.")
        if self.io not in IO_DTYPES:
            raise UsageError(f"The input and output type is {self.io!r}, expected {' or '.join(IO_DTYPES)}.")
        if not 0 <= self.max_drop <= 100:
            raise UsageError(f"The largest allowed drop is {self.max_drop} points, expected 0 to 100.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"The threshold is {self.threshold}, expected a probability in [0, 1].")
        if not 0 < self.precision < 1:
            raise UsageError(f"The wanted precision is {100 * self.precision:g} %, expected above 0 and below 100.")
        if not 0 < self.acceptance <= 1:
            raise UsageError(f"The wanted acceptance is {100 * self.acceptance:g} %, expected above 0, at most 100.")
        if self.out is not None and self.out.suffix != ".tflite":
            raise UsageError(f"The output is {self.out}, expected a name that ends in .tflite.")
        if self.source.suffix == ".keras" and self.foreign is None:
            raise UsageError(f"{self.source} is a .keras file, which needs --labels and --calibration beside it.")

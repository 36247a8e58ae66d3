"""What may be said about a camera beside its address."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_runtime.cameras.pace import PATIENCE
from edge_runtime.errors import UsageError


@dataclass(frozen=True)
class CameraOptions:
    """``expect_fps`` is how many frames a second the camera gives by nature; None: it is learnt.

    Raises:
        UsageError: ``expect_fps`` is not above 0.
    """

    expect_fps: float | None = None

    def __post_init__(self) -> None:
        if self.expect_fps is not None and not 0 < self.expect_fps < math.inf:
            raise UsageError(f"`expect_fps` is {self.expect_fps:g}, expected frames a second above 0, such as 0.1.")

    def choose_patience_s(self, least_s: float) -> float:
        """How long to wait for a first frame: ``least_s``, or longer for a camera that is known to be slow."""
        return max(least_s, PATIENCE / self.expect_fps) if self.expect_fps else least_s

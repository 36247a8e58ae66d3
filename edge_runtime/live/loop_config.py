"""What the live loop is told: how old a frame may be, when to end, and when a camera is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_runtime.errors import UsageError
from edge_runtime.live.health import HealthConfig
from edge_runtime.live.smoothing import Hold

USUAL_MAX_AGE_MS = 500.0
MAX_AGE_INTERVALS = 1.5


@dataclass(frozen=True)
class LoopConfig:
    """``max_age_ms`` and the health checks apply to live cameras only; None means 500, or one and a half of the
    camera's own intervals where that is longer. ``max_frames`` None means no limit.

    ``give_up_s`` is how long the first frame of a live camera may take before CameraError; the loop waits out later
    outages.
    """

    max_age_ms: float | None = None
    max_frames: int | None = None
    hold: Hold | None = None
    give_up_s: float = 30.0
    health: HealthConfig = field(default_factory=HealthConfig)

    def __post_init__(self) -> None:
        if self.max_age_ms is not None and not self.max_age_ms > 0:
            raise UsageError(f"`max_age_ms` is {self.max_age_ms:g}, expected a number of milliseconds above 0.")
        if self.max_frames is not None and self.max_frames < 1:
            raise UsageError(f"`max_frames` is {self.max_frames}, expected at least 1.")
        if not self.give_up_s > 0:
            raise UsageError(f"`give_up_s` is {self.give_up_s:g}, expected seconds above 0, or inf for never.")

    def limit_age_ms(self, interval_s: float | None) -> float:
        """The oldest age of a frame that gets a label, of a camera whose interval is ``interval_s``, None while it is
        unknown.
        """
        if self.max_age_ms is not None:
            return self.max_age_ms
        return max(USUAL_MAX_AGE_MS, MAX_AGE_INTERVALS * 1e3 * (interval_s or 0.0))

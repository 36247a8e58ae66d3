"""The states of a camera, and the two questions that everybody asks: may a label be believed, and is the image live?"""

from __future__ import annotations

from enum import Enum


class HealthState(str, Enum):
    """As in JSON lines, MQTT and the metrics; ``str(state)`` is its word there."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    STALE = "stale"
    BLACK = "black"
    FROZEN = "frozen"
    DAMAGED = "damaged"
    NO_CAMERA = "no_camera"
    STALLED = "stalled"

    def __str__(self) -> str:
        return self.value

    @property
    def is_believed(self) -> bool:
        """Whether a label may be believed: fresh frames arrive, even if too few."""
        return self in (HealthState.OK, HealthState.DEGRADED)

    @property
    def is_live(self) -> bool:
        """Whether the newest frame is what the camera sees: a one-colour image is, a frozen image is not."""
        return self.is_believed or self in (HealthState.STARTING, HealthState.BLACK)

"""What the runtime tells the world, as frozen values: a label for a frame, an event, a summary. Sinks turn them into
text.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.inference.postprocess import Prediction
from edge_runtime.live.health_state import HealthState

# How long a label holds without a newer one; longer for slower cameras.
LABEL_VALID_S = 2.0


@dataclass(frozen=True)
class Result:
    """The label of one frame.

    Args:
        seq: the frame's number, counted where frames are captured.
        ts: wall-clock time of the result, seconds since 1970 UTC.
        age_ms: from the frame's capture to the result, by the monotonic clock.
        prediction: the classes and their scores.
        dropped: frames captured so far that were never classified.
        name: the file that the frame came from, or empty.
        held: the steadied label when smoothing is on (empty while undecided), else None.
        held_score: the score that ``held`` had in the newest frame that said so, else None.
        classify_ms: how long the classifier took, preprocessing included.
    """

    seq: int
    ts: float
    age_ms: float
    prediction: Prediction
    dropped: int
    name: str = ""
    held: str | None = None
    held_score: float | None = None
    classify_ms: float = 0.0

    @property
    def shown(self) -> str:
        """The label to show: the steadied one when smoothing is on (empty while undecided), else the prediction's."""
        return self.prediction.label if self.held is None else self.held

    @property
    def shown_score(self) -> float | None:
        """The score of the label to show; None while that is undecided."""
        return self.prediction.score if self.held is None else self.held_score


@dataclass(frozen=True)
class LastKnown:
    """The label that was shown last, its score, and when its frame was looked at (wall clock)."""

    label: str
    score: float | None
    ts: float


@dataclass(frozen=True)
class Event:
    """Something changed. ``kind`` is "camera" (``state`` is a health state), "label" (``state`` is the new label),
    "motion" (``state`` is "still" or "moving"; ``last_known`` is the label that holds meanwhile), or the output that
    ``state`` describes: "recorder", "mqtt", "mqtt-prefix", "log".
    """

    ts: float
    kind: str
    state: str
    reason: str
    last_known: LastKnown | None = None


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Counts:
    """Where the frames went; ``captured == processed + dropped + skipped + in_flight`` always.

    The main loop looked at ``processed`` frames, of which ``refused`` (black, frozen) got no label. ``dropped`` were
    replaced by a newer frame or were too old (``too_old`` of them). ``skipped`` were left out on purpose: nothing
    moved, or it was not yet time. ``bad`` images could not be decoded and were never captured. ``restarts`` counts
    capture processes that had to be replaced.
    """

    captured: int = 0
    processed: int = 0
    dropped: int = 0
    in_flight: int = 0
    refused: int = 0
    too_old: int = 0
    bad: int = 0
    restarts: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Pulse:
    """A sign of life of the loop, a few times a second: the camera's health at ``now_s`` (monotonic), the counts, and
    what degrades it: "low_fps", "drift". ``label_valid_s`` is how long a label of this camera holds without a newer
    one, inf while nothing moves; nothing has moved since ``still_since`` (wall clock). When ``rests``, frames are
    skipped on purpose.
    """

    now_s: float
    camera: str
    state: HealthState
    reason: str
    counts: Counts
    causes: tuple[str, ...] = ()
    label_valid_s: float = LABEL_VALID_S
    still_since: float | None = None
    rests: bool = False


@dataclass(frozen=True)
class ShadowSummary:
    """How the candidate ``name`` has done so far: of ``num_labels`` frames that the model in use labelled, it was shown
    ``num_seen`` and gave ``num_agreed`` the same label. ``p50_ms`` and ``p95_ms`` are its time per frame, beside those
    of the model in use. ``failure`` says why it is shown no more frames.
    """

    name: str
    version: str
    num_labels: int
    num_seen: int
    num_agreed: int
    p50_ms: float | None
    p95_ms: float | None
    used_p50_ms: float | None
    failure: str = ""

    @property
    def share(self) -> float | None:
        """The share of the frames on which both agree, None without any frames."""
        return self.num_agreed / self.num_seen if self.num_seen else None

    @property
    def num_differing(self) -> int:
        """Frames to which the two gave different labels."""
        return self.num_seen - self.num_agreed

    def describe(self) -> str:
        """In words."""
        if self.share is None:
            words = f"{self.name} has been shown none of {self.num_labels} frames"
        else:
            words = (
                f"{self.name} gives the same label in {self.num_agreed} of {self.num_seen} frames "
                f"({100 * self.share:.1f} %), {self.num_differing} differ; it was shown {self.num_seen} of "
                f"{self.num_labels}"
            )
        if self.p50_ms is not None and self.used_p50_ms is not None:
            words += f" and takes {self.p50_ms:.1f} ms a frame, the model in use {self.used_p50_ms:.1f} ms"
        return words + (f"; it failed: {self.failure}" if self.failure else "")


@dataclass(frozen=True)
class Status:
    """How a run went so far: counts, rate, percentiles of the frame age and of every stage, memory of all processes.
    ``drift`` says what differs from what the model was measured on, or why drift is not watched; empty when all is
    usual. ``last_known`` is the last label; nothing has moved since ``still_since`` (wall clock), where movement is
    watched. ``shadow`` describes the candidate that was scored beside the model in use.
    """

    ts: float
    camera: str
    backend: str
    seconds: float
    fps: float
    counts: Counts
    age: Percentiles | None
    stages: dict[str, Percentiles]
    memory_mb: float | None
    drift: str = ""
    last_known: LastKnown | None = None
    still_since: float | None = None
    shadow: ShadowSummary | None = None

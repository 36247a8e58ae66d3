"""The run as seen from outside at any moment: the loop's thread updates it, any other thread may read it.

It keeps what the live page, MQTT and the metrics have in common, and decides for how long a label may be shown. It
holds no pixels.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge_runtime.cameras.frame import Frame
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import UNKNOWN
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.label_changes import LabelChanges
from edge_runtime.live.results import LABEL_VALID_S, Counts, Pulse, Result, ShadowSummary
from edge_runtime.metrics import percentiles
from edge_runtime.model.model_file import ModelFile
from edge_runtime.system.clock import monotonic_s

STALLED_S = 3.0
# When a camera skips frames on purpose, a label older than this is called the last known one.
LAST_KNOWN_S = 1.0
RATE_WINDOW_S = 5.0
NUM_LATENCIES = 300
NUM_CHANGES = 12


@dataclass(frozen=True)
class ModelFacts:
    """What to say about the model in use; ``version`` is the start of its hash, ``accuracy`` None when
    unmeasured, ``region`` the part of the frame that it sees, empty for all; ``class_thresholds`` are those of the
    labels that have one instead of ``threshold``; ``has_maps``: it can show where it looked;
    ``watches_drift``: it carries a drift reference; ``provisional`` says how well a model taught on this device did,
    empty for others.
    """

    name: str
    version: str
    backend: str
    threshold: float
    accuracy: float | None
    num_images: int | None
    signature: str
    region: str = ""
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    has_maps: bool = False
    watches_drift: bool = False
    provisional: str = ""


@dataclass(frozen=True)
class LabelChange:
    """The shown label became ``label`` at ``ts`` (wall clock); numbers rise by one. ``reason``: why it is unknown."""

    number: int
    ts: float
    label: str
    score: float
    unknown: bool
    reason: str = ""


@dataclass(frozen=True)
class Rates:
    """Frames a second over the last seconds."""

    captured: float = 0.0
    processed: float = 0.0
    dropped: float = 0.0
    skipped: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """The run at one moment. ``result`` is None unless its label may be shown as the current one; ``state`` is
    stalled when the loop hangs, and degraded for the ``causes`` "low_fps" and "drift". The label ``is_last_known`` when
    newer frames were skipped on purpose; nothing has moved since ``still_since`` (wall clock), where movement is
    watched.
    """

    camera: str
    state: HealthState
    reason: str
    result: Result | None
    counts: Counts
    rates: Rates
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    model: ModelFacts | None
    changes: tuple[LabelChange, ...]
    causes: tuple[str, ...] = ()
    label_valid_s: float = LABEL_VALID_S
    still_since: float | None = None
    is_last_known: bool = False
    shadow: ShadowSummary | None = None

    @property
    def healthy(self) -> bool:
        """Whether a label may be believed now."""
        return self.state.is_believed


def describe_model(classifier: Classifier, signature: str) -> ModelFacts:
    """The facts about the model that ``classifier`` runs; the accuracy is the one measured with its interpreter."""
    contract, interpreter = classifier.contract, classifier.interpreter
    scores = {score.backend: score for score in contract.scores}
    score = scores.get(interpreter.backend)
    return ModelFacts(
        name=contract.spec.name,
        version=contract.parts.get("model", "")[:12],
        backend=f"{interpreter.kernels} {interpreter.version}",
        threshold=classifier.threshold,
        accuracy=score.accuracy if score else None,
        num_images=score.num_images if score else None,
        signature=signature,
        region="" if classifier.region is None else str(classifier.region),
        class_thresholds=classifier.class_thresholds,
        has_maps=classifier.has_maps,
        watches_drift=classifier.contract.drift is not None,
        provisional="" if contract.provisional is None else str(contract.provisional),
    )


class LiveState:
    """An `Observer` whose `snapshot` may be called from any thread; ``clock`` is monotonic seconds.

    ``signature`` says in words what is known about a model file's signature, ``shadow`` how the candidate that is
    scored beside the model in use is doing.
    """

    def __init__(
        self,
        signature: Callable[[ModelFile], str] = lambda model: "not checked",
        clock: Callable[[], float] = monotonic_s,
        shadow: Callable[[], ShadowSummary | None] = lambda: None,
    ) -> None:
        self._clock, self._signature, self._shadow = clock, signature, shadow
        self._lock = threading.Lock()
        self._start_s = clock()
        self._model: ModelFacts | None = None
        self._result: Result | None = None
        self._result_s = 0.0
        self._pulse: Pulse | None = None
        self._pulses: deque[Pulse] = deque()
        self._ages_ms: deque[float] = deque(maxlen=NUM_LATENCIES)
        self._changes: deque[LabelChange] = deque(maxlen=NUM_CHANGES)
        self._is_change = LabelChanges()
        self.num_changes = 0

    def model(self, classifier: Classifier) -> None:
        facts = describe_model(classifier, self._signature(classifier.model))
        with self._lock:
            self._model, self._result = facts, None

    def frame(self, frame: Frame, result: Result | None) -> None:
        now_s = self._clock()
        with self._lock:
            self._result, self._result_s = result, now_s
            if result is None:
                return
            self._ages_ms.append(result.age_ms)
            if self._is_change.add(result.shown, now_s):
                self.num_changes += 1
                score = result.shown_score or 0.0
                unknown = result.shown == UNKNOWN
                reason = result.prediction.reason if unknown else ""
                self._changes.append(LabelChange(self.num_changes, result.ts, result.shown, score, unknown, reason))

    def pulse(self, pulse: Pulse) -> None:
        with self._lock:
            self._pulse = pulse
            self._pulses.append(pulse)
            while len(self._pulses) > 2 and pulse.now_s - self._pulses[1].now_s >= RATE_WINDOW_S:
                self._pulses.popleft()

    def snapshot(self) -> Snapshot:
        """The run now."""
        shadow = self._shadow()
        with self._lock:
            now_s = self._clock()
            pulse = self._pulse
            state, reason = (
                (pulse.state, pulse.reason) if pulse else (HealthState.STARTING, "the camera is being opened")
            )
            silent_s = now_s - (pulse.now_s if pulse else self._start_s)
            if pulse and silent_s > STALLED_S:
                state = HealthState.STALLED
                reason = f"the classifier has not answered for {silent_s:.0f} s; the process will have to be restarted"
            valid_s = pulse.label_valid_s if pulse else LABEL_VALID_S
            is_current = state.is_believed and now_s - self._result_s <= valid_s
            is_last_known = is_current and pulse is not None and pulse.rests and now_s - self._result_s > LAST_KNOWN_S
            p50, p95 = percentiles(list(self._ages_ms), (50, 95)) if self._ages_ms else (None, None)
            return Snapshot(
                camera=pulse.camera if pulse else "",
                state=state,
                reason=reason,
                result=self._result if is_current else None,
                counts=pulse.counts if pulse else Counts(),
                rates=Rates() if state is HealthState.STALLED else self._rates(),
                latency_p50_ms=None if p50 is None else float(p50),
                latency_p95_ms=None if p95 is None else float(p95),
                model=self._model,
                changes=tuple(self._changes),
                causes=pulse.causes if pulse and state is HealthState.DEGRADED else (),
                label_valid_s=valid_s,
                still_since=pulse.still_since if pulse and state.is_believed else None,
                is_last_known=is_last_known and self._result is not None,
                shadow=shadow,
            )

    def _rates(self) -> Rates:
        if len(self._pulses) < 2:
            return Rates()
        first, last = self._pulses[0], self._pulses[-1]
        seconds = max(last.now_s - first.now_s, 1e-9)
        return Rates(
            (last.counts.captured - first.counts.captured) / seconds,
            (last.counts.processed - first.counts.processed) / seconds,
            (last.counts.dropped - first.counts.dropped) / seconds,
            (last.counts.skipped - first.counts.skipped) / seconds,
        )

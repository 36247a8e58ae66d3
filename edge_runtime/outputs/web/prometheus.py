"""The run as Prometheus metrics (extra ``metrics``), in base units, under one prefix and in a separate registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_runtime.cameras.frame import Frame
from edge_runtime.inference.classifier import Classifier
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.results import Pulse, Result, ShadowSummary
from edge_runtime.outputs.web.state import CHIPS
from edge_runtime.system.thermal import FLAGS, SystemState

INFERENCE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
AGE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)

SCORE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
SIMILARITY_BUCKETS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0)


class Metrics:
    """An `Observer`; `render` gives the text that Prometheus reads."""

    def __init__(self, live: LiveState, system: Callable[[], SystemState], viewers: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._inference = Histogram(
            "edge_runtime_inference_seconds",
            "From a frame in memory to its label, preprocessing included.",
            buckets=INFERENCE_BUCKETS_S,
            registry=self._registry,
        )
        self._age = Histogram(
            "edge_runtime_frame_age_seconds",
            "From a frame's capture to its label.",
            buckets=AGE_BUCKETS_S,
            registry=self._registry,
        )
        self._predictions = Counter(
            "edge_runtime_predictions", "Frames by the label that they got.", ["label"], registry=self._registry
        )
        self._score = Histogram(
            "edge_runtime_score",
            "The best class's probability, of every label given.",
            buckets=SCORE_BUCKETS,
            registry=self._registry,
        )
        self._similarity = Histogram(
            "edge_runtime_similarity",
            "The cosine to the nearest images that the model has learnt, for models that carry them.",
            buckets=SIMILARITY_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_Run(live, system, viewers))

    def model(self, classifier: Classifier) -> None:
        """Nothing to do: the model's facts are read when somebody asks."""

    def frame(self, frame: Frame, result: Result | None) -> None:
        if result is not None:
            self._inference.observe(result.classify_ms / 1e3)
            self._age.observe(result.age_ms / 1e3)
            self._score.observe(result.prediction.score)
            if result.prediction.similarity is not None:
                self._similarity.observe(result.prediction.similarity)
            self._predictions.labels(result.prediction.label).inc()

    def pulse(self, pulse: Pulse) -> None:
        """Nothing to do: counts are read when somebody asks."""

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Run(Collector):
    """Reads counts and states when they are asked for, so that they cost the loop nothing."""

    def __init__(self, live: LiveState, system: Callable[[], SystemState], viewers: Callable[[], int]) -> None:
        self._live, self._system, self._viewers = live, system, viewers

    def collect(self) -> Iterator[Metric]:
        snapshot, system = self._live.snapshot(), self._system()
        counts = snapshot.counts
        plain = {
            "frames_captured": ("Frames that the camera gave.", counts.captured),
            "frames_processed": ("Frames that were looked at.", counts.processed),
            "frames_refused": ("Frames looked at that got no label: black or frozen.", counts.refused),
            "frames_skipped": ("Frames not looked at on purpose: nothing moved, or it was not time.", counts.skipped),
            "frames_bad": ("Images that could not be decoded.", counts.bad),
            "camera_reconnects": ("Times the camera had to be opened again.", counts.restarts),
        }
        for name, (text, value) in plain.items():
            yield CounterMetricFamily(f"edge_runtime_{name}", text, value=value)
        dropped = CounterMetricFamily("edge_runtime_frames_dropped", "Frames never looked at.", labels=["reason"])
        dropped.add_metric(["too_old"], counts.too_old)
        dropped.add_metric(["replaced_by_newer"], counts.dropped - counts.too_old)
        yield dropped
        yield GaugeMetricFamily("edge_runtime_camera_up", "1 while fresh frames arrive.", value=int(snapshot.healthy))
        states = GaugeMetricFamily("edge_runtime_health_state", "1 for the present state.", labels=["state"])
        for state in CHIPS:
            states.add_metric([state.value], int(state is snapshot.state))
        yield states
        if snapshot.model is not None and snapshot.model.watches_drift:
            text = "1 while the last minutes are unlike what the model was measured on."
            yield GaugeMetricFamily("edge_runtime_drift", text, value=int("drift" in snapshot.causes))
        text = "1 while nothing moves, where that is watched."
        yield GaugeMetricFamily("edge_runtime_still", text, value=int(snapshot.still_since is not None))
        if snapshot.result is not None:
            text = "When the frame of the present label was looked at, in seconds since 1970."
            yield GaugeMetricFamily("edge_runtime_label_timestamp_seconds", text, value=snapshot.result.ts)
        if snapshot.shadow is not None:
            yield from _shadow_metrics(snapshot.shadow)
        yield GaugeMetricFamily("edge_runtime_viewers", "Image streams being read.", value=self._viewers())
        if snapshot.model is not None:
            facts = {"name": snapshot.model.name, "version": snapshot.model.version, "backend": snapshot.model.backend}
            yield InfoMetricFamily("edge_runtime_model", "The model in use.", value=facts)
        if system.temperature_c is not None:
            text = "The processor's temperature."
            yield GaugeMetricFamily("edge_runtime_temperature_celsius", text, value=system.temperature_c)
        if system.throttle is not None:
            flags = GaugeMetricFamily("edge_runtime_throttled", "1 while it holds.", labels=["flag"])
            for flag in FLAGS.values():
                flags.add_metric([flag], int(flag in system.throttle.now))
            yield flags


def _shadow_metrics(shadow: ShadowSummary) -> Iterator[Metric]:
    """The metrics of the candidate that is scored beside the model in use."""
    text = "Frames that the candidate was shown, by whether it gave the label of the model in use."
    frames = CounterMetricFamily("edge_runtime_shadow_frames", text, labels=["agrees"])
    frames.add_metric(["yes"], shadow.num_agreed)
    frames.add_metric(["no"], shadow.num_differing)
    yield frames
    text = "Labelled frames for which the candidate had no time."
    yield CounterMetricFamily("edge_runtime_shadow_missed", text, value=shadow.num_labels - shadow.num_seen)
    if shadow.p50_ms is not None:
        text = "What the candidate takes a frame, the median of the last thousand."
        yield GaugeMetricFamily("edge_runtime_shadow_seconds", text, value=shadow.p50_ms / 1e3)
    text = "1 when the candidate cannot be used."
    yield GaugeMetricFamily("edge_runtime_shadow_failed", text, value=int(bool(shadow.failure)))

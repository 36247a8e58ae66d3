"""The live loop: the newest frame, judged, classified, steadied, and handed to the sinks with its age.

It never waits for anything but the camera, never labels a frame older than the limit, and accounts for every frame.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.options import describe_silence
from edge_runtime.errors import CameraError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import Prediction
from edge_runtime.live.drift import NO_REFERENCE, DriftWatch
from edge_runtime.live.health import OK, STARTING, Condition, Health
from edge_runtime.live.loop_config import LoopConfig
from edge_runtime.live.observers import Observer, Sink
from edge_runtime.live.rest import Rest
from edge_runtime.live.results import Counts, Event, LastKnown, Pulse, Result, ShadowSummary, Status
from edge_runtime.live.smoothing import Smoother
from edge_runtime.live.timings import Timings
from edge_runtime.pixels.preprocess import preprocess
from edge_runtime.pixels.region import cut_region
from edge_runtime.system.clock import monotonic_s, read_wall_time_s
from edge_runtime.system.memory import measure_pss_mb

POLL_S = 0.25
PULSE_S = 0.2


class Loop:
    """One camera, one classifier, one sink; ``clock`` is monotonic seconds.

    ``between_frames`` is called before every frame and every 0.25 s without one, with the numbers of labels given so
    far and of frames whose label came too late. A classifier that it returns is used from the next frame on. It is not
    called while the loop hangs.
    ``observer`` sees every judged frame and a `Pulse` at least every 0.25 s; ``shadow`` says how the candidate beside
    the model in use is doing.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: FrameSource,
        sink: Sink,
        config: LoopConfig,
        clock: Callable[[], float] = monotonic_s,
        between_frames: Callable[[int, int], Classifier | None] = lambda num_labels, num_late: None,
        observer: Observer | None = None,
        shadow: Callable[[], ShadowSummary | None] = lambda: None,
    ) -> None:
        self._shadow = shadow
        self._observer, self._next_pulse_s = observer, -1.0
        self._between_frames = between_frames
        self._classifier, self._source, self._sink, self.config, self._clock = classifier, source, sink, config, clock
        self._smoother = Smoother(config.hold) if config.hold else None
        self._timings = Timings()
        self._start_s = clock()
        self._health = Health(self._start_s, config.health)
        self._condition = STARTING
        self._rest = Rest(source, clock)
        self._drift = _watch_drift(classifier, self._rest.interval_s)
        self._processed = self._refused = self._too_old = self._in_hand = self._labels = self._late = 0

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Status:
        """Runs until the camera ends, ``max_frames`` labels are given or ``should_stop``; the status is also sent to
        the sink.

        Raises:
            CameraError: a live camera gave no frame at all within ``give_up_s``.
        """
        if self._observer is not None:
            self._observer.model(self._classifier)
        self._rest.watch(self._classifier.region)
        while not should_stop() and (self.config.max_frames is None or self._labels < self.config.max_frames):
            self._use(self._between_frames(self._labels, self._late))
            frame = self._source.read(POLL_S)
            now_s = self._clock()
            if frame is None:
                if self._source.ended:
                    break
                self._wait(now_s)
            else:
                self._in_hand = 1
                self._take(frame, now_s)
                self._in_hand = 0
            self._tell_motion()
            if self._observer is not None and now_s >= self._next_pulse_s:
                self._pulse(self._observer, now_s)
        status = self.status()
        self._sink.status(status)
        return status

    def counts(self) -> Counts:
        """Where every frame has gone so far."""
        source = self._source.counts()
        return Counts(
            captured=source.captured,
            processed=self._processed,
            dropped=source.dropped + self._too_old,
            in_flight=source.waiting + self._in_hand,
            refused=self._refused,
            too_old=self._too_old,
            bad=source.bad,
            restarts=source.restarts,
            skipped=source.skipped,
        )

    def status(self) -> Status:
        """The state of the run at this moment."""
        seconds = max(self._clock() - self._start_s, 1e-9)
        stages = self._timings.summary()
        age = stages.pop("age", None)
        return Status(
            ts=read_wall_time_s(),
            camera=self._source.name,
            backend=f"{self._classifier.interpreter.kernels} {self._classifier.interpreter.version}",
            seconds=seconds,
            fps=self._labels / seconds,
            counts=self.counts(),
            age=age,
            stages=stages,
            memory_mb=measure_pss_mb(self._source.pids),
            drift=NO_REFERENCE if self._drift is None else self._drift.reason,
            last_known=self._rest.last_known,
            still_since=self._rest.still_since,
            shadow=self._shadow(),
        )

    def _use(self, classifier: Classifier | None) -> None:
        if classifier is None:
            return
        self._classifier, self._drift = classifier, _watch_drift(classifier, self._rest.interval_s)
        self._health.drift("")
        self._rest.last_known = None
        self._rest.watch(classifier.region)
        if self._smoother is not None:  # the votes came from another model
            self._smoother.reset()
        if self._observer is not None:
            self._observer.model(classifier)

    def _pulse(self, observer: Observer, now_s: float) -> None:
        self._next_pulse_s = now_s + PULSE_S
        condition = self._health.condition(now_s) if self._source.live else OK
        observer.pulse(
            Pulse(
                now_s,
                self._source.name,
                condition.state,
                condition.reason,
                self.counts(),
                condition.causes,
                self._rest.valid_s(self._health.label_valid_s),
                self._rest.still_since,
                self._rest.rests,
            )
        )

    def _wait(self, now_s: float) -> None:
        counts = self._source.counts()
        captured = counts.captured
        if self._source.live and captured == 0 and now_s - self._start_s > self.config.give_up_s:
            trouble = self._source.trouble or describe_silence(self._source.name)
            raise CameraError(f"No frame within {self.config.give_up_s:g} s: {trouble}")
        if self._rest.has_arrived():
            self._health.skipped(self._source.skips(), captured)
            self._repeat_drift(now_s)
        else:
            self._health.silence(captured, now_s, self._source.trouble, counts.bad)
        condition = self._health.condition(now_s)
        self._tell(condition)
        if not condition.state.is_believed:
            self._rest.recheck(now_s)

    def _take(self, frame: Frame, now_s: float) -> None:
        if self._source.live:
            captured, age_ms = self._source.counts().captured, (now_s - frame.captured_s) * 1e3
            if age_ms > self._max_age_ms:
                self._health.arrive(captured, now_s)  # with this frame the camera's interval may be known
            if age_ms > self._max_age_ms:
                self._discard(age_ms, captured, now_s)
                return
            seen = cut_region(frame.pixels, self._classifier.region)
            allowed = self._health.frame(seen, frame.fingerprint, captured, now_s)
            self._tell(self._health.condition(now_s))
            if not allowed:
                self._processed += 1
                self._refused += 1
                if self._observer is not None:
                    self._observer.frame(frame, None)
                return
        started_s = self._clock()
        prediction = self._classifier.classify(frame)
        finished_s = self._clock()
        age_ms = (finished_s - frame.captured_s) * 1e3
        self._timings.add("wait", (started_s - frame.captured_s) * 1e3)
        self._timings.add("classify", (finished_s - started_s) * 1e3)
        if self._source.live and age_ms > self._max_age_ms:
            self._late += 1
            self._discard(age_ms, self._source.counts().captured, finished_s)
            return
        self._timings.add("age", age_ms)
        self._health.labelled(finished_s)
        self._look_for_drift(frame, prediction, finished_s)
        self._processed += 1
        self._labels += 1
        self._in_hand = 0
        ts = read_wall_time_s()
        held = self._steady(prediction, ts)
        held_score = self._smoother.score if self._smoother is not None else None
        result = Result(
            frame.seq,
            ts,
            age_ms,
            prediction,
            self.counts().dropped,
            frame.name,
            held,
            held_score,
            classify_ms=(finished_s - started_s) * 1e3,
        )
        if result.shown:
            self._rest.last_known = LastKnown(result.shown, result.shown_score, ts)
        self._sink.result(result)
        if self._observer is not None:
            self._observer.frame(frame, result)
        self._timings.add("write", (self._clock() - finished_s) * 1e3)

    @property
    def _max_age_ms(self) -> float:
        """No frame of a slow stream is newer than one interval: its end is seen only when the next one begins."""
        return self.config.limit_age_ms(self._health.interval_s)

    def _discard(self, age_ms: float, captured: int, now_s: float) -> None:
        self._too_old += 1
        self._health.too_old(age_ms, captured, now_s)
        self._rest.owe_label()
        self._tell(self._health.condition(now_s))

    def _steady(self, prediction: Prediction, ts: float) -> str | None:
        if self._smoother is None:
            return None
        before = self._smoother.label
        if self._smoother.add(prediction.label, prediction.score):
            hold = self._smoother.hold
            reason = f"{hold.votes} of {hold.window} frames say so" + (f", before it was {before}" if before else "")
            self._sink.event(Event(ts, "label", str(self._smoother.label), reason))
        return self._smoother.label or ""

    def _look_for_drift(self, frame: Frame, prediction: Prediction, now_s: float) -> None:
        if self._drift is None or not self._source.live or not self._drift.is_due(now_s):
            return
        self._drift.add(preprocess(frame.pixels, self._classifier.input_spec), prediction, now_s)
        self._health.drift(self._drift.reason)

    def _repeat_drift(self, now_s: float) -> None:
        """A scene in which nothing moves stays what it was."""
        if self._drift is not None and self._rest.still_since is not None and self._drift.is_due(now_s):
            self._drift.repeat(now_s)
            self._health.drift(self._drift.reason)

    def _tell_motion(self) -> None:
        event = self._rest.notice(is_believed=self._condition.state.is_believed)
        if event is not None:
            self._sink.event(event)

    def _tell(self, condition: Condition) -> None:
        if (condition.state, condition.causes) == (self._condition.state, self._condition.causes):
            return
        if condition.state.is_believed and not self._condition.state.is_believed:
            self._rest.owe_label()  # what was seen before the outage may be gone, and nothing moves
        self._condition = condition
        if self._smoother is not None and not condition.state.is_believed:
            self._smoother.reset()
        self._sink.event(Event(read_wall_time_s(), "camera", condition.state, condition.reason))


def _watch_drift(classifier: Classifier, interval_s: float) -> DriftWatch | None:
    reference = classifier.contract.drift
    return None if reference is None else DriftWatch(reference, interval_s)

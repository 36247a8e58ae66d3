"""Says on stderr how far training has come and when it will end: a bar on a terminal, else one line per epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from train.curves import Curves

BAR_WIDTH = 24
REFRESH_S = 0.2
LOG_EVERY_S = 10.0


class Progress:
    """Writes to ``stream``, and each row of the history to ``curves``; ``clock`` gives monotonic seconds."""

    def __init__(
        self,
        stream: TextIO,
        num_epochs: int,
        clock: Callable[[], float] = time.monotonic,
        curves: Curves | None = None,
    ) -> None:
        self.stream, self.num_epochs, self.clock, self.curves = stream, num_epochs, clock, curves
        self.live = stream.isatty()
        self.first: tuple[float, float] | None = None
        self.drawn_s = float("-inf")

    def note(self, text: str) -> None:
        """Prints one line for people in place of the progress line."""
        print(f"\r\x1b[K{text}" if self.live else text, file=self.stream, flush=True)

    def step(self, epoch: int, step: int, num_steps: int, loss: float) -> None:
        """Called after ``step`` of ``num_steps`` of ``epoch`` (counted from 0)."""
        now, done = self.clock(), epoch + step / num_steps
        if self.first is None:
            self.first = (now, done)
        if not self.live or (now - self.drawn_s < REFRESH_S and step < num_steps):
            return
        self.drawn_s = now
        filled = BAR_WIDTH * step // num_steps
        bar = "█" * filled + "·" * (BAR_WIDTH - filled)
        text = f"epoch {epoch + 1}/{self.num_epochs} {bar} {step}/{num_steps} loss {loss:.3f} ETA {self._eta(done)}"
        self.stream.write(f"\r\x1b[K{text}")
        self.stream.flush()

    def record(self, row: dict[str, float]) -> None:
        """Adds a row of the history to the curves, if there are any."""
        if self.curves is not None and (warning := self.curves.add(row)):
            self.note(warning)

    def epoch(self, row: dict[str, float], num_epochs: int) -> None:
        """Called after an epoch: shows its row of the history and the time left."""
        self.record(row)
        start = "\r\x1b[K" if self.live else ""
        self.stream.write(
            f"{start}epoch {row['epoch']:.0f}/{num_epochs}  loss {row['loss']:.4f}  train {row['train_accuracy']:.2%}  "
            f"validation {row['validation_accuracy']:.2%}  {row['seconds']:.1f} s  ETA {self._eta(row['epoch'])}\n"
        )
        self.stream.flush()

    def _eta(self, done: float) -> str:
        if self.first is None or done <= self.first[1]:
            return "--:--"
        rate = (self.clock() - self.first[0]) / (done - self.first[1])
        return format_duration(rate * (self.num_epochs - done))


class Stage:
    """One stage of known length on ``stream``: a progress line on a terminal, else a line about every ten seconds."""

    def __init__(self, stream: TextIO, label: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.label, self.total, self.clock = stream, label, total, clock
        self.live = stream.isatty()
        self.done = 0
        self.started_s = self.drawn_s = clock()

    def step(self, num: int = 1) -> None:
        """``num`` more of ``total`` are done."""
        self.done += num
        now_s = self.clock()
        if self.done < self.total and now_s - self.drawn_s < (REFRESH_S if self.live else LOG_EVERY_S):
            return
        self.drawn_s = now_s
        seconds = now_s - self.started_s
        left = f"ETA {format_duration(seconds / self.done * (self.total - self.done))}"
        if self.done >= self.total:
            left = f"{seconds:.1f} s"
        start, end = ("\r\x1b[K", "\n" if self.done >= self.total else "") if self.live else ("", "\n")
        self.stream.write(f"{start}{self.label} {self.done}/{self.total}  {left}{end}")
        self.stream.flush()


def format_duration(seconds: float) -> str:
    """``MM:SS``, or ``H:MM:SS`` from one hour upwards."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"

"""Guides the user through the classes: says what to show, waits for Enter or a pause, and takes the photos of each.

Existing photos count, so a user who was interrupted continues with the same command.
"""

from __future__ import annotations

import dataclasses
import os
import select
import sys
from collections.abc import Callable, Sequence

from edge_runtime.cameras.frame import FrameSource
from edge_runtime.cli.flag_names import name_flags
from edge_runtime.errors import DataError, UsageError
from edge_runtime.live.collect import POLL_S, CollectConfig, Collector, Kept, collect
from edge_runtime.pixels.image_file import list_images
from edge_runtime.system.clock import monotonic_s


class Prompter:
    """Takes up to ``num_photos`` photos per class from ``source`` as ``config`` says, with its label replaced. Each
    class begins ``pause_s`` seconds after the prompt, None: when Enter is pressed. ``tell`` gets the text for the
    user.
    """

    def __init__(
        self,
        source: FrameSource,
        config: CollectConfig,
        num_photos: int,
        pause_s: float | None,
        should_stop: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> None:
        self._source, self._config, self._num_photos = source, config, num_photos
        self._pause_s, self._should_stop, self._tell = pause_s, should_stop, tell
        self._lines = _Lines(source, should_stop)

    def take_all(self, labels: Sequence[str] | None) -> bool:
        """Takes the photos of every class, and asks for the names if ``labels`` is None; False when stopped.

        Raises:
            UsageError: a name cannot be a folder name, stdin ended while it was needed, or there is nobody to ask.
            CameraError: the camera gives no frame.
        """
        if labels is None and self._pause_s is not None:
            raise UsageError("With --pause nobody is asked for names; give them: --labels mug,pen,nothing.")
        number = 0
        while labels is None or number < len(labels):
            label = self._ask_name(number + 1) if labels is None else labels[number]
            if label is None:
                return False
            if not label:
                break
            if not self._take(label, f"class {number + 1}" + (f" of {len(labels)}" if labels else ""), labels is None):
                return False
            number += 1
        return True

    def _ask_name(self, number: int) -> str | None:
        self._tell(f"Class {number}: show it, type its name and press Enter. Enter alone ends.")
        line = self._lines.read()
        if line is None and not self._should_stop():
            raise UsageError(f"stdin ended before the name of class {number} was given; give the names: --labels A,B.")
        return line

    def _take(self, label: str, place: str, is_begun: bool) -> bool:
        collector = Collector(dataclasses.replace(self._config, label=label))
        there = len(list_images(collector.folder))
        missing = self._num_photos - there
        if missing <= 0:
            self._tell(f"{label} has {there} photos already.")
            return True
        if not is_begun and not self._wait(f"Show {label} ({place}) to the camera"):
            return False
        self._tell(f"{label}: {missing} photos; turn it, move it, change its distance.")
        collector.config = dataclasses.replace(collector.config, max_images=missing)
        teller = self._make_teller(label, there)
        summary = collect(collector, self._source, teller, should_stop=self._should_stop)
        if collector.num_kept < missing and not self._should_stop():
            raise DataError(
                f"{label} has {there + collector.num_kept} photos, expected {self._num_photos}: "
                f"{name_flags(summary.reason)}."
            )
        return not self._should_stop()

    def _make_teller(self, label: str, there: int) -> Callable[[Kept | str], None]:
        last = ""

        def tell(told: Kept | str) -> None:
            nonlocal last
            kind = "" if isinstance(told, Kept) else told.split(":")[0]
            if isinstance(told, Kept):
                self._tell(f"{label}: photo {there + told.num_kept} of {self._num_photos}")
            elif kind != last:
                self._tell(f"left out, {name_flags(told)}")
            last = kind

        return tell

    def _wait(self, what: str) -> bool:
        if self._pause_s is not None:
            self._tell(f"{what}; it begins in {self._pause_s:g} s.")
            self._lines.wait(self._pause_s)
        else:
            self._tell(f"{what}, then press Enter.")
            if self._lines.read() is None and not self._should_stop():
                raise UsageError("stdin ended while waiting for Enter; start without it by giving --pause S.")
        return not self._should_stop()


class _Lines:
    """Lines of stdin; while it waits, a live camera's frames are read and discarded."""

    def __init__(self, source: FrameSource, should_stop: Callable[[], bool]) -> None:
        self._source, self._should_stop, self._rest = source, should_stop, b""

    def read(self) -> str | None:
        """The next line without leading and trailing blanks; None when stdin has ended or it is told to stop."""
        while b"\n" not in self._rest:
            if self._should_stop():
                return None
            if not select.select([sys.stdin], [], [], 0 if self._source.live else POLL_S)[0]:
                self._pass_time()
                continue
            content = os.read(sys.stdin.fileno(), 4096)
            if not content:
                return None
            self._rest += content
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    def wait(self, seconds: float) -> None:
        """Returns after that many seconds, or when told to stop."""
        end_s = monotonic_s() + seconds
        while monotonic_s() < end_s and not self._should_stop():
            if self._source.live:
                self._pass_time()
            else:
                select.select([], [], [], min(POLL_S, max(0.0, end_s - monotonic_s())))

    def _pass_time(self) -> None:
        if self._source.live:
            self._source.read(POLL_S)

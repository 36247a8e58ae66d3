"""A camera frame, and the seam behind which every camera sits.

A `FrameSource` hands out frames and knows nothing of models. Sources that are not live (files, folders) give every
frame; live ones give the newest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from edge_runtime.contract import InputSpec, Region
from edge_runtime.pixels.preprocess import Image

if TYPE_CHECKING:
    from edge_runtime.cameras.lookout import LookConfig, Lookout, Skips


@dataclass(frozen=True, eq=False)
class Frame:
    """One image from a camera.

    Args:
        pixels: (h, w, 3) uint8, BGR.
        seq: 0, 1, 2 ... counted where frames are captured; a gap means that frames were dropped.
        captured_s: when it was captured, in seconds of the monotonic clock.
        name: the file that it came from, or empty.
        fingerprint: a checksum of what the camera sent, equal for equal images; None when nobody computed one.
        position_s: its place in a recording, by the time stamps there; None for a live camera and where there are none.
    """

    pixels: Image
    seq: int
    captured_s: float
    name: str = ""
    fingerprint: int | None = None
    position_s: float | None = None


@dataclass(frozen=True)
class SourceCounts:
    """Frames so far: ``captured == handed out + dropped + skipped + waiting``; those ``skipped`` were not looked at on
    purpose, ``bad`` images and ``restarts`` stand beside.
    """

    captured: int = 0
    dropped: int = 0
    waiting: int = 0
    bad: int = 0
    restarts: int = 0
    skipped: int = 0


class FrameSource(ABC):
    """A camera: a context manager and an iterable of `Frame`.

    ``name`` says for people what it is, without passwords. ``live`` is true when frames arrive by themselves, so that
    old ones are worthless. ``ended`` is true once no frame can follow. ``num_bad`` counts images that could not be
    decoded. ``trouble`` says in words why no frame comes, and is empty while all is well. ``pids`` are processes of
    its own. ``began_with`` is the camera that a number meant when it was opened, empty for a name that lasts. ``look``
    says which frames are looked at, None for all of them.
    """

    look: LookConfig | None = None
    # Set in the process that captures; a source that can ask it before it decodes an image has ``asks_lookout``.
    lookout: Lookout | None = None
    asks_lookout = False
    name: str = "camera"
    live: bool = False
    ended: bool = False
    trouble: str = ""
    began_with: str = ""
    num_captured: int = 0
    num_bad: int = 0
    _shrink_for: InputSpec | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of its own, for whoever sums up memory."""
        return ()

    def counts(self) -> SourceCounts:
        """How many frames there were, and what became of those that were not handed out."""
        return SourceCounts(captured=self.num_captured, bad=self.num_bad)

    def skips(self) -> Skips:
        """What it knows of the frames that were not looked at on purpose."""
        from edge_runtime.cameras.lookout import Skips  # not for those who only classify files

        return Skips() if self.lookout is None else self.lookout.skips

    def look_again(self) -> None:
        """The next frame is looked at, whatever the camera was told about when to look."""
        if self.lookout is not None:
            self.lookout.look_again()

    def watch(self, region: Region | None) -> None:
        """Movement counts in this part of the frame from now on, None for the whole; the next frame is looked at."""
        if self.lookout is not None:
            self.lookout.region = region
            self.lookout.look_again()

    @abstractmethod
    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """The next frame, or None when there is none within about ``timeout_s`` or none at all (then ``ended`` is
        true).

        The pixels may be overwritten by the next call; `__iter__` gives frames that last.

        Raises:
            CameraError: the camera cannot be opened or went away.
        """

    def shrink_for(self, spec: InputSpec) -> None:
        """Images are for a model with this input from now on; a camera that was opened for whole frames keeps them.

        An image that is being decoded at this moment may still have the size for the model before.
        """
        if self._shrink_for is not None:
            self._shrink_for = spec

    def close(self) -> None:
        """Releases the camera; allowed more than once."""
        self.ended = True

    def __iter__(self) -> Iterator[Frame]:
        while not self.ended:
            frame = self.read()
            if frame is not None:
                yield frame

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

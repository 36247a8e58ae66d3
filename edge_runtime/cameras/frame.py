"""A camera frame, and the interface of every camera.

A `FrameSource` hands out frames and knows nothing of models. Files and folders give every frame, live cameras the
newest.
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
        seq: 0, 1, 2 ... counted at capture; a gap means that frames were dropped.
        captured_s: when it was captured, in seconds of the monotonic clock.
        name: the file that it came from, or empty.
        fingerprint: a checksum of what the camera sent, equal for equal images; None if it was not computed.
        position_s: its time stamp in a recording, in seconds; None for a live camera or a recording without time
            stamps.
    """

    pixels: Image
    seq: int
    captured_s: float
    name: str = ""
    fingerprint: int | None = None
    position_s: float | None = None


@dataclass(frozen=True)
class SourceCounts:
    """Frames so far: ``captured == handed out + dropped + skipped + waiting``; ``skipped`` frames were deliberately not
    looked at. ``bad`` images and ``restarts`` are counted separately.
    """

    captured: int = 0
    dropped: int = 0
    waiting: int = 0
    bad: int = 0
    restarts: int = 0
    skipped: int = 0


class FrameSource(ABC):
    """A camera: a context manager and an iterable of `Frame`.

    ``name`` describes it for people, without passwords. ``live`` is true if frames arrive by themselves, so that old
    ones are worthless. ``ended`` is true once no frame can follow. ``num_bad`` counts images that could not be decoded.
    ``trouble`` says in words why no frame comes, and is empty while all is well. ``pids`` are its own processes.
    ``began_with`` is the camera that a device number referred to when it was opened, empty for a stable name. ``look``
    says which frames are looked at, None for all of them.
    """

    look: LookConfig | None = None
    # Set in the capturing process. ``asks_lookout``: the source itself asks it, before it decodes an image.
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
        """The ids of its own processes, so that their memory can be counted."""
        return ()

    def counts(self) -> SourceCounts:
        """How many frames there have been, and what became of those that were not handed out."""
        return SourceCounts(captured=self.num_captured, bad=self.num_bad)

    def skips(self) -> Skips:
        """What it knows of the frames that were deliberately not looked at."""
        from edge_runtime.cameras.lookout import Skips  # classifying files does not need it

        return Skips() if self.lookout is None else self.lookout.skips

    def look_again(self) -> None:
        """Looks at the next frame, whatever `look` says."""
        if self.lookout is not None:
            self.lookout.look_again()

    def watch(self, region: Region | None) -> None:
        """From now on only movement in this part of the frame counts, None for the whole; looks at the next frame."""
        if self.lookout is not None:
            self.lookout.region = region
            self.lookout.look_again()

    @abstractmethod
    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """The next frame, or None if none comes within about ``timeout_s`` or none can follow (then ``ended`` is true).

        The next call may overwrite the pixels; `__iter__` gives frames that last.

        Raises:
            CameraError: the camera cannot be opened or has gone.
        """

    def shrink_for(self, spec: InputSpec) -> None:
        """From now on images are for a model with this input; a camera opened for whole frames still gives whole ones.

        An image that is just being decoded may still have the size for the previous model.
        """
        if self._shrink_for is not None:
            self._shrink_for = spec

    def close(self) -> None:
        """Releases the camera; may be called more than once."""
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

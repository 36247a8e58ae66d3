"""The Raspberry Pi's own camera: ``rpicam-vid`` writes JPEG pictures into a pipe, and the newest is decoded.

OpenCV cannot open this camera on current systems, and libcamera's Python binding is not on PyPI; the program is in
every Raspberry Pi OS.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import zlib
from functools import partial

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.presence import pi_program
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError, DataError
from edge_runtime.pixels.jpeg import START, jpeg_end
from edge_runtime.pixels.shrink import decode_camera_picture
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.parent_death import die_with

ARGUMENTS = ("--codec", "mjpeg", "--timeout", "0", "--nopreview", "--flush", "--width", "640", "--height", "480")
CHUNK_BYTES = 256 * 1024
# Pictures that come faster than they are taken out never let the pipe run dry: after this long the newest is taken.
DRAIN_S = 0.05
MAX_PICTURE_BYTES = 32 * 1024 * 1024


class PiCamera(FrameSource):
    """One ``rpicam-vid`` process; pictures that pile up are dropped undecoded, all but the newest."""

    live = True

    def __init__(self, shrink_for: InputSpec | None = None, framerate: int = 30) -> None:
        program = pi_program()
        self.name = f"Pi camera by {os.path.basename(program)}"
        self._shrink_for = shrink_for
        self._buffer = bytearray()
        self._received_s = monotonic_s()
        self._process = subprocess.Popen(
            (program, *ARGUMENTS, "--framerate", str(framerate), "--output", "-"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(die_with, os.getpid()),
        )
        self._pipe = self._process.stdout.fileno() if self._process.stdout else -1
        os.set_blocking(self._pipe, False)

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = monotonic_s() + timeout_s
        while True:
            newest = self._newest_picture()
            if newest is not None:
                content, received_s = newest
                with contextlib.suppress(DataError):
                    pixels = decode_camera_picture(content, f"a picture of the {self.name}", self._shrink_for)
                    self.num_captured += 1
                    return Frame(pixels, self.num_captured - 1, received_s, fingerprint=zlib.crc32(content))
                self.num_bad += 1
            now_s = monotonic_s()
            if now_s >= deadline_s:
                return None
            if select.select([self._pipe], [], [], deadline_s - now_s)[0] and not self._receive():
                code = self._process.wait()
                raise CameraError(f"The {self.name} ended with code {code}; is a camera attached? Try rpicam-hello.")

    def close(self) -> None:
        super().close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _newest_picture(self) -> tuple[bytes, float] | None:
        """The newest whole picture that has arrived, and when its last byte did; older ones count as captured."""
        newest = None
        deadline_s = monotonic_s() + DRAIN_S
        while True:
            start = self._buffer.find(START)
            end = jpeg_end(self._buffer, start) if start >= 0 else -1
            if end == 0:  # broken inside its headers: go on at the next picture
                self.num_bad += 1
                del self._buffer[: start + len(START)]
                continue
            if end < 0:
                if newest is None or monotonic_s() >= deadline_s or not self._receive():
                    return newest
                continue
            self.num_captured += newest is not None
            newest = bytes(self._buffer[start:end]), self._received_s
            del self._buffer[:end]

    def _receive(self) -> bool:
        """Takes what is in the pipe now; false when there is nothing or the program closed it."""
        try:
            content = os.read(self._pipe, CHUNK_BYTES)
        except BlockingIOError:
            return False
        self._buffer += content
        if len(self._buffer) > MAX_PICTURE_BYTES:
            raise CameraError(f"The {self.name} sent {len(self._buffer)} bytes without a whole JPEG; it is broken.")
        self._received_s = monotonic_s()
        return bool(content)

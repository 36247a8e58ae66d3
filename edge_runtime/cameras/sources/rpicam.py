"""The Raspberry Pi's own camera: ``rpicam-vid`` writes JPEG images into a pipe, and the newest is decoded.

OpenCV cannot open this camera on current systems, and libcamera's Python binding is not on PyPI; the program comes with
every Raspberry Pi OS.
"""

from __future__ import annotations

import os
import select
import subprocess
from functools import partial

from edge_runtime.cameras.presence import find_pi_program
from edge_runtime.cameras.sources.jpeg_stream import JpegStream
from edge_runtime.cameras.sources.splitter import JpegSplitter
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError
from edge_runtime.system.parent_death import die_with

ARGUMENTS = ("--codec", "mjpeg", "--timeout", "0", "--nopreview", "--flush", "--width", "640", "--height", "480")
CHUNK_BYTES = 256 * 1024


class PiCamera(JpegStream):
    """One ``rpicam-vid`` process.

    Raises:
        CameraError: the program is not installed.
    """

    def __init__(self, shrink_for: InputSpec | None = None, framerate: int = 30) -> None:
        program = find_pi_program()
        super().__init__(f"Pi camera by {os.path.basename(program)}", JpegSplitter(), shrink_for)
        self._process = subprocess.Popen(
            (program, *ARGUMENTS, "--framerate", str(framerate), "--output", "-"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(die_with, os.getpid()),
        )
        self._pipe = self._process.stdout.fileno() if self._process.stdout else -1
        os.set_blocking(self._pipe, False)

    def close(self) -> None:
        super().close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _receive(self, timeout_s: float) -> bool:
        if not select.select([self._pipe], [], [], timeout_s)[0]:
            return False
        content = os.read(self._pipe, CHUNK_BYTES)
        if content:
            self._feed(content)
        elif timeout_s:  # not while draining: images that came before the end are taken first
            code = self._process.wait()
            raise CameraError(f"The {self.name} ended with code {code}; is a camera attached? Try rpicam-hello.")
        return bool(content)

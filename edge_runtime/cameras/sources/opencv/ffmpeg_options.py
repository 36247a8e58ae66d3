"""The options for FFmpeg when OpenCV opens a stream or a file with it, passed in an environment variable."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

# Live streams must not be buffered. Files must: the same options make FFmpeg lose some of their frames.
STREAM_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# A shorter analysis gains nothing: a stream joined between two key frames gives its first frame at the next key frame,
# or at the one after that if it sent no parameter sets beforehand, whether it is analysed for 1 s or 5 s.
STREAM_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"
# Everything goes through the relay's one port, and nothing encrypted bypasses it. OpenCV 4.11 from the wheels ignores
# these options, and uses RTSP over TCP by default.
TLS_OPTIONS = "rtsp_transport;tcp|protocol_whitelist;http,rtsp,rtp,tcp,crypto,data"
# Formats that hold a video and never refer to other addresses, for versions that honour options.
FORMATS = "rtsp,mov,matroska,flv,mpegts,mpeg,avi,asf,ogg,nut,mjpeg,mpjpeg,jpeg_pipe,h264,hevc,m4v"


def merge_options(stated: str, ours: str) -> str:
    """``stated``, which a user set, unchanged, followed by those of ``ours`` whose names it lacks; both have the form
    ``name;value|name;value``.
    """
    names = {each.partition(";")[0].strip() for each in stated.split("|")}
    added = [each for each in ours.split("|") if each.partition(";")[0] not in names]
    return "|".join([stated] * bool(stated.strip()) + added)


@contextlib.contextmanager
def set_variable(name: str, value: str) -> Iterator[None]:
    """Sets an environment variable while the block runs."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

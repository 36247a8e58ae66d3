"""What FFmpeg is told when OpenCV opens a stream or a file with it: by a variable of the environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

# Live streams must not be buffered. Files must: the same options make FFmpeg lose some of their frames.
STREAM_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# FFmpeg is not told to analyse less: a stream that is joined between two key frames gives its first frame with the next
# one, or without parameter sets beforehand the next but one, whether it is analysed for 1 s or 5 s.
STREAM_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"
# Everything goes through the one port of a relay, and nothing encrypted past it. The wheels' OpenCV 4.11 hears no
# options, and has RTSP over TCP by default.
TLS_OPTIONS = "rtsp_transport;tcp|protocol_whitelist;http,rtsp,rtp,tcp,crypto,data"
# What holds a video and leads nowhere else, for those that hear options.
FORMATS = "rtsp,mov,matroska,flv,mpegts,mpeg,avi,asf,ogg,nut,mjpeg,mpjpeg,jpeg_pipe,h264,hevc,m4v"


def merge_options(stated: str, ours: str) -> str:
    """``stated``, what a user set, as it is, and behind it those of ``ours`` whose names it has not; both are
    ``name;value|name;value``.
    """
    names = {each.partition(";")[0].strip() for each in stated.split("|")}
    added = [each for each in ours.split("|") if each.partition(";")[0] not in names]
    return "|".join([stated] * bool(stated.strip()) + added)


@contextlib.contextmanager
def set_variable(name: str, value: str) -> Iterator[None]:
    """Sets a variable for the length of the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

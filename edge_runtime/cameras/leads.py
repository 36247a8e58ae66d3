"""Finds where a camera sends FFmpeg instead, in what it answers by RTSP or HTTP: FFmpeg follows to any host, asks
nobody, and has no option against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Of a line that may lead elsewhere, and of what is kept until it is known whether one does.
MAX_BYTES = 4096
_NAME = b"location:"
# FFmpeg drops carriage returns wherever they stand in an answer by RTSP.
_LEAD = re.compile(rb"\n\r*" + rb"\r*".join(re.escape(bytes([each])) for each in _NAME), re.IGNORECASE)
# What is interleaved into an answer moves the begin of FFmpeg's line past it; no camera does that before the video.
_INTERLEAVED = re.compile(rb"\n\r*\$")


class LedAstrayError(Exception):
    """What a camera sends is not to reach FFmpeg."""


class Leads:
    """Passes on the bytes of one connection, with each ``Location: WHERE`` turned into what ``turn`` makes of WHERE.

    It keeps back nothing but what may begin such a line. ``turn`` raises LedAstrayError where nobody is to go.
    """

    def __init__(self, turn: Callable[[bytes], bytes], *, is_rtsp: bool) -> None:
        self._turn, self._is_rtsp = turn, is_rtsp
        self._kept, self._is_new_line = b"", True

    def pass_on(self, content: bytes) -> bytes:
        """What FFmpeg may have of ``content``, which may be no whole line, and of what was kept before.

        Raises:
            LedAstrayError: it leads where nobody is to go, or is made to hide that.
        """
        text = b"\n" * self._is_new_line + self._kept + content
        begin, passed = int(self._is_new_line), b""
        if self._is_rtsp and _INTERLEAVED.search(text):
            raise LedAstrayError
        while found := _LEAD.search(text, max(begin - 1, 0)):
            end = text.find(b"\n", found.end())
            if end < 0:
                passed += text[begin : found.start() + 1]
                return self._keep(passed, text[found.start() + 1 :])
            where = self._turn(text[found.end() : end].replace(b"\r", b"").strip())
            passed += text[begin : found.start() + 1] + b"Location: " + where + b"\r"
            begin = end
        line = text.rfind(b"\n") + 1
        last = text[line:].replace(b"\r", b"").lower() if line else b"-"
        if last and _NAME.startswith(last):
            return self._keep(passed + text[begin:line], text[line:])
        self._kept, self._is_new_line = b"", not last
        return passed + text[begin:]

    def _keep(self, passed: bytes, kept: bytes) -> bytes:
        if len(kept) > MAX_BYTES:
            raise LedAstrayError
        self._kept, self._is_new_line = kept, True
        return passed

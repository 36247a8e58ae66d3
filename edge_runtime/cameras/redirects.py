"""Finds redirects in a camera's RTSP or HTTP answers: FFmpeg follows them to any host without asking, and no option
turns that off.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Limit for a line that may redirect, and for what is held back until that is known.
MAX_BYTES = 4096
_NAME = b"location:"
# FFmpeg drops carriage returns anywhere in an RTSP answer.
_REDIRECT = re.compile(rb"\n\r*" + rb"\r*".join(re.escape(bytes([each])) for each in _NAME), re.IGNORECASE)
# Data interleaved into an answer moves the start of FFmpeg's line past it; no camera sends any before the video.
_INTERLEAVED = re.compile(rb"\n\r*\$")


class ForbiddenRedirectError(Exception):
    """What the camera sends must not reach FFmpeg."""


class RedirectRewriter:
    """Passes on the bytes of one connection, with each ``Location: WHERE`` replaced by ``rewrite(WHERE)``.

    It holds back only what may begin such a line. ``rewrite`` raises ForbiddenRedirectError for a forbidden target.
    """

    def __init__(self, rewrite: Callable[[bytes], bytes], *, is_rtsp: bool) -> None:
        self._rewrite, self._is_rtsp = rewrite, is_rtsp
        self._kept, self._is_new_line = b"", True

    def pass_on(self, content: bytes) -> bytes:
        """What may go to FFmpeg of ``content``, which need not end with a line, and of what was held back before.

        Raises:
            ForbiddenRedirectError: it redirects to a forbidden target, or tries to hide a redirect.
        """
        text = b"\n" * self._is_new_line + self._kept + content
        begin, passed = int(self._is_new_line), b""
        if self._is_rtsp and _INTERLEAVED.search(text):
            raise ForbiddenRedirectError
        while found := _REDIRECT.search(text, max(begin - 1, 0)):
            end = text.find(b"\n", found.end())
            if end < 0:
                passed += text[begin : found.start() + 1]
                return self._keep(passed, text[found.start() + 1 :])
            where = self._rewrite(text[found.end() : end].replace(b"\r", b"").strip())
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
            raise ForbiddenRedirectError
        self._kept, self._is_new_line = kept, True
        return passed

"""Tells lists of other addresses from streams: FFmpeg would request every address in an HLS playlist or a session
description, even addresses in the device's network that the author of the list cannot reach.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

SNIFFED_BYTES = 2048
# What FFmpeg and other players recognise as lists, by their first bytes in lower case.
_BEGINNINGS = {
    b"#extm3u": "an HLS playlist",
    b"ffconcat": "a list of videos",
    b"[playlist]": "a playlist",
    b"[reference]": "a playlist",
    b"<asx": "a playlist",
    b"<smil": "a playlist",
    b"<mpd": "a DASH manifest",
    b"v=0": "a session description",
}
_KINDS = ("mpegurl", "dash+xml", "application/sdp", "scpls", "smil", "x-ms-asf-list")


def name_playlist(content: bytes, kind: str = "") -> str:
    """The kind of list that ``content``, the start of a file or of an answer of type ``kind``, is; empty for none."""
    begin = content[:SNIFFED_BYTES].removeprefix(b"\xef\xbb\xbf").strip().lower()
    found = next((name for mark, name in _BEGINNINGS.items() if begin.startswith(mark)), "")
    if not found and begin.startswith(b"<?xml"):
        found = next((name for mark, name in _BEGINNINGS.items() if mark.startswith(b"<") and mark in begin), "")
    return found or ("a playlist" if any(each in kind for each in _KINDS) else "")


@contextlib.contextmanager
def only_host_of(address: str) -> Iterator[None]:
    """While the block runs, FFmpeg sends HTTP requests only to the host of ``address``, whatever the redirects: those
    to any other host go to a proxy that does not exist. A proxy set by the user is kept.
    """
    if os.environ.get("http_proxy") or urlsplit(address).scheme not in ("http", "https"):
        yield
        return
    before = os.environ.get("no_proxy")
    host = urlsplit(address).hostname or ""
    network = urlsplit(address).netloc.rpartition("@")[2]
    place = network.lower().find(host)  # FFmpeg's comparison is case-sensitive, and urlsplit gives lower case
    # Port 9 of this machine is the discard service, or closed.
    os.environ.update(http_proxy="http://127.0.0.1:9", no_proxy=network[place : place + len(host)])
    try:
        yield
    finally:
        del os.environ["http_proxy"], os.environ["no_proxy"]
        if before is not None:
            os.environ["no_proxy"] = before

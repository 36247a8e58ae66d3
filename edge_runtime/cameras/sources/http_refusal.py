"""Says what an HTTP answer without images is, and what to do; reads no image and opens no connection."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from edge_runtime.cameras.sources.http_answer import HttpAnswer
from edge_runtime.cameras.sources.opencv.playlist import name_playlist
from edge_runtime.errors import CameraError
from edge_runtime.system.redact import redact

_REMEDIES = {
    "401": "check user and password",
    "403": "check user and password, and what this user may see",
    "404": "check the path in the address",
    "407": "a proxy stands before the camera; use the camera's own address",
    "429": "the camera is busy or has too many viewers; close others",
    "503": "the camera is busy or has too many viewers; close others",
}
_PAGES = ("text/html", "application/xhtml+xml", "application/json", "text/xml", "application/xml")
_PACKINGS = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress")


class NotJpegStreamError(CameraError):
    """The server at ``address`` answers, but not with JPEG images that this reader understands; FFmpeg may read it."""

    address = ""


def check_answer(answer: HttpAnswer, name: str) -> None:
    """Raises if the headers show that no images come: CameraError, or NotJpegStreamError for a digest."""
    if answer.status == "401":
        _refuse_login(answer, name)
    if answer.status != "200" and not answer.redirect:
        fault = "the camera has a fault; restart it" if answer.status.startswith("5") else "check the address"
        remedy = _REMEDIES.get(answer.status, fault)
        raise CameraError(f"{name} answered {answer.status} {answer.reason}, expected 200; {remedy}.")
    packing = answer.headers.get("content-encoding", "").lower()
    if packing in _PACKINGS:
        raise CameraError(
            f"{name} answered with {packing} around its images, expected them as they are; switch compression off in "
            "the camera or in the proxy before it."
        )


def _refuse_login(answer: HttpAnswer, name: str) -> None:
    challenge = re.sub(r'"[^"]*"', "", answer.headers.get("www-authenticate", ""))
    asked = re.findall(r"(?:^|,)\s*(\w+)(?=\s|,|$)(?!\s*=)", challenge)
    kinds = [kind.lower() for kind in asked]
    if "digest" in kinds and "basic" not in kinds:
        raise NotJpegStreamError(f"{name} answered 401, it asks for a digest of the password.")
    if kinds and not {"digest", "basic"} & set(kinds):
        raise CameraError(
            f"{name} answered 401 and asks for a login by {asked[0]}, expected Basic or Digest; change that in the "
            "camera's settings."
        )


def refuse_body(content: bytes, answer: HttpAnswer, name: str) -> CameraError:
    """The error for an answer whose body begins with ``content``, which holds no JPEG image."""
    if answer.kind in _PAGES:
        return CameraError(
            f"{name} answered with a page ({answer.kind}), expected images; use the address of the stream itself, "
            "which the camera's manual names."
        )
    if found := name_playlist(content, answer.kind):
        return CameraError(
            f"{name} answered with {found}, which makes this device ask other addresses; expected images or a stream "
            "itself, such as its rtsp:// address, which the camera's manual names."
        )
    if not content and answer.kind.startswith("image/"):
        return CameraError(
            f"{name} answered {answer.status} with {answer.kind} and nothing behind it, expected an image; "
            "the camera may be starting, or its picture is switched off."
        )
    return NotJpegStreamError(f"{name} answered {answer.status} with {answer.kind or 'no type'}, expected JPEG images.")


def follow(address: str, answer: HttpAnswer, name: str) -> str:
    """Where ``answer`` redirects to from ``address``; the password goes only to the same host. Raises CameraError."""
    before = urlsplit(address)
    try:
        after = urlsplit(urljoin(address, answer.redirect))
        is_usable = after.scheme not in ("http", "https") or bool(after.hostname and after.port != 0)
    except ValueError:  # half an IPv6 address, a port that is no number or too large
        is_usable = False
    if not is_usable:
        raise CameraError(f"{name} redirects us to an unusable address; check the camera's settings.")
    if after.scheme not in ("http", "https") or (before.scheme, after.scheme) == ("https", "http"):
        raise CameraError(
            f"{name} redirects us to {redact(after.geturl())}, expected {before.scheme}; check the camera's settings."
        )
    user, at, _ = before.netloc.rpartition("@")
    if "@" not in after.netloc and after.hostname == before.hostname:
        after = after._replace(netloc=f"{user}{at}{after.netloc}")
    return after._replace(fragment="").geturl()

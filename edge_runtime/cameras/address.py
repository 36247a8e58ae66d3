"""Parses what a user calls a camera (number, path, address, name) into a `CameraAddress`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edge_runtime.cameras.devices import find_devices
from edge_runtime.errors import MissingInputError, UsageError
from edge_runtime.system.redact import redact

LIVE_KINDS = ("device", "csi", "picamera2", "http", "rtsp", "synthetic", "demo")
SCHEMES = {"http": "http", "https": "http", "rtsp": "rtsp", "rtsps": "rtsp"}
FORMS = (
    "0 | /dev/video2 | NAME | csi | picamera2 | rtsp://... | http://.../stream.mjpg | video.mp4 | DIR | synthetic | "
    "demo"
)
_HINTS = {
    "file": "; a file is named by its path alone.",
    "v4l2": "; a camera of this machine is named by its path alone, such as /dev/video0.",
    "onvif": "; the address of the stream itself is in the camera's manual.",
}
RTSP_PORTS = ("554", "8554", "322")
# An address without its scheme: an IP address, a name with a port, or a name with a dot and a path.
_HOST_ALONE = re.compile(
    r"(?://)?(((?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-fA-F:.]+\]|[\w.-]+(?=:\d)|[\w-]+(?:\.[\w-]+)+(?=/))(?::(\d+))?)(?:/.*)?"
)


@dataclass(frozen=True)
class CameraAddress:
    """``kind`` is device, csi, picamera2, http, rtsp, video, folder, synthetic or demo; ``value`` is its index, path,
    address or options; ``began_with`` is the camera that a device number first referred to, written by
    `Identity.to_text`.
    """

    kind: str
    value: str
    began_with: str = ""

    @property
    def live(self) -> bool:
        """True when frames arrive by themselves and only the newest is wanted."""
        return self.kind in LIVE_KINDS

    @property
    def is_encrypted(self) -> bool:
        """True for a network address at which the camera identifies itself by a certificate."""
        return self.kind in ("http", "rtsp") and self.value.startswith(("https://", "rtsps://"))

    @property
    def shown(self) -> str:
        """The address for logs and results. A network address is reduced to scheme, host and port: any other part may
        be a password.
        """
        if self.kind == "device" and self.value.isdigit():
            return f"/dev/video{self.value}"
        return redact(self.value) if self.kind in ("http", "rtsp") else self.value or self.kind


def parse_camera(camera: str | int | Path) -> CameraAddress:
    """The address that ``camera`` names.

    Raises:
        UsageError: a negative index, a scheme other than http, https, rtsp or rtsps, or the name of several cameras.
        MissingInputError: it is neither a device nor an existing file or folder.
    """
    text = str(camera).strip()
    if re.fullmatch(r"\d{1,9}", text):
        return CameraAddress("device", str(int(text)))
    if re.fullmatch(r"-\d+", text):
        raise UsageError(f"The camera index is {text}, expected 0 or more: {FORMS}.")
    if text in ("csi", "picamera2", "demo") or text == "synthetic" or text.startswith("synthetic:"):
        kind, _, options = text.partition(":")
        return CameraAddress(kind, options)
    if "://" in text:
        return _parse_url(text)
    if begins := re.match(r"(https?|rtsps?)(:?/?/?)(?<=[:/])", text, re.I):
        begin = begins[1] + (":" if begins[2].startswith(":") else "//")
        raise UsageError(f"The camera address begins with {begin} alone, expected {begins[1].lower()}://.")
    text = text.removeprefix("v4l2:")
    if re.fullmatch(r"/dev/video\d+|/dev/v4l/.+", text):
        return CameraAddress("device", text)
    kind, path = _find_path(text)
    if kind:
        return CameraAddress(kind, path)
    if re.match(r"/+dev/+[^/]", text) and "\0" not in text:  # a udev rule may give cameras names of their own
        return CameraAddress("device", os.path.normpath(text).replace("//", "/", 1))
    if number := re.fullmatch(r"(dev/)?video(\d{1,3})", text):
        return CameraAddress("device", f"/dev/video{int(number[2])}")
    return _find_named(text)


def _parse_url(text: str) -> CameraAddress:
    scheme = text.partition("://")[0]
    if scheme.lower() not in SCHEMES or not _host(text):
        raise UsageError(
            f"The camera address {redact(text)} is not usable, expected http, https, rtsp or rtsps and a host"
            + _HINTS.get(scheme.lower(), ", a port of 1 to 65535 if any, no blank and no line break.")
        )
    rest = urlsplit(text)
    if "@" in rest.path or rest.fragment:
        # A / or # in a password would end the host early, and the rest of the password would be shown as a path.
        raise UsageError(
            f"The camera address {scheme}://*** has @ or # after its host, expected %40 and %23 there, and %2F "
            "for a / in a password."
        )
    return CameraAddress(SCHEMES[scheme.lower()], scheme.lower() + text[len(scheme) :])


def _find_named(name: str) -> CameraAddress:
    """The only device whose name contains ``name``; raises if there are none or several."""
    named = find_devices(name)
    if len(named) == 1:
        return CameraAddress("device", named[0].lasting or named[0].path)
    if named:
        raise UsageError(
            f"{len(named)} cameras are called {name!r}: "
            + ", ".join(f"{each.name} ({each.lasting or each.path})" for each in named)
            + "; expected the name of one, or the path of one of these."
        )
    raise _missing(name)


def _missing(text: str) -> MissingInputError:
    if found := _HOST_ALONE.fullmatch(text):
        scheme = "rtsp" if found[3] in RTSP_PORTS else "http"
        return MissingInputError(
            f"There is no file {found[1]}; if it is a network camera, its address begins with http:// or rtsp://, such "
            f"as {scheme}://{found[1]}."
        )
    if re.search(r"[@?=]", text):
        return MissingInputError(
            "There is no such camera, video file or folder; what was given is not shown, because it may hold a "
            f"password. Expected one of {FORMS}."
        )
    return MissingInputError(f"There is no camera, video file or folder {text!r}; expected one of {FORMS}.")


def _find_path(text: str) -> tuple[str, str]:
    """("folder" or "video", its path) if ``text`` names an existing one, else ("", "")."""
    try:
        path = Path(text).expanduser()
        kind = "folder" if path.is_dir() else "video" if path.is_file() else ""
    except (OSError, RuntimeError, ValueError):  # name too long, ~ of an unknown user, characters no name may have
        return "", ""
    return (kind, str(path)) if text and kind else ("", "")


def _host(address: str) -> str:
    try:
        parts, host = urlsplit(address), urlsplit(address).hostname or ""
        is_usable = parts.port != 0 and not re.search(r"\s", host) and not re.search(r"[\x00-\x1f\x7f]", address)
        return host if is_usable else ""  # a port that is no number, or too large, raises
    except ValueError:
        return ""

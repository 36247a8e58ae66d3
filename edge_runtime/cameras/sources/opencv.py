"""Cameras that OpenCV opens: V4L2 devices, video files, RTSP and other network streams.

A V4L2 camera is asked for its raw frames, so that JPEG is decoded at the size that the model needs and YUYV is reduced
before its colours are converted.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.devices import find_refusal
from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.identity import Identity, find_again, identify, is_numbered
from edge_runtime.cameras.presence import find_device_path
from edge_runtime.cameras.sources.playback import Recording
from edge_runtime.cameras.sources.playlist import SNIFFED_BYTES, name_playlist, only_host_of
from edge_runtime.cameras.sources.rtsp_answer import explain_rtsp
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import CameraError, DataError
from edge_runtime.pixels.jpeg import cut_out
from edge_runtime.pixels.jpeg_damage import Shifts
from edge_runtime.pixels.motion import Cells, read_cells, read_jpeg_cells, read_yuyv_cells
from edge_runtime.pixels.preprocess import Image, check_frame
from edge_runtime.pixels.shrink import decode_camera_image
from edge_runtime.pixels.yuyv import yuyv_to_bgr
from edge_runtime.system.clock import monotonic_s

# FFmpeg reads this when its first stream is opened: no chatter on stderr.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import numpy as np

from edge_runtime.pixels.opencv import cv2

# Opening includes FFmpeg's own analysis of 5 s, and the wait for a key frame, which cameras send every 1 to 10 s.
NETWORK_TIMEOUT_MS = 15_000
# Of a video file that does not say its rate.
USUAL_FPS = 25.0
# A driver's time stamp that is older than this, or in the future, is of another clock than ours.
OLDEST_STAMP_S = 10.0
# OpenCV ends its whole process when it converts these.
UNREADABLE = ("Y10", "Y12", "Y10B", "Y10P", "Y12P")
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


class OpenCVCamera(FrameSource):
    """One live ``cv2.VideoCapture``; frames come as OpenCV converts them."""

    live = True

    def __init__(self, name: str, target: str | int, backend: int, options: Sequence[int] = ()) -> None:
        _silence_opencv()
        self.name = name
        self._capture = cv2.VideoCapture(target, backend, list(options))
        self._fingerprint: int | None = None
        self._opened = self._capture.isOpened()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = monotonic_s() + timeout_s
        while not self.ended:
            has_frame = self._capture.grab()
            captured_s = self._captured_s()
            if not has_frame:
                raise CameraError(f"{self.name} stopped giving frames; check the cable, the power or the network.")
            try:
                pixels = self._look(captured_s)
            except DataError:
                self.num_bad += 1
            else:
                self.num_captured += 1
                if pixels is not None:
                    return Frame(pixels, self.num_captured - 1, captured_s, fingerprint=self._fingerprint)
            if monotonic_s() >= deadline_s:  # damaged images are news, too, and so are those that nobody looks at
                break
        return None

    def close(self) -> None:
        super().close()
        self._capture.release()

    def _captured_s(self) -> float:
        """When the frame that was just grabbed was taken, as far as can be told."""
        return monotonic_s()

    def _look(self, captured_s: float) -> Image | None:
        """The frame that was just grabbed, None when it is not to be looked at; DataError when it is damaged."""
        if self.lookout is not None and self.lookout.rests(captured_s):
            return None
        is_good, pixels = self._capture.retrieve()
        if not is_good or pixels is None:
            raise DataError(f"A frame of {self.name} cannot be decoded.")
        return _three_channels(np.asarray(pixels))


class DeviceCamera(OpenCVCamera):
    """A V4L2 camera by index or path, preferring MJPG, the only format that USB carries at full rate."""

    asks_lookout = True

    def __init__(self, address: CameraAddress, shrink_for: InputSpec | None = None) -> None:
        path = find_device_path(address.value) if not address.began_with else _find_again(address)
        refusal = find_refusal(path)
        if refusal is not None:
            raise CameraError(f"{path} did not open: it {refusal.words}.")
        mjpg = cv2.VideoWriter.fourcc(*"MJPG")
        options = (cv2.CAP_PROP_FOURCC, mjpg, cv2.CAP_PROP_BUFFERSIZE, 2)
        name = address.shown if str(path) in (address.value, address.shown) else f"{address.shown}, now {path}"
        super().__init__(name, str(path.resolve()), cv2.CAP_V4L2, options)
        if not self._opened:
            raise CameraError(f"{path} did not open, and the kernel does not say why; unplug it and plug it in again.")
        if is_numbered(address.value):
            with contextlib.suppress(OSError):  # gone already, which the next frame tells
                self.began_with = address.began_with or identify(path).to_text()
        self._shrink_for = shrink_for
        self._shifts = Shifts()
        self._fourcc = _fourcc_name(int(self._capture.get(cv2.CAP_PROP_FOURCC)))
        if self._fourcc.strip() in UNREADABLE:
            self.close()
            raise CameraError(
                f"{path} sends {self._fourcc.strip()}, grey of 10 or 12 bits, which OpenCV cannot read; expected MJPG, "
                "YUYV or grey of 8 or 16 bits, choose such a format in the camera."
            )
        if self._fourcc in ("MJPG", "JPEG", "YUYV"):
            self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _captured_s(self) -> float:
        """The driver's stamp, so that the time in its queue counts, too; now, when it gives none that is plausible."""
        now_s, stamp_s = monotonic_s(), self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        return stamp_s if now_s - OLDEST_STAMP_S <= stamp_s <= now_s else now_s

    def _look(self, captured_s: float) -> Image | None:
        is_good, raw = self._capture.retrieve()
        if not is_good or raw is None:
            raise DataError(f"A frame of {self.name} cannot be read.")
        buffer = np.ascontiguousarray(raw, np.uint8)
        self._fingerprint = zlib.crc32(buffer.data)
        if self.lookout is not None:
            fourcc = self._fourcc
            if not self.lookout.wants(
                captured_s, self._fingerprint, lambda region: read_raw_cells(buffer, fourcc, region)
            ):
                return None
        pixels = raw_to_bgr(buffer, self._fourcc, self._shrink_for, self._shifts)
        if pixels is None:
            self.look_again()  # its label is still owed
            raise DataError(f"A frame of {self.name} is damaged.")
        return pixels


class VideoFileCamera(Recording):
    """Every frame of a video file, once, as fast as it is asked for."""

    def __init__(self, path: str) -> None:
        _silence_opencv()
        _expect_no_playlist(path)
        self._path, self.name = path, Path(path).name
        self.rewind()

    def rewind(self) -> None:
        options = os.environ.get(STREAM_VARIABLE, f"format_whitelist;{FORMATS}|protocol_whitelist;file")
        with _environment(STREAM_VARIABLE, options):
            self._capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG)
        # Phones turn the video in its description; whether OpenCV follows by itself is a matter of its version.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        if not self._capture.isOpened():
            raise DataError(
                f"{self._path} is not a video that OpenCV can read; expected a file such as .mp4, .avi or .mkv."
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.interval_s = 1.0 / (fps if 0 < fps <= 1000 else USUAL_FPS)
        self.position_s = None

    def step(self) -> bool:
        if not self._capture.grab():
            if self.position_s is None:
                codec = _fourcc_name(int(self._capture.get(cv2.CAP_PROP_FOURCC))).strip("\0 ") or "unknown"
                raise DataError(
                    f"{self._path} has no frame that this OpenCV can decode (its codec is {codec}); write it anew "
                    "with: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p NEW.mp4"
                )
            return False
        stamp_s, before_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, self.position_s
        # Not every file has time stamps, or true ones.
        is_later = before_s is None or stamp_s > before_s
        self.position_s = stamp_s if is_later else (before_s or 0.0) + self.interval_s
        return True

    def decode(self) -> Image | None:
        is_good, pixels = self._capture.retrieve()
        return _three_channels(np.asarray(pixels)) if is_good and pixels is not None else None

    def close(self) -> None:
        super().close()
        self._capture.release()


class StreamCamera(OpenCVCamera):
    """A network stream that FFmpeg understands, encrypted or by RTSP through `Relay`, for FFmpeg checks less."""

    def __init__(self, address: CameraAddress, camera_ca: str | None = None, refusal: str = "") -> None:
        """``refusal`` is why another reader left this address to FFmpeg."""
        timeouts = (
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            NETWORK_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            NETWORK_TIMEOUT_MS,
        )
        options = merge_options(os.environ.get(STREAM_VARIABLE, ""), f"{STREAM_OPTIONS}|format_whitelist;{FORMATS}")
        self._relay, target = None, address.value
        if address.is_encrypted:
            options = f"{options}|{TLS_OPTIONS}"  # the last of equal options counts
        # UDP finds no way through, so whoever states it goes without.
        if address.is_encrypted or (address.kind == "rtsp" and "rtsp_transport;tcp" in options.split("|")):
            from edge_runtime.cameras.sources.relay import Relay

            self._relay = Relay(address.value, address.shown, camera_ca)
            target = self._relay.address
        self._fence = contextlib.ExitStack()
        self._fence.enter_context(only_host_of(target))
        with _environment(STREAM_VARIABLE, options):
            super().__init__(address.shown, target, cv2.CAP_FFMPEG, timeouts)
        if not self._opened:
            why = self._relay.refusal if self._relay is not None else ""
            why = why or explain_rtsp(target if address.is_encrypted else address.value, NETWORK_TIMEOUT_MS / 1000)
            self.close()
            raise CameraError(f"{refusal} {self.name} {why}." if refusal else f"{self.name} {why}.")

    def close(self) -> None:
        super().close()
        self._fence.close()
        if self._relay is not None:
            self._relay.close()


def _find_again(address: CameraAddress) -> Path:
    """The path of the camera that this number meant first. Raises CameraError."""
    return find_device_path(str(find_again(Identity.from_text(address.began_with), Path(address.shown))))


def _expect_no_playlist(path: str) -> None:
    try:
        with open(path, "rb") as file:
            found = name_playlist(file.read(SNIFFED_BYTES))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a video file.") from error
    if found:
        raise DataError(f"{path} is {found}, expected a video itself; name one that it lists.")


def raw_to_bgr(raw: Image, fourcc: str, shrink_for: InputSpec | None, shifts: Shifts | None = None) -> Image | None:
    """The (h, w, 3) uint8 BGR image of one raw V4L2 buffer, or None when it is damaged or cut short."""
    try:
        if fourcc in ("MJPG", "JPEG"):
            return decode_camera_image(cut_out(raw.tobytes()), "a camera frame", shrink_for, shifts)
        if fourcc == "YUYV" and raw.ndim == 3 and raw.shape[2] == 2:
            return yuyv_to_bgr(raw, shrink_for)
        return _three_channels(raw)
    except DataError:
        return None


def read_raw_cells(raw: Image, fourcc: str, region: Region | None) -> Cells:
    """Where movement is looked for in one raw V4L2 buffer; raises DataError when it is damaged or cut short."""
    if fourcc in ("MJPG", "JPEG"):
        return read_jpeg_cells(cut_out(raw.tobytes()), "a camera frame", region)
    if fourcc == "YUYV" and raw.ndim == 3 and raw.shape[2] == 2:
        return read_yuyv_cells(raw, region)
    return read_cells(_three_channels(raw), region)


def merge_options(stated: str, ours: str) -> str:
    """``stated``, what a user set, as it is, and behind it those of ``ours`` whose names it has not; both are
    ``name;value|name;value``.
    """
    names = {each.partition(";")[0].strip() for each in stated.split("|")}
    added = [each for each in ours.split("|") if each.partition(";")[0] not in names]
    return "|".join([stated] * bool(stated.strip()) + added)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
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


def _silence_opencv() -> None:
    """No warnings on stderr; OpenCV 4 and 5 have the switch in different places."""
    logging: Any = getattr(getattr(cv2, "utils", None), "logging", None)
    getattr(logging if logging is not None else cv2, "setLogLevel")(0)  # noqa: B009


def _three_channels(pixels: Image) -> Image:
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)
    check_frame(pixels)
    return pixels


def _fourcc_name(code: int) -> str:
    return code.to_bytes(4, "little", signed=code < 0).decode("ascii", "replace")

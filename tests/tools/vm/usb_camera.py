"""Plays a USB camera to the kernel of the virtual device: descriptors, control requests and frames of a USB Video Class
device, over USB/IP on a socket pair that the kernel's vhci-hcd takes for a cable. Runs in the device, as root.

    usb_camera.py FOLDER --format YUYV --port 0

FOLDER/show.json says what it shows, again for each frame: ``{"picture": FILE, "how": HOW}``. HOW is ``well``; ``silent``, which
answers control requests and sends nothing; ``frozen``, the same bytes for ever, stamped anew; or ``torn``, half of each.
FOLDER/sent has a line for each frame: monotonic seconds when its last byte was handed over, and the picture. Ending this process pulls the plug.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
import threading
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np

ATTACH = Path("/sys/devices/platform/vhci_hcd.0/attach")
HIGH_SPEED = 3
WIDTH, HEIGHT = 320, 240
INTERVAL_100NS = 1_000_000  # ten frames per second
# The driver asks for pieces of at most this many bytes; each is a payload of its own, with a header.
PAYLOAD = 16384
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
STALL, RESET = -32, -104


def guid(name: bytes) -> bytes:
    """A format's name as the class spells it."""
    if name == b"BGR3":
        return bytes.fromhex("7deb36e44f52ce119f530020af0ba770")
    return name + bytes.fromhex("00001000800000aa00389b71")


# V4L2's name: (the class's GUID, bits a pixel); the driver's table has them in the kernel's include/media/v4l2-uvc.h.
RAW = {
    "YUYV": (guid(b"YUY2"), 16),
    "UYVY": (guid(b"UYVY"), 16),
    "NV12": (guid(b"NV12"), 12),
    "YU12": (guid(b"I420"), 12),
    "GREY": (guid(b"Y800"), 8),
    "BA81": (guid(b"BA81"), 8),
    "RGBP": (guid(b"RGBP"), 16),
    "BGR3": (guid(b"BGR3"), 24),
}
FORMATS = ("MJPG", *RAW)


def encoded(picture: np.ndarray, form: str) -> bytes:
    """``picture``, uint8 (HEIGHT, WIDTH, 3) in B, G, R, as a camera of that format sends it."""
    if form == "MJPG":
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    if form == "BGR3":
        return picture.tobytes()
    if form == "GREY":
        return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).tobytes()
    if form == "RGBP":
        return cv2.cvtColor(picture, cv2.COLOR_BGR2BGR565).tobytes()
    if form == "BA81":
        mosaic = np.empty(picture.shape[:2], np.uint8)
        for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
            mosaic[row::2, column::2] = picture[row::2, column::2, channel]
        return mosaic.tobytes()
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    luma, chroma = planes[:HEIGHT], planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    if form == "YU12":
        return planes.tobytes()
    if form == "NV12":
        return luma.tobytes() + np.stack(chroma, axis=-1).tobytes()
    mixed = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    luma_at = 0 if form == "YUYV" else 1
    mixed[..., luma_at] = luma
    mixed[:, 0::2, 1 - luma_at], mixed[:, 1::2, 1 - luma_at] = (plane.repeat(2, axis=0) for plane in chroma)
    return mixed.tobytes()


def descriptors(form: str, serial: str) -> dict[int, bytes]:
    """(type << 8 | index) -> descriptor."""
    device = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0xEF, 2, 1, 64, 0x1D6B, 0x0104, 0x100, 1, 2, 3, 1)
    header = struct.pack("<BBBHHIBB", 13, 0x24, 1, 0x100, 13 + 18 + 9, 48_000_000, 1, 1)
    camera = struct.pack("<BBBBHBBHHHB3x", 18, 0x24, 2, 1, 0x201, 0, 0, 0, 0, 0, 3)
    output = struct.pack("<BBBBHBBB", 9, 0x24, 3, 2, 0x101, 0, 1, 0)
    control = struct.pack("<9B", 9, 4, 0, 0, 0, 0x0E, 1, 0, 0) + header + camera + output
    size = WIDTH * HEIGHT * 3
    if form == "MJPG":
        kind = struct.pack("<11B", 11, 0x24, 6, 1, 1, 1, 1, 0, 0, 0, 0)
    else:
        name, bits = RAW[form]
        size = WIDTH * HEIGHT * bits // 8
        kind = struct.pack("<5B", 27, 0x24, 4, 1, 1) + name + struct.pack("<6B", bits, 1, 0, 0, 0, 0)
    frame = struct.pack("<5BHHIIIIBI", 30, 0x24, 7 if form == "MJPG" else 5, 1, 0, WIDTH, HEIGHT, *(size * 80,) * 2, size, INTERVAL_100NS, 1, INTERVAL_100NS)  # fmt: skip
    colours = struct.pack("<6B", 6, 0x24, 0x0D, 1, 1, 4)
    total = 14 + len(kind) + len(frame) + len(colours)
    stream = struct.pack("<9B", 9, 4, 1, 0, 1, 0x0E, 2, 0, 0)
    stream += struct.pack("<BBBBHBBBBBBBB", 14, 0x24, 1, 1, total, 0x81, 0, 2, 0, 0, 0, 1, 0)
    stream += kind + frame + colours + struct.pack("<BBBBHB", 7, 5, 0x81, 2, 512, 0)
    body = struct.pack("<8B", 8, 0x0B, 0, 2, 0x0E, 3, 0, 0) + control + stream
    configuration = struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 2, 1, 0, 0x80, 250) + body
    found = {0x100: device, 0x200: configuration, 0x300: struct.pack("<BBH", 4, 3, 0x409)}
    for index, text in enumerate(("edge-runtime tests", "Played camera", serial), start=1):
        letters = text.encode("utf-16-le")
        found[0x300 | index] = bytes([2 + len(letters), 3]) + letters
    return found


class Camera:
    """The far end of the cable."""

    def __init__(self, cable: socket.socket, folder: Path, form: str, serial: str) -> None:
        self.cable, self.folder, self.form = cable, folder, form
        self.descriptors = descriptors(form, serial)
        self.frame_bytes = struct.unpack_from("<I", self._frame_descriptor(), 17)[0]
        self.sending = threading.Lock()
        self.waiting: deque[tuple[int, int]] = deque()  # (number, bytes) of the pieces that the driver asked for
        self.has_waiting = threading.Condition()

    def _frame_descriptor(self) -> bytes:
        kind = 7 if self.form == "MJPG" else 5
        content = self.descriptors[0x200]
        return content[content.index(bytes([30, 0x24, kind])) :]

    def serve(self) -> None:
        """Answers the kernel until the cable is gone."""
        threading.Thread(target=self._stream, daemon=True).start()
        while header := self._receive(48):
            command, number, _, is_in, endpoint = struct.unpack_from(">5I", header)
            if command == UNLINK:
                self._unlink(number, struct.unpack_from(">I", header, 20)[0])
                continue
            length = struct.unpack_from(">I", header, 24)[0]
            payload = b"" if is_in else self._receive(length)
            if endpoint == 0:
                self._control(number, header[40:48], payload)
            else:
                with self.has_waiting:
                    self.waiting.append((number, length))
                    self.has_waiting.notify()

    def _receive(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self.cable.recv(size - len(found))
            if not part:
                return b""
            found += part
        return found

    def _reply(self, number: int, content: bytes = b"", status: int = 0, length: int | None = None) -> None:
        head = struct.pack(">5IiiIIi8x", SUBMITTED, number, 0, 0, 0, status, len(content) if length is None else length, 0, 0, 0)  # fmt: skip
        with self.sending:
            self.cable.sendall(head + content)

    def _unlink(self, number: int, meant: int) -> None:
        # With `_send_frame`, one at a time: the kernel drops a camera that answers what it was told to forget.
        with self.has_waiting:
            kept = [entry for entry in self.waiting if entry[0] != meant]
            was_waiting = len(kept) < len(self.waiting)
            self.waiting = deque(kept)
            with self.sending:
                self.cable.sendall(struct.pack(">5Ii24x", UNLINKED, number, 0, 0, 0, RESET if was_waiting else 0))

    def _control(self, number: int, setup: bytes, payload: bytes) -> None:
        kind, request, value, _, length = struct.unpack("<BBHHH", setup)
        if kind & 0x60 == 0x20:
            answer = self._class_request(kind, request, value)
        elif request == 6:
            answer = self.descriptors.get(value)
        elif kind & 0x80:
            answer = bytes(2)
        else:
            answer = b""
        if answer is None:
            self._reply(number, status=STALL)
        elif kind & 0x80:
            self._reply(number, answer[:length])
        else:
            self._reply(number, length=len(payload))

    def _class_request(self, kind: int, request: int, value: int) -> bytes | None:
        if value >> 8 not in (1, 2):
            return None
        if not kind & 0x80:
            return b""
        if request == 0x85:
            return struct.pack("<H", 26)
        if request == 0x86:
            return b"\3"
        return struct.pack("<HBBI5HII", 0, 1, 1, INTERVAL_100NS, 0, 0, 0, 0, 0, self.frame_bytes, PAYLOAD)

    def _stream(self) -> None:
        shown: dict[tuple[str, float], bytes] = {}
        toggle, due_s, frozen = 0, time.monotonic(), b""
        with (self.folder / "sent").open("a", buffering=1) as sent:
            while True:
                with self.has_waiting:
                    self.has_waiting.wait_for(lambda: self.waiting)
                time.sleep(max(0.0, due_s - time.monotonic()))
                due_s = max(due_s + INTERVAL_100NS / 1e7, time.monotonic() - 1)
                show = json.loads((self.folder / "show.json").read_text())
                if show["how"] == "silent":
                    continue
                file = Path(show["picture"])
                key = (str(file), file.stat().st_mtime)
                if key not in shown:
                    shown[key] = encoded(cv2.resize(cv2.imread(str(file)), (WIDTH, HEIGHT)), self.form)
                content = frozen = frozen if show["how"] == "frozen" and frozen else self._noisy(shown[key])
                self._send_frame(content[: len(content) // 2] if show["how"] == "torn" else content, toggle)
                toggle ^= 1
                sent.write(f"{time.monotonic():.4f} {file.name}\n")

    def _noisy(self, content: bytes) -> bytes:
        """Like a sensor, which never gives the same image twice: one byte differs, of a comment or of a corner."""
        if self.form == "MJPG":
            note = os.urandom(4).hex().encode()
            return content[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(note)) + note + content[2:]
        return bytes([content[0] ^ (os.urandom(1)[0] & 3)]) + content[1:]

    def _send_frame(self, content: bytes, toggle: int) -> None:
        step = PAYLOAD - 2
        for start in range(0, len(content), step):
            is_last = start + step >= len(content)
            payload = bytes([2, 0x80 | toggle | 2 * is_last]) + content[start : start + step]
            with self.has_waiting:
                self.has_waiting.wait_for(lambda: self.waiting)
                number, length = self.waiting.popleft()
                self._reply(number, payload[:length])


def main() -> int:
    """Plugs the camera in, and serves until the process ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", choices=FORMATS, default="YUYV")
    parser.add_argument("--port", type=int, default=0)
    flags = parser.parse_args()
    ours, kernels = socket.socketpair()
    camera = Camera(ours, flags.folder, flags.format, f"serial{flags.port}")
    ATTACH.write_text(f"{flags.port} {kernels.fileno()} {flags.port + 1} {HIGH_SPEED}")
    kernels.close()
    camera.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

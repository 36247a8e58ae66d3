"""What can be tested of the virtual device without starting it."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.tools.vm import parts
from tests.tools.vm.kernel import CONFIG, unknown_options
from tests.tools.vm.usb_camera import FORMATS, HEIGHT, RAW, WIDTH, Camera, descriptors, encoded


@pytest.fixture
def picture() -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8)  # blue
    picture[:, WIDTH // 2 :] = (0, 0, 255)  # red
    return picture


@pytest.mark.parametrize("form", sorted(RAW))
def test_a_raw_frame_has_the_size_that_its_descriptor_says(picture: np.ndarray, form: str) -> None:
    content = encoded(picture, form)
    assert len(content) == WIDTH * HEIGHT * RAW[form][1] // 8
    frame = descriptors(form, "x")[0x200]
    at = frame.index(bytes([30, 0x24, 5]))
    assert struct.unpack_from("<HHIII", frame, at + 5)[0::4] == (WIDTH, len(content))


def test_a_packed_frame_has_luma_and_chroma_where_they_belong(picture: np.ndarray) -> None:
    yuyv = encoded(picture, "YUYV")
    blue, red = yuyv[:4], yuyv[-4:]
    assert (blue[0], blue[1] > 200, blue[3] < 128) == (blue[2], True, True)
    assert (red[0], red[1] < 128, red[3] > 200) == (red[2], True, True)
    uyvy = encoded(picture, "UYVY")
    assert uyvy[:4] == bytes([blue[1], blue[0], blue[3], blue[2]])


def test_a_mosaic_starts_with_blue_and_ends_with_red(picture: np.ndarray) -> None:
    mosaic = np.frombuffer(encoded(picture, "BA81"), np.uint8).reshape(HEIGHT, WIDTH)
    assert (mosaic[0, 0], mosaic[0, 1], mosaic[1, 1]) == (255, 0, 0)
    assert (mosaic[0, -2], mosaic[1, -2], mosaic[1, -1]) == (0, 0, 255)


@pytest.mark.parametrize("form", FORMATS)
def test_the_lengths_in_a_configuration_add_up(form: str) -> None:
    content = descriptors(form, "x")[0x200]
    assert struct.unpack_from("<H", content, 2)[0] == len(content)
    at = 0
    while at < len(content):
        at += content[at]
    assert at == len(content)


def test_an_option_that_the_kernel_does_not_know_is_found() -> None:
    asked = CONFIG.read_text()
    made = asked.replace("CONFIG_VIDEO_VIVID=m", "# CONFIG_VIDEO_VIVID is not set")
    assert unknown_options(asked, asked) == []
    assert unknown_options(asked, made) == ["CONFIG_VIDEO_VIVID=m"]


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(parts.shutil, "which", lambda tool: None if tool in ("flex", "apt-get") else f"/bin/{tool}")
    monkeypatch.setattr(parts.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(parts, "SOURCE", CONFIG)
    assert parts.missing_parts() == "needs flex (Debian: apt-get install flex)"
    monkeypatch.setattr(parts, "SOURCE", CONFIG.with_name("absent"))
    assert parts.missing_parts() == "needs flex, linux-source-6.1 (Debian: apt-get install flex linux-source-6.1)"


def test_elsewhere_than_on_x86_there_is_no_virtual_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.platform, "machine", lambda: "aarch64")
    assert parts.missing_parts() == "user mode Linux runs on x86_64 Linux, this is aarch64 Linux"


def test_a_piece_that_the_kernel_takes_back_is_answered_once(tmp_path: Path) -> None:
    ours, kernels = socket.socketpair()
    with ours, kernels:
        camera = Camera(ours, tmp_path, "MJPG", "x")
        camera.waiting.extend([(7, 16384), (8, 16384)])
        camera._unlink(9, 7)
        assert struct.unpack(">5Ii24x", kernels.recv(48)) == (4, 9, 0, 0, 0, -104)
        camera._send_frame(b"frame", 0)
        assert struct.unpack(">5Iii20x", kernels.recv(48)) == (3, 8, 0, 0, 0, 0, 7)
        assert kernels.recv(99) == b"\x02\x82frame"
        camera._unlink(10, 8)  # too late: it was answered
        assert struct.unpack(">5Ii24x", kernels.recv(48)) == (4, 10, 0, 0, 0, 0)

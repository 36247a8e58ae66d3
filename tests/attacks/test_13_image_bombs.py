"""Attack 13: an image of a few bytes that claims billions of pixels. Stopped by limits that are read from its header,
before any decoder takes memory.
"""

from __future__ import annotations

import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.cameras.sources.splitter import JpegSplitter
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import read_image
from edge_runtime.pixels.shrink import decode_camera_image

SIDE = 65_500


def jpeg() -> bytes:
    """A small JPEG whose header says that it has 65,500 x 65,500 pixels."""
    content = bytearray(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    place = content.index(b"\xff\xc0")
    struct.pack_into(">2H", content, place + 5, SIDE, SIDE)
    return bytes(content)


def png() -> bytes:
    """A PNG of a hundred bytes that says the same."""
    content = bytearray(cv2.imencode(".png", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    struct.pack_into(">2I", content, 16, SIDE, SIDE)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    return bytes(content)


def bmp() -> bytes:
    """A BMP that says the same."""
    content = bytearray(cv2.imencode(".bmp", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    struct.pack_into("<2i", content, 18, SIDE, SIDE)
    return bytes(content)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("make", [jpeg, png, bmp])
def test_a_file_that_claims_billions_of_pixels_takes_no_memory(
    make: Callable[[], bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bomb.jpg"
    path.write_bytes(make())
    before_mb = peak_mb()
    with pytest.raises(DataError):
        read_image(path)
    assert cli.main(["classify", str(path)]) == 65
    assert "bug in edge-runtime" not in capsys.readouterr().err
    assert peak_mb() - before_mb < 200


def test_a_camera_that_sends_one_gives_a_bad_frame_and_goes_on() -> None:
    good = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    splitter = JpegSplitter()
    splitter.feed(jpeg() + good)
    parts = []
    while (part := splitter.next_part()) is not None:
        parts.append(part)
    with pytest.raises(DataError):
        decode_camera_image(parts[0], "a camera frame", None)
    image = decode_camera_image(parts[-1], "a camera frame", None)
    assert image is not None and image.shape == (48, 64, 3)

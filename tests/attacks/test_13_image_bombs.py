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
from edge_runtime.pixels.motion import read_jpeg_cells
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


def scans() -> bytes:
    """A progressive JPEG with hundreds of scans that say nothing, each a pass over the whole image."""
    content = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * 300 + content[-2:]


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


def test_an_image_of_hundreds_of_scans_is_refused_by_its_markers_and_one_before_a_video_is_not(tmp_path: Path) -> None:
    (tmp_path / "scans.jpg").write_bytes(scans())
    with pytest.raises(DataError, match=r"scans.jpg comes in 310 scans, .*the limit is 100"):
        read_image(tmp_path / "scans.jpg")
    with pytest.raises(DataError, match=r"310 scans"):
        decode_camera_image(scans(), "a camera frame", None)
    with pytest.raises(DataError, match=r"310 scans"):
        read_jpeg_cells(scans(), "a camera frame", None)
    phone = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    (tmp_path / "phone.jpg").write_bytes(phone + b"\xff\xda" * 300)
    assert read_image(tmp_path / "phone.jpg").shape == (64, 64, 3)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(6 * 2**30)
    before_mb = peak_mb()
    with pytest.raises(
        DataError, match=r"sparse.jpg has 6442450944 bytes or more, expected an image, of at most 600000000"
    ):
        read_image(tmp_path / "sparse.jpg")
    assert peak_mb() - before_mb < 50

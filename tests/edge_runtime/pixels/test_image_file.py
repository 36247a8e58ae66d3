"""Image files: colour order, orientation, depth, and every refusal in words."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import MAX_PIXELS, decode_image, list_images, read_image

BLUE = (255, 0, 0)


def encoded(suffix: str, frame: np.ndarray) -> bytes:
    return bytes(cv2.imencode(suffix, frame)[1])


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".jpg", ".webp"])
def test_an_image_file_gives_bgr(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"blue{suffix}"
    path.write_bytes(encoded(suffix, np.full((6, 9, 3), BLUE, np.uint8)))
    frame = read_image(path)
    assert (frame.shape, frame.dtype) == ((6, 9, 3), np.uint8)
    assert np.abs(frame.astype(int) - BLUE).max() <= 2


def test_grey_16_bit_and_transparent_images_become_three_channels_of_8_bits() -> None:
    grey = decode_image(encoded(".png", np.full((2, 2), 77, np.uint8)), "grey.png")
    assert grey.tolist() == [[[77] * 3] * 2] * 2
    deep = decode_image(encoded(".png", np.full((2, 2, 3), 77 * 257, np.uint16)), "deep.png")
    assert deep.dtype == np.uint8 and (deep == 77).all()
    clear = decode_image(encoded(".png", np.full((2, 2, 4), (1, 2, 3, 128), np.uint8)), "clear.png")
    assert clear.tolist() == [[[1, 2, 3]] * 2] * 2


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that holds nothing but the orientation tag (0x0112)."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def test_the_orientation_that_a_phone_noted_is_applied() -> None:
    frame = np.zeros((16, 32, 3), np.uint8)
    frame[:, :16] = 255
    turned = decode_image(with_orientation(encoded(".jpg", frame), 6), "turned.jpg")
    assert turned.shape == (32, 16, 3)
    assert turned[:14].mean() > 240 and turned[18:].mean() < 15


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"There is no image .*none.jpg; check the path"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\); expected an image file"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_image_is_refused_with_its_size(content: bytes) -> None:
    with pytest.raises(
        DataError, match=rf"x.jpg \({len(content)} bytes\) is not an image( that OpenCV can decode|: it begins with)"
    ):
        decode_image(content, "x.jpg")


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises width x height pixels and holds none."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = zlib.compress(b"\0")
    body = b"IDAT" + data
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def test_an_image_of_more_pixels_than_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DataError, match=rf"bomb.png was refused by OpenCV: .*; the limit is {MAX_PIXELS} pixels"):
        decode_image(png_header(65_500, 65_500), "bomb.png")


def test_the_images_of_a_folder_are_listed_below_it_and_sorted(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/er/c.webp", "notes.txt", "folder.png/d.gif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ["a.png", "b.JPG", "deep/er/c.webp", "folder.png/d.gif"]
    assert list_images(tmp_path / "none") == []

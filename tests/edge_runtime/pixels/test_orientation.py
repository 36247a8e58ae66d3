"""Images and videos that say how they are turned: the same pixels whatever version of OpenCV is installed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.opening import open_camera
from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import decode_image
from edge_runtime.pixels.orientation import read_orientation, turn_upright
from edge_runtime.pixels.shrink import decode_camera_image, decode_shrunk

# Four quarters: each turn puts them elsewhere.
COLOURS = {"red": (20, 20, 230), "green": (20, 230, 20), "blue": (230, 20, 20), "white": (230, 230, 230)}
# Where the quarters of red green / blue white are seen, as EXIF defines the eight orientations.
SEEN = {
    1: "red green blue white",
    2: "green red white blue",
    3: "white blue green red",
    4: "blue white red green",
    5: "red blue green white",
    6: "blue red white green",
    7: "white green blue red",
    8: "green white red blue",
}


def draw_quarters(height: int = 64, width: int = 96) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(COLOURS.values()):
        top, left = number // 2 * height // 2, number % 2 * width // 2
        image[top : top + height // 2, left : left + width // 2] = colour
    return image


def name_quarters(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    places = [(y * height // 4, x * width // 4) for y in (1, 3) for x in (1, 3)]
    return " ".join(
        min(COLOURS, key=lambda name: np.abs(image[place].astype(int) - COLOURS[name]).sum()) for place in places
    )


def exif(orientation: int, order: str = ">") -> bytes:
    mark = b"MM\0*" if order == ">" else b"II*\0"
    return mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def encode(suffix: str) -> bytes:
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    return cv2.imencode(suffix, draw_quarters(), options)[1].tobytes()


def jpeg(orientation: int) -> bytes:
    content, block = encode(".jpg"), b"Exif\0\0" + exif(orientation)
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]


def png(orientation: int) -> bytes:
    content, block = encode(".png"), b"eXIf" + exif(orientation, "<")
    chunk = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
    end = 8 + 25  # the mark and the header chunk
    return content[:end] + chunk + content[end:]


def webp(orientation: int, prefix: bytes = b"") -> bytes:
    image, block = encode(".webp")[12:], prefix + exif(orientation)
    size = struct.pack("<I", 95)[:3] + struct.pack("<I", 63)[:3]
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + size
    chunk = b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    body = b"WEBP" + extended + image + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(orientation: int) -> bytes:
    pixels = draw_quarters()
    height, width = pixels.shape[:2]
    data = pixels[:, :, ::-1].tobytes()
    after = 8 + 2 + 12 * 10 + 4
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, after), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, after + 6),
        (274, 3, 1, orientation), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, 10) + directory + bytes(4) + struct.pack("<HHH", 8, 8, 8) + data


@pytest.mark.parametrize("make", [jpeg, png, webp, lambda each: webp(each, b"Exif\0\0"), tiff])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_that_says_how_it_is_turned_is_seen_upright(
    make: Callable[[int], bytes], orientation: int
) -> None:
    image = decode_image(make(orientation), "photo")
    assert image.shape == ((64, 96, 3) if orientation < 5 else (96, 64, 3))
    assert name_quarters(image) == SEEN[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_is_decoded_smaller_is_turned_once_too(orientation: int) -> None:
    for decode in (decode_shrunk, decode_camera_image):
        image = decode(jpeg(orientation), "photo", InputSpec(16, 16))
        assert image.shape == ((16, 24, 3) if orientation < 5 else (24, 16, 3))
        assert name_quarters(image) == SEEN[orientation]


@pytest.mark.parametrize("stated", [0, 9, 65535])
def test_an_orientation_that_exif_does_not_know_turns_nothing(stated: int) -> None:
    assert read_orientation(jpeg(stated)) == 1
    assert (turn_upright(draw_quarters(), stated) == draw_quarters()).all()


@pytest.mark.parametrize("make", [jpeg, png, webp])
def test_a_file_that_is_cut_anywhere_has_an_orientation_or_none(make: Callable[[int], bytes]) -> None:
    content = make(6)
    assert {read_orientation(content[:end]) for end in range(len(content))} <= {1, 6}


def test_a_gif_is_refused_by_name_because_only_some_versions_of_opencv_read_it() -> None:
    with pytest.raises(DataError, match=r"a\.gif is a GIF, which only some versions of OpenCV decode.*Save it as PNG"):
        decode_image(b"GIF89a" + bytes(40), "a.gif")


def quarter_turned_video(path: Path, matrix: tuple[int, ...]) -> None:
    """A video of which the description says that it is to be turned, as a phone that is held upright writes it."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (96, 64))
    for _ in range(3):
        writer.write(draw_quarters())
    writer.release()
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    assert content[place : place + 36] == struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    content[place : place + 36] = struct.pack(">9i", *(each << 16 for each in matrix), 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "orientation"),
    [((0, 1, 0, -1, 0, 0, 64, 0), 6), ((-1, 0, 0, 0, -1, 0, 96, 64), 3), ((0, -1, 0, 1, 0, 0, 0, 96), 8)],
)
def test_the_video_of_a_phone_is_seen_upright(matrix: tuple[int, ...], orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    quarter_turned_video(path, matrix)
    with open_camera(path) as frames:
        seen = [name_quarters(frame.pixels) for frame in frames]
    assert seen == [SEEN[orientation]] * 3

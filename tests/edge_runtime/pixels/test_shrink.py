"""JPEG headers and decoding no larger than the model needs: sizes, limits, and pixels close to the plain path."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.cameras.capture.shared_frames import SLOT_BYTES
from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import decode_image
from edge_runtime.pixels.jpeg import JpegHeader, find_jpeg_end, is_whole, read_jpeg_header
from edge_runtime.pixels.jpeg_damage import catch_decoder_warning
from edge_runtime.pixels.preprocess import preprocess
from edge_runtime.pixels.shrink import (
    MAX_SHRUNK_BYTES,
    MAX_WHOLE_BYTES,
    choose_reduction,
    count_decoding_bytes,
    decode_camera_image,
    decode_shrunk,
    read_shrunk,
)


def jpeg(height: int, width: int, quality: int = 90) -> bytes:
    return cv2.imencode(".jpg", draw_wave_image(height, width), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def with_exif_turn(content: bytes) -> bytes:
    """``content`` with an EXIF block that asks for a quarter turn (orientation 6)."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    block = b"Exif\0\0" + tiff
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]


def bomb(side: int = 65_500) -> bytes:
    """A small JPEG whose header claims ``side`` x ``side`` pixels."""
    return sized(jpeg(16, 16), side)


def sized(content: bytes, side: int) -> bytes:
    """``content`` with a header that claims ``side`` x ``side`` pixels; a decoder makes room for them all."""
    at = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) + 5
    return content[:at] + struct.pack(">HH", side, side) + content[at + 4 :]


def test_the_header_tells_size_and_exif() -> None:
    assert read_jpeg_header(jpeg(120, 200)) == JpegHeader(200, 120, False)
    assert read_jpeg_header(with_exif_turn(jpeg(120, 200))) == JpegHeader(200, 120, True)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\x89PNG\r\n", b"\xff\xd8\xff\xda\0\0", b"\xff\xd8 text", b"\xff\xd8\xff\xd9"]
)
def test_what_is_no_jpeg_has_no_header(content: bytes) -> None:
    assert read_jpeg_header(content) is None


@given(st.binary(max_size=400))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_no_bytes_make_the_header_reader_fail(tail: bytes) -> None:
    content = b"\xff\xd8\xff" + tail
    header = read_jpeg_header(content)
    assert header is None or min(header.width, header.height) > 0
    assert find_jpeg_end(content) <= len(content)


def test_the_end_of_a_jpeg_is_found_behind_a_thumbnail_with_an_end_of_its_own() -> None:
    content = jpeg(64, 64)
    thumbnail = b"\xff\xe1" + struct.pack(">H", 12) + b"\xff\xd8inner\xff\xd9\0"
    nested = content[:2] + thumbnail + content[2:]
    assert find_jpeg_end(b"xx" + nested + b"tail", 2) == 2 + len(nested)
    assert find_jpeg_end(nested[:-1]) == -1


def test_a_cut_jpeg_is_not_whole_and_a_padded_one_is() -> None:
    content = jpeg(64, 64)
    assert is_whole(content)
    assert is_whole(content + b"\0\0\0")
    assert not is_whole(content[:-2])
    assert not is_whole(b"<html>")


@pytest.mark.parametrize(
    ("height", "width", "spec", "divisor"),
    [
        (480, 640, InputSpec(32, 32), 8),
        (480, 640, InputSpec(96, 96), 4),
        (480, 640, InputSpec(224, 224), 2),
        (480, 640, InputSpec(241, 224), 1),
        (479, 640, InputSpec(60, 60), 8),
        (480, 640, InputSpec(60, 60, "crop"), 8),
        (480, 640, InputSpec(61, 61, "crop"), 4),
        (480, 640, InputSpec(80, 80, "letterbox"), 8),
        (480, 640, InputSpec(81, 81, "letterbox"), 4),
        (32, 32, InputSpec(32, 32), 1),
        (10, 10, InputSpec(32, 32), 1),
    ],
)
def test_the_reduction_is_the_largest_that_still_covers_the_input(
    height: int, width: int, spec: InputSpec, divisor: int
) -> None:
    assert choose_reduction(height, width, spec) == divisor


@given(
    st.integers(1, 900),
    st.integers(1, 900),
    st.integers(1, 128),
    st.integers(1, 128),
    st.sampled_from(["stretch", "crop"]),
)
@settings(derandomize=True, max_examples=300, deadline=None)
def test_a_reduced_image_is_never_smaller_than_the_input(
    height: int, width: int, input_height: int, input_width: int, resize: str
) -> None:
    divisor = choose_reduction(height, width, InputSpec(input_height, input_width, resize))
    assert divisor == 1 or (-(-height // divisor) >= input_height and -(-width // divisor) >= input_width)


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
def test_the_model_sees_nearly_the_same_image_as_by_the_plain_path(
    size_wh: tuple[int, int], side: int, resize: str
) -> None:
    content, spec = jpeg(size_wh[1], size_wh[0]), InputSpec(side, side, resize)
    shrunk = decode_shrunk(content, "wave", spec)
    assert shrunk.shape[0] < size_wh[1] / 2
    plain = preprocess(decode_image(content, "wave"), spec).astype(np.int16)
    assert np.abs(preprocess(shrunk, spec) - plain).mean() < 2.0


def test_a_turned_jpeg_is_turned_and_still_covers_the_input() -> None:
    assert decode_shrunk(with_exif_turn(jpeg(240, 640)), "turned", InputSpec(70, 30)).shape == (320, 120, 3)


def test_other_formats_and_no_input_spec_give_the_whole_image() -> None:
    png = cv2.imencode(".png", draw_wave_image(200, 200))[1].tobytes()
    assert decode_shrunk(png, "a.png", InputSpec(8, 8)).shape == (200, 200, 3)
    assert decode_shrunk(jpeg(200, 200), "a.jpg", None).shape == (200, 200, 3)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DataError, match=r"bomb.jpg has 65500x65500 pixels; the limit is 400000000 pixels"):
        decode_shrunk(bomb(), "bomb.jpg", InputSpec(32, 32))


def flat(height: int, width: int, sampling: str = "444", *, progressive: bool = False) -> bytes:
    """A JPEG of one grey: as few bytes for as many pixels as there can be."""
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8), options)[1].tobytes()


def with_first_scan_of_one_component(content: bytes) -> bytes:
    """A baseline JPEG whose first scan header names one component of three, as layered files do."""
    at = content.index(b"\xff\xda") + 4
    return content[:at] + b"\x01" + content[at + 1 :]


def test_the_header_tells_what_a_decoder_must_hold_of_the_whole_image() -> None:
    def coefficients(content: bytes) -> int:
        header = read_jpeg_header(content)
        assert header is not None
        return header.coefficient_bytes

    assert coefficients(flat(64, 96)) == 0
    assert coefficients(flat(64, 96, progressive=True)) == 3 * 2 * 64 * 96
    assert coefficients(flat(64, 96, "420", progressive=True)) == 2 * 64 * 96 * 3 // 2
    assert coefficients(flat(65, 97, "420", progressive=True)) == 2 * 80 * 112 * 3 // 2
    assert coefficients(with_first_scan_of_one_component(flat(64, 96))) == 3 * 2 * 64 * 96
    cut = flat(64, 96)
    assert coefficients(cut[: cut.index(b"\xff\xda")]) == 3 * 2 * 64 * 96, "without a scan the worst is assumed"


def test_a_frame_header_inside_what_a_decoder_takes_for_no_segment_is_not_believed() -> None:
    hidden = flat(64, 96)
    assert read_jpeg_header(hidden[:2] + b"\xff\x00\x00\x08abcdef" + hidden[2:]) is None


def measured(content: bytes, spec: InputSpec | None, folder: Path) -> tuple[str, int]:
    """(what a process of its own says of the decoding, by how many bytes its peak memory grew)."""
    (folder / "image.jpg").write_bytes(content)
    script = (
        f"import re, sys\nsys.path[:] = {sys.path!r}\n"
        "from edge_runtime.contract import InputSpec\nfrom edge_runtime.errors import DataError\n"
        "from edge_runtime.pixels.shrink import decode_camera_image\n"
        "def peak():\n    return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024\n"
        f"content = open({str(folder / 'image.jpg')!r}, 'rb').read()\n"
        "import cv2, numpy\ncv2.setNumThreads(1)\n"
        "noise = numpy.random.default_rng(0).integers(0, 255, (256, 256, 3), numpy.uint8)\n"
        "decode_camera_image(cv2.imencode('.jpg', noise)[1].tobytes(), 'what loads by itself', None)\n"
        f"before = peak()\ntry:\n    said = str(decode_camera_image(content, 'it', {spec!r}).shape)\n"
        "except DataError as error:\n    said = str(error)\n"
        "print(peak() - before)\nprint(said)\n"
    )
    grown, said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.splitlines()
    return said, int(grown)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    ("make", "spec", "said"),
    [
        (lambda: flat(2800, 2800, progressive=True), InputSpec(96, 96), "(350, 350, 3)"),
        (lambda: flat(3840, 3840, "420", progressive=True), InputSpec(96, 96), "(480, 480, 3)"),
        (lambda: flat(2880, 2880), InputSpec(2000, 2000), "(2880, 2880, 3)"),
        (lambda: with_exif_turn(flat(2300, 2300)), InputSpec(2000, 2000), "(2300, 2300, 3)"),
        (lambda: flat(4000, 6000), InputSpec(96, 96), "(500, 750, 3)"),
    ],
    ids=["progressive", "progressive at half colour", "baseline", "turned", "baseline, much reduced"],
)
def test_an_image_of_a_camera_below_the_limit_takes_no_more_memory_than_was_reckoned(
    make: Callable[[], bytes], spec: InputSpec, said: str, tmp_path: Path
) -> None:
    content = make()
    header = read_jpeg_header(content)
    assert header is not None
    reckoned = count_decoding_bytes(header, spec)
    told, grown = measured(content, spec, tmp_path)
    assert told == said
    assert reckoned <= MAX_SHRUNK_BYTES
    assert grown < reckoned + 3_000_000 < 53_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    ("make", "spec", "said"),
    [
        (
            lambda: sized(flat(64, 64, progressive=True), 3000),
            InputSpec(96, 96),
            "it has 3000x3000 pixels in several scans, decoding",
        ),
        (
            lambda: flat(3000, 3000),
            InputSpec(2000, 2000),
            "it has 3000x3000 pixels, decoding it takes 54 MB; the limit is 50",
        ),
        (
            lambda: sized(flat(64, 64, progressive=True), 4000),
            None,
            "it has 4000x4000 pixels in several scans, decoding it takes 144",
        ),
        (
            lambda: with_first_scan_of_one_component(sized(flat(64, 64), 3000)),
            InputSpec(96, 96),
            "it has 3000x3000 pixels in several",
        ),
        (
            lambda: bomb(),
            InputSpec(96, 96),
            "it has 65500x65500 pixels, decoding it takes 402 MB; the limit is 50 MB, choose",
        ),
        (lambda: b"\xff\xd8\xff\x00" + flat(16, 16)[2:], None, "has no readable JPEG header; it is damaged"),
    ],
    ids=["progressive", "baseline", "progressive, whole", "layered", "bomb", "hidden header"],
)
def test_an_image_of_a_camera_above_the_limit_is_refused_and_costs_nothing(
    make: Callable[[], bytes], spec: InputSpec | None, said: str, tmp_path: Path
) -> None:
    told, grown = measured(make(), spec, tmp_path)
    assert said in told
    assert grown < 3_000_000


def test_whole_images_of_a_camera_are_decoded_up_to_what_can_be_handed_over() -> None:
    assert decode_camera_image(flat(3040, 4056), "it", None).shape == (3040, 4056, 3)
    with pytest.raises(DataError, match=r"it has 5000x5000 pixels, decoding it takes 150 MB; the limit is 134 MB"):
        decode_camera_image(bomb(5000), "it", None)
    assert MAX_WHOLE_BYTES == 2 * SLOT_BYTES


def test_a_large_progressive_photo_is_read_from_a_file_and_one_that_no_camera_makes_is_refused() -> None:
    assert decode_shrunk(flat(4000, 6000, progressive=True), "photo.jpg", InputSpec(96, 96)).shape == (500, 750, 3)
    with pytest.raises(
        DataError,
        match=r"huge.jpg is a progressive JPEG of 5200x5200 pixels, .* hold 162 MB; the limit is 150 MB, save it as a",
    ):
        decode_shrunk(sized(flat(64, 64, progressive=True), 5200), "huge.jpg", InputSpec(96, 96))


def test_a_damaged_jpeg_is_refused_by_name() -> None:
    whole = jpeg(640, 640)
    header_only = whole[: whole.index(b"\xff\xda")]
    with pytest.raises(DataError, match=r"half.jpg \(\d+ bytes\) starts as a JPEG but OpenCV cannot decode it"):
        decode_shrunk(header_only, "half.jpg", InputSpec(32, 32))


def test_files_are_read_by_path_and_missing_ones_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(640, 640))
    assert read_shrunk(tmp_path / "a.jpg", InputSpec(32, 32)).shape == (80, 80, 3)
    with pytest.raises(MissingInputError, match=r"There is no image .*none.jpg; check the path"):
        read_shrunk(tmp_path / "none.jpg", None)
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\); expected an image file"):
        read_shrunk(tmp_path, None)


def damaged(height: int = 240, width: int = 320) -> bytes:
    content = jpeg(height, width)
    return content[: len(content) * 2 // 3] + b"\xff\xd9"


@pytest.mark.parametrize("spec", [None, InputSpec(32, 32)])
def test_half_an_image_with_an_end_marker_is_not_an_image(spec: InputSpec | None, capfd: Any) -> None:
    with pytest.raises(
        DataError, match=r"it \(\d+ bytes\) is damaged: Corrupt JPEG data: premature end of data segment\."
    ):
        decode_camera_image(damaged(), "it", spec)
    assert decode_camera_image(jpeg(240, 320), "it", spec) is not None
    assert capfd.readouterr().err == ""


def test_padding_before_the_end_marker_and_bytes_behind_it_are_no_damage() -> None:
    content = jpeg(240, 320)
    assert decode_camera_image(content[:-2] + b"\0" * 7 + content[-2:] + b"junk", "it", None).shape == (240, 320, 3)


def test_a_file_of_which_a_part_is_missing_is_read_with_a_warning(tmp_path: Path, caplog: Any, capfd: Any) -> None:
    (tmp_path / "half.jpg").write_bytes(damaged())
    assert read_shrunk(tmp_path / "half.jpg", InputSpec(32, 32)).shape == (60, 80, 3)
    assert re.search(r"half.jpg is damaged \(Corrupt JPEG.*\); its label may be wrong", caplog.text)
    assert capfd.readouterr().err == ""


def test_what_others_write_to_stderr_while_an_image_is_decoded_is_not_lost(capfd: Any) -> None:
    with catch_decoder_warning() as warning:
        os.write(2, b"another thread\nCorrupt JPEG data: bad Huffman code\n")
    assert warning.text == "Corrupt JPEG data: bad Huffman code"
    assert capfd.readouterr().err == "another thread\n"

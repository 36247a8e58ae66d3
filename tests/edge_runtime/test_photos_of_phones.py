"""What phones write: HEIC, and more pixels than are decoded at full size."""

from __future__ import annotations

import builtins
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.errors import DataError
from edge_runtime.pixels import image_file
from edge_runtime.pixels.image_file import MAX_PIXELS, MAX_STORED_PIXELS, check_header, decode_image
from edge_runtime.pixels.jpeg import JpegHeader


def heic(pixels: np.ndarray) -> bytes:
    """A HEIC photo of (h, w, 3) uint8 RGB."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="only the workstation has it")
    file = BytesIO()
    size = (pixels.shape[1], pixels.shape[0])
    pillow_heif.encode("RGB", size, pixels.tobytes(), file, quality=95)
    return file.getvalue()


def test_a_heic_photo_gives_bgr() -> None:
    red = np.zeros((64, 96, 3), np.uint8)
    red[:, :, 0] = 200
    frame = decode_image(heic(red), "photo.heic")
    assert (frame.shape, frame.dtype) == ((64, 96, 3), np.uint8)
    assert np.abs(frame.astype(int) - (0, 0, 200)).max() <= 12


def test_a_damaged_or_too_large_heic_photo_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = heic(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DataError, match=r"photo.heic is a damaged HEIC photo"):
        decode_image(content[: len(content) // 3], "photo.heic")
    from edge_runtime.pixels import heif

    monkeypatch.setattr(heif, "MAX_PIXELS", 1000)
    with pytest.raises(DataError, match=r"photo.heic has 64x64 pixels; the limit is 1000"):
        decode_image(content, "photo.heic")


def test_without_the_library_a_heic_photo_is_named_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name == "pillow_heif":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(DataError, match=r"is a HEIC photo, which needs pillow-heif .*heif-convert x.heic photo.jpg"):
        decode_image(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "x.heic")


@pytest.mark.parametrize(("brand", "kind"), [(b"avif", "an AVIF image"), (b"isom", "a film or a container")])
def test_what_else_comes_in_such_a_file_is_named(brand: bytes, kind: str) -> None:
    with pytest.raises(DataError, match=f"x is {kind} .*Save it as JPEG or PNG"):
        decode_image(b"\x00\x00\x00\x18ftyp" + brand, "x")


def test_a_jpeg_beyond_the_limit_is_decoded_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = np.zeros((80, 120, 3), np.uint8)
    frame[:, 60:] = (10, 200, 30)
    content = bytes(cv2.imencode(".jpg", frame)[1])
    monkeypatch.setattr(image_file, "MAX_PIXELS", 80 * 120 // 3)
    reduced = decode_image(content, "photo.jpg")
    assert reduced.shape == (40, 60, 3)
    assert np.abs(reduced[20, 50].astype(int) - (10, 200, 30)).max() <= 4
    assert MAX_STORED_PIXELS > 200_000_000 >= 2 * MAX_PIXELS
    check_header(JpegHeader(12_000, 9_000, False), "photo.jpg")
    with pytest.raises(DataError, match=rf"has 65500x65500 pixels; the limit is {MAX_STORED_PIXELS} pixels"):
        check_header(JpegHeader(65_500, 65_500, False), "photo.jpg")
    with pytest.raises(DataError, match=r"is a progressive JPEG of 12000x9000 pixels.*save it as a baseline JPEG"):
        check_header(JpegHeader(12_000, 9_000, False, 324_000_000), "photo.jpg")

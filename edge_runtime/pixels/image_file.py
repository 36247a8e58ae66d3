"""Reads an image file into a frame: the one decoder that data sets, calibration and ``classify`` share.

Refuses what could exhaust memory before decoding it; never returns a made-up image.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import numpy as np

from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.jpeg import JpegHeader, read_jpeg_header
from edge_runtime.pixels.opencv import MAX_PIXELS, cv2
from edge_runtime.pixels.orientation import AS_STORED, read_orientation, turn_upright
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.guarded_read import read_at_most

# A decoder must hold all of a progressive JPEG before it can give the first line: 150 MB are 25 million pixels with
# full colour resolution, and 50 million with the usual half.
MAX_COEFFICIENT_BYTES = 150_000_000
# The largest phone photos have 200 million pixels; beyond MAX_PIXELS a JPEG is decoded at a half to an eighth.
MAX_STORED_PIXELS = 4 * MAX_PIXELS
# Encoders use ten scans, hand-made scripts a few dozen. Each costs a pass over the whole image, however few its bytes.
MAX_SCANS = 100
# The largest image that is decoded, with sixteen bits a colour and not compressed at all.
MAX_IMAGE_BYTES = 6 * MAX_PIXELS
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif", ".heic", ".heif",
)  # fmt: skip

# The first bytes of the formats that are decoded. OpenCV goes by content, never by name, and knows a dozen other
# formats, whose decoders are little tested (CVE-2025-53644 is in JPEG 2000's): these are refused before it sees them.
_BEGINNINGS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6",
)  # fmt: skip

# Only some versions of OpenCV can decode GIFs: none are decoded, so that host and device agree.
_GIFS = (b"GIF87a", b"GIF89a")

# What file managers, archives and network drives leave behind, besides names with a leading dot.
_SERVICE_NAMES = (
    "thumbs.db", "desktop.ini", "__macosx", "__pycache__", "@eadir", "@tmp", "#recycle", "#snapshot", "$recycle.bin",
    "lost+found", "system volume information",
)  # fmt: skip


def read_image(path: str | Path) -> Image:
    """The image at ``path`` as (h, w, 3) uint8 BGR, turned upright according to its metadata (EXIF in JPEG, PNG and
    WebP, its own tag in TIFF, HEIC); grey becomes three channels.

    Raises:
        MissingInputError: there is no such file.
        DataError: the file cannot be read or is not an image that OpenCV or pillow-heif can decode, or it has more than
            MAX_PIXELS pixels (a JPEG MAX_STORED_PIXELS), or is a progressive JPEG of more than MAX_COEFFICIENT_BYTES.
    """
    return decode_image(read_image_bytes(path), str(path))


def read_image_bytes(path: str | Path) -> bytes:
    """The content of the image file at ``path``, not decoded.

    Raises:
        MissingInputError: there is no such file.
        DataError: it cannot be read, or has more than MAX_IMAGE_BYTES.
    """
    try:
        with open(path, "rb") as file:
            num_bytes = os.fstat(file.fileno()).st_size
            if num_bytes <= MAX_IMAGE_BYTES:
                content = read_at_most(file, MAX_IMAGE_BYTES + 1)
                num_bytes = len(content)
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no image {path}; check the path.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected an image file.") from error
    if num_bytes > MAX_IMAGE_BYTES:
        raise DataError(f"{path} has {num_bytes} bytes or more, expected an image, of at most {MAX_IMAGE_BYTES}.")
    return content


def list_images(folder: str | Path) -> list[Path]:
    """All visible files in ``folder`` and its sub-folders with the suffix of an image, sorted."""
    return [path for path in list_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def list_files(folder: str | Path) -> list[Path]:
    """All visible files in ``folder`` and its sub-folders, sorted; nothing inside a hidden folder at any depth.

    Links to folders are followed, each folder once, except to folders that contain ``folder``. A broken link is listed,
    so that whoever reads it can say so.
    """
    found: list[Path] = []
    seen = {Path(os.path.realpath(folder))}
    above = set(Path(os.path.realpath(folder)).parents)
    for place, folders, files in os.walk(folder, followlinks=True):
        inside = {name: Path(os.path.realpath(Path(place, name))) for name in sorted(folders) if is_visible(name)}
        folders[:] = []
        for name, real in inside.items():
            if real not in seen and real not in above:
                seen.add(real)
                folders.append(name)
        found += [Path(place, name) for name in files if is_visible(name)]
    return sorted(path for path in found if path.is_file() or (path.is_symlink() and not path.exists()))


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name is the user's, not one that programs keep for themselves."""
    return not name.startswith(".") and name.lower() not in _SERVICE_NAMES


def is_allowed_format(content: bytes) -> bool:
    """Whether ``content`` begins like one of the formats that are decoded."""
    return content.startswith(_BEGINNINGS) or (content[:4] == b"RIFF" and content[8:12] == b"WEBP")


def check_header(header: JpegHeader | None, name: str) -> None:
    """DataError when the JPEG with this header has too many pixels or scans, or would have to be held whole and is too
    large for that.
    """
    if header is None:
        return
    if header.width * header.height > MAX_STORED_PIXELS:
        raise DataError(f"{name} has {header.width}x{header.height} pixels; the limit is {MAX_STORED_PIXELS} pixels.")
    if header.coefficient_bytes > MAX_COEFFICIENT_BYTES:
        raise DataError(
            f"{name} is a progressive JPEG of {header.width}x{header.height} pixels, of which a decoder must hold "
            f"{header.coefficient_bytes / 1e6:.0f} MB; the limit is {MAX_COEFFICIENT_BYTES / 1e6:.0f} MB, save it as "
            "a baseline JPEG."
        )
    if header.num_scans > MAX_SCANS:
        raise DataError(
            f"{name} comes in {header.num_scans} scans, which may take minutes to decode; the limit is {MAX_SCANS}, "
            "save it as a baseline JPEG."
        )


def _choose_flag(header: JpegHeader | None) -> int:
    """OpenCV's flag for decoding: the smallest reduction that keeps the image below MAX_PIXELS."""
    num_pixels = 0 if header is None else header.width * header.height
    flags = (cv2.IMREAD_COLOR, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_4)
    return next((flag for power, flag in enumerate(flags) if num_pixels <= MAX_PIXELS * 4**power), flags[-1])


def decode_image(content: bytes, name: str) -> Image:
    """The encoded image ``content`` as (h, w, 3) uint8 BGR; ``name`` is for errors. Raises as `read_image`."""
    if content[4:8] == b"ftyp":
        from edge_runtime.pixels.heif import decode_heif

        return decode_heif(content, name)
    return turn_upright(decode_stored(content, name), read_orientation(content))


def decode_stored(content: bytes, name: str) -> Image:
    """As `decode_image`, but not for HEIC, and without turning the image as EXIF says."""
    if content.startswith(_GIFS):
        raise DataError(
            f"{name} is a GIF, which only some versions of OpenCV decode, and with few colours; expected a photo. Save "
            "it as PNG or JPEG."
        )
    header = read_jpeg_header(content)
    check_header(header, name)
    if not is_allowed_format(content):
        raise DataError(
            f"{name} ({len(content)} bytes) is not an image: it begins with {content[:4]!r}, expected a JPEG, PNG, "
            "WebP, BMP, TIFF or PPM; other formats are not decoded, save it as one of these."
        )
    try:
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), _choose_flag(header) | AS_STORED)
    except cv2.error as error:
        raise DataError(f"{name} was refused by OpenCV: {error.err}; the limit is {MAX_PIXELS} pixels.") from error
    if frame is None:
        raise DataError(
            f"{name} ({len(content)} bytes) is not an image that OpenCV can decode; "
            "expected JPEG, PNG, WebP, BMP or TIFF."
        )
    return cast(Image, frame)

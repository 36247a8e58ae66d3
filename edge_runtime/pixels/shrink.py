"""Decodes a JPEG at 1/2, 1/4 or 1/8 of its size when the model's input is that much smaller.

The JPEG decoder averages while it decodes, so this is faster and filters better than decoding everything and throwing
most of it away. The image is never smaller than the model's input; `edge_runtime.pixels.preprocess` does the rest, as
for any frame.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import check_header, decode_image, decode_stored, read_image_bytes
from edge_runtime.pixels.jpeg import START, JpegHeader, read_jpeg_header
from edge_runtime.pixels.jpeg_damage import Shifts, catch_decoder_warning, find_damage
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.orientation import AS_STORED, read_orientation, turn_upright
from edge_runtime.pixels.preprocess import Image, find_crop_box

# How much memory decoding one camera image may take. For a model, that is 8 million pixels at full size and far more if
# they are reduced; for whole images, twice what fits between the processes (see shared_frames), because OpenCV copies
# the image.
MAX_SHRUNK_BYTES = 50_000_000
MAX_WHOLE_BYTES = 2 * 64 * 1024 * 1024
log = logging.getLogger(__name__)

REDUCTIONS = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def choose_reduction(frame_height: int, frame_width: int, spec: InputSpec) -> int:
    """The largest of 8, 4, 2, 1 by which a frame can be divided so that its visible part still covers the model's
    input.
    """
    for divisor in REDUCTIONS:
        height, width = -(-frame_height // divisor), -(-frame_width // divisor)
        _, _, seen_height, seen_width = find_crop_box(height, width, spec)
        scale = min(seen_height / spec.height, seen_width / spec.width)
        if spec.resize == "letterbox":
            scale = max(seen_height / spec.height, seen_width / spec.width)
        if scale >= 1:
            return divisor
    return 1


def decode_shrunk(content: bytes, name: str, spec: InputSpec | None) -> Image:
    """The encoded image as (h, w, 3) uint8 BGR, at least as large as ``spec``'s input if the image itself is.

    The full image with ``spec`` None and for formats other than JPEG. Raises DataError as `decode_image` does.
    """
    if content[:2] != START:
        return decode_image(content, name)
    return turn_upright(_decode_stored(content, name, spec), read_orientation(content))


def _decode_stored(content: bytes, name: str, spec: InputSpec | None) -> Image:
    """The JPEG ``content`` as `decode_shrunk` gives it, before it is turned."""
    header = read_jpeg_header(content) if spec is not None else None
    if header is None or spec is None:
        return decode_stored(content, name)
    check_header(header, name)
    divisor = _divisor(header, spec)
    if divisor == 1:
        return decode_stored(content, name)
    frame = cv2.imdecode(np.frombuffer(content, np.uint8), REDUCTIONS[divisor] | AS_STORED)
    if frame is None:
        raise DataError(f"{name} ({len(content)} bytes) starts as a JPEG but OpenCV cannot decode it; it is damaged.")
    return np.asarray(frame, np.uint8)


def _decode_and_judge(
    content: bytes, name: str, spec: InputSpec | None, shifts: Shifts | None = None
) -> tuple[Image, str]:
    """The JPEG as `decode_shrunk` gives it, and its damage in words, empty if there is none."""
    with catch_decoder_warning() as warning:
        stored = _decode_stored(content, name, spec)
    damage = find_damage(content, stored, warning.text, shifts)
    return turn_upright(stored, read_orientation(content)), damage


def decode_camera_image(content: bytes, name: str, spec: InputSpec | None, shifts: Shifts | None = None) -> Image:
    """As `decode_shrunk`, for an image from a camera: a JPEG that would take too much memory to decode is refused by
    its header, and a damaged one is refused, too. ``shifts`` is kept from image to image.

    Raises:
        DataError: the image is recognisably damaged, not a JPEG, or too large.
    """
    header = read_jpeg_header(content)
    if header is None:
        raise DataError(f"{name} ({len(content)} bytes) has no readable JPEG header; it is damaged.")
    needed, limit = count_decoding_bytes(header, spec), MAX_WHOLE_BYTES if spec is None else MAX_SHRUNK_BYTES
    if needed > limit:
        raise DataError(
            f"{name} has {header.width}x{header.height} pixels{' in several scans' if header.coefficient_bytes else ''}"
            f", decoding it takes {needed / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB, choose a smaller size."
        )
    return decode_undamaged(content, name, spec, shifts)


def decode_undamaged(content: bytes, name: str, spec: InputSpec | None, shifts: Shifts | None = None) -> Image:
    """As `decode_shrunk`; also raises DataError for a JPEG that was damaged in transit."""
    if content[:2] != START:
        return decode_shrunk(content, name, spec)
    image, damage = _decode_and_judge(content, name, spec, shifts)
    if damage:
        raise DataError(f"{name} ({len(content)} bytes) is damaged: {damage}.")
    return image


def count_decoding_bytes(header: JpegHeader, spec: InputSpec | None) -> int:
    """The peak memory of decoding in bytes: the decoded image, plus either the coefficients or, later, the copy that
    OpenCV hands to Python (and one more if EXIF asks for the image to be turned).
    """
    divisor = 1 if spec is None else _divisor(header, spec)
    decoded = 3 * -(-header.width // divisor) * -(-header.height // divisor)
    return decoded + max(header.coefficient_bytes, decoded * (2 if header.has_exif else 1))


def _divisor(header: JpegHeader, spec: InputSpec) -> int:
    divisor = choose_reduction(header.height, header.width, spec)
    if header.has_exif:  # EXIF may turn the image by 90 degrees
        divisor = min(divisor, choose_reduction(header.width, header.height, spec))
    return divisor


def read_shrunk(path: str | Path, spec: InputSpec | None) -> Image:
    """The image file at ``path`` as `decode_shrunk` gives it; raises MissingInputError or DataError as `read_image`
    does. A damaged JPEG is read as far as possible, with a warning.
    """
    content = read_image_bytes(path)
    if content[:2] != START:
        return decode_shrunk(content, str(path), spec)
    image, damage = _decode_and_judge(content, str(path), spec)
    if damage:
        log.warning("%s is damaged (%s); its label may be wrong.", path, damage)
    return image

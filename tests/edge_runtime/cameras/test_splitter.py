"""Multipart streams as cameras send them, and as they should not: parts come out as soon as they are whole."""

from __future__ import annotations

import cv2
import pytest

from edge_runtime.cameras.sources.splitter import MAX_PART_BYTES, JpegSplitter
from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.errors import CameraError
from edge_runtime.pixels.jpeg import is_whole

JPEG = cv2.imencode(".jpg", draw_wave_image(48, 192))[1].tobytes()
OTHER = cv2.imencode(".jpg", draw_wave_image(64, 192))[1].tobytes()


def part(content: bytes, length: int | None = None) -> bytes:
    announced = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + announced + b"\r\n" + content + b"\r\n"


def drain(reader: JpegSplitter) -> list[bytes]:
    return list(iter(reader.next_part, None))


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("boundary", ["frame", "--frame", '"frame"'])
def test_a_part_comes_out_with_its_last_byte_and_not_before(announced: bool, boundary: str) -> None:
    reader = JpegSplitter(boundary)
    content = part(JPEG, len(JPEG) if announced else None)
    reader.feed(content[:-3])  # all but the last byte of the image and the line break
    assert reader.next_part() is None
    reader.feed(content[-3:-2])
    assert reader.next_part() == JPEG
    assert reader.next_part() is None


@pytest.mark.parametrize("announced", [True, False])
def test_parts_fed_byte_by_byte_come_out_in_order(announced: bool) -> None:
    reader, found = JpegSplitter("frame"), []
    stream = b"".join(part(content, len(content) if announced else None) for content in (JPEG, OTHER, JPEG))
    for index in range(len(stream)):
        reader.feed(stream[index : index + 1])
        found += drain(reader)
    assert found == [JPEG, OTHER, JPEG]


def test_a_part_shorter_than_announced_does_not_swallow_the_next() -> None:
    reader = JpegSplitter("frame")
    reader.feed(part(JPEG[:200], len(JPEG)) + part(OTHER, len(OTHER)) + part(JPEG, len(JPEG)))
    found = drain(reader)
    assert [is_whole(content) for content in found] == [False, True, True]
    assert found[1:] == [OTHER, JPEG]


def test_a_truncated_part_with_its_true_length_is_handed_out_as_it_is() -> None:
    reader = JpegSplitter("frame")
    reader.feed(part(JPEG[:200], 200) + part(OTHER, len(OTHER)))
    assert drain(reader) == [JPEG[:200], OTHER]


def test_garbage_before_a_boundary_is_skipped() -> None:
    reader = JpegSplitter("frame")
    reader.feed(b"HTTP noise \xff\xd8\xff" * 100 + part(JPEG, len(JPEG)))
    assert drain(reader) == [JPEG]


def test_html_between_images_is_a_part_that_is_not_whole() -> None:
    reader = JpegSplitter("frame")
    html = b"<html>busy</html>"
    reader.feed(part(html, len(html)) + part(JPEG, len(JPEG)))
    assert drain(reader) == [html, JPEG]


def test_endless_headers_do_not_hide_the_next_part() -> None:
    reader = JpegSplitter("frame")
    reader.feed(b"--frame\r\n" + b"X" * 20_000 + b"\r\n" + part(JPEG, len(JPEG)))
    assert drain(reader) == [JPEG]


def test_a_stream_without_an_end_is_refused() -> None:
    reader = JpegSplitter("frame")
    with pytest.raises(CameraError, match=r"more than 33554432 bytes, expected a JPEG of a few hundred thousand"):
        reader.feed(b"--frame\r\n\r\n")
        for _ in range(MAX_PART_BYTES // (1 << 20) + 2):
            reader.feed(b"\0" * (1 << 20))
            assert reader.next_part() is None


JUNK = bytes(range(1, 200)) * 3


@pytest.mark.parametrize(
    "stream",
    [
        b"".join(part(content + JUNK, len(content + JUNK)) for content in (JPEG, OTHER)),
        b"".join(part(content + JUNK) for content in (JPEG, OTHER)),
        b"".join(part(content, len(content) + 2) for content in (JPEG, OTHER)),
        b"".join(part(content, len(content) + 5000) for content in (JPEG, OTHER)),
        b"".join(part(content, 17) for content in (JPEG, OTHER)),
        b"".join(part(JUNK + content, len(JUNK + content)) for content in (JPEG, OTHER)),
        b"".join(part(content, len(content)).replace(b"\r\n", b"\n") for content in (JPEG, OTHER)),
        b"".join(part(content, len(content)).replace(b"--frame", b"--other") for content in (JPEG, OTHER)),
        b"--frame\r\n" + JPEG + b"\r\n--frame\r\n" + OTHER,
        b"--frame\r\n\r\n" + JPEG + b"--frame\r\n\r\n" + OTHER,
        JPEG + b"\0\0" + OTHER,
    ],
    ids=[
        "junk behind the end",
        "junk, no length",
        "line end counted",
        "length too large",
        "length too small",
        "junk before the start",
        "line feeds",
        "foreign boundary",
        "no headers",
        "no line break before the boundary",
        "bare images",
    ],
)
@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_an_image_is_what_lies_between_its_markers(stream: bytes, size: int) -> None:
    reader, found = JpegSplitter("frame"), []
    for start in range(0, len(stream), size):
        reader.feed(stream[start : start + size])
        found += drain(reader)
    assert [content.rstrip(b"\0") for content in found] == [JPEG, OTHER]


@pytest.mark.parametrize("boundary", ["frame", "", "other"])
def test_images_without_end_marker_end_where_the_next_begins(boundary: str) -> None:
    reader = JpegSplitter(boundary)
    reader.feed(b"".join(part(content[:-2]) for content in (JPEG, OTHER, JPEG)))
    assert [content[: len(JPEG) - 2] for content in drain(reader)][:1] == [JPEG[:-2]]


def test_an_image_without_end_marker_is_there_as_soon_as_its_announced_bytes_are() -> None:
    reader = JpegSplitter("frame")
    reader.feed(part(JPEG[:-2], len(JPEG) - 2)[:-2])
    assert reader.next_part() == JPEG[:-2]


@pytest.mark.parametrize("word", [b"--frame\r\n", b"--frame--", b"--frame "])
def test_a_flood_of_boundaries_without_headers_is_skipped(word: bytes) -> None:
    reader = JpegSplitter("frame")
    reader.feed(word * 30_000 + b"\r\n" + part(JPEG))
    assert drain(reader)[-1] == JPEG
    reader.feed(b"\r\n" + word * 30_000)
    assert [content for content in drain(reader) if is_whole(content)] == []
    reader.feed(b"\r\n" + part(OTHER))
    assert drain(reader)[-1] == OTHER

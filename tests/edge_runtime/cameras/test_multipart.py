"""Multipart streams as cameras send them, and as they should not: parts come out as soon as they are whole."""

from __future__ import annotations

import cv2
import pytest

from edge_runtime.cameras.sources.multipart import MAX_PART_BYTES, MultipartReader
from edge_runtime.cameras.sources.synthetic import wave_image
from edge_runtime.errors import CameraError
from edge_runtime.pixels.jpeg import is_whole

JPEG = cv2.imencode(".jpg", wave_image(48, 192))[1].tobytes()
OTHER = cv2.imencode(".jpg", wave_image(64, 192))[1].tobytes()


def part(content: bytes, length: int | None = None) -> bytes:
    announced = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + announced + b"\r\n" + content + b"\r\n"


def drain(reader: MultipartReader) -> list[bytes]:
    return list(iter(reader.next_part, None))


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("boundary", ["frame", "--frame", '"frame"'])
def test_a_part_comes_out_with_its_last_byte_and_not_before(announced: bool, boundary: str) -> None:
    reader = MultipartReader(boundary)
    content = part(JPEG, len(JPEG) if announced else None)
    reader.feed(content[:-3])  # all but the last byte of the image and the line break
    assert reader.next_part() is None
    reader.feed(content[-3:-2])
    assert reader.next_part() == JPEG
    assert reader.next_part() is None


@pytest.mark.parametrize("announced", [True, False])
def test_parts_fed_byte_by_byte_come_out_in_order(announced: bool) -> None:
    reader, found = MultipartReader("frame"), []
    stream = b"".join(part(content, len(content) if announced else None) for content in (JPEG, OTHER, JPEG))
    for index in range(len(stream)):
        reader.feed(stream[index : index + 1])
        found += drain(reader)
    assert found == [JPEG, OTHER, JPEG]


def test_a_part_shorter_than_announced_does_not_swallow_the_next() -> None:
    reader = MultipartReader("frame")
    reader.feed(part(JPEG[:200], len(JPEG)) + part(OTHER, len(OTHER)) + part(JPEG, len(JPEG)))
    found = drain(reader)
    assert [is_whole(content) for content in found] == [False, True, True]
    assert found[1:] == [OTHER, JPEG]


def test_a_truncated_part_with_its_true_length_is_handed_out_as_it_is() -> None:
    reader = MultipartReader("frame")
    reader.feed(part(JPEG[:200], 200) + part(OTHER, len(OTHER)))
    assert drain(reader) == [JPEG[:200], OTHER]


def test_garbage_before_a_boundary_is_skipped() -> None:
    reader = MultipartReader("frame")
    reader.feed(b"HTTP noise \xff\xd8\xff" * 100 + part(JPEG, len(JPEG)))
    assert drain(reader) == [JPEG]


def test_html_between_images_is_a_part_that_is_not_whole() -> None:
    reader = MultipartReader("frame")
    html = b"<html>busy</html>"
    reader.feed(part(html, len(html)) + part(JPEG, len(JPEG)))
    assert drain(reader) == [html, JPEG]


def test_endless_headers_do_not_hide_the_next_part() -> None:
    reader = MultipartReader("frame")
    reader.feed(b"--frame\r\n" + b"X" * 20_000 + b"\r\n" + part(JPEG, len(JPEG)))
    assert drain(reader) == [JPEG]


def test_a_stream_without_an_end_is_refused() -> None:
    reader = MultipartReader("frame")
    with pytest.raises(CameraError, match=r"more than 33554432 bytes, expected a JPEG of a few hundred thousand"):
        reader.feed(b"--frame\r\n\r\n")
        for _ in range(MAX_PART_BYTES // (1 << 20) + 2):
            reader.feed(b"\0" * (1 << 20))
            assert reader.next_part() is None

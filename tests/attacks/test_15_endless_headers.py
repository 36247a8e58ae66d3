"""Attack 15: a camera whose stream is nothing but boundaries, or numbers of thousands of digits, so that its capture
process fails again and again. Stopped by limits on headers and digits; what follows is read as ever.
"""

from __future__ import annotations

import pytest

from edge_runtime.cameras.sources.http_answer import Dechunker, send_request
from edge_runtime.cameras.sources.splitter import MAX_HEADER_BYTES, JpegSplitter
from edge_runtime.errors import CameraError

JPEG = b"\xff\xd8\xff\xe0" + b"\x00\x04ab" + b"\xff\xda\x00\x02" + b"data" + b"\xff\xd9"
DIGITS = b"9" * 6000


class Connection:
    """A camera that sends ``content`` and closes."""

    def __init__(self, content: bytes) -> None:
        self.left = content

    def settimeout(self, seconds: float) -> None: ...

    def sendall(self, content: bytes) -> None: ...

    def recv(self, size: int) -> bytes:
        piece, self.left = self.left[:size], self.left[size:]
        return piece


def parts_of(stream: bytes, boundary: str, step: int = 100_000) -> list[bytes]:
    splitter, found = JpegSplitter(boundary), []
    for place in range(0, len(stream), step):
        splitter.feed(stream[place : place + step])
        while (part := splitter.next_part()) is not None:
            found.append(part)
        assert len(splitter._buffer) < 4 * MAX_HEADER_BYTES + 2 * step, "what was passed over is not kept"
    return found


@pytest.mark.parametrize("line", [b"--x\r\n", b"--x\n", b"--x--", b"--x \r\n\r\n", b"--x\r\nContent-Length: 5\r\n\r\n"])
def test_a_megabyte_of_boundaries_is_passed_over(line: bytes) -> None:
    stream = line * (2**20 // len(line)) + b"\r\n--x\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n--x\r\n"
    assert parts_of(stream, "x")[-1] == JPEG


@pytest.mark.parametrize("length", [DIGITS, b"-" + DIGITS, b"0x" + DIGITS, b"1e9999", b""])
def test_a_length_of_thousands_of_digits_is_no_length(length: bytes) -> None:
    stream = b"--x\r\nContent-Length: " + length + b"\r\n\r\n" + JPEG + b"\r\n--x\r\n"
    assert parts_of(stream, "x") == [JPEG]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: " + length + b"\r\n\r\n"
    answer = send_request(Connection(head + JPEG), "http://cam/live", "the camera", 1.0)  # type: ignore[arg-type]
    assert (answer.length, answer.rest) == (None, JPEG)


@pytest.mark.parametrize("size", [DIGITS, b"f" * 6000, b"-1", b"zz"])
def test_a_chunk_of_thousands_of_digits_is_told(size: bytes) -> None:
    with pytest.raises(CameraError, match=r"the camera"):
        Dechunker("the camera").feed(size + b"\r\n" + JPEG)


@pytest.mark.parametrize("status", [DIGITS, b"", b"-200", b"2e2"])
def test_a_status_that_is_none_is_told(status: bytes) -> None:
    with pytest.raises(CameraError, match=r"the camera"):
        send_request(Connection(b"HTTP/1.1 " + status + b"\r\n\r\n"), "http://cam/live", "the camera", 1.0)  # type: ignore[arg-type]

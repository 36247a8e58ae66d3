"""Asks an RTSP server why it gave no stream, only after FFmpeg has failed: OpenCV does not pass on FFmpeg's reasons."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

from edge_runtime.system.redact import redact_answer

TIMEOUT_S = 3.0
REMEDIES = {
    "401": "check user and password",
    "403": "check user and password, and what this user may see",
    "404": "check the path in the address",
    "453": "the camera has no bandwidth left; close other viewers, or use its sub-stream",
    "503": "the camera is busy or has too many viewers; close others",
}


def explain_rtsp(address: str, seconds: float) -> str:
    """Why no stream came from ``address`` within ``seconds``, with a remedy, as the end of a sentence."""
    parts = urlsplit(address)
    if parts.scheme.lower() != "rtsp":
        return f"did not open within {seconds:g} s; check address, user and network"
    target = address.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1) if "@" in parts.netloc else address
    ask = f"DESCRIBE {target} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: edge-runtime\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 554), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(ask.encode("utf-8", "surrogateescape"))
            answer = connection.recv(8192).decode("latin-1")
    except TimeoutError:
        return "does not answer; check address, power and network"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}; check address, port and network"
    found = re.match(r"RTSP/1\.\d (\d{3})[ \t]*([^\r\n]*)", answer)
    if found is None:
        return f"does not speak RTSP, it answered {redact_answer(answer, address)[:40]!r}; check address and port"
    number, reason = found[1], redact_answer(found[2], address).strip()[:60]
    if number == "200":
        return (
            f"answers, but no image came within {seconds:g} s; check the camera's video format, or make it send key "
            "frames more often"
        )
    if number == "401" and re.search(r"www-authenticate:\s*digest[^\r\n]*sha-?(256|512)", answer, re.I):
        return f"answered {number} {reason}: it asks for a digest by SHA, expected MD5; change that in the camera"
    return f"answered {number} {reason}, expected 200; {REMEDIES.get(number, 'check the address')}"

"""Hides passwords in addresses: the one place that knows what may be shown.

Cameras take passwords in the user part, the path or the query, under any name, so only scheme, host and port are ever
shown.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

_ARG_START, _ARG_END = 48, 49  # numbers of fields in proc(5)
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%\w+)?")
# A shorter part of an address may occur in any text.
_SHORTEST_SECRET = 3


def redact(address: str) -> str:
    """Scheme, host and port of ``address``, or ``scheme://***`` if it is unclear which part is the host; other text is
    returned unchanged.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return address
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{scheme}://***"
    # After a password with / or # in it, the host is not where it seems to be.
    if not _HOST.fullmatch(host) or "@" in address.replace(parts.netloc, "", 1):
        return f"{scheme}://***"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}"


def redact_answer(text: str, address: str) -> str:
    """A camera's answer ``text``, with every part of ``address`` that it repeats hidden."""
    if redact(address).endswith("***"):
        return "***"
    parts = urlsplit(address)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    pieces = (target, parts.path, parts.query, parts.username or "", parts.password or "")
    secrets = {form for piece in pieces for form in (piece, unquote(piece), piece.strip("/"))}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) >= _SHORTEST_SECRET else text
    return text


def find_addresses(arguments: Sequence[str]) -> list[str]:
    """The addresses in a command line's ``arguments``, including those after ``--flag=``, longest first."""
    texts = [str(argument) for argument in arguments]
    values = [text.partition("=")[2] if text.startswith("--") else text for text in texts]
    return sorted((value for value in values if "://" in value), key=len, reverse=True)


def redact_arguments(text: str, arguments: Sequence[str]) -> str:
    """``text`` about a command line, with every address among its ``arguments`` as `redact` shows it."""
    for address in find_addresses(arguments):
        shown = redact(address)
        for form in (address, repr(address)[1:-1], str(PurePath(address))):  # as it is, quoted, and as a path
            if form not in shown:  # otherwise the shown form itself would be replaced
                text = text.replace(form, shown)
    return text


def hide_address(address: str, proc: Path = Path("/proc/self")) -> bool:
    """Replaces ``address`` in this process's arguments by what `redact` shows; returns whether it was there.

    The kernel shows the bytes that the process was started with, so they are overwritten in memory.
    """
    import ctypes  # start-up time

    secret = address.encode("utf-8", "surrogateescape")
    shown = redact(address).encode("utf-8", "surrogateescape")
    if "://" not in address or shown == secret:
        return False
    is_found = False
    with contextlib.suppress(OSError, ValueError, IndexError):  # not Linux, or /proc is not mounted
        # The program's name, in brackets, may itself contain spaces and brackets.
        fields = (proc / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        start, end = int(fields[_ARG_START - 3]), int(fields[_ARG_END - 3])
        if not 0 < start < end:
            return False
        content = ctypes.string_at(start, end - start)
        place = content.find(secret)
        while place >= 0:
            is_found = True
            ctypes.memmove(start + place, shown[: len(secret)].ljust(len(secret)), len(secret))
            place = content.find(secret, place + len(secret))
    return is_found

"""Reads files that someone else may have put there: only plain files, only up to a limit, and in pieces.

A pipe in place of a file would keep its reader waiting for ever, a device never ends, and a link leads elsewhere; and
``file.read(limit)`` allocates the whole limit at once, which a small board without swap refuses.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, Protocol

_PIECE = 1 << 20
# Most of these exist only on POSIX, the last only on Windows.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISLNK, "a link"))


class Readable(Protocol):
    """A binary file, or the body of an answer."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def read_at_most(file: Readable, limit: int) -> bytes:
    """The bytes of ``file`` up to its end, at most ``limit``."""
    pieces, left = [], limit
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def open_plain(path: Path, *, follow_links: bool = False) -> IO[bytes]:
    """The file at ``path``, open for reading bytes.

    Raises:
        OSError: it cannot be opened, or is something else; its ``strerror`` says what was found.
    """
    if not follow_links and path.is_symlink():
        raise _not_plain(path, stat.S_IFLNK)
    descriptor = os.open(path, _FLAGS | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0)))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _not_plain(path, mode)
    return open(descriptor, "rb")


def read_plain(path: Path, limit: int, *, follow_links: bool = False) -> bytes:
    """All bytes of the file at ``path``. Raises what `open_plain` raises, and OSError when there are more than
    ``limit``.
    """
    with open_plain(path, follow_links=follow_links) as file:
        content = read_at_most(file, limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"more than {limit} bytes, expected at most that", str(path))
    return content


def _not_plain(path: Path, mode: int) -> OSError:
    found = next((name for is_kind, name in _KINDS if is_kind(mode)), "a device")
    return OSError(errno.EINVAL, f"it is {found}, expected a plain file", str(path))

"""A lock keeps others out, records are read and written in their place, with flock and pread and without."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.system import shared_file
from edge_runtime.system.shared_file import open_shared, read_at, try_lock, unlock, wait_for_lock, write_at


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], int]:
    """Takes away what Windows lacks; the bytes that its own module holds locked: (inode, place) -> descriptor."""
    held: dict[tuple[int, int], int] = {}

    def locking(descriptor: int, how: int, num_bytes: int) -> None:
        byte = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        assert num_bytes == 1
        if how == 0:
            assert held.pop(byte) == descriptor
        elif held.setdefault(byte, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")

    msvcrt = types.SimpleNamespace(LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delattr(os, "pread")
    monkeypatch.delattr(os, "pwrite")
    return held


@pytest.fixture(params=["posix", "windows"])
def system(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "windows":
        request.getfixturevalue("windows")
    yield request.param


@pytest.mark.usefixtures("system")
def test_one_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    one, two = open_shared(tmp_path / "lock"), open_shared(tmp_path / "lock")
    assert try_lock(one)
    assert not try_lock(two)
    unlock(one)
    wait_for_lock(two)
    assert not try_lock(one)
    os.close(one)
    os.close(two)


@pytest.mark.usefixtures("system")
def test_records_are_written_and_read_in_their_place(tmp_path: Path) -> None:
    descriptor = open_shared(tmp_path / "records")
    write_at(descriptor, b"three", 10)
    write_at(descriptor, b"one\r\n\x1a", 0)
    assert read_at(descriptor, 6, 0) == b"one\r\n\x1a"
    assert read_at(descriptor, 100, 10) == b"three"
    assert read_at(descriptor, 1, 15) == b""
    os.close(descriptor)


def test_a_lock_of_windows_leaves_the_content_to_all(windows: dict[tuple[int, int], int], tmp_path: Path) -> None:
    descriptor = open_shared(tmp_path / "records")
    assert try_lock(descriptor)
    assert [place for _, place in windows] == [shared_file._BEHIND_ALL]
    os.close(descriptor)


def test_a_write_that_the_system_cuts_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    descriptor, whole = open_shared(tmp_path / "records"), os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, place: whole(file, bytes(content[:2]), place))
    write_at(descriptor, b"seven b", 1)
    assert (tmp_path / "records").read_bytes() == b"\0seven b"
    os.close(descriptor)

"""Sorting is ended right before each of its file system calls, in turn: no image is lost, none is there twice."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from train.sort.class_folders import ClassFolders, Original
from train.sort.index import ImageIndex
from train.sort.sorted_log import read_log_lines

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
CALLS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
KILLED = 9


def work(into: Path, originals: list[Original]) -> None:
    """A step of each kind: copy, move, discard, take back."""
    folders = ClassFolders(into, ImageIndex(into.parent / "index.db"))
    folders.put(originals, "mug")
    folders.put(originals[:1], "pen")
    folders.put(originals[1:2], "discard")
    folders.take_back(originals[2:3])


def killed_before(number: int, into: Path, originals: list[Original]) -> bool:
    """Runs `work` in a child that dies before its ``number``-th call; False when it came to its end."""
    child = os.fork()
    if child == 0:
        left = [number]

        def count(event: str, arguments: object) -> None:
            if event in CALLS and "photos" in str(arguments):
                left[0] -= 1
                if left[0] == 0:
                    os._exit(KILLED)

        sys.addaudithook(count)
        try:
            work(into, originals)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), f"the child failed with {code}"
    return code == KILLED


@pytest.mark.slow
def test_no_image_is_lost_and_none_is_there_twice(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    originals = []
    for number in range(4):
        content = f"frame {number}".encode()
        (frames / f"{number}.jpg").write_bytes(content)
        originals.append(Original(frames / f"{number}.jpg", hashlib.sha256(content).hexdigest(), f"{number}.jpg", {}))
    number = 0
    while True:
        number += 1
        place = tmp_path / str(number)
        into = place / "photos"
        place.mkdir()
        killed = killed_before(number, into, originals)
        # Nothing is cut, and every content has one place at most, before and after the next start.
        index = ImageIndex(place / "index.db")
        again = ClassFolders(into, index)
        images = [path for path in into.rglob("*") if path.is_file() and ".sorted" not in path.parts]
        found = Counter(path.read_bytes() for path in images)
        assert set(found) <= {f"frame {n}".encode() for n in range(4)}, f"call {number}: {images}"
        assert set(found.values()) <= {1}, f"call {number}: {images}"
        assert all(original.path.is_file() for original in originals)
        # Every image can still be given its class, and the log says so.
        again.put(originals, "mug")
        again.note(originals)
        assert sorted(path.name for path in (into / "mug").iterdir()) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
        last = {line["sha256"]: line["label"] for line in read_log_lines(into / ".sorted" / "sorted.jsonl")}
        assert last == {original.sha256: "mug" for original in originals}
        again.close()
        index.close()
        if not killed:
            break
    assert number > 20

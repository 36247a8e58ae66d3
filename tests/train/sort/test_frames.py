"""What is known of a saved frame: from the device's line beside it, from its name, or from its file alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.errors import MissingInputError
from train.sort.frames import find_frames


def test_a_frame_has_its_camera_time_and_scores_from_the_line_beside_it(
    tmp_path: Path, save_frames: Callable[..., dict[str, str]]
) -> None:
    save_frames(tmp_path, [("mug", "pen", 0.4)], camera="door")
    (frame,) = find_frames(tmp_path)
    assert (frame.camera, frame.day, frame.scores) == ("door", "2025-11-24", {"pen": 0.4})
    assert frame.record["reason"] == "uncertain"


def test_without_a_line_the_name_says_when_and_without_that_the_file(tmp_path: Path) -> None:
    (tmp_path / "20260102T030405.678Z-00000001.jpg").write_bytes(b"x")
    plain = tmp_path / "IMG_1.JPG"
    plain.write_bytes(b"x")
    os.utime(plain, (86_400, 86_400))
    assert [(f.path.name, f.ts, f.day) for f in find_frames(tmp_path)] == [
        ("IMG_1.JPG", 86_400.0, "1970-01-02"),
        ("20260102T030405.678Z-00000001.jpg", 1767323045.678, "2026-01-02"),
    ]


@pytest.mark.parametrize(
    "line",
    ["", "[]", "{", '{"ts": true, "top": 3}', '{"ts": -1, "top": [{"label": 1, "score": 2}, 4, {"label": "a"}]}'],
)
def test_a_damaged_line_is_as_good_as_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "20260102T030405.678Z-00000001.jpg").write_bytes(b"x")
    (tmp_path / "20260102T030405.678Z-00000001.json").write_text(line)
    (frame,) = find_frames(tmp_path)
    assert (frame.ts, frame.scores) == (1767323045.678, {})


def test_hidden_files_and_other_files_are_no_frames(tmp_path: Path) -> None:
    (tmp_path / ".thumbs").mkdir()
    for name in (".thumbs/a.jpg", ".b.jpg", "notes.txt", "c.jpg.part"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(MissingInputError, match=r"There is no image in .*; expected frames that edge-runtime run"):
        find_frames(tmp_path)
    with pytest.raises(MissingInputError, match=r"There is no folder .*absent; expected one with frames"):
        find_frames(tmp_path / "absent")

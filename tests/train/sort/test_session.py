"""A sitting: groups of what is left, steps and their undo, copies once, and what the page is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import DataError, UsageError
from train.sort.class_folders import ClassFolders
from train.sort.index import ImageIndex
from train.sort.session import Labelled, Session, make_page_object

Save = Callable[..., dict[str, str]]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """A session on tmp_path/frames and tmp_path/photos, as often as wanted, one at a time."""
    live: list[ClassFolders | ImageIndex] = []

    def open_session(*labels: str, source: str | None = "frames") -> Session:
        while live:
            live.pop().close()
        index = ImageIndex(tmp_path / "index.db")
        folders = ClassFolders(tmp_path / "photos", index)
        live.extend([index, folders])
        return Session(tmp_path / source if source else None, folders, index, labels)

    yield open_session
    while live:
        live.pop().close()


def sorted_files(tmp_path: Path) -> dict[str, int]:
    folders = [path for path in (tmp_path / "photos").iterdir() if path.name != ".sorted"]
    return {path.name: num for path in sorted(folders) if (num := len(list(path.iterdir())))}


def test_scenes_are_tiles_with_the_model_s_word(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9), ("pen", "mug", 0.4)], num=3)
    session = opened("mug", "pen")
    assert [(tile.members, tile.label, round(tile.score, 3)) for tile in session.tiles()] == [
        ((0, 1, 2), "mug", 0.9), ((3, 4, 5), "mug", 0.4),
    ]  # fmt: skip


def test_steps_are_undone_one_by_one(tmp_path: Path, save_frames: Save, opened: Callable[..., Session]) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)] * 2, num=2)
    session = opened("mug", "pen")
    session.put([Labelled((0, 1), "mug"), Labelled((2,), "pen")])
    session.put([Labelled((0,), "pen"), Labelled((3,), "discard")])
    assert sorted_files(tmp_path) == {".discarded": 1, "mug": 1, "pen": 2}
    assert session.tiles() == []
    assert session.undo() == (0, 3)
    assert sorted_files(tmp_path) == {"mug": 2, "pen": 1}
    assert session.undo() == (0, 1, 2)
    assert sorted_files(tmp_path) == {} and session.undo() == ()
    assert sum(len(tile.members) for tile in session.tiles()) == 4


def test_the_next_sitting_goes_on_where_this_one_ended(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9), ("pen", "pen", 0.4)], num=2)
    opened().put([Labelled((0, 1), "mug")])
    again = opened()
    assert [tile.members for tile in again.tiles()] == [(2, 3)]
    assert again.labels() == ["mug"]  # from now on the folder says which classes there are


def test_classes_are_the_model_s_where_there_are_no_others(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9), ("pen", "pen", 0.4)])
    assert opened().labels() == ["mug", "pen"]
    (tmp_path / "photos" / "lamp").mkdir(parents=True)
    assert opened("shoe").labels() == ["shoe", "lamp"]
    assert [tile.label for tile in opened("shoe").tiles()] == ["", ""]  # the model's words are none of these


def test_copies_and_broken_files_are_left_out_and_counted(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)])
    first = next((tmp_path / "frames").glob("*.jpg"))
    (tmp_path / "frames" / "copy.jpg").write_bytes(first.read_bytes())
    (tmp_path / "frames" / "broken.jpg").write_bytes(b"no image")
    session = opened()
    assert (len(session.frames), session.num_copies, session.num_unreadable) == (1, 1, 1)


def test_frames_of_two_cameras_with_one_name_are_both_kept(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)], camera="door")
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)], camera="window/left", seed=2)
    session = opened("mug")
    session.put([Labelled((0, 1), "mug")])
    name = "20251124T000000.000Z-00000000.jpg"
    assert sorted(path.name for path in (tmp_path / "photos" / "mug").iterdir()) == [
        f"door-{name}",
        f"window-left-{name}",
    ]


def test_a_burst_of_the_browser_s_camera_is_one_step_and_undone_into_discarded(
    tmp_path: Path, opened: Callable[..., Session]
) -> None:
    images = [cv2.imencode(".jpg", np.full((8, 8, 3), shade, np.uint8))[1].tobytes() for shade in (10, 90, 200)]
    session = opened(source=None)
    assert [session.capture(image, "mug", "one") for image in (*images[:2], images[0])] == [True, True, False]
    assert session.capture(images[2], "pen", "two")
    assert sorted_files(tmp_path) == {"mug": 2, "pen": 1}
    session.undo()
    session.undo()
    assert sorted_files(tmp_path) == {".discarded": 3}
    with pytest.raises(DataError, match=r"What the browser's camera took .* is not a"):
        session.capture(b"no image", "mug", "three")


def test_a_frame_that_is_not_there_is_refused(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)])
    session = opened()
    with pytest.raises(UsageError, match="There is no frame 1; expected 0 to 0: load the page again"):
        session.put([Labelled((0, 1), "mug")])
    assert sorted_files(tmp_path) == {}


def test_the_page_is_told_days_cameras_and_counts(
    tmp_path: Path, save_frames: Save, opened: Callable[..., Session]
) -> None:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)], num=2, camera="door")
    session = opened("mug")
    session.put([Labelled((0,), "mug")])
    found = make_page_object(session)
    assert {key: found[key] for key in ("labels", "counts", "num_frames", "days", "cameras")} == {
        "labels": ["mug"], "counts": {"mug": 1}, "num_frames": 2, "days": {"2025-11-24": 1}, "cameras": {"door": 1},
    }  # fmt: skip
    assert found["tiles"] == [
        {
            "frames": [[1, "2025-11-24", "door", 1764003600.0, "mug", 0.9]],
            "label": "mug",
            "score": 0.9,
            "strangeness": 0.0,
        }
    ]

"""A file is the old one or the new one, whole; the kills and full disks are in the tests of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.system.durable import expect_writable, replace_file, write_durably
from edge_runtime.system.json_line import to_json_line


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_is_replaced_with_the_mode_that_was_asked_for(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    replace_file(path, b"new", mode=0o600, sync=sync)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in the way").touch()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "folder", b"x")
    with pytest.raises(EdgeRuntimeError, match=r"folder \(1 bytes\) cannot be written .*; what was there is unchanged"):
        write_durably(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_line_of_json_is_compact_whole_and_in_any_language() -> None:
    assert to_json_line({"label": "Möwe\n", "top": [1, 0.5]}) == '{"label":"Möwe\\n","top":[1,0.5]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json_line(float("nan"))
    assert to_json_line(float("nan"), allow_nan=True) == "NaN"


def test_a_place_is_tried_before_the_work_that_it_is_for(tmp_path: Path) -> None:
    expect_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(
        EdgeRuntimeError, match=r"No file can be written into .*file \(it is a file\).*Give another place"
    ):
        expect_writable(tmp_path / "file")

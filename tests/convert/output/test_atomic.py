"""Files appear whole or not at all; what cannot be written is said before the work, and kept after it."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest

from convert.output import atomic
from convert.output.atomic import expect_room, write_atomically, write_text_atomically
from edge_runtime.errors import OutputError, UsageError


def fail(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_place_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    expect_room(tmp_path / "new" / "x.tflite", force=False)
    expect_room(tmp_path / "there", force=True)
    with pytest.raises(UsageError, match="exists and is not overwritten unasked"):
        expect_room(tmp_path / "there", force=False)
    with pytest.raises(
        OutputError, match=r"x\.tflite cannot be written: No file can be written into .* \(it is a file\)"
    ):
        expect_room(tmp_path / "there" / "x.tflite", force=False)


def test_what_a_full_disk_refuses_is_kept_in_a_temporary_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(atomic, "replace_file", fail)
    with pytest.raises(OutputError, match=r"\(No space left on device\); it is kept in .*\. Make room and move it"):
        write_atomically(tmp_path / "x.tflite", b"model", force=False)
    (kept,) = tmp_path.glob("convert-*/x.tflite")
    assert kept.read_bytes() == b"model"
    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    with pytest.raises(OutputError, match=r"nor can .*: make room and start again"):
        write_atomically(tmp_path / "x.tflite", b"model", force=False)


def test_a_name_that_is_no_utf8_is_written_escaped(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "page.html", "caf\udce9 größer")
    assert (tmp_path / "page.html").read_text("utf-8") == "caf\\udce9 größer"

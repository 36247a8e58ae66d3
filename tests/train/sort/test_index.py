"""Every image file is looked at once; a file that changed is looked at again."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.sort import index as index_module
from train.sort.index import ImageIndex


def write(path: Path, shade: int, size: tuple[int, int] = (480, 640)) -> None:
    path.write_bytes(cv2.imencode(".png", np.full((*size, 3), shade, np.uint8))[1].tobytes())


def test_a_known_file_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{n}.png" for n in range(3)]
    for n, file in enumerate(files):
        write(file, 50 * n)
    first = ImageIndex(tmp_path / "cache" / "index.db")
    seen = first.read(files)
    first.close()
    monkeypatch.setattr(index_module, "look_at", None)
    again = ImageIndex(tmp_path / "cache" / "index.db")
    assert again.read(files) == seen and len({image.sha256 for image in seen}) == 3
    again.close()


def test_a_changed_file_is_looked_at_again(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    write(file, 10)
    index = ImageIndex(tmp_path / "index.db")
    before = index.read([file])
    write(file, 200)
    os.utime(file, ns=(1, 1))
    after = index.read([file])
    assert before != after
    index.close()


def test_a_thumbnail_is_small_and_keeps_the_sides_ratio(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 100)
    write(tmp_path / "tiny.png", 100, (20, 10))
    (tmp_path / "broken.png").write_bytes(b"no image")
    index = ImageIndex(tmp_path / "index.db")
    images = index.read([tmp_path / name for name in ("a.png", "tiny.png", "broken.png")])
    assert [image.readable for image in images] == [True, True, False]

    def shape(name: str) -> tuple[int, ...]:
        content = index.thumbnail(tmp_path / name)
        assert content is not None
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape

    assert (shape("a.png"), shape("tiny.png")) == ((192, 256, 3), (20, 10, 3))
    assert index.thumbnail(tmp_path / "broken.png") is None and index.thumbnail(tmp_path / "never.png") is None
    index.close()

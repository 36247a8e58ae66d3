"""`classify --explain` saves where the model looked, and says what it needs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli

TOYS = Path(__file__).parents[1] / "toys"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = np.zeros((120, 160, 3), np.uint8)
    image[:60, :80, 2] = 255  # red above left
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    return tmp_path / "photo.png"


def classify(*arguments: object) -> int:
    return cli.main(["classify", *map(str, arguments)])


def test_one_image_gives_one_file_that_is_orange_where_the_model_looked(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "looked.png"
    assert classify("--model", TOYS / "uint8_metadata.tflite", "--explain", out, photo) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{photo}: red ") and captured.out.count("\n") == 1
    assert f"{out}: where it looked for red\n" in captured.err
    drawn = cv2.imread(str(out)).astype(int)
    assert drawn.shape == (360, 480, 3)
    orange = drawn[..., 2] - drawn[..., 0] > 100
    assert orange[20:140, 20:200].all() and not orange[220:].any()


def test_several_images_go_to_a_folder(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ("--model", TOYS / "uint8_metadata.tflite")
    assert classify(*model, "--explain", tmp_path / "new" / "maps", photo, photo) == 0
    assert sorted(path.name for path in (tmp_path / "new/maps").iterdir()) == ["0000-photo.png", "0001-photo.png"]
    assert classify(*model, "--explain", tmp_path / "one.png", photo, photo) == 2
    assert "--explain is the one file" in capsys.readouterr().err
    assert not (tmp_path / "one.png").exists()


def test_the_images_that_came_with_the_model_can_be_explained(tmp_path: Path) -> None:
    assert classify("--model", "small", "--demo", "--explain", tmp_path / "maps") == 0
    assert len(list((tmp_path / "maps").iterdir())) == 16


def test_a_model_that_cannot_says_so_before_the_first_image(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    model = ("--model", TOYS / "float32.tflite", "--labels", tmp_path / "labels.txt", "--normalize=-1..1")
    assert classify(*model, "--explain", tmp_path / "o.png", photo) == 65
    captured = capsys.readouterr()
    assert "cannot show where it looked" in captured.err and not captured.out


def test_a_folder_that_cannot_be_made_is_named(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert classify("--model", TOYS / "uint8_metadata.tflite", "--explain", tmp_path / "file" / "o.png", photo) == 73
    assert "cannot be made (" in capsys.readouterr().err

"""A mistake on the command line is one line that says what was probably meant; classify takes folders and --demo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clasify", "x.jpg"], "There is no verb 'clasify'; did you mean classify; see edge-runtime --help."),
        (["zzz"], "There is no verb 'zzz', expected one of run, classify,"),
        (["classify", "--modle", "m", "x.jpg"], "Unrecognized arguments: --modle; did you mean --model; see"),
        (["classify", "--zzz"], "Unrecognized arguments: --zzz; see edge-runtime classify --help."),
        (["run", "--frames", "x"], "Argument --frames: invalid int value: 'x'; see edge-runtime run --help."),
        (["classify"], "Expected image files or --demo, one of the two; see edge-runtime classify --help."),
        (["classify", "--demo", "x.jpg"], "Expected image files or --demo, one of the two; see"),
    ],
)
def test_a_mistake_is_one_line_with_what_was_probably_meant(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"edge-runtime: {said}") and err.count("\n") == 1


def test_a_folder_is_all_its_images_sorted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.png", "sub/c.png"):
        cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), 90, np.uint8))
    (tmp_path / "note.txt").write_text("no image")
    assert cli.main(["classify", str(tmp_path), "--top-k", "1"]) == 0
    names = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert names == [str(tmp_path / name) for name in ("a.png", "b.png", "sub/c.png")]


def test_a_folder_without_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["classify", str(tmp_path)]) == 65
    assert f"The folder {tmp_path} holds no image, expected files such as photo.jpg" in capsys.readouterr().err


def test_the_demo_needs_no_image_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["classify", "--demo", "--top-k", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 16 and lines[0].startswith("demo 0: ")


def test_a_model_without_images_has_no_demo(toy_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["classify", "--demo", "--model", str(toy_path)]) == 65
    assert "carries no images to show; name an image file instead of --demo." in capsys.readouterr().err

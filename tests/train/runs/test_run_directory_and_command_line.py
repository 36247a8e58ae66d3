"""The run directory is whole, says what was done, and is never overwritten unasked; errors have exit codes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec, Region, region_from_json, spec_from_json
from edge_runtime.errors import ConfigurationError, UsageError
from edge_runtime.pixels.jpeg_region import mark_region
from train.__main__ import main
from train.runs.flags import choose_input_spec, make_configuration, make_parser
from train.recipes.config import adam

pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for label, name in enumerate(("blue", "green")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.random.default_rng([label, i]).integers(0, 90, (9, 11, 3), np.uint8)
            pixels[..., label] += 120
            assert cv2.imwrite(str(tmp_path / "images" / name / f"{i:02d}.png"), pixels)
    return tmp_path / "images"


def flags(data: Path, out: Path, *more: str) -> list[str]:
    own = ["--data", str(data), "--out", str(out), "--model", "seed_cnn"]
    return [*own, "--size", "8", "--epochs", "2", "--batch-size", "8", *more]


def test_a_run_directory_holds_all_that_conversion_needs(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    out = tmp_path / "runs" / "first"
    assert main(flags(images, out)) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "contract.json",
        "images.json",
        "metrics.json",
        "model.keras",
    ]
    spec = spec_from_json((out / "contract.json").read_text())
    assert (spec.name, spec.labels, spec.input) == ("images-seed_cnn", ("blue", "green"), InputSpec(8, 8))
    model = keras.models.load_model(out / "model.keras", safe_mode=True)
    assert model.output.shape == (None, 2)
    images = json.loads((out / "images.json").read_text())
    assert (len(images["calibration"]), len(images["test"])) == (32, 4)
    assert [row["label"] for row in images["calibration"][:4]] == [0, 1, 0, 1]
    for row in images["calibration"] + images["test"]:
        assert hashlib.sha256(Path(row["file"]).read_bytes()).hexdigest() == row["sha256"]
        assert row["row"] is None
    metrics = json.loads((out / "metrics.json").read_text())
    assert sum(map(sum, metrics["test"]["confusion"])) == 4
    assert [row["epoch"] for row in metrics["history"]] == [1, 2]
    printed = capsys.readouterr()
    assert "test accuracy" in printed.out
    assert "ETA" in printed.err
    assert sorted(path.name for path in out.parent.iterdir()) == ["first"]


def test_arrays_are_saved_beside_their_list(colours, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from train.runs.run_directory import _write_images

    lists = _write_images(tmp_path, colours, seed=0)
    for key in ("calibration", "test"):
        array = np.load(tmp_path / "images" / f"{key}.npy")
        assert len(array) == len(lists[key])
        for row in lists[key]:
            assert row["file"] == f"images/{key}.npy"
            assert hashlib.sha256(array[row["row"]].tobytes()).hexdigest() == row["sha256"]


def test_a_run_is_neither_overwritten_unasked_nor_repeated_by_resume(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    assert main(flags(images, out)) == 2
    assert "already exists and would be overwritten; choose another --out, or give --force" in capsys.readouterr().err
    assert main(flags(images, out, "--resume")) == 0
    assert "already complete; there is nothing to do" in capsys.readouterr().err
    (out / "config.json").write_text(json.dumps({"data": str(images / ".." / images.name)}))
    assert main(flags(images, out, "--resume")) == 0
    (out / "config.json").write_text(json.dumps({"data": "/other/photos"}))
    capsys.readouterr()
    assert main(flags(images, out, "--resume")) == 2
    assert f"was trained on /other/photos, not on {images}. Give the new run a name" in capsys.readouterr().err
    (out / "config.json").unlink()
    assert list(out.iterdir()) == []
    assert main(flags(images, out, "--force")) == 0
    assert (out / "model.keras").exists()


def test_an_unfinished_run_is_not_thrown_away_unasked(tmp_path: Path) -> None:
    from train.runs.places import expect_free

    (tmp_path / "run.checkpoint").mkdir()
    with pytest.raises(UsageError, match=r"holds an unfinished run; give --resume to continue it, or --force"):
        expect_free(tmp_path / "run", tmp_path / "run.checkpoint")


def test_bad_data_ends_with_65_and_leaves_nothing(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "blue" / "bad.png").write_bytes(b"?")
    assert main(flags(images, tmp_path / "run")) == 65
    assert "bad.png" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


def test_a_missing_folder_ends_with_66(tmp_path: Path) -> None:
    assert main(flags(tmp_path / "none", tmp_path / "run")) == 66


def test_flags_become_the_configuration() -> None:
    args = make_parser().parse_args(["--model", "seed_cnn", "--epochs", "3", "--batch-size", "7", "--seed", "5"])
    made = make_configuration(args)
    assert (made.name, made.seed, made.input) == ("cifar10-mini-seed_cnn", 5, InputSpec(32, 32))
    assert (made.recipe.batch_size, made.recipe.epochs, made.recipe.name) == (7, 3, adam().name)


def test_a_recipe_out_of_range_is_refused_before_any_work() -> None:
    with pytest.raises(ConfigurationError, match=r"batch size is 0, expected at least 1"):
        make_configuration(make_parser().parse_args(["--out", "x", "--batch-size", "0"]))


def test_resume_and_force_contradict_each_other() -> None:
    with pytest.raises(UsageError, match=r"--resume continues a run and --force discards it; give one"):
        make_configuration(make_parser().parse_args(["--out", "x", "--resume", "--force"]))


def test_an_empty_folder_name_is_no_folder() -> None:
    with pytest.raises(UsageError, match=r"--data is empty, expected cifar10-mini, cifar10 or a folder of images"):
        make_configuration(make_parser().parse_args(["--out", "x", "--data", ""]))


def test_a_size_is_one_number_or_two() -> None:
    assert choose_input_spec("48x64", "crop") == InputSpec(48, 64, "crop")
    with pytest.raises(UsageError, match=r"--size is '3by4', expected a number of pixels like 64, or HEIGHTxWIDTH"):
        choose_input_spec("3by4", "crop")


def test_the_help_shows_examples() -> None:
    assert "python -m train --data photos/ --size tiny --minutes 5 --out runs/mine" in make_parser().format_help()


def test_a_run_of_images_of_one_region_says_which(images: Path, tmp_path: Path) -> None:
    region = Region(0.25, 0.5, 0.5, 0.25)
    for path in images.rglob("*.png"):
        path.with_suffix(".jpg").write_bytes(mark_region(cv2.imencode(".jpg", cv2.imread(str(path)))[1].tobytes(), region))
        path.unlink()
    assert main(flags(images, tmp_path / "run")) == 0
    assert region_from_json((tmp_path / "run" / "region.json").read_text()) == region

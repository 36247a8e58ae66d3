"""Pruning: the smallest weights go, the zeros last, and the result is an ordinary run directory."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import ConfigurationError, DataError, MissingInputError, UsageError
from train.prune import main, make_pruned_config, prune, read_config
from train.recipes.config import TeacherRun


@pytest.mark.tensorflow
def test_the_mask_keeps_the_largest_magnitudes() -> None:
    pruning = pytest.importorskip("train.scratch.pruning", reason="needs TensorFlow, the workstation's environment")
    kernel = np.array([[0.1, -3.0], [2.0, -0.2]], np.float32)
    assert pruning.make_magnitude_mask(kernel, 0.5).tolist() == [[0, 1], [1, 0]]
    assert pruning.make_magnitude_mask(kernel, 0.0).tolist() == [[1, 1], [1, 1]]


@pytest.mark.tensorflow
def test_the_share_of_zeros_rises_to_its_end_in_the_first_third_and_stays() -> None:
    pruning = pytest.importorskip("train.scratch.pruning", reason="needs TensorFlow, the workstation's environment")
    shares = [pruning.compute_target_sparsity(step, 30, 0.75) for step in range(30)]
    assert shares == sorted(shares) and 0 < shares[0] < 0.75
    assert shares[9:] == [0.75] * 21


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
    from train.__main__ import main as train

    root = tmp_path_factory.mktemp("pruning")
    for label, name in enumerate(("blue", "green")):
        (root / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.random.default_rng([label, number]).integers(0, 90, (9, 11, 3), np.uint8)
            pixels[..., label] += 120
            assert cv2.imwrite(str(root / "images" / name / f"{number:02d}.png"), pixels)
    flags = ["--data", str(root / "images"), "--model", "seed_cnn", "--size", "8", "--epochs", "2", "--batch-size", "8"]
    assert train([*flags, "--out", str(root / "run")]) == 0
    return root / "run"


@pytest.mark.tensorflow
def test_the_pruned_copy_is_a_run_directory_with_its_share_of_zeros(trained: Path, tmp_path: Path) -> None:
    import keras

    out = tmp_path / "pruned"
    assert main([str(trained), "--sparsity", "75", "--epochs", "3", "--out", str(out)]) == 0
    before, after = (keras.models.load_model(path / "model.keras") for path in (trained, out))
    for old, new in zip(before.layers, after.layers, strict=True):
        if hasattr(old, "kernel"):
            kernel = new.kernel.numpy()
            assert (kernel == 0).mean() == pytest.approx(0.75, abs=0.01)
            assert not np.array_equal(old.kernel.numpy()[kernel != 0], kernel[kernel != 0])
    config = json.loads((out / "config.json").read_text())
    assert (config["sparsity"], config["pruning_epochs"], config["model"]) == (0.75, 3, "seed_cnn")
    assert len(json.loads((out / "metrics.json").read_text())["history"]) == 3
    for name in ("contract.json", "images.json"):
        assert (out / name).is_file()


@pytest.mark.tensorflow
def test_an_epoch_that_is_chosen_has_all_its_zeros_however_few_steps_it_has(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    calls: list[int] = []

    def second_epoch_is_best(model: object, split: object, forward: object) -> np.ndarray:
        calls.append(1)
        return np.eye(2, dtype=np.float32)[split.labels if len(calls) == 2 else 1 - split.labels]  # type: ignore[attr-defined]

    monkeypatch.setattr("train.scratch.epoch.compute_logits", second_epoch_is_best)
    out = tmp_path / "pruned"
    assert main([str(trained), "--sparsity", "75", "--epochs", "5", "--out", str(out)]) == 0
    assert json.loads((out / "metrics.json").read_text())["best_epoch"] == 2
    kernels = [
        layer.kernel.numpy()
        for layer in keras.models.load_model(out / "model.keras").layers
        if hasattr(layer, "kernel")
    ]
    assert all((kernel == 0).mean() == pytest.approx(0.75, abs=0.01) for kernel in kernels)


@pytest.mark.tensorflow
def test_a_run_without_a_word_of_teachers_and_one_that_had_a_teacher_can_be_pruned(
    trained: Path, tmp_path: Path
) -> None:
    config = json.loads((trained / "config.json").read_text())
    (tmp_path / "model.keras").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({key: value for key, value in config.items() if key != "teacher"}))
    assert read_config(tmp_path) == read_config(trained) and read_config(trained).teacher is None
    (tmp_path / "config.json").write_text(json.dumps({**config, "teacher": {"name": "master", "sha256": "ab"}}))
    assert make_pruned_config(tmp_path, 0.5, 1).teacher == TeacherRun("master", "ab")


@pytest.mark.tensorflow
def test_a_copy_that_is_there_is_kept_unless_the_model_changed(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pruned"
    flags = [str(trained), "--sparsity", "50", "--epochs", "1", "--out", str(out)]
    assert main(flags) == 0
    made = (out / "model.keras").stat().st_mtime_ns
    assert main([*flags, "--reuse"]) == 0 and (out / "model.keras").stat().st_mtime_ns == made
    assert main(flags) == 2
    assert "already exists and would be overwritten" in capsys.readouterr().err
    assert main([*flags[:2], "60", *flags[3:], "--reuse"]) == 0
    assert (out / "model.keras").stat().st_mtime_ns != made


@pytest.mark.tensorflow
def test_what_cannot_be_pruned_is_refused_in_words(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"nowhere is not a run directory: it lacks config.json or model.keras"):
        read_config(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match=r"The sparsity is 100 %, expected above 0 and below 100"):
        make_pruned_config(trained, 1.0, 3)
    with pytest.raises(ConfigurationError, match=r"The number of epochs is 0, expected at least 1"):
        make_pruned_config(trained, 0.5, 0)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.keras").write_bytes(b"")
    (broken / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"config.json is not a training configuration .*train again"):
        read_config(broken)
    config = json.loads((trained / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "recipe": {"scale": {}}}))
    with pytest.raises(
        UsageError, match=r"made by transfer learning; only networks trained from scratch can be pruned"
    ):
        read_config(broken)
    options = argparse.Namespace(run=trained, sparsity=0.0, epochs=1, out=tmp_path / "x", reuse=False, force=False)
    with pytest.raises(ConfigurationError, match=r"The sparsity is 0 %"):
        prune(options)

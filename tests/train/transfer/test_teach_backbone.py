"""The backbone's own data and head: sheets of embedded photos, and two classes that it tells apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from train.transfer.teach_backbone import LABELS, NUM_CALIBRATION, NUM_TEST, fit_two_classes, main, make_sheets


def test_the_sheets_are_of_the_backbones_size_half_of_each_class_and_the_same_every_time() -> None:
    first, second = (make_sheets(InputSpec(48, 48), 0) for _ in range(2))
    assert first.labels == LABELS
    assert first.train.read(range(NUM_CALIBRATION)).shape == (NUM_CALIBRATION, 48, 48, 3)
    assert np.bincount(first.test.labels).tolist() == [NUM_TEST // 2] * 2
    assert [first.train.record(i).sha256 for i in range(20)] == [second.train.record(i).sha256 for i in range(20)]
    train = {first.train.record(i).sha256 for i in range(NUM_CALIBRATION)}
    assert train.isdisjoint(first.test.record(i).sha256 for i in range(NUM_TEST))


def test_the_head_tells_two_clouds_apart_with_clear_logits() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    features = (rng.normal(0, 0.3, (60, 12)) + labels[:, None]).astype(np.float32)
    kernel, bias = fit_two_classes(features, labels)
    logits = features @ kernel + bias
    assert (logits.argmax(axis=1) == labels).all()
    np.testing.assert_allclose(logits.sum(axis=1), 0, atol=1e-4)
    assert np.abs(logits[:, 0] - logits[:, 1]).mean() > 2


def test_a_run_that_is_there_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path)]) == 2
    assert f"{tmp_path} already exists and would be overwritten" in capsys.readouterr().err

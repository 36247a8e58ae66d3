"""Curves are readable while training runs, go on after a resume, and are never worth a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.curves import Curves

ROW = {"epoch": 1, "loss": 0.5, "validation_accuracy": 0.25}


def test_each_epoch_is_a_line_and_a_resumed_training_appends(tmp_path: Path) -> None:
    table = tmp_path / "new" / "curves.csv"
    first = Curves(table)
    assert first.add(ROW) == ""
    assert table.read_text() == "epoch,loss,validation_accuracy\n1,0.5,0.25\n"
    first.add({**ROW, "epoch": 2})
    Curves(table).add({"epoch": 3, "validation_accuracy": 0.75, "other": 1})
    assert table.read_text().splitlines()[2:] == ["2,0.5,0.25", "3,,0.75"]


def test_a_table_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    curves = Curves(tmp_path / "file" / "curves.csv")
    assert "curves.csv cannot be written" in curves.add(ROW) and curves.add(ROW) == ""


@pytest.mark.tensorflow
def test_tensorboard_finds_a_scalar_a_column(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    curves = Curves(None, tmp_path / "board")
    assert curves.add(ROW) == "" and curves.add({**ROW, "epoch": 2, "loss": float("nan")}) == ""
    (events,) = (tmp_path / "board").iterdir()
    found = []
    for record in tf.data.TFRecordDataset(str(events)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found.append((value.tag, event.step, float(tf.make_ndarray(value.tensor))))
    assert found == [("loss", 1, 0.5), ("validation_accuracy", 1, 0.25), ("validation_accuracy", 2, 0.25)]
    (tmp_path / "file").touch()
    assert "nothing can be written into" in Curves(None, tmp_path / "file" / "board").add(ROW)

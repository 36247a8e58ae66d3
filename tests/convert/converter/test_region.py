"""The region that the training images were cut from becomes the file's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from convert.config import ConvertConfig
from convert.pipeline import convert
from edge_runtime.contract import Region, to_json
from edge_runtime.errors import ModelError
from edge_runtime.model.model_file import open_model

pytestmark = pytest.mark.tensorflow
REGION = Region(0.25, 0.1, 0.5, 0.3)


@pytest.mark.slow
def test_the_file_says_which_region_its_images_were_cut_from(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run()
    (run / "region.json").write_text(to_json(REGION), encoding="utf-8")
    assert convert(ConvertConfig(run, tmp_path / "with.tflite", num_calibration_images=20)).path is not None
    assert open_model(tmp_path / "with.tflite").contract.region == REGION
    (run / "region.json").unlink()
    assert convert(ConvertConfig(run, tmp_path / "without.tflite", num_calibration_images=20)).path is not None
    assert b'"region"' not in (tmp_path / "without.tflite").read_bytes()


def test_a_region_that_cannot_be_is_refused_before_any_work(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run()
    (run / "region.json").write_text('{"left": 2, "top": 0, "width": 1, "height": 1}')
    with pytest.raises(ModelError, match=r"The region is 2,0,1,1, expected X,Y,W,H in fractions of the frame"):
        convert(ConvertConfig(run, tmp_path / "x.tflite", num_calibration_images=20))

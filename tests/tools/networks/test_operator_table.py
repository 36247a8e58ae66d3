"""The operator table is what its script writes, and real conversions of toys agree with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convert.tflite.operator_table import HIGHEST
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import list_available_backends
from tests.tools.networks.operators import TABLE, write_table

list_available_backends()  # before TensorFlow: see convert/inputs/keras_model.py


def test_nobody_edited_the_table_by_hand(tmp_path: Path) -> None:
    (tmp_path / "table.py").write_text(write_table(HIGHEST))
    formatting = [sys.executable, "-m", "ruff", "format", "--quiet", "--line-length", "120", str(tmp_path / "table.py")]
    subprocess.run(formatting, check=True)
    assert TABLE.read_text("utf-8") == (tmp_path / "table.py").read_text("utf-8")


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("toy", "refusal"),
    [
        ("activation selu", None),
        ("Conv2DTranspose", None),
        ("activation elu", r"layer .* computes in floating point \(ELU\).*use relu, relu6 or selu instead of elu"),
        (
            "activation mish",
            r"needs the operator LOG version 2, which on tflite-runtime 2\.14 does not run in integers",
        ),
        ("LayerNormalization", r"layer layer_normalization computes in floating point.*use BatchNormalization"),
        ("GroupNormalization", r"layer group_normalization computes in floating point.*use BatchNormalization"),
        ("operation divide", r"needs the operator DIV"),
    ],
)
def test_a_toy_converts_or_is_refused_with_what_to_use_instead(tmp_path: Path, toy: str, refusal: str | None) -> None:
    keras = pytest.importorskip("keras")
    from convert.converter.contract import derive_spec
    from convert.converter.opened import open_integer
    from convert.inputs.calibration import choose_calibration
    from tests.tools.networks.layers import SIDE, list_toys
    from tests.tools.networks.sane import make_source, settle_head

    keras.utils.set_random_seed(1)
    images = np.random.default_rng(0).integers(0, 256, (24, SIDE, SIDE, 3), np.uint8)
    others = np.random.default_rng(1).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)
    network = list_toys()[toy]()
    settle_head(network, images.astype(np.float32))
    source = make_source(network, tmp_path, images, others, mean=0.0, std=1.0)
    chosen = choose_calibration(source, 24, 0)
    if refusal is None:
        assert open_integer(source, derive_spec(source, None), chosen, "uint8").audit.full_integer
    else:
        with pytest.raises(ModelError, match=refusal):
            open_integer(source, derive_spec(source, None), chosen, "uint8")


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    "toy", ["activation celu", "activation sparse_plus", "activation selu", "operation where", "Maximum"]
)
def test_what_an_operator_of_one_scale_reads_is_whole_for_whoever_else_reads_it(toy: str) -> None:
    """The converter gave celu the range of its negative half throughout: half of the labels were wrong."""
    from tests.tools.networks.__main__ import list_networks, measure

    row = measure(toy, list_networks()[f"layer {toy}"])
    for backend in ("litert", "tflite"):
        assert row[backend]["same_label"] >= 0.96
        assert row[backend]["near"] >= 0.97

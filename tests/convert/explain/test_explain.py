"""Explaining an integer model: a layer spoiled on purpose is named first, and each complaint has its advice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.__main__ import main as convert
from convert.converter.contract import derive_spec
from convert.converter.opened import open_integer
from convert.explain.__main__ import explain, find_run, main
from convert.explain.layer_signals import Signals, measure_layers
from convert.explain.report import explain_signals, summarize, to_html, to_markdown
from convert.inputs.calibration import choose_calibration
from convert.inputs.run_directory import read_run_directory
from edge_runtime.errors import MissingInputError, ModelError
from edge_runtime.inference.interpreter import Interpreter

TOYS = Path(__file__).parents[2] / "edge_runtime" / "toys"
GOOD = Signals(
    layer="conv", kind="CONV_2D", reads=(), own_db=40.0, accumulated_db=38.0, weights_db=45.0, per_channel=True, scale=0.1,
    channels=(1.0, 1.2, 0.9), clipped=0.0, used=0.9, dead=0, drowned=0,
)  # fmt: skip


def advice(**changes: Any) -> str:
    return "; ".join(explain_signals("m", [dataclasses.replace(GOOD, **changes)], 8, 1.0).layers[0].advice)


def test_a_healthy_layer_needs_nothing() -> None:
    assert advice() == ""


def test_each_complaint_has_its_own_advice() -> None:
    uneven = advice(own_db=3.0, channels=(1.0, 90.0, 1.0), drowned=2)
    assert "channel 1 reaches 90 times the median channel, 2 others are drowned" in uneven
    assert "multiply the next layer's" in uneven and "ReLU6" in uneven and "int16" in uneven
    assert "turn per-channel quantisation of this layer on" in advice(weights_db=12.0, per_channel=False)
    assert "3.0% of the values are cut off: use more" in advice(clipped=0.03)
    assert "only 20% of the range is used" in advice(used=0.2)
    assert "1 of 3 channels never change: train with fewer filters" in advice(dead=1)
    assert "coarse output steps" in advice(own_db=12.0)


def test_an_addition_that_hands_on_uneven_channels_is_not_to_blame_but_a_worse_one_is() -> None:
    poor = dataclasses.replace(GOOD, own_db=2.0)
    handed_on = dataclasses.replace(GOOD, layer="add", kind="ADD", reads=("conv",), own_db=1.0, weights_db=None)
    worse = dataclasses.replace(handed_on, layer="worse", own_db=-20.0)
    found = explain_signals("m", [poor, handed_on, worse], 8, 0.5)
    assert found.worst == ("worse", "conv")
    assert "Worst layers: worse (-20.0 dB), conv (2.0 dB)" in summarize(found) and "50.0% of the images" in summarize(
        found
    )


def test_a_layer_that_was_given_the_scale_of_the_other_input_of_an_addition_is_not_to_blame() -> None:
    owner = dataclasses.replace(GOOD, layer="owner", own_db=4.0, scale=9.0, used=0.9)
    lent = dataclasses.replace(GOOD, layer="lent", own_db=2.0, scale=9.0, used=0.01)
    add = dataclasses.replace(GOOD, layer="add", kind="ADD", reads=("lent", "owner"), weights_db=None)
    found = explain_signals("m", [owner, lent, add], 8, 1.0)
    assert found.worst == ("owner",)
    assert found.layers[1].advice == ("its range fits the values of owner, which the same operator reads: fix owner",)
    apart = dataclasses.replace(lent, scale=0.1)
    assert explain_signals("m", [owner, apart, add], 8, 1.0).worst[0] == "lent"


def test_a_softmax_is_never_to_blame_for_the_scale_that_the_format_lays_down() -> None:
    softmax = dataclasses.replace(GOOD, layer="softmax", kind="SOFTMAX", reads=("conv",), own_db=-9.0, clipped=0.5)
    found = explain_signals("m", [GOOD, softmax], 8, 1.0)
    assert found.worst == ("conv",) and found.layers[1].advice == ()


def test_the_table_and_the_page_have_a_row_and_a_bar_for_each_layer() -> None:
    found = explain_signals("m<1>", [GOOD, dataclasses.replace(GOOD, layer="next", own_db=5.0)], 8, 1.0)
    assert "| conv | CONV_2D | 40.0 | 38.0 | 45.0 | 0.1 |" in to_markdown(found)
    page = to_html(found)
    assert page.count(">next</text>") == 2 and ">5.0</text>" in page and "m&lt;1&gt;" in page and "<script" not in page
    assert '<td class="words">coarse output steps' in page
    healthy = to_html(explain_signals("m", [GOOD], 1, 1.0))
    assert "Nothing: every layer is fine." in healthy and "1 test image went" in healthy


def test_two_models_of_different_networks_are_refused() -> None:
    images = [(np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 3), np.uint8))]
    one, two = ((TOYS / name).read_bytes() for name in ("float32.tflite", "uint8.tflite"))
    from convert.tflite import schema

    tree = schema.read_tree(two)
    for tensor in tree.subgraphs[0].tensors:
        tensor.name = b"other"
    with pytest.raises(ModelError, match=r"have no layer in common.*give the right --run"):
        measure_layers(one, schema.write_tree(tree), images)


@pytest.mark.tensorflow
@pytest.mark.parametrize("toy", ["operation where", "MultiHeadAttention", "Dot"])
def test_layers_with_several_operators_of_a_kind_and_with_comparisons_are_compared_each_with_its_own(
    toy: str, tmp_path: Path
) -> None:
    import keras

    from tests.tools.networks.layers import SIDE, list_toys
    from tests.tools.networks.sane import make_source, read_images, settle_head

    keras.utils.set_random_seed(1)
    network, images = list_toys()[toy](), read_images(SIDE, 24, held_out=False)
    settle_head(network, images.astype(np.float32))
    source = make_source(network, tmp_path, images, read_images(SIDE, 8, held_out=True), mean=0.0, std=1.0)
    integer = open_integer(source, derive_spec(source, None), choose_calibration(source, 24, 0), "uint8")
    found = explain(source, integer.model, 8)
    # Paired with another operator of its kind, one would be nothing but noise: -13 dB of the second reshaping in Dot.
    assert all(item.signals.accumulated_db > 10 for item in found.layers)
    assert all(item.signals.kind != "GREATER" for item in found.layers)


def test_an_interpreter_keeps_what_it_computed_when_asked() -> None:
    interpreter = Interpreter((TOYS / "uint8.tflite").read_bytes(), kernels="reference", keep_tensors=True)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, interpreter.input.shape[1:], np.uint8)
    output = interpreter.invoke(image)
    from convert.tflite import schema

    subgraph = schema.read_tree((TOYS / "uint8.tflite").read_bytes()).subgraphs[0]
    assert np.array_equal(interpreter.tensor(int(subgraph.outputs[0]))[0], output)
    assert np.array_equal(interpreter.tensor(int(subgraph.inputs[0]))[0], image)
    first = interpreter.tensor(int(subgraph.operators[1].outputs[0]))
    assert first.std() > 0


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv2d", "conv2d_1", "depthwise_conv2d", "dense"])
def test_a_layer_with_one_channel_a_hundred_times_too_large_is_named_first(
    make_run: Callable[..., Path], network: Any, name: str
) -> None:
    import keras

    model = keras.models.clone_model(network)
    model.set_weights(network.get_weights())
    layer = model.get_layer(name)
    kernel, *rest = layer.get_weights()
    channels = np.moveaxis(kernel, 2 if "depthwise" in name else -1, 0)
    channels[np.random.default_rng(0).integers(len(channels))] *= 100
    layer.set_weights([kernel, *rest])
    source = read_run_directory(make_run(model))
    integer = open_integer(source, derive_spec(source, None), choose_calibration(source, 40, 0), "uint8")
    assert explain(source, integer.model, 16).worst[0] == name


@pytest.mark.tensorflow
def test_a_file_finds_its_run_and_the_page_and_json_are_written(
    make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    run = make_run().rename(tmp_path / "runs" / "stripes")
    model, page = tmp_path / "stripes.tflite", tmp_path / "page.html"
    assert convert([str(run), "--out", str(model), "--calibration-images", "40"]) == 0
    capfd.readouterr()
    monkeypatch.chdir(tmp_path)
    assert main([str(model), "--out", str(page), "--images", "8", "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    layers = [item["signals"]["layer"] for item in data["layers"]]
    assert data["num_images"] == 8 and {"conv2d", "conv2d_1", "depthwise_conv2d", "dense"} <= set(layers)
    assert all(item["signals"]["own_db"] > 10 for item in data["layers"]) and data["agreement"] > 0.9
    assert page.is_file() and page.with_suffix(".md").is_file()
    assert main([str(model), "--out", str(page), "--images", "8"]) == 2
    assert main([str(model), "--out", str(page), "--force", "--images", "0"]) == 2
    run.rename(tmp_path / "runs" / "gone").joinpath("config.json").write_text("{}")
    assert main([str(model), "--out", str(page), "--force"]) == 66


def test_a_file_without_a_run_says_what_to_give(tmp_path: Path) -> None:
    from edge_runtime.model.model_file import open_model
    from edge_runtime.store.shipped import default_model

    with pytest.raises(
        MissingInputError, match=r"No run directory under .* has the training configuration .*--run DIR"
    ):
        find_run(open_model(default_model()).contract, tmp_path)


def test_a_file_of_others_cannot_be_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(TOYS / "uint8_metadata.tflite"), "--out", str(tmp_path / "page.html")]) == 65
    assert "was not made by `python -m convert`" in capsys.readouterr().err
    assert main([str(TOYS / "uint8_metadata.tflite"), "--out", str(tmp_path / "page.txt")]) == 2

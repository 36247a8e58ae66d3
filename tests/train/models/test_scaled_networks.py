"""The family of networks: names, and costs that are counted before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError
from train.models import build_model
from train.models.__main__ import main
from train.models.scaled import KINDS, Architecture, count_costs, parse, plan_blocks
from train.recipes.config import preset

NAMES = [f"scaled-{kind}-w{end}" for kind in KINDS for end in ("6-d1", "8-d2", "6-d1-s2")]


def test_a_name_says_the_whole_architecture() -> None:
    assert parse("scaled-residual-w16-d2") == Architecture("residual", 16, 2)
    assert Architecture("inverted", 8, 1).name == "scaled-inverted-w8-d1"
    assert parse("scaled-plain-w8-d1-s2") == Architecture("plain", 8, 1, 2)
    assert Architecture("plain", 8, 1, 2).name == "scaled-plain-w8-d1-s2"
    assert preset("scaled-plain-w4-d1").name == "modern"


@pytest.mark.parametrize("name", ["scaled-", "scaled-plain", "scaled-plain-w-d1", "scaled-plain-w8-d1-x", "other"])
def test_other_names_are_refused_with_an_example(name: str) -> None:
    with pytest.raises(UsageError, match=r"There is no model '.*', expected scaled-KIND-wWIDTH-dDEPTH like scaled-res"):
        parse(name)


@pytest.mark.parametrize(
    "name", ["scaled-round-w8-d1", "scaled-plain-w0-d1", "scaled-plain-w8-d17", "scaled-plain-w8-d1-s3"]
)
def test_members_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"expected plain, residual, inverted, a width of 1 to 512, .* stride 1 or 2"):
        parse(name)


def test_wider_deeper_and_larger_cost_more() -> None:
    base = count_costs(Architecture("residual", 8, 1), InputSpec(32, 32), 10)
    for architecture, size in ((("residual", 10, 1), 32), (("residual", 8, 2), 32), (("residual", 8, 1), 40)):
        assert count_costs(Architecture(*architecture), InputSpec(size, size), 10).macs > base.macs


@pytest.mark.parametrize("stem", [1, 2])
def test_every_stage_but_the_first_halves_the_image_once_and_so_may_the_stem(stem: int) -> None:
    strides = [c.stride for block in plan_blocks(Architecture("plain", 8, 2, stem)) for c in block.convolutions]
    assert strides == [stem, 1, 1, 2, 1, 2, 1]


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NAMES)
def test_the_counted_costs_are_those_of_the_built_network(name: str) -> None:
    pytest.importorskip("tensorflow")
    model = build_model(name, InputSpec(30, 21), 7)
    counted = count_costs(parse(name), InputSpec(30, 21), 7)
    assert model.count_params() == counted.parameters and model.output_shape == (None, 7)
    macs = 0
    for layer in model.layers:
        if "Conv2D" in type(layer).__name__ or type(layer).__name__ == "Dense":
            shape = layer.output.shape[1:-1]
            macs += int(layer.kernel.shape.num_elements()) * (shape[0] * shape[1] if shape else 1)
    assert macs == counted.macs


@pytest.mark.tensorflow
def test_an_input_too_small_for_the_halvings_is_refused() -> None:
    pytest.importorskip("tensorflow")
    with pytest.raises(UsageError, match=r"The input is 3x32 but scaled-plain-w8-d1 needs at least 4x4"):
        build_model("scaled-plain-w8-d1", InputSpec(3, 32), 10)
    with pytest.raises(UsageError, match=r"The input is 7x32 but scaled-plain-w8-d1-s2 needs at least 8x8"):
        build_model("scaled-plain-w8-d1-s2", InputSpec(7, 32), 10)


@pytest.mark.tensorflow
def test_an_untrained_network_is_written_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras = pytest.importorskip("keras")
    flags = ["--size", "16", "--classes", "4", "--out", str(tmp_path / "x.keras")]
    assert main(["scaled-plain-w4-d1-s2", *flags]) == 0
    model = keras.models.load_model(tmp_path / "x.keras")
    assert (model.input_shape, model.output_shape) == ((None, 16, 16, 3), (None, 4))
    assert main(["scaled-plain", *flags]) == 2
    assert "error: There is no model 'scaled-plain'" in capsys.readouterr().err

"""Ranges cut short of the values furthest out, and the choice between both by what they cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.config import ConvertConfig
from convert.converter import opened, quantize, two_steps
from convert.converter.contract import derive_spec
from convert.converter.opened import IntegerModel, open_integer
from convert.converter.range_choice import RangeChoice, choose_ranges
from convert.converter.ranges import narrow_ranges, widen_shared
from convert.inputs.calibration import Calibration, choose_calibration, choose_held_out
from convert.inputs.source import Source
from convert.pipeline import read_source
from convert.tflite import schema
from convert.tflite.packing import find_differences
from tests.convert.conftest import SIZE


def opened_run(run: Path, num: int = 40) -> tuple[Source, Calibration]:
    source = read_source(ConvertConfig(run))
    return source, choose_calibration(source, num, 0)


def convert_run(run: Path, num: int = 40) -> IntegerModel:
    source, calibration = opened_run(run, num)
    return open_integer(source, derive_spec(source, None), calibration, "uint8")


def read_ranges(flatbuffer: bytes) -> dict[int, tuple[float, float]]:
    """The ranges of a calibrated flatbuffer's tensors, by their numbers."""
    tensors = enumerate(schema.read_tree(flatbuffer).subgraphs[0].tensors)
    found = {index: tensor.quantization for index, tensor in tensors if tensor.quantization is not None}
    known = {index: item for index, item in found.items() if item.min is not None and len(item.min) == 1}
    return {index: (float(item.min[0]), float(item.max[0])) for index, item in known.items()}


@pytest.mark.tensorflow
def test_ranges_are_cut_to_the_values_that_there_are_and_never_the_input(make_run: Callable[..., Path]) -> None:
    source, calibration = opened_run(make_run())
    calibrated = quantize.calibrate(source, calibration.images)
    assert calibrated is not None
    inputs = [calibrated.affine(image) for image in calibration.images]
    tree = schema.read_tree(calibrated.flatbuffer)
    subgraph = tree.subgraphs[0]
    pixels = read_ranges(calibrated.flatbuffer)[int(subgraph.inputs[0])]
    written = {int(index) for operator in subgraph.operators for index in operator.outputs}
    for index in written:
        found = subgraph.tensors[index].quantization
        found.min, found.max = found.min * 3, found.max * 3
    wide = schema.write_tree(tree)
    narrowed = narrow_ranges(wide, inputs)
    assert narrowed is not None
    before, after = read_ranges(wide), read_ranges(narrowed)
    assert after[int(subgraph.inputs[0])] == pixels
    assert {index for index in before if before[index] != after[index]} == written
    for index in written:
        (low, high), (new_low, new_high) = before[index], after[index]
        assert low <= new_low <= max(low, 0) and new_high <= high, "0 is not cut off"
        assert 0.1 < (new_high - new_low) / (high - low) < 0.4, "three times too wide, so about a third is left"
    assert narrow_ranges(narrowed, inputs) is None, "what would hardly shrink is left alone"


@pytest.mark.tensorflow
def test_a_choice_between_a_value_and_what_is_made_of_it_cuts_nothing_off(make_run: Callable[..., Path]) -> None:
    """``where(x > 0, x, 0.2 * x)`` has one scale for x and its result, and 0.2 * x needs the lowest x."""
    import keras

    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(8, 3)(keras.layers.Rescaling(1 / 255)(image))
    x = keras.ops.where(x > 0.0, x, 0.2 * x)
    run = make_run(keras.Model(image, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x))), name="bent")
    source, calibration = opened_run(run)
    calibrated = quantize.calibrate(source, calibration.images)
    assert calibrated is not None
    tree, found = schema.read_tree(calibrated.flatbuffer), read_ranges(calibrated.flatbuffer)
    kinds = [schema.read_operator_name(tree.operatorCodes[item.opcodeIndex]) for item in tree.subgraphs[0].operators]
    convolution, choice = (
        int(tree.subgraphs[0].operators[kinds.index(kind)].outputs[0]) for kind in ("CONV_2D", "SELECT")
    )
    assert found[choice][0] == found[convolution][0] < 0
    assert widen_shared(calibrated.flatbuffer) == calibrated.flatbuffer, "once is enough"


@pytest.mark.tensorflow
def test_a_tensor_that_is_always_zero_keeps_its_range(make_run: Callable[..., Path]) -> None:
    """The converter notes a range of the smallest number there is, as for celu of what is never negative."""
    source, calibration = opened_run(make_run())
    calibrated = quantize.calibrate(source, calibration.images)
    assert calibrated is not None
    tree = schema.read_tree(calibrated.flatbuffer)
    first = int(tree.subgraphs[0].operators[0].outputs[0])
    ends = np.array([0.0], np.float32), np.array([np.finfo(np.float32).tiny], np.float32)
    tree.subgraphs[0].tensors[first].quantization.min, tree.subgraphs[0].tensors[first].quantization.max = ends
    zero = schema.write_tree(tree)
    inputs = [calibrated.affine(image) for image in calibration.images]
    found = read_ranges(narrow_ranges(zero, inputs) or zero)
    assert found[first] == read_ranges(zero)[first]


@pytest.mark.tensorflow
def test_both_steps_give_the_model_that_the_converter_gives_in_one(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    monkeypatch.setattr(opened, "narrow_ranges", lambda flatbuffer, inputs: None)
    in_two = convert_run(run)
    monkeypatch.setattr(quantize, "can_separate", lambda converter: False)
    in_one = convert_run(run)
    differing = find_differences(in_one.model.flatbuffer, in_two.model.flatbuffer)
    # What the converter notes of itself holds a hash of what it made last.
    assert [found.partition(":")[0] for found in differing] == ["the metadata"]
    assert len(in_one.model.flatbuffer) == len(in_two.model.flatbuffer)
    assert in_one.ranges is None and in_two.ranges is None


@pytest.mark.tensorflow
@pytest.mark.parametrize("narrowed", [True, False])
def test_two_conversions_are_equal_byte_for_byte_whichever_ranges_they_take(
    narrowed: bool, make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()

    def decide(*scores: Any, held_out: bool) -> RangeChoice:
        found = choose_ranges(*scores, held_out=held_out)
        return RangeChoice(narrowed, found.whole, found.narrower, found.num_images, found.held_out)

    monkeypatch.setattr(opened, "choose_ranges", decide)
    first, second = convert_run(run), convert_run(run)
    assert first.model.flatbuffer == second.model.flatbuffer
    assert first.ranges == second.ranges
    assert first.ranges is not None and first.ranges.narrowed is narrowed
    monkeypatch.setattr(opened, "narrow_ranges", lambda flatbuffer, inputs: None)
    assert (first.model.flatbuffer == convert_run(run).model.flatbuffer) is not narrowed


@pytest.mark.tensorflow
def test_the_images_that_choose_were_not_calibrated_on(make_run: Callable[..., Path]) -> None:
    source, calibration = opened_run(make_run())
    held_out = choose_held_out(source, calibration, 30)
    assert held_out.shape == (30, SIZE, SIZE, 3)
    drawn = {image.tobytes() for image in calibration.images}
    assert not any(image.tobytes() in drawn for image in held_out)
    everything = choose_calibration(source, 1000, 0)
    assert len(choose_held_out(source, everything, 30)) == 0


@pytest.mark.tensorflow
def test_with_none_left_over_the_calibration_images_choose(make_run: Callable[..., Path]) -> None:
    found = convert_run(make_run(), 1000).ranges
    assert found is not None and not found.held_out and found.num_images == 120
    left = convert_run(make_run(name="other"), 60).ranges
    assert left is not None and left.held_out and left.num_images == 60


EXPECTED = np.tile(np.array([[0.8, 0.2], [0.3, 0.7]], np.float32), (50, 1))


def off_by(amount: float, *, wrong: int = 0) -> Any:
    """`EXPECTED` with scores that are off by about ``amount``, and the labels of so many images changed."""
    noise = amount * np.random.default_rng(0).uniform(0.5, 1.5, len(EXPECTED))
    scores = EXPECTED + np.stack([noise, -noise], axis=1).astype(np.float32) * np.where(EXPECTED[:, :1] > 0.5, 1, -1)
    scores[:wrong] = EXPECTED[:wrong, ::-1]
    return scores


@pytest.mark.parametrize(
    ("whole", "narrower", "chosen"),
    [
        (off_by(0.04), off_by(0.02), True),
        (off_by(0.02), off_by(0.04), False),
        (off_by(0.03), off_by(0.03), False),
        # Nearer in scores, but labels are lost: not for one image in a hundred, for five.
        (off_by(0.1), off_by(0.01, wrong=1), True),
        (off_by(0.1), off_by(0.01, wrong=5), False),
    ],
)
def test_narrower_ranges_are_taken_where_scores_are_closer_and_labels_are_not_lost(
    whole: Any, narrower: Any, chosen: bool
) -> None:
    found = choose_ranges(whole, narrower, EXPECTED, held_out=True)
    assert found.narrowed is chosen
    assert (found.num_images, found.held_out) == (100, True)


def test_a_gain_that_may_be_chance_changes_nothing() -> None:
    whole, narrower = EXPECTED.copy(), EXPECTED.copy()
    whole[0, 0] -= 0.25
    narrower[2, 0] -= 0.2
    assert not choose_ranges(whole, narrower, EXPECTED, held_out=True).narrowed, "one image for it, one against it"
    whole[4:40:2, 0] -= 0.25
    assert choose_ranges(whole, narrower, EXPECTED, held_out=True).narrowed


@pytest.mark.tensorflow
def test_a_tensorflow_without_the_two_steps_converts_in_one(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Any:
        raise ImportError("No module named 'tensorflow.lite.python.convert'")

    class Converter:
        _experimental_calibrate_only = False

    assert two_steps.can_separate(Converter())
    assert not two_steps.can_separate(object()), "the switch is not there"
    monkeypatch.setattr(two_steps, "_find_quantizer", gone)
    assert not two_steps.can_separate(Converter())
    found = convert_run(make_run())
    assert found.ranges is None and found.audit.full_integer

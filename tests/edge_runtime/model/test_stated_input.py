"""What a person states of a model that others made reaches the tensor; without it a float model is refused."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.contract import Normalization
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.model.model_file import read_model
from edge_runtime.model.stated_input import StatedInput, parse_normalization
from tests.edge_runtime.toy_graphs import ADD, DIV, INT8, LOGISTIC, MUL, SOFTMAX, SUB, UINT8, Graph, colours

LABELS = "red\ngreen\nblue\n"
RED = np.zeros((8, 8, 3), np.uint8) + np.array([10, 60, 200], np.uint8)  # B, G, R


@pytest.mark.parametrize(
    ("text", "black", "white"),
    [
        ("0..1", 0, 1),
        ("-1..1", -1, 1),
        ("0..255", 0, 255),
        ("-0.5..0.5", -0.5, 0.5),
        ("127.5,127.5", -1, 1),
        ("127, 128", -127 / 128, 1),
    ],
)
def test_a_normalisation_says_what_black_and_white_become(text, black, white):
    found = parse_normalization(text)
    assert (0 - found.mean[0]) / found.std[0] == pytest.approx(black)
    assert (255 - found.mean[0]) / found.std[0] == pytest.approx(white)


def test_a_normalisation_may_differ_by_channel():
    assert parse_normalization("1,2,3,4,5,6") == Normalization((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    imagenet = parse_normalization("imagenet")
    assert imagenet.mean == pytest.approx((255 * 0.485, 255 * 0.456, 255 * 0.406))
    assert imagenet.std == pytest.approx((255 * 0.229, 255 * 0.224, 255 * 0.225))


@pytest.mark.parametrize("text", ["", "1..0", "0..0", "1", "1,2,3", "a,b", "0.. 1", "nan,1", "1..2..3"])
def test_a_normalisation_of_another_form_is_refused_with_the_forms(text):
    with pytest.raises(UsageError, match=r"`normalize` is .*expected 0\.\.1, -1\.\.1, 0\.\.255, imagenet, MEAN,STD"):
        parse_normalization(text)


def test_a_deviation_of_zero_is_refused():
    with pytest.raises(UsageError, match=r"`normalize` is '1,0': .*std above 0"):
        parse_normalization("1,0")


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"channels": "rbg"}, "`channels` is 'rbg', expected rgb or bgr"),
        ({"resize": "pad"}, "`resize` is 'pad', expected stretch or crop or letterbox"),
        ({"input_size": "0"}, "`input_size` is '0', expected a side such as 224, or WIDTHxHEIGHT"),
        ({"input_size": "12x"}, "`input_size` is '12x', expected a side"),
    ],
)
def test_other_statements_of_another_form_are_refused(stated, told):
    with pytest.raises(UsageError, match=told):
        StatedInput.parse(**stated)


def test_nothing_stated_is_nothing():
    assert not StatedInput.parse()
    assert StatedInput.parse(input_size="320x240").size == (240, 320)
    assert StatedInput.parse(input_size="96").size == (96, 96)


def test_a_float_model_that_says_nothing_is_refused_with_the_advice():
    with pytest.raises(
        ModelError,
        match=r"takes float32 pixels, and neither metadata nor its graph .* `normalize`: .*edge-runtime adopt",
    ):
        read_model(colours(), "toy", LABELS)


@pytest.mark.parametrize("backend", list_available_backends())
def test_what_is_stated_is_what_goes_in(backend):
    stated = StatedInput.parse(normalize="0..1", channels="bgr", resize="crop")
    model = read_model(colours(), "toy", LABELS, stated=stated)
    assert model.contract.spec.input.resize == "crop"
    with Classifier(model, backend=backend) as classifier:
        assert classifier.input_tensor(RED)[0, 0].tolist() == pytest.approx([10 / 255, 60 / 255, 200 / 255])
        assert classifier.classify(RED).label == "blue"  # the third channel


def test_a_mean_by_channel_is_that_of_red_green_and_blue_in_either_order():
    stated = StatedInput.parse(normalize="200,60,10,1,1,1", channels="bgr")
    with Classifier(read_model(colours(), "toy", LABELS, stated=stated)) as classifier:
        assert classifier.input_tensor(RED)[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("backend", list_available_backends())
def test_channels_first_are_transposed(backend):
    content = Graph((1, 3, 8, 6)).mean(2, 3).end(SOFTMAX)
    model = read_model(content, "toy", LABELS, stated=StatedInput.parse(normalize="0..1"))
    assert (model.contract.spec.input.height, model.contract.spec.input.width) == (8, 6)
    with Classifier(model, backend=backend) as classifier:
        assert classifier.input_tensor(RED).shape == (3, 8, 6)
        assert classifier.classify(RED).label == "red"
    assert any("channels come first" in line for line in model.assumptions)


@pytest.mark.parametrize("backend", list_available_backends())
@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (1, 1, 8, 8), (1, 8, 8)])
def test_a_grey_model_with_one_number_is_a_binary_classifier_of_brightness(shape, backend):
    axes = [axis for axis, size in enumerate(shape) if size == 8]
    content = Graph(shape).mean(*axes).end(LOGISTIC)
    model = read_model(content, "toy", "dark\nbright\n", stated=StatedInput.parse(normalize="-1..1"))
    assert any("one channel" in line for line in model.assumptions)
    assert any("the score of 'bright', the second label" in line for line in model.assumptions)
    with Classifier(model, backend=backend) as classifier:
        dark, bright = (classifier.classify(np.full((8, 8, 3), value, np.uint8)) for value in (0, 255))
    assert (dark.label, bright.label) == ("dark", "bright")
    assert dark.score == pytest.approx(1 - 1 / (1 + np.exp(1)), abs=1e-3)
    assert sum(row.score for row in dark.top) == pytest.approx(1)


def test_an_order_of_colours_says_nothing_to_a_grey_model():
    stated = StatedInput.parse(normalize="0..1", channels="bgr")
    with pytest.raises(ModelError, match=r"takes one grey channel.*leave out `channels`"):
        read_model(Graph((1, 8, 8, 1)).mean(1, 2).end(LOGISTIC), "toy", "a\nb\n", stated=stated)
    with pytest.raises(ModelError, match=r"expected one value: it sees grey"):
        read_model(
            Graph((1, 8, 8, 1)).mean(1, 2).end(LOGISTIC),
            "toy",
            "a\nb\n",
            stated=StatedInput.parse(normalize="imagenet"),
        )


def test_one_number_without_two_labels_says_what_is_missing():
    content = Graph((1, 8, 8, 3)).mean(1, 2, 3).end(LOGISTIC)
    with pytest.raises(
        ModelError, match=r"gives one number for an image.*its two labels as `labels`, first the one whose"
    ):
        read_model(content, "toy", None, stated=StatedInput.parse(normalize="0..1"))


@pytest.mark.parametrize("backend", list_available_backends())
def test_an_open_size_must_be_stated_and_is_then_taken(backend):
    content = colours((1, 1, 1, 3), (-1, -1, -1, 3))
    with pytest.raises(ModelError, match=r"leaves the size of its image open; give the one .* as `input_size`"):
        read_model(content, "toy", LABELS, stated=StatedInput.parse(normalize="0..1"))
    model = read_model(content, "toy", LABELS, stated=StatedInput.parse(normalize="0..1", input_size="6x4"))
    assert model.contract.input_tensor.shape == (1, 4, 6, 3)
    with Classifier(model, backend=backend) as classifier:
        assert classifier.classify(RED).label == "red"


def test_a_fixed_size_is_no_other():
    with pytest.raises(
        ModelError, match=r"takes 8x8 pixels and no other size, but 6x4 was stated; leave out `input_size`"
    ):
        read_model(colours(), "toy", LABELS, stated=StatedInput.parse(normalize="0..1", input_size="6x4"))
    # An open batch is no open size.
    with pytest.raises(ModelError, match=r"no other size"):
        read_model(
            colours((1, 8, 8, 3), (-1, 8, 8, 3)),
            "toy",
            LABELS,
            stated=StatedInput.parse(normalize="0..1", input_size="6x4"),
        )


@pytest.mark.parametrize(
    ("steps", "white"),
    [
        ([(MUL, 1 / 127.5), (SUB, 1.0)], 255.0),
        ([(DIV, 127.5), (ADD, -1.0)], 255.0),
        ([(MUL, 1 / 255)], 255.0),
        ([(SUB, 127.0), (MUL, 1 / 128)], 255.0),
        ([(SUB, 0.485), (DIV, 0.229)], 1.0),
        ([(MUL, 2.0), (SUB, 1.0)], 1.0),
        ([(SUB, 103.9)], 255.0),
    ],
)
def test_a_graph_that_rescales_its_pixels_itself_says_which_it_takes(steps, white):
    graph = Graph((1, 8, 8, 3))
    for code, constant in steps:
        graph.rescale(code, constant)
    model = read_model(graph.mean(1, 2).end(SOFTMAX), "toy", LABELS)
    assert model.contract.normalization == Normalization((0.0,), (255.0 / white,))
    assert any(f"so those of 0 to {white:g} go in" in line for line in model.assumptions)


@pytest.mark.parametrize(
    ("scale", "zero_point", "dtype", "form"),
    [
        (1 / 255, -128, INT8, "0..1"),
        (1 / 255, 0, UINT8, "0..1"),
        (2 / 255, 0, INT8, "-1..1"),
        (1 / 128, 127, UINT8, "-1..1"),
        (1.0, -128, INT8, "0..255"),
        (4.758 / 255, -14, INT8, "imagenet"),
    ],
)
def test_a_graph_of_integers_says_by_its_range_how_pixels_go_in(scale, zero_point, dtype, form):
    content = Graph((1, 8, 8, 3)).quantize(scale, zero_point, dtype).mean(1, 2).end(SOFTMAX)
    model = read_model(content, "toy", LABELS)
    assert model.contract.normalization == StatedInput.parse(normalize=form).normalization
    assert any(f"so its pixels go in as {form}" in line for line in model.assumptions)
    with Classifier(model) as classifier:
        assert classifier.classify(RED).label == "red"


@pytest.mark.parametrize(("scale", "zero_point"), [(0.8 / 255, -128), (6 / 255, 0), (2 / 255, -100)])
def test_a_range_that_no_normalisation_fills_is_no_statement(scale, zero_point):
    content = Graph((1, 8, 8, 3)).quantize(scale, zero_point).mean(1, 2).end(SOFTMAX)
    with pytest.raises(ModelError, match=r"neither metadata nor its graph says how they are normalised"):
        read_model(content, "toy", LABELS)


@pytest.mark.parametrize("steps", [[(ADD, 1.0)], [(MUL, 1.5), (ADD, 0.1)], [(ADD, 1.0), (MUL, 127.5)], [(DIV, 0.0)]])
def test_arithmetic_that_tells_nothing_is_no_statement(steps):
    graph = Graph((1, 8, 8, 3))
    for code, constant in steps:
        graph.rescale(code, constant)
    with pytest.raises(ModelError, match=r"neither metadata nor its graph says how they are normalised"):
        read_model(graph.mean(1, 2).end(SOFTMAX), "toy", LABELS)


def test_an_own_file_takes_no_statement(toy_file):
    with pytest.raises(UsageError, match=r"carries in its contract how its input is made; leave out `normalize`"):
        read_model(toy_file, "toy", stated=StatedInput.parse(normalize="0..1"))

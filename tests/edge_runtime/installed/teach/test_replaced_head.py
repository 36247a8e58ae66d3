"""Another last layer in a flatbuffer: the integer arithmetic gives what the weights say, on every backend, and nothing
else of the file changes."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.installed.teach.replaced_head import Head, find_head, replace_head
from edge_runtime.model.inner_tensors import find_features, read_constant, read_scale
from edge_runtime.model.model_file import open_model
from edge_runtime.model.soundness import expect_sound

BACKBONE = open_model("default").flatbuffer


def random_head(num_classes: int) -> Head:
    features = find_features(BACKBONE)
    assert features is not None
    rng = np.random.default_rng(num_classes)
    kernel = rng.normal(0, 0.4, (features.width, num_classes)).astype(np.float32)
    return Head(kernel, rng.normal(0, 1, num_classes).astype(np.float32), -9.0, 9.0)


@pytest.mark.parametrize("num_classes", [2, 3, 10, 17, 300])
@pytest.mark.parametrize("backend", list_available_backends())
def test_the_integer_model_gives_what_the_weights_say(num_classes: int, backend: str) -> None:
    head = random_head(num_classes)
    features, _ = find_head(BACKBONE)
    scale, zero_point = read_scale(BACKBONE, features.tensor)
    changed = replace_head(BACKBONE, head)
    expect_sound(changed)
    interpreter = Interpreter(changed, backend, extra_outputs=(features.tensor,))
    assert interpreter.output.shape == (1, num_classes)
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, interpreter.input.shape[1:], np.uint8)
        stored = interpreter.invoke(pixels)
        real = (interpreter.extra(0).reshape(-1).astype(np.float64) - zero_point) * scale
        logits = real @ head.kernel + head.bias
        powers = np.exp(logits - logits.max())
        np.testing.assert_allclose(stored / 256, powers / powers.sum(), atol=0.05)


def test_everything_before_the_last_layer_stays_byte_for_byte() -> None:
    changed = replace_head(BACKBONE, random_head(4))
    before = np.frombuffer(BACKBONE, np.uint8)
    differing = np.flatnonzero(before != np.frombuffer(changed[: len(BACKBONE)], np.uint8))
    # Offsets of four tensors behind the features, of weights and bias, and of their two buffers.
    assert 0 < len(differing) <= 4 * 8
    assert replace_head(BACKBONE, random_head(4)) == changed


def test_a_replaced_head_can_be_replaced_again_and_read_back() -> None:
    twice = replace_head(replace_head(BACKBONE, random_head(7)), random_head(3))
    features, outputs = find_head(twice)
    assert (features.tensor, outputs) == (find_head(BACKBONE)[0].tensor, find_head(BACKBONE)[1])
    weights = read_constant(twice, features.weights)
    assert weights is not None
    step = np.abs(random_head(3).kernel).max() / 127
    np.testing.assert_allclose(weights.T, random_head(3).kernel, atol=0.51 * step)


def test_a_model_that_does_not_end_so_is_refused() -> None:
    from tests.edge_runtime.toy_graphs import colours  # skips where flatbuffers is not installed

    with pytest.raises(
        ModelError, match=r"does not end in one dense layer over int8 features and a softmax.*make teach-backbone"
    ):
        find_head(colours())


def test_a_head_for_other_features_is_refused() -> None:
    head = Head(np.ones((5, 2), np.float32), np.zeros(2, np.float32), 0.0, 1.0)
    with pytest.raises(ModelError, match="The head is for 5 features, the backbone has 112"):
        replace_head(BACKBONE, head)


def test_a_head_of_zeros_gives_every_class_the_same() -> None:
    features, _ = find_head(BACKBONE)
    head = Head(np.zeros((features.width, 4), np.float32), np.zeros(4, np.float32), 0.0, 0.0)
    interpreter = Interpreter(replace_head(BACKBONE, head))
    stored = interpreter.invoke(np.zeros(interpreter.input.shape[1:], np.uint8))
    assert stored.tolist() == [64] * 4

"""Golden frames are replayed, and every way of missing them is told apart."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.selftest import selftest
from edge_runtime.model.model_file import read_model, write_model


@pytest.fixture
def replay(toy_file, toy_goldens):
    model = read_model(toy_file, "toy")

    def run(backend: str = "auto", **changes):
        goldens = dataclasses.replace(toy_goldens, **changes)
        return selftest(
            Classifier(read_model(write_model(model.flatbuffer, model.contract, goldens), "toy"), backend=backend)
        )

    return run


@pytest.mark.parametrize("backend", list_available_backends())
def test_the_recorded_frames_pass_on_every_interpreter(backend, replay):
    report = replay(backend)
    assert report.passed
    assert (report.num_frames, report.num_inputs_exact) == (3, 3)
    assert [check.num_passed for check in report.outputs] == [3, 3]
    own = backend == list_available_backends()[0]
    assert [check.rule for check in report.outputs] == (["one step", "exact"] if own else ["same label", "same label"])


def test_a_wrong_input_is_found_and_reported_once(replay, toy_goldens):
    images = list(toy_goldens.images)
    images[1] = np.zeros_like(images[1])
    report = replay(images=tuple(images))
    assert (report.passed, report.num_inputs_exact) == (False, 2)
    assert [check.num_passed for check in report.outputs] == [2, 2]
    assert len(report.failures) == 1
    expected = toy_goldens.input_digests[1].tobytes().hex()[:8]
    assert re.fullmatch(
        rf"frame 1: the input tensor of its 17x10 pixels is not the recorded one \(SHA-256 \w{{8}}\.\.\., "
        rf"expected {expected}\.\.\.\)",
        report.failures[0],
    )


@pytest.mark.parametrize(("step", "passed"), [(1, True), (2, False)])
def test_the_recorded_kernels_may_be_one_step_away(replay, toy_goldens, step, passed):
    outputs = toy_goldens.outputs.copy()
    outputs[0, outputs[0].argmax()] -= step
    report = replay(outputs=outputs)
    assert report.passed is passed
    assert report.outputs[0].largest_step == step
    if not passed:
        assert "outputs are up to 2 from those recorded with" in report.failures[0]


def test_the_reference_kernels_must_be_exact(replay, toy_goldens):
    outputs = toy_goldens.reference_outputs.copy()
    outputs[0, outputs[0].argmax()] -= 1
    report = replay(reference_outputs=outputs)
    assert [check.num_passed for check in report.outputs] == [3, 2]
    assert "reference outputs are up to 1 from those recorded" in report.failures[0]


def test_reference_kernels_that_did_not_record_need_only_the_same_label(replay, toy_goldens):
    outputs = toy_goldens.reference_outputs.copy()
    outputs[0, outputs[0].argmax()] -= 1
    report = replay(reference_outputs=outputs, reference_backends=("another",))
    assert report.passed and report.outputs[1].rule == "same label"


def test_other_kernels_need_only_the_same_label(replay, toy_goldens):
    assert replay(kernels="other-kernels", outputs=toy_goldens.outputs // 2).passed
    assert not replay(kernels="other-kernels", outputs=np.roll(toy_goldens.outputs, 1, axis=1)).passed


def test_the_slow_reference_kernels_can_be_left_out(toy_file):
    assert len(selftest(Classifier(read_model(toy_file, "toy")), reference=False).outputs) == 1


def test_a_model_without_goldens_cannot_be_tested(toy_bytes):
    with pytest.raises(ModelError, match="The model has no golden frames, so nothing can be replayed; convert it"):
        selftest(Classifier(read_model(toy_bytes("uint8_metadata"), "toy")))

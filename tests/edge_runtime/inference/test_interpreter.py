"""Each interpreter that is installed here must give the toys' answers, and say clearly why it cannot."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import TensorSpec
from edge_runtime.errors import ConfigurationError, DataError, ModelError, UsageError
from edge_runtime.inference import interpreter as module
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.model.flatbuffer import Table

RED = np.zeros((8, 8, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


def test_at_least_one_interpreter_is_installed():
    assert list_available_backends()


@pytest.mark.parametrize("backend", list_available_backends())
@pytest.mark.parametrize("kernels", ["default", "reference"])
def test_each_interpreter_tells_red_by_each_set_of_kernels(backend, kernels, toy_bytes):
    interpreter = Interpreter(toy_bytes("uint8"), backend, kernels=kernels)
    assert interpreter.input == TensorSpec((1, 8, 8, 3), "uint8", 1 / 128, 127)
    assert interpreter.output == TensorSpec((1, 3), "uint8", 1 / 256, 0)
    names = {"litert": "litert-xnnpack", "tflite": "tflite-builtin"}
    assert interpreter.kernels == ("reference" if kernels == "reference" else names[backend])
    assert interpreter.backend == backend
    assert interpreter.version[0].isdigit()
    output = interpreter.invoke(RED)
    assert (output.tolist(), output.dtype) == ([255, 0, 0], np.uint8)


@pytest.mark.parametrize("backend", list_available_backends())
def test_an_output_that_is_kept_is_not_changed_by_the_next_call(backend, toy_bytes):
    interpreter = Interpreter(toy_bytes("uint8"), backend, threads=2)
    first = interpreter.invoke(RED)
    assert interpreter.invoke(RED[..., ::-1]).tolist() == [0, 0, 255]
    assert first.tolist() == [255, 0, 0]


def test_an_input_of_another_shape_or_dtype_is_refused(toy_bytes):
    interpreter = Interpreter(toy_bytes("uint8"))
    with pytest.raises(DataError, match=r"input tensor is \(8, 3\) uint8, expected \(8, 8, 3\) uint8"):
        interpreter.invoke(RED[0])
    with pytest.raises(DataError, match=r"input tensor is \(8, 8, 3\) int8, expected \(8, 8, 3\) uint8"):
        interpreter.invoke(RED.view(np.int8))


@pytest.mark.parametrize("backend", list_available_backends())
def test_a_schema_that_is_too_new_is_refused_with_the_interpreters_name(backend, toy_bytes):
    newer = bytearray(toy_bytes("uint8"))
    newer[Table.root(bytes(newer)).place(0)] = 9
    with pytest.raises(ModelError, match=rf"{backend} [\d.]+ refuses the model \(.*\): its schema version is 9, exp"):
        Interpreter(bytes(newer), backend)


def test_unknown_settings_are_refused(toy_bytes):
    with pytest.raises(UsageError, match="`backend` is 'onnx', expected auto, litert or tflite"):
        Interpreter(toy_bytes("uint8"), "onnx")
    with pytest.raises(UsageError, match="`threads` is 0, expected 1 to 64"):
        Interpreter(toy_bytes("uint8"), threads=0)
    with pytest.raises(UsageError, match="`kernels` is 'fast', expected default or reference"):
        Interpreter(toy_bytes("uint8"), kernels="fast")


def test_auto_takes_the_first_that_loads_and_logs_why_not_the_one_before(toy_bytes, monkeypatch, caplog):
    last = list_available_backends()[-1]
    others = {name: f"{name} is broken here" for name in module.BACKENDS if name != last}
    loaded = module._load(last)
    monkeypatch.setattr(module, "_load", lambda name: others.get(name, loaded))
    monkeypatch.setattr(module, "BACKENDS", (*others, last))
    with caplog.at_level(logging.WARNING):
        assert Interpreter(toy_bytes("uint8")).backend == last
    assert [f"Falling back to {last}: {reason}" for reason in others.values()] == caplog.messages


def test_auto_prefers_litert():
    assert module.BACKENDS == ("litert", "tflite")
    assert module._choose("auto")[0] == list_available_backends()[0]


def test_without_any_interpreter_the_error_says_what_to_install(toy_bytes, monkeypatch):
    monkeypatch.setattr(module, "_PACKAGES", {"litert": "no_such_litert", "tflite": "no_such_tflite"})
    module._load.cache_clear()
    try:
        with pytest.raises(
            ConfigurationError,
            match=r"No module named 'no_such_litert'.*Install one: pip install 'edge-runtime\[litert\]' or",
        ):
            Interpreter(toy_bytes("uint8"))
        with pytest.raises(ConfigurationError, match=r"no_such_tflite.*pip install 'edge-runtime\[tflite\]'\."):
            Interpreter(toy_bytes("uint8"), "tflite")
        assert list_available_backends() == ()
    finally:
        module._load.cache_clear()


def test_loading_a_model_says_nothing_on_stderr() -> None:
    """In a process of its own, because the delegate's line is written once."""
    toy = Path(__file__).parents[1] / "toys" / "int8.tflite"
    load = f"Interpreter(open({str(toy)!r}, 'rb').read(), {list_available_backends()[0]!r})"
    code = f"from edge_runtime.inference.interpreter import Interpreter; {load}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

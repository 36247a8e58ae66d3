"""Latency, measured on toy models: what can be checked without timing anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convert.measure.latency import find_incompatibility, load_flatbuffer, main, time_models
from convert.tflite import schema
from edge_runtime.inference.interpreter import Interpreter, list_available_backends

TOYS = Path(__file__).parents[2] / "edge_runtime" / "toys"


def test_every_model_is_timed_on_every_backend_and_thread_count_against_the_first(toy: bytes) -> None:
    models = {"float": (TOYS / "float32.tflite").read_bytes(), "int8": toy}
    timings, incompatible = time_models(models, threads=(1, 2), seconds=0.05)
    assert incompatible == ()
    found = {(row.model, row.backend, row.threads) for row in timings}
    assert found == {(m, b, n) for m in models for b in list_available_backends() for n in (1, 2)}
    assert all(row.ratio == 1.0 for row in timings if row.model == "float")
    assert all(0 < row.p50_ms <= row.p95_ms and row.runs >= 30 for row in timings)


def test_a_model_that_a_backend_cannot_run_is_left_out_with_the_reason(toy: bytes) -> None:
    tree = schema.read_tree(toy)
    for code in tree.operatorCodes:
        code.version = 99
    unknown = schema.write_tree(tree)
    timings, incompatible = time_models({"good": toy, "unknown": unknown}, threads=(1,), seconds=0.02)
    assert {row.model for row in timings} == {"good"}
    assert {item.backend for item in incompatible} == set(list_available_backends())
    assert all("refuses the model" in item.reason for item in incompatible)
    assert find_incompatibility(toy, list_available_backends()[0]) is None


def test_the_command_prints_times_and_sizes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(TOYS / "uint8_metadata.tflite")
    labels = Path(path).with_suffix(".txt")
    assert not labels.exists()
    assert main([path, "--threads", "1", "--seconds", "0.02", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert list(data["bytes"]) == [path] and data["timings"][0]["model"] == path and data["incompatible"] == []


@pytest.mark.tensorflow
def test_an_untrained_keras_file_is_timed_as_its_int8_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = pytest.importorskip("keras")
    picture = keras.Input((8, 8, 3))
    path = tmp_path / "untrained.keras"
    scores = keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Rescaling(1 / 64, -2)(picture)))
    keras.Model(picture, scores).save(path)
    model = Interpreter(load_flatbuffer(path))
    assert (model.input.dtype, model.input.shape, model.output.shape) == ("uint8", (1, 8, 8, 3), (1, 4))
    reference = str(TOYS / "uint8_metadata.tflite")
    assert main([reference, str(path), "--threads", "1", "--seconds", "0.02", "--json"]) == 0
    timings = json.loads(capsys.readouterr().out)["timings"]
    assert {row["model"] for row in timings} == {reference, str(path)}


def test_the_command_refuses_impossible_threads_and_missing_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["missing.tflite"]) == 66
    assert main([str(TOYS / "uint8.tflite"), "--threads", "0"]) == 2
    assert "expected numbers of at least 1" in capsys.readouterr().err


def test_a_slow_reference_takes_part_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    from convert.measure import latency

    toy = (Path(__file__).parents[2] / "edge_runtime" / "toys" / "uint8.tflite").read_bytes()
    slowness = {}

    def call_ms(interpreter: object, image: object) -> float:
        # The first interpreter that is timed is the reference; it takes a hundred times as long as the others.
        slowness.setdefault(id(interpreter), 1.0 if slowness else 100.0)
        return slowness[id(interpreter)]

    monkeypatch.setattr(latency, "_call_ms", call_ms)
    timings, _ = latency.time_models({"slow": toy, "fast": toy, "other": toy}, threads=(1,), seconds=0.1)
    assert {timing.ratio for timing in timings if timing.model == "slow"} == {1.0}
    assert all(timing.runs == timings[0].runs for timing in timings if timing.backend == timings[0].backend)

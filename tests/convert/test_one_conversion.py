"""One conversion loads the trained model once, reads each flatbuffer once and builds no interpreter twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convert.config import ConvertConfig
from convert.converter import opened
from convert.inputs import keras_model
from convert.pipeline import convert
from convert.tflite import schema
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter, list_available_backends

pytestmark = pytest.mark.tensorflow


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Counter[Any]:
    """Counts the calls of ``owner.name`` by what they are given; large contents by their hash."""
    calls: Counter[Any] = Counter()
    real = getattr(owner, name)

    def counting(*arguments: Any, **settings: Any) -> Any:
        given = [hash(item) if isinstance(item, bytes) else item for item in arguments if not hasattr(item, "invoke")]
        calls[(*given, *sorted(settings.items()))] += 1
        return real(*arguments, **settings)

    monkeypatch.setattr(owner, name, counting)
    return calls


@pytest.mark.slow
def test_a_conversion_loads_parses_and_opens_everything_once(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = count_calls(monkeypatch, keras_model, "load_network")
    parses = count_calls(monkeypatch, schema.generated.ModelT, "InitFromPackedBuf")
    interpreters = count_calls(monkeypatch, Interpreter, "__init__")
    result = convert(ConvertConfig(make_run(), tmp_path / "x.tflite", num_calibration_images=20))
    assert result.path is not None
    assert list(loads.values()) == [1]
    assert len(parses) == 6, "calibrated; as converted and packed, with whole and with narrower ranges; float32"
    assert sorted(parses.values()) == [1, 1, 1, 1, 1, 2], (
        "the calibrated one before its ranges are narrowed, and for it"
    )
    # The integer model as converted, packed, and packed with the reference kernels; and the float model on one backend.
    # For the ranges, once each: the calibrated model with its inner tensors, and those three that are compared.
    assert sum(interpreters.values()) == 3 * len(list_available_backends()) + 1 + 4
    assert set(interpreters.values()) == {1}


def test_a_packed_model_with_other_outputs_is_never_used(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "compare_outputs", lambda one, two: tuple(one))
    out = tmp_path / "x.tflite"
    with pytest.raises(ModelError, match=r"converted model give different outputs on litert.*bug in the packer"):
        convert(ConvertConfig(make_run(), out, num_calibration_images=20))
    assert not out.exists()

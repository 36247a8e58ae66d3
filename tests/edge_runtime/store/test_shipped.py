"""The package's own models, and what a model's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import MissingInputError
from edge_runtime.model.model_file import open_model
from edge_runtime.store import shipped
from edge_runtime.store.naming import find_model
from edge_runtime.store.shipped import DEFAULT_NAME, default_model, is_shipped, list_shipped_models
from edge_runtime.store.store import Store


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in the place of the package's own."""
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    return tmp_path


def test_a_missing_default_model_says_how_to_name_one(folder: Path) -> None:
    with pytest.raises(MissingInputError, match=r"installation is incomplete. Name a file of yours with `model`"):
        default_model()
    (folder / "default.tflite").touch()
    assert default_model() == folder / "default.tflite"


def test_shipped_models_go_by_their_file_names_the_default_one_first(folder: Path) -> None:
    for name in ("alpha.tflite", "default.tflite", "zeta.tflite", "notes.txt"):
        (folder / name).touch()
    assert list(list_shipped_models()) == ["default", "alpha", "zeta"]
    assert list_shipped_models()["zeta"] == folder / "zeta.tflite"
    assert is_shipped(folder / "zeta.tflite") and not is_shipped(folder / "deeper" / "zeta.tflite")


def test_a_bare_name_is_a_shipped_model_and_anything_else_a_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("resnet8") == list_shipped_models()["resnet8"]
    assert find_model(Path("resnet8")) == Path("resnet8")
    assert find_model("resnet8.tflite") == Path("resnet8.tflite")
    assert find_model("models/resnet8") == Path("models/resnet8")
    Path("resnet8").touch()
    assert find_model("resnet8") == Path("resnet8"), "a file that is there goes first"


def test_a_name_that_is_none_lists_those_that_are() -> None:
    with pytest.raises(MissingInputError, match=r"no model resnet9, expected the path .* one of default, resnet8, "):
        find_model("resnet9")


def test_no_name_is_the_installed_model_else_the_shipped_one(make_model) -> None:
    assert find_model() == default_model() == open_model().path
    installed = Store().add(make_model(1))
    assert find_model() == Store().path_of(installed) == open_model().path


def test_the_default_model_is_found_by_the_name_that_results_and_info_call_it() -> None:
    assert open_model(DEFAULT_NAME).contract.spec.name == DEFAULT_NAME
    assert find_model(DEFAULT_NAME) == find_model("default") == default_model()

"""Each shipped model, scored again: always on embedded test images, and on all 10,000 where the complete CIFAR-10 is available."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.selftest import selftest
from edge_runtime.model.model_file import open_model
from edge_runtime.store.shipped import list_shipped_models
from tests.tools.zoo.__main__ import with_table
from train.datasets import open_dataset
from train.datasets.cifar10_mini import read_mini
from train.datasets.cifar10_sources import cache_file, list_keras_folders
from train.recipes.config import preset
from train.zoo import ZOO

DOCS = Path(__file__).parents[3] / "docs" / "zoo"
SPEC = InputSpec(32, 32)
NUM_EMBEDDED = 300
# Of 300 embedded test pictures, the same number of each class; a new model needs new ones, which the assertion shows.
RIGHT = {
    ("micro", "litert"): 274,
    ("micro", "tflite"): 274,
    ("resnet8", "litert"): 274,
    ("resnet8", "tflite"): 273,
    ("small", "litert"): 283,
    ("small", "tflite"): 283,
}
SHIPPED = [name for name, model in ZOO.items() if model.model is None]
complete_data = pytest.mark.skipif(
    not any(path.exists() for path in (cache_file(), *list_keras_folders())),
    reason=f"the complete CIFAR-10 is not in {cache_file()}; `make zoo` fetches it",
)
every_model = pytest.mark.parametrize("path", list_shipped_models().values(), ids=lambda path: path.stem)
every_backend = pytest.mark.parametrize("backend", list_available_backends())


def right(classifier: Classifier, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> int:
    """How many of the (n, 32, 32, 3) uint8 RGB ``images`` are answered right, with the device's own code."""
    answers = [classifier.probabilities(np.ascontiguousarray(image[..., ::-1])).argmax() for image in images]
    return int((np.array(answers) == labels).sum())


def tolerance(path: Path, num_images: int) -> int:
    """0 where this processor gives exactly the recorded outputs; others may round a few answers differently."""
    if "litert" not in list_available_backends():
        return num_images // 100
    with Classifier(path, backend="litert") as classifier:
        steps = [check.largest_step for check in selftest(classifier, reference=False).outputs]
    return num_images // 100 if any(steps) else 0


@every_backend
@every_model
def test_as_many_embedded_pictures_are_right_as_when_the_model_was_shipped(path: Path, backend: str) -> None:
    _, split = read_mini(SPEC)
    chosen = np.linspace(0, len(split.labels) - 1, NUM_EMBEDDED).round().astype(int)
    with Classifier(path, backend=backend) as classifier:
        found = right(classifier, split.images[chosen], split.labels[chosen])
        name = classifier.contract.spec.name
    assert abs(found - RIGHT[name, backend]) <= tolerance(path, NUM_EMBEDDED), (name, backend, found)


@pytest.mark.slow
@complete_data
@every_backend
@every_model
def test_as_many_of_all_test_pictures_are_right_as_the_file_claims(path: Path, backend: str) -> None:
    test = open_dataset("cifar10", None, SPEC, 0).test
    with Classifier(path, backend=backend) as classifier:
        (claimed,) = (score for score in classifier.contract.scores if score.backend == backend)
        found = right(classifier, test.images, test.labels)
    assert claimed.num_images == len(test.labels) == 10_000
    assert abs(found - claimed.num_correct) <= tolerance(path, len(test.labels)), found


@every_model
def test_the_integer_model_is_within_a_third_of_a_point_of_the_float_one(path: Path) -> None:
    floating, *integer = open_model(path).contract.scores
    assert floating.backend == "float32" and {score.backend for score in integer} == {"litert", "tflite"}
    assert all(abs(score.accuracy - floating.accuracy) <= 0.003 for score in integer)


@every_model
def test_the_recipe_in_the_file_is_the_one_that_make_zoo_uses(path: Path) -> None:
    training = open_model(path).contract.provenance["training"]
    model = ZOO[training["model"]]
    now = dataclasses.asdict(
        dataclasses.replace(preset(training["model"], model.recipe, model.epochs), **model.changes)
    )
    assert (training["data"], training["seed"]) == ("cifar10", model.seed)
    assert training["recipe"] == {name: now[name] for name in training["recipe"]}
    teacher = None if model.teacher is None else ZOO[model.teacher].model or model.teacher
    assert (training.get("teacher") or {"name": None})["name"] == teacher


def test_the_default_model_is_small_and_every_model_of_the_zoo_is_shipped() -> None:
    names = {open_model(path).contract.spec.name for path in list_shipped_models().values()}
    assert names == set(SHIPPED)
    assert len(open_model(next(iter(list_shipped_models().values()))).flatbuffer) <= 98_496


@every_model
def test_the_card_is_that_of_the_shipped_file(path: Path) -> None:
    contract = open_model(path).contract
    card = (DOCS / f"{contract.spec.name}.md").read_text("utf-8")
    assert f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`" in card
    for score in contract.scores:
        name = "float32" if score.backend == "float32" else f"int8 on {score.backend}"
        assert f"| {name} | {score.num_correct:,} | {score.accuracy:.2%} |" in card
    assert (DOCS / f"{contract.spec.name}.svg").read_text("utf-8").startswith("<svg xmlns=")


def test_the_zoo_page_has_the_figures_of_the_shipped_files() -> None:
    page = (DOCS / "README.md").read_text("utf-8")
    for path in list_shipped_models().values():
        model = open_model(path)
        name = model.contract.spec.name
        rates = " | ".join(f"{score.accuracy:.2%}" for score in model.contract.scores)
        assert f"| [{name}]({name}.md) |" in page and f"{len(model.flatbuffer):,} | {rates} |" in page


@pytest.mark.parametrize("part", ["arm", "x86", "packing"])
def test_every_table_of_the_zoo_page_has_every_shipped_model(part: str) -> None:
    page = (DOCS / "README.md").read_text("utf-8")
    table = page.split(f"<!-- {part} -->")[1].split(f"<!-- end of {part} -->")[0]
    assert [name for name in SHIPPED if not re.search(rf"^\| {name}\b", table, re.M)] == []


def test_a_table_is_put_between_its_marks_and_nowhere_else() -> None:
    page = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n"
    assert with_table(page, "x", "new") == "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n"
    with pytest.raises(ValueError, match="not enough values to unpack"):
        with_table(page, "y", "new")

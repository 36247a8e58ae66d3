"""The pretrained network recognises real photos, and its cuts are what the whole computes on its way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import read_image
from edge_runtime.pixels.preprocess import preprocess

keras = pytest.importorskip("keras", reason="needs Keras, the workstation's environment")
pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

from train.models.normalization import add_normalized_input  # noqa: E402
from train.recipes.transfer_config import SCALES  # noqa: E402
from train.transfer.backbone import efficientnet_lite0 as backbone  # noqa: E402
from train.transfer.backbone.torch_weights import read_torch_weights  # noqa: E402
from train.transfer.photos import build  # noqa: E402

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def weights() -> dict[str, backbone.Folded]:
    try:
        return backbone.load_pretrained()
    except MissingInputError as error:
        pytest.skip(str(error))


def test_real_photos_get_their_imagenet_class(weights: dict[str, backbone.Folded]) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared photos are not beside this checkout")
    tensors = read_torch_weights(backbone.find_weights_file().read_bytes(), backbone.WEIGHTS_SHA256)
    pixels, x = add_normalized_input(InputSpec(224, 224))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.extend(x, 0, 16))
    model = keras.Model(pixels, keras.layers.Dense(1000, name="classes")(pooled))
    backbone.set_weights(model, weights)
    model.get_layer("classes").set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    names = (SHARED / "models" / "imagenet_labels.txt").read_text().splitlines()[1:]
    files = {"parrot": "macaw", "hot_dog": "hotdog", "cat_720p": "Egyptian cat", "grace_hopper": "military uniform"}
    spec = InputSpec(224, 224, "crop")
    images = np.stack([preprocess(read_image(SHARED / "photos" / f"{name}.jpg"), spec) for name in files])
    answers = np.asarray(model(images.astype(np.float32))).argmax(axis=1)
    assert [expected in names[answer] for expected, answer in zip(files.values(), answers, strict=True)] == [True] * 4


def test_a_cut_network_gives_what_the_whole_one_computes_there(weights: dict[str, backbone.Folded]) -> None:
    whole = build(InputSpec(128, 128), SCALES["full"], 3)
    part = build(InputSpec(128, 128), SCALES["tiny"], 3)
    for model in (whole, part):
        backbone.set_weights(model, weights)
    image = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3)).astype(np.float32)
    inner = keras.Model(whole.input, whole.get_layer("block08_expand_relu").output)(image)
    outer = keras.Model(part.input, part.get_layer("block08_expand_relu").output)(image)
    assert outer.shape == (1, 8, 8, 480)
    np.testing.assert_array_equal(np.asarray(inner), np.asarray(outer))


@pytest.mark.parametrize(("scale", "parameters"), [("tiny", 300_000), ("small", 750_000), ("full", 3_400_000)])
def test_a_scale_has_its_size_and_stock_layers_without_batch_norms(scale: str, parameters: int) -> None:
    model = build(InputSpec(96, 96), SCALES[scale], 10)
    assert 0.8 * parameters < model.count_params() < 1.2 * parameters
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds <= {
        "InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D", "ReLU", "Add", "GlobalAveragePooling2D", "Dense",
    }  # fmt: skip
    assert type(model.layers[1]).__name__ == "Rescaling"


def test_another_file_of_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(DataError, match=r"The ImageNet weights have SHA-256 .*, expected 5793.*install"):
        backbone.load_pretrained(tmp_path / "other.pth")


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(MissingInputError, match=r"not installed; expected the package .*==0.1.0. Run `make setup`"):
        backbone.find_weights_file()

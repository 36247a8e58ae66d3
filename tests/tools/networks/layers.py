"""One toy network for each stock Keras layer and activation that a classifier may hold: what the operator table and the
table of agreement are made with.

Each toy is a 16x16 colour image -> convolution -> the layer -> mean -> dense of four classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SIDE, NUM_CLASSES, WIDTH = 16, 4, 8
ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid", "hard_sigmoid",
    "hard_silu", "tanh", "hard_tanh", "softplus", "softsign", "exponential", "squareplus", "log_sigmoid", "softmax",
    "soft_shrink", "hard_shrink", "tanh_shrink", "sparse_plus",
)  # fmt: skip


def list_toys() -> Mapping[str, Callable[[], Any]]:
    """Makers of untrained Keras models, logits out, by the name of what they hold."""
    import keras

    layers, ops = keras.layers, keras.ops

    def around(*middle: Any) -> Callable[[], Any]:
        """The layers, each called on one (1, 16, 16, 8) tensor after the other."""

        def make() -> Any:
            image = keras.Input((SIDE, SIDE, 3))
            x = layers.Conv2D(WIDTH, 3, padding="same")(layers.Rescaling(1 / 127.5, -1)(image))
            for step in middle:
                x = step(x)
            if len(x.shape) == 4:
                x = layers.GlobalAveragePooling2D()(x)
            elif len(x.shape) == 3:
                x = layers.GlobalAveragePooling1D()(x)
            return keras.Model(image, layers.Dense(NUM_CLASSES)(x))

        return make

    def merged(merge: Any) -> Callable[[], Any]:
        return around(lambda x: merge([x, layers.Conv2D(WIDTH, 1)(x)]))

    toys: dict[str, Callable[[], Any]] = {
        f"activation {name}": around(layers.Activation(name))
        for name in ACTIVATIONS
        if hasattr(keras.activations, name)
    }
    return toys | {
        "Conv2D relu": around(layers.Conv2D(8, 3, activation="relu")),
        "Conv2D strides": around(layers.Conv2D(8, 3, strides=2, padding="same")),
        "Conv2D dilated": around(layers.Conv2D(8, 3, dilation_rate=2, padding="same")),
        "Conv2D groups": around(layers.Conv2D(8, 3, groups=2)),
        "DepthwiseConv2D": around(layers.DepthwiseConv2D(3, padding="same", activation="relu6")),
        "DepthwiseConv2D dilated": around(layers.DepthwiseConv2D(3, dilation_rate=2)),
        "DepthwiseConv2D multiplier": around(layers.DepthwiseConv2D(3, depth_multiplier=2)),
        "SeparableConv2D": around(layers.SeparableConv2D(8, 3)),
        "Conv2DTranspose": around(layers.Conv2DTranspose(8, 3, strides=2)),
        "Conv2DTranspose relu": around(layers.Conv2DTranspose(8, 3, strides=2, activation="relu")),
        "Conv2DTranspose without bias": around(layers.Conv2DTranspose(8, 3, strides=2, use_bias=False)),
        "Conv2DTranspose same": around(layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu6")),
        "Conv2DTranspose normalised": around(
            layers.Conv2DTranspose(8, 3, strides=2, use_bias=False), layers.BatchNormalization(), layers.ReLU()
        ),
        "Conv1D": around(layers.Reshape((SIDE * SIDE, WIDTH)), layers.Conv1D(8, 3)),
        "SeparableConv1D": around(layers.Reshape((SIDE * SIDE, WIDTH)), layers.SeparableConv1D(8, 3)),
        "Dense": around(layers.GlobalAveragePooling2D(), layers.Dense(16, "relu")),
        "Dense over positions": around(layers.Dense(16, "relu")),
        "EinsumDense": around(layers.EinsumDense("bhwc,cd->bhwd", (SIDE, SIDE, 8), bias_axes="d")),
        "BatchNormalization": around(layers.BatchNormalization()),
        "BatchNormalization alone": around(layers.MaxPooling2D(), layers.BatchNormalization()),
        "LayerNormalization": around(layers.LayerNormalization()),
        "GroupNormalization": around(layers.GroupNormalization(4)),
        "UnitNormalization": around(layers.UnitNormalization()),
        "RMSNormalization": around(layers.RMSNormalization()),
        "MaxPooling2D": around(layers.MaxPooling2D()),
        "AveragePooling2D": around(layers.AveragePooling2D(3, 2, "same")),
        "GlobalMaxPooling2D": around(layers.GlobalMaxPooling2D()),
        "GlobalAveragePooling2D keepdims": around(layers.GlobalAveragePooling2D(keepdims=True)),
        "UpSampling2D nearest": around(layers.UpSampling2D(2)),
        "UpSampling2D bilinear": around(layers.UpSampling2D(2, interpolation="bilinear")),
        "Resizing": around(layers.Resizing(12, 12)),
        "CenterCrop": around(layers.CenterCrop(12, 12)),
        "ZeroPadding2D": around(layers.ZeroPadding2D(2)),
        "Cropping2D": around(layers.Cropping2D(2)),
        "Flatten": around(layers.MaxPooling2D(4), layers.Flatten()),
        "Reshape": around(layers.Reshape((SIDE // 2, SIDE * 2, 8))),
        "Permute": around(layers.Permute((2, 1, 3))),
        "RepeatVector": around(layers.GlobalAveragePooling2D(), layers.RepeatVector(3)),
        "Add": merged(layers.Add()),
        "Subtract": merged(layers.Subtract()),
        "Multiply": merged(layers.Multiply()),
        "Maximum": merged(layers.Maximum()),
        "Minimum": merged(layers.Minimum()),
        "Average": merged(layers.Average()),
        "Concatenate": merged(layers.Concatenate()),
        "Dot": around(layers.GlobalAveragePooling2D(), lambda x: layers.Dot(1)([x, layers.Dense(8)(x)])),
        "ReLU 6": around(layers.ReLU(6.0)),
        "LeakyReLU": around(layers.LeakyReLU()),
        "PReLU": around(layers.PReLU(shared_axes=(1, 2), alpha_initializer="random_normal")),
        "Softmax over channels": around(layers.Softmax()),
        "squeeze and excite": around(
            lambda x: layers.Multiply()(
                [
                    x,
                    layers.Dense(8, "sigmoid")(
                        layers.Dense(4, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
                    ),
                ]
            )
        ),
        "Rescaling inside": around(layers.Rescaling(0.5, 0.1)),
        "SpatialDropout2D": around(layers.SpatialDropout2D(0.2)),
        "GaussianNoise": around(layers.GaussianNoise(0.1)),
        "RandomFlip": around(layers.RandomFlip()),
        "MultiHeadAttention": around(
            layers.MaxPooling2D(4), layers.Reshape((16, WIDTH)), lambda x: layers.MultiHeadAttention(2, 4)(x, x)
        ),
        "operation abs": around(ops.abs),
        "operation square": around(ops.square),
        "operation exp": around(ops.exp),
        "operation log": around(lambda x: ops.log(ops.relu(x) + 1.0)),
        "operation sqrt": around(lambda x: ops.sqrt(ops.relu(x) + 1.0)),
        "operation rsqrt": around(lambda x: ops.rsqrt(ops.relu(x) + 1.0)),
        "operation power": around(lambda x: ops.power(ops.relu(x) + 1.0, 2.0)),
        "operation divide": around(lambda x: x / (ops.relu(x) + 1.0)),
        "operation where": around(lambda x: ops.where(x > 0.0, x, 0.2 * x)),
        "operation clip": around(lambda x: ops.clip(x, -1.0, 1.0)),
        "operation clip to 1": around(lambda x: ops.clip(x, 0.0, 1.0)),
        "operation max": around(lambda x: ops.max(x, axis=(1, 2))),
        "operation min": around(lambda x: ops.min(x, axis=(1, 2))),
        "operation sum": around(lambda x: ops.sum(x, axis=(1, 2))),
        "operation variance": around(lambda x: ops.var(x, axis=(1, 2))),
        "operation normalize": around(lambda x: ops.normalize(x, axis=-1)),
        "operation transpose": around(lambda x: ops.transpose(x, (0, 2, 1, 3))),
        "operation stack": around(lambda x: ops.sum(ops.stack([x, ops.relu(x)], axis=1), axis=1)),
        "operation split": around(lambda x: ops.split(x, 2, axis=-1)[0]),
        "operation slice": around(lambda x: x[:, 2:10, ::2]),
        "operation pad": around(lambda x: ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")),
        "operation pad constant": around(lambda x: ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-1.0)),
        "operation flip": around(lambda x: ops.flip(x, axis=2)),
        "operation tile": around(lambda x: ops.tile(x, (1, 2, 1, 1))),
        "operation expand": around(lambda x: ops.sum(ops.expand_dims(x, 1), axis=1)),
        "operation log_softmax": around(layers.GlobalAveragePooling2D(), ops.log_softmax),
        "operation matmul": around(
            layers.MaxPooling2D(4), layers.Reshape((16, WIDTH)), lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        ),
        "operation argmax": around(lambda x: ops.cast(ops.argmax(x, axis=-1, keepdims=True), "float32")),
        "operation sin": around(ops.sin),
        "operation floor": around(ops.floor),
        "operation round": around(ops.round),
        "operation sign": around(ops.sign),
        "operation cumsum": around(lambda x: ops.cumsum(x, axis=1)),
        "operation take": around(lambda x: ops.take(x, [0, 2, 4], axis=-1)),
    }

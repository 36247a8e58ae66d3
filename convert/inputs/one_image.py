"""One image in, one row of class scores out: expects that of a loaded Keras model, and says how to get there from
other shapes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from convert.inputs.bounds import find_last, find_origin, name_kind
from edge_runtime.errors import ModelError


def expect_one_row(path: Path, model: Any) -> Any:
    """The Keras ``model``, which takes (n, H, W, 3 or 1) and gives (n, classes); a single input or output that a list
    or a dictionary holds is taken out of it.

    Raises:
        ModelError: it does not; the text names ``path`` and the line of Keras that changes it, where one does.
    """
    import keras

    if not getattr(model, "built", True) or not getattr(model, "inputs", None):
        raise ModelError(
            f"{path} has no input shape yet, expected one: it was saved before it had seen an image, so the file "
            "holds no weights. Begin the Sequential model with keras.Input((height, width, 3)), train and save it."
        )
    taken, given = ([tuple(tensor.shape) for tensor in tensors] for tensors in (model.inputs, model.outputs))
    if len(taken) != 1 or len(given) != 1 or len(taken[0]) != 4 or taken[0][3] not in (1, 3) or len(given[0]) != 2:
        raise ModelError(
            f"{path} maps {_say(taken)} to {_say(given)}, expected one image (n, height, width, 3 or 1) to one row of "
            f"scores (n, classes).{_say_input(taken) or _say_output(model, given)}"
        )
    if isinstance(model, keras.Sequential):  # has one of each, and may not say which
        return model
    if isinstance(model.input, keras.KerasTensor) and isinstance(model.output, keras.KerasTensor):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _say(shapes: list[tuple[int | None, ...]]) -> str:
    return str(shapes[0] if len(shapes) == 1 else shapes)


def _say_input(shapes: list[tuple[int | None, ...]]) -> str:
    """What makes a model of one image of a model with these inputs; empty where it has such an input, or nothing simple
    does.
    """
    if len(shapes) > 1:
        return " A camera gives an image and nothing else: build a model with that input alone, and save it."
    shape = shapes[0]
    if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
        image, layer = (shape[2], shape[3], shape[1]), "Permute((3, 1, 2))"
    elif len(shape) == 3 and None not in shape[1:]:
        image, layer = (shape[1], shape[2], 1), f"Reshape({shape[1:]})"
    elif len(shape) == 2 and shape[1] and (sides := _find_square(shape[1])):
        image, layer = sides, f"Reshape({shape[1:]})"
    elif len(shape) == 4 and shape[3] == 4:
        return " Images have no transparency here: train it on three channels."
    else:
        return ""
    return (
        f" Give it images and save that: image = keras.Input({image}); "
        f"keras.Model(image, model(keras.layers.{layer}(image)))."
    )


def _find_square(num: int) -> tuple[int, int, int] | None:
    for depth in (1, 3):
        side = math.isqrt(num // depth)
        if side * side * depth == num:
            return side, side, depth
    return None


def _say_output(model: Any, shapes: list[tuple[int | None, ...]]) -> str:
    """What makes one row of scores of these outputs; empty where nothing simple does."""
    if len(shapes) > 1:
        return " Keep the output that classifies and save that: keras.Model(model.input, model.outputs[0])."
    shape = shapes[0]
    if len(shape) == 1:
        operation, before = find_origin(find_last(model))
        if name_kind(operation) in ("argmax", "stringlookup") or "int" in str(model.outputs[0].dtype):
            name = find_origin(before[0])[0].name if before else ""
            return (
                " It gives the number of the class, which holds no scores. Save it up to these: "
                f"keras.Model(model.input, model.get_layer({name!r}).output)."
            )
        return (
            " Give the number a row of its own and save that: "
            "keras.Model(model.input, keras.layers.Reshape((1,), name='row')(model.output))."
        )
    if len(shape) > 2 and all(side == 1 for side in shape[1:-1]):
        return " Flatten it and save that: keras.Model(model.input, keras.layers.Flatten(name='row')(model.output))."
    if len(shape) == 4:
        return " It gives a map of scores: this program names whole images, and finds nothing within them."
    return ""

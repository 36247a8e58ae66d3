"""Refuses a model whose outputs are neither logits nor probabilities, and says what they are instead: clipped, scaled,
several distributions side by side, or too close together for any answer to be clear.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.config import CLEAR_MARGIN
from convert.inputs.bounds import UNIT, Bounds, find_last, find_origin, follow, name_kind, read_activation, read_line
from edge_runtime.errors import ModelError

# float16 arithmetic leaves a sum of probabilities a few thousandths away from one.
SLACK = 5e-3
# Fewer images with the same best score twice may be chance.
MANY_TIES, ENOUGH_IMAGES = 0.25, 8


def expect_scores(model: Any, values: NDArray[np.float32], bounds: Bounds | None, name: object) -> None:
    """Returns when the (n, outputs) float32 ``values`` of the Keras ``model`` on n images can be logits or
    probabilities; ``bounds`` are what its graph allows.

    Raises:
        ModelError: they cannot; ``name`` is in the text, and what to leave out.
    """
    reason = (
        _name_scaled(model)
        or _name_one_sided(model, values.shape[1], bounds)
        or _name_constant_sum(values)
        or _name_power(model, values)
        or _name_ties(model, values, bounds)
        or _name_flat(model, values.shape[1], bounds)
    )
    if reason:
        raise ModelError(f"{name} {reason}")


def _name_scaled(model: Any) -> str:
    """Probabilities that arithmetic moved out of 0..1."""
    tensor = find_last(model)
    line, given = read_line(tensor), find_origin(tensor)[1]
    before, after = (follow(given[0]), follow(tensor)) if line is not None and given else (None, None)
    if before is None or after is None or not before.within(UNIT) or after.within(UNIT):
        return ""
    return (
        f"ends in {_name_last(model)}, which brings probabilities from {_say(before)} to {_say(after)}; expected "
        f"probabilities or logits. {_leave_out(model)}"
    )


def _name_one_sided(model: Any, num_outputs: int, bounds: Bounds | None) -> str:
    """A single output that is always on one side of what tells the two classes apart."""
    if num_outputs > 1 or bounds is None or bounds.within(UNIT) or bounds.low < 0 < bounds.high:
        return ""
    side = "below" if bounds.low >= 0 else "above"
    return (
        f"has one output, which {_name_last(model)} never lets get {side} 0; expected the second label's probability "
        f"(0 to 1) or its logit (below 0: the first label). {_leave_out(model)}"
    )


def _name_constant_sum(values: NDArray[np.float32]) -> str:
    """Outputs that are a distribution, but not one over the classes."""
    sums = values.sum(axis=1, dtype=np.float64)
    total = float(sums.mean())
    is_constant = bool((np.abs(sums - total) <= SLACK * max(total, 1e-6)).all())
    differ = bool((np.ptp(values, axis=0) > SLACK * max(total, 1e-6)).any())
    if values.shape[1] == 1 or not is_constant or not differ or abs(total - 1) <= SLACK or (values < -SLACK).any():
        return ""
    return (
        f"gives {values.shape[1]} outputs that sum to {total:.4g} for every image; expected logits, or probabilities, "
        "which sum to 1. They are several distributions side by side, or one that was scaled or taken from 1. Keep one "
        "softmax over the classes of the labels, and save that."
    )


def _name_power(model: Any, values: NDArray[np.float32]) -> str:
    """exp(logits) that nobody divided by their sum."""
    tensor = find_last(model)
    if name_kind(find_origin(tensor)[0]) not in ("exp", "exponential") or values.shape[1] == 1:
        return ""
    return (
        f"ends in {_name_last(model)}, whose outputs do not sum to 1; expected probabilities or logits. What goes into "
        f"it are logits. {_leave_out(model)}"
    )


def _name_ties(model: Any, values: NDArray[np.float32], bounds: Bounds | None) -> str:
    """Outputs that are cut off, so that the best two are often equal."""
    if values.shape[1] == 1 or bounds is None or len(values) < ENOUGH_IMAGES:
        return ""
    second, best = np.partition(values, -2, axis=1)[:, -2:].T
    at_limit = np.isclose(best, bounds.low, atol=1e-6) | np.isclose(best, bounds.high, atol=1e-6)
    num = int((at_limit & (best - second <= 1e-6)).sum())
    if num < MANY_TIES * len(values):
        return ""
    return (
        f"ends in {_name_last(model)}, which cuts its scores off ({_say(bounds)}): on {num} of {len(values)} images "
        f"the best two classes are equal. {_leave_out(model)}"
    )


def _name_flat(model: Any, num_outputs: int, bounds: Bounds | None) -> str:
    """Outputs so close together that no class can lead clearly."""
    tensor = find_last(model)
    kind, given = name_kind(find_origin(tensor)[0]), find_origin(tensor)[1]
    is_softmax = kind == "softmax" and read_activation(find_origin(tensor)[0]) in (None, "softmax")
    logits = (follow(given[0]) if given and _is_alone(find_origin(tensor)[0]) else None) if is_softmax else bounds
    if num_outputs == 1 or logits is None or (not is_softmax and logits.within(UNIT)):
        return ""
    power = np.exp(min(logits.high - logits.low, 100.0))
    lead = float((power - 1) / (power + num_outputs - 1))
    if lead >= CLEAR_MARGIN:
        return ""
    what = f"ends in a softmax over values {_say(logits)}" if is_softmax else f"gives logits {_say(logits)}"
    return (
        f"{what}, so the best of {num_outputs} classes never leads the second by more than {lead:.2f}; expected "
        f"{CLEAR_MARGIN} at least. {_leave_out(model)}"
    )


def _is_alone(operation: Any) -> bool:
    """Whether a softmax is an operation of its own and not the activation of a layer with weights."""
    return not getattr(operation, "weights", None)


def _say(bounds: Bounds) -> str:
    return f"{bounds.low:g} to {bounds.high:g}"


def _name_last(model: Any) -> str:
    operation = find_origin(find_last(model))[0]
    activation = read_activation(operation)
    return f"the activation {activation} of {operation.name}" if activation else f"the operation {operation.name}"


def _leave_out(model: Any) -> str:
    """The line of Keras that saves the model without what it computes last."""
    import keras

    operation, given = find_origin(find_last(model))
    inner = any(operation is one for one in model.operations)
    if inner and getattr(operation, "weights", None):
        return f"Take it off and save that: model.get_layer({operation.name!r}).activation = keras.activations.linear."
    before = find_origin(given[0])[0] if given else None
    if inner and isinstance(before, keras.Layer):
        return f"Leave it out and save that: keras.Model(model.input, model.get_layer({before.name!r}).output)."
    return "Leave it out and save the model again."

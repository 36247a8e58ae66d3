"""Records on this device what a model answers, as goldens for those to come: the shipped models' own images, through
every set of kernels that is installed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.inference.postprocess import find_best, probabilities
from edge_runtime.inference.selftest import FLOAT_STEP
from edge_runtime.model.goldens import Goldens, hash_input

# Reference kernels are slow: a network of 300 million products takes a second or more a frame with them.
MOST_FRAMES = 4


def record_goldens(classifier: Classifier, frames: Goldens) -> Goldens:
    """Up to `MOST_FRAMES` of the images in ``frames``, with what ``classifier`` makes of them: those on which all
    kernels here give one label, the clearest first.

    Raises:
        ModelError: there is no such image.
    """
    model, backend = classifier.model, classifier.interpreter.backend
    shape = classifier.contract.input_tensor.shape
    backends = list_available_backends()
    references = {
        each: Interpreter(model.flatbuffer, each, kernels="reference", input_shape=shape)
        for each in (backend, *backends)
    }
    others = [Interpreter(model.flatbuffer, each, input_shape=shape) for each in backends if each != backend]
    inputs = [classifier.input_tensor(frame) for frame in frames.frames]
    outputs = np.stack([classifier.interpreter.invoke(each) for each in inputs])
    margins = [_margin(probabilities(output, classifier.contract)) for output in outputs]
    chosen, recorded, exact = [], [], set(references)
    for index in np.argsort(margins, kind="stable")[::-1].tolist():
        found = {each: kernels.invoke(inputs[index]) for each, kernels in references.items()}
        stored = np.stack([outputs[index], *found.values(), *(kernels.invoke(inputs[index]) for kernels in others)])
        if len(set(find_best(stored, classifier.contract).tolist())) > 1:
            continue
        chosen.append(index)
        recorded.append(found[backend])
        exact &= {each for each, output in found.items() if _is_same(output, found[backend])}
        if len(chosen) == MOST_FRAMES:
            break
    if not chosen:
        raise ModelError(
            f"{model.contract.spec.name} gives other labels on other kernels for all {len(inputs)} images, expected at "
            "least one that is clear: state how its input is normalised, or convert it again."
        )
    return Goldens(
        tuple(frames.images[index] for index in chosen),
        frames.repeats[chosen],
        np.stack([hash_input(inputs[index]) for index in chosen]),
        outputs[chosen],
        np.stack(recorded),
        classifier.interpreter.kernels,
        tuple(sorted(exact)),
    )


def _margin(scores: NDArray[np.float32]) -> float:
    second, best = np.partition(scores, -2)[-2:]
    return float(best - second)


def _is_same(output: NDArray[Any], recorded: NDArray[Any]) -> bool:
    if output.dtype.kind != "f":
        return np.array_equal(output, recorded)
    return float(np.abs(output - recorded).max()) <= FLOAT_STEP * max(1.0, float(np.abs(recorded).max()))

"""Records on this device what a model answers, as goldens for other devices: the shipped models' own images, run with
every installed set of kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.inference.postprocess import find_best, probabilities
from edge_runtime.inference.selftest import FLOAT_STEP, SIMILARITY_STEP
from edge_runtime.model.goldens import Goldens, hash_input

# Reference kernels are slow: a network with 300 million products takes a second or more per frame.
MOST_FRAMES = 4


def record_goldens(classifier: Classifier, frames: Goldens, most_frames: int = MOST_FRAMES) -> Goldens:
    """Up to ``most_frames`` of the images in ``frames``, with the answers of ``classifier``: those for which all
    kernels here agree on the label, and on the cosine to the neighbours if there are any; the clearest first.

    Raises:
        ModelError: they agree on no image.
    """
    model, backend = classifier.model, classifier.interpreter.backend
    shape = classifier.contract.input_tensor.shape
    backends = list_available_backends()
    neighbours, rows = classifier.contract.neighbours, model.neighbours
    table = None if neighbours is None or rows is None else NeighbourTable(neighbours, rows)
    extra = () if neighbours is None or table is None else (neighbours.tensor,)
    references = {
        each: Interpreter(model.flatbuffer, each, kernels="reference", extra_outputs=extra, input_shape=shape)
        for each in dict.fromkeys((backend, *backends))
    }
    others = [
        Interpreter(model.flatbuffer, each, extra_outputs=extra, input_shape=shape)
        for each in backends
        if each != backend
    ]
    inputs = [classifier.input_tensor(frame) for frame in frames.frames]
    outputs = np.stack([classifier.interpreter.invoke(each) for each in inputs])
    margins = [_margin(probabilities(output, classifier.contract)) for output in outputs]
    chosen, recorded, similarities, exact = [], [], [], set(references)
    for index in np.argsort(margins, kind="stable")[::-1].tolist():
        found = {each: kernels.invoke(inputs[index]) for each, kernels in references.items()}
        stored = np.stack([outputs[index], *found.values(), *(kernels.invoke(inputs[index]) for kernels in others)])
        if len(set(find_best(stored, classifier.contract).tolist())) > 1:
            continue
        cosines = _similarities(classifier, inputs[index], (*references.values(), *others), table)
        if max(cosines) - min(cosines) > SIMILARITY_STEP / 2:
            continue
        chosen.append(index)
        similarities.append(cosines[0])
        recorded.append(found[backend])
        exact &= {each for each, output in found.items() if _is_same(output, found[backend])}
        if len(chosen) == most_frames:
            break
    if not chosen:
        raise ModelError(
            f"{model.contract.spec.name} gives different labels with different kernels for all {len(inputs)} images, "
            "expected at least one clear answer: state how its input is normalised, or convert it again."
        )
    return Goldens(
        tuple(frames.images[index] for index in chosen),
        frames.repeats[chosen],
        np.stack([hash_input(inputs[index]) for index in chosen]),
        outputs[chosen],
        np.stack(recorded),
        classifier.interpreter.kernels,
        tuple(sorted(exact)),
        None if table is None else np.array(similarities, np.float32),
    )


def _similarities(
    classifier: Classifier, input_tensor: NDArray[Any], invoked: Sequence[Interpreter], table: NeighbourTable | None
) -> list[float]:
    """The cosines to the neighbours: from the classifier, and from the last run of each of ``invoked``; a single zero
    without a table.
    """
    if table is None:
        return [0.0]
    classifier.interpreter.invoke(input_tensor)
    features = [classifier.last_features(), *(each.extra(0).reshape(-1) for each in invoked)]
    return [table.similarity(row) for row in features]


def _margin(scores: NDArray[np.float32]) -> float:
    second, best = np.partition(scores, -2)[-2:]
    return float(best - second)


def _is_same(output: NDArray[Any], recorded: NDArray[Any]) -> bool:
    if output.dtype.kind != "f":
        return np.array_equal(output, recorded)
    return float(np.abs(output - recorded).max()) <= FLOAT_STEP * max(1.0, float(np.abs(recorded).max()))

"""Whether scores alone tell how a float model's pixels are normalised: `python -m tests.tools.foreign.guess CLONES --images
DIR` prints, for each model whose maker says it, what each candidate's scores look like. docs/decisions/0009 is based on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edge_runtime.inference.classifier import Classifier
from edge_runtime.model.model_file import read_model
from edge_runtime.model.stated_input import StatedInput
from tests.tools.foreign.__main__ import make_labels, read_photos
from tests.tools.foreign.models import MODELS

CANDIDATES = ("0..255", "0..1", "-1..1")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clones", type=Path)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    options = parser.parse_args()
    photos = read_photos(options.images, 30)
    print("| file | right | mean best score and different labels of 30 photos: " + " | ".join(CANDIDATES) + " |")
    print("|---|---|---|---|---|")
    num_models, num_surest = 0, 0
    for foreign in MODELS:
        stated = dict(foreign.stated)
        if foreign.prepare is None or "normalize" not in stated:
            continue
        clone = options.clones / foreign.repository
        path, cells, scores = clone / foreign.path, [], []
        for candidate in CANDIDATES:
            statement = StatedInput.parse(**{**stated, "normalize": candidate})
            model = read_model(path.read_bytes(), path.name, make_labels(foreign, clone), stated=statement)
            with Classifier(model) as classifier:
                answers = classifier.classify_many(photos)
            scores.append(float(np.mean([answer.score for answer in answers])))
            cells.append(f"{scores[-1]:.2f}, {len({answer.index for answer in answers})}")
        num_models += 1
        num_surest += CANDIDATES[int(np.argmax(scores))] == stated["normalize"]
        print(f"| {foreign.repository} `{path.name}` | {stated['normalize']} | {' | '.join(cells)} |", flush=True)
    print(f"\nThe right one has the highest scores in {num_surest} of {num_models}.")


if __name__ == "__main__":
    main()

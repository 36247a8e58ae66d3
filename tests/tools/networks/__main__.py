"""Converts networks of keras.applications and one toy for each stock layer, and compares the full-integer file with what
Keras itself predicts. The networks are untrained, with sane statistics (`sane`).

Beside each agreement stands that of Keras with itself when only the two ends have eight bits (`conditioning`): a network
that loses labels there already tells no conversion from another.

Usage: python -m tests.tools.networks [--out build/networks.jsonl] [--table] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convert.converter.contract import derive_spec
from convert.converter.opened import open_integer
from convert.inputs.answers import to_probabilities
from convert.inputs.calibration import choose_calibration
from convert.inputs.source import normalize
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.interpreter import list_available_backends
from tests.tools.networks.conditioning import measure_both_ends, measure_pixels, measure_weights
from tests.tools.networks.layers import NUM_CLASSES, SIDE, list_toys
from tests.tools.networks.sane import (
    answer,
    fill_biases,
    make_source,
    raise_offsets,
    read_images,
    settle_head,
    settle_statistics,
)

# The images that are left over decide between the ranges.
NUM_CALIBRATION, NUM_LEFT, NUM_TEST = 200, 200, 500
NEAR = 0.1  # how far a score may be from Keras's
# The side of the input, and what is done to pixels outside of the network: (pixel - mean) / std; (0, 1) when inside.
TO_ONE, FROM_ONE, INSIDE = (0.0, 255.0), (127.5, 127.5), (0.0, 1.0)
APPLICATIONS: Mapping[str, tuple[int, tuple[float, float], dict[str, Any]]] = {
    "MobileNet": (64, FROM_ONE, {}),
    "MobileNetV2": (64, FROM_ONE, {}),
    "MobileNetV3Small": (64, INSIDE, {}),
    "MobileNetV3Large": (64, INSIDE, {}),
    "EfficientNetB0": (64, INSIDE, {}),
    "EfficientNetV2B0": (64, INSIDE, {}),
    "NASNetMobile": (64, FROM_ONE, {}),
    "DenseNet121": (64, TO_ONE, {}),
    "ResNet50": (64, (115.0, 1.0), {}),
    "ResNet50V2": (64, FROM_ONE, {}),
    "VGG16": (32, (115.0, 1.0), {}),
    "Xception": (71, FROM_ONE, {}),
    "InceptionV3": (75, FROM_ONE, {}),
    "InceptionResNetV2": (75, FROM_ONE, {}),
    "ConvNeXtTiny": (32, INSIDE, {}),
}


def build_application(name: str, *, inside: bool) -> tuple[Any, int, tuple[float, float]]:
    """An untrained network of keras.applications with its side and normalisation; with ``inside`` that is a Rescaling
    in front of it.
    """
    import keras

    side, (mean, std), more = APPLICATIONS[name]
    body = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(side, side, 3), pooling="avg", **more
    )
    image = keras.Input((side, side, 3))
    inside = inside and (mean, std) != INSIDE
    x = keras.layers.Rescaling(1 / std, -mean / std)(image) if inside else image
    network = keras.Model(image, keras.layers.Dense(NUM_CLASSES, name="head")(body(x)))
    return network, side, INSIDE if inside else (mean, std)


def measure(name: str, build: Callable[[], tuple[Any, int, tuple[float, float]]]) -> dict[str, Any]:
    """How the full-integer file of a network agrees with Keras on `NUM_TEST` images, or why it is refused."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    started_s = time.monotonic()
    network, side, (mean, std) = build()
    pool = read_images(side, NUM_CALIBRATION + NUM_LEFT, held_out=False)
    calibration = pool[:NUM_CALIBRATION]
    test = read_images(side, NUM_TEST, held_out=True)
    inputs = normalize(calibration, mean, std)
    fill_biases(network, seed=1)
    raise_offsets(network)
    settle_statistics(network, inputs[:100])
    settle_head(network, inputs)
    row: dict[str, Any] = {"name": name, "side": side, "parameters": network.count_params()}
    with tempfile.TemporaryDirectory() as folder:
        source = make_source(network, Path(folder), pool, test, mean=mean, std=std)  # loads nothing yet
        expected = to_probabilities(answer(network, normalize(test, mean, std)), "logits")
        row["pixels_moved"] = measure_pixels(network, test, mean, std, expected)
        row["both_ends"] = measure_both_ends(network, calibration, test, mean, std, expected)
        row["weights"] = measure_weights(network, test, mean, std, expected)
        try:
            chosen = choose_calibration(source, NUM_CALIBRATION, seed=0)
            integer = open_integer(source, derive_spec(source, None), chosen, "uint8")
        except EdgeRuntimeError as error:
            return row | {"refused": str(error)}
        row["ranges"] = "whole" if integer.ranges is None or not integer.ranges.narrowed else "narrower"
        row["labels"] = np.bincount(expected.argmax(axis=1), minlength=NUM_CLASSES).tolist()
        for backend, classifier in integer.classifiers.items():
            found = np.stack([classifier.probabilities(image[:, :, ::-1]) for image in test])
            row[backend] = {
                "same_label": float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
                "near": float((np.abs(found - expected).max(axis=1) <= NEAR).mean()),
                "mean_difference": float(np.abs(found - expected).max(axis=1).mean()),
                "largest_difference": float(np.abs(found - expected).max()),
            }
    return row | {"bytes": len(integer.model.flatbuffer), "seconds": round(time.monotonic() - started_s)}


def list_networks() -> dict[str, Callable[[], tuple[Any, int, tuple[float, float]]]]:
    """What makes each network, by name."""
    found: dict[str, Callable[[], tuple[Any, int, tuple[float, float]]]] = {}
    for name, (_, outside, _) in APPLICATIONS.items():
        found[name] = lambda name=name: build_application(name, inside=False)  # type: ignore[misc]
        if outside != INSIDE:
            found[f"{name}, inside"] = lambda name=name: build_application(name, inside=True)  # type: ignore[misc]
    for name in list_toys():
        found[f"layer {name}"] = lambda name=name: (list_toys()[name](), SIDE, INSIDE)  # type: ignore[misc]
    return found


def write_table(rows: list[dict[str, Any]]) -> str:
    """The rows that were not refused as a Markdown table, those that lose most first; agreement in %, LiteRT /
    tflite-runtime. The last row of a name counts.
    """
    lines = [
        "| network | same label | scores within 0.1 | ranges | Keras, pixels moved | Keras, 8 bits at both ends "
        "| Keras, 8-bit weights |",
        "|---|---|---|---|---|---|---|",
    ]
    ran = [row for row in {row["name"]: row for row in rows}.values() if "refused" not in row]
    for row in sorted(ran, key=lambda row: (row["litert"]["same_label"], row["name"])):
        figures = [
            " / ".join(f"{100 * row[backend][key]:.1f}" for backend in ("litert", "tflite"))
            for key in ("same_label", "near")
        ]
        alone = [f"{100 * row[key]:.1f}" for key in ("pixels_moved", "both_ends", "weights")]
        lines.append(f"| {' | '.join([row['name'].removeprefix('layer '), *figures, row['ranges'], *alone])} |")
    return "\n".join(lines)


def main() -> None:
    """Measures those that are named, or all; a line of JSON each."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.networks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--out", type=Path, default=Path("build/networks.jsonl"))
    parser.add_argument("--table", action="store_true", help="print --out as a Markdown table, measure nothing")
    options = parser.parse_args()
    if options.table:
        print(write_table([json.loads(line) for line in options.out.read_text("utf-8").splitlines()]))
        return
    list_available_backends()  # before TensorFlow: see convert/inputs/keras_model.py
    networks = list_networks()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.names or networks:
        row = measure(name, networks[name])
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

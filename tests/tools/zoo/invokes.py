"""What runs on the emulated device to count the instructions per image: input tensor in, output tensor out.

python invokes.py BACKEND NUMBER MODEL...    two marks a model, NUMBER pictures between them; prints one JSON line
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edge_runtime.inference.interpreter import Interpreter
from tests.tools.device.on_device import mark


def main(backend: str, number: str, *models: str) -> dict[str, str]:
    """The kernels that ran, by model."""
    kernels = {}
    for model in models:
        interpreter = Interpreter(Path(model).read_bytes(), backend)
        pixels = np.random.default_rng(0).integers(0, 256, interpreter.input.shape[1:], np.uint8)
        image = pixels.view(interpreter.input.dtype)
        interpreter.invoke(image)
        mark()
        for _ in range(int(number)):
            interpreter.invoke(image)
        mark()
        kernels[model] = f"{interpreter.kernels} {interpreter.version}"
    return kernels


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

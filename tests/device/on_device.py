"""What runs on the emulated device beside the command line. Imports only what a device has; prints one JSON line.

python on_device.py pictures MODEL PICTURES.npz OUTPUTS.npy BACKEND    classify test pictures, store the outputs
python on_device.py frames MODEL NUMBER BACKEND                        classify NUMBER frames of 640x480
"""

from __future__ import annotations

import hashlib
import json
import sys
import time

started_s = time.perf_counter()
import cv2  # noqa: E402
import numpy as np  # noqa: E402

from edge_runtime.classifier import Classifier  # noqa: E402
from edge_runtime.interpreter import available_backends  # noqa: E402

backends = available_backends()
import_s = time.perf_counter() - started_s


def pictures(model: str, stored: str, outputs_path: str, backend: str) -> dict[str, object]:
    with np.load(stored) as arrays:
        frames, labels = arrays["frames"], arrays["labels"]
    digest = hashlib.sha256()
    outputs = []
    with Classifier(model, backend=backend) as classifier:
        for frame in frames:
            input_tensor = classifier.input_tensor(frame)
            digest.update(input_tensor.tobytes())
            outputs.append(classifier.interpreter.invoke(input_tensor))
        kernels, version = classifier.interpreter.kernels, classifier.interpreter.version
    np.save(outputs_path, np.stack(outputs))
    return {
        "inputs_sha256": digest.hexdigest(),
        "num_correct": int((np.stack(outputs).argmax(axis=1) == labels).sum()),
        "kernels": kernels,
        "version": version,
        "import_s": import_s,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def frames(model: str, number: str, backend: str) -> dict[str, object]:
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    with Classifier(model, backend=backend) as classifier:
        labels = [classifier.classify(frame).label for _ in range(int(number))]
    return {"label": labels[-1]}


if __name__ == "__main__":
    cv2.setNumThreads(1)
    print(json.dumps({"pictures": pictures, "frames": frames}[sys.argv[1]](*sys.argv[2:])))

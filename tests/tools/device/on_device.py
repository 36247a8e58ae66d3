"""What runs on the emulated device beside the command line, in one process because importing is most of its work.

    python on_device.py JOB.json

The job: ``verbs`` (lists of arguments of edge-runtime), ``model``, ``backend``, ``pictures`` (.npz to classify), ``outputs``
(.npy to write), ``num_frames`` (of 640x480, to count instructions of). Imports only what a device has; prints one JSON line.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import time
from pathlib import Path

started_s = time.perf_counter()
import cv2  # noqa: E402
import numpy as np  # noqa: E402

from edge_runtime.inference.classifier import Classifier  # noqa: E402
from edge_runtime.inference.interpreter import list_available_backends  # noqa: E402

backends = list_available_backends()
import_s = time.perf_counter() - started_s

from edge_runtime.cli import main as edge_runtime  # noqa: E402

MARK = 1868787305  # `icount.c` writes down its count when this is asked for


def verb(arguments: list[str]) -> dict[str, object]:
    """Exit code, stdout and stderr of ``edge-runtime ARGUMENTS``, and its seconds."""
    begun_s = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        exit_code = edge_runtime(arguments)
    took_s = time.perf_counter() - begun_s
    return {"exit_code": exit_code, "out": out.getvalue(), "err": err.getvalue(), "took_s": took_s}


def pictures(model: str, stored: str, outputs_path: str, backend: str) -> dict[str, object]:
    """Classifies the stored pictures and writes the outputs; what else is to be compared."""
    with np.load(stored) as arrays:
        frames, labels = arrays["frames"], arrays["labels"]
    digest = hashlib.sha256()
    outputs = []
    begun_s = time.perf_counter()
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
        "pictures_s": time.perf_counter() - begun_s,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def counted_frames(model: str, num_frames: int, backend: str) -> None:
    """Classifies one frame, then ``num_frames`` between two marks."""
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    with Classifier(model, backend=backend) as classifier:
        classifier.classify(frame)
        mark()
        for _ in range(num_frames):
            classifier.classify(frame)
        mark()


def mark() -> None:
    with contextlib.suppress(ProcessLookupError):
        os.getpriority(os.PRIO_PROCESS, MARK)


def main(job: dict[str, object]) -> dict[str, object]:
    """Does the job; one value for JSON."""
    cv2.setNumThreads(1)
    model, backend = str(job["model"]), str(job["backend"])
    verbs = [verb(arguments) for arguments in job["verbs"]]  # type: ignore[attr-defined]
    found = pictures(model, str(job["pictures"]), str(job["outputs"]), backend)
    counted_frames(model, int(str(job["num_frames"])), backend)
    return {"verbs": verbs, **found}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))

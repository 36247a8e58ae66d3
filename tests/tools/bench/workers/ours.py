"""`edge_runtime.Classifier` on a frame in memory or, when the job has a JPEG, on its bytes."""

from pathlib import Path

import cv2
import numpy as np
from serve import serve


def prepare(job):
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.pixels.shrink import decode_shrunk

    cv2.setNumThreads(1)
    backend = {"ai_edge_litert": "litert", "tflite_runtime": "tflite"}[job["interpreter"]]
    classifier = Classifier(job["model"], backend=backend, labels=job.get("labels"))
    if job.get("jpeg"):
        content, spec = Path(job["jpeg"]).read_bytes(), classifier.contract.spec.input
        return lambda: classifier.classify(decode_shrunk(content, "frame", spec))
    frame = np.load(job["frame"])
    return lambda: classifier.classify(frame)


serve(prepare)

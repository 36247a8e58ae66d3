"""MediaPipe Tasks' ImageClassifier, image mode, on a frame in memory."""

import mediapipe
import numpy as np
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions
from serve import serve


def prepare(job):
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=job["model"]), max_results=3)
    classifier = vision.ImageClassifier.create_from_options(options)
    frame = np.ascontiguousarray(np.load(job["frame"])[:, :, ::-1])
    return lambda: classifier.classify(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame))


serve(prepare)

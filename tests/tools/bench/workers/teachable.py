"""teachable-machine-lite, which classifies files: a frame is written as a JPEG first, as its examples do."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from serve import serve
from teachable_machine_lite import TeachableMachineLite

FOLDER = TemporaryDirectory()


def prepare(job):
    labels = Path(FOLDER.name, "labels.txt")
    labels.write_text("\n".join(job["label_list"]))
    machine = TeachableMachineLite(job["model"], str(labels))
    frame = Image.fromarray(np.ascontiguousarray(np.load(job["frame"])[:, :, ::-1]))
    path = str(Path(FOLDER.name, "frame.jpg"))

    def one_frame():
        frame.save(path)
        return machine.classify_image(path)

    return one_frame


serve(prepare)

"""Good examples of every format, made by code and from the toy models; what the harnesses spoil."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.contract import Contract, Region, to_json
from edge_runtime.contract.drift_reference import PROBABILITIES, DriftReference
from edge_runtime.contract.values import Neighbours, Score
from edge_runtime.model.goldens import Goldens, goldens_to_npz
from edge_runtime.model.model_file import read_model, write_model
from edge_runtime.model.signatures import make_keys, sign
from edge_runtime.pixels.jpeg_region import mark_region
from edge_runtime.store.state import StoreState

TOYS = Path(__file__).parents[1] / "edge_runtime" / "toys"
LABELS = "red\ngreen\nblue\n"


@cache
def contract() -> Contract:
    """A contract with every part that one may have."""
    bare = read_model((TOYS / "uint8_metadata.tflite").read_bytes(), "toy").contract
    levels = tuple(float(index) for index in range(len(PROBABILITIES)))
    return dataclasses.replace(
        bare,
        scores=(Score("litert", 9, 10),),
        parts={"model": "00"},
        provenance={"seed": 3, "images": ["a.png"]},
        neighbours=Neighbours(0, 0, 4, 2, 1, 0.5),
        region=Region(0.25, 0.25, 0.5, 0.5),
        class_thresholds={bare.spec.labels[0]: 0.5},
        drift=DriftReference(9, levels, levels, levels, levels),
    )


@cache
def goldens() -> Goldens:
    """Two small frames with outputs of the right form."""
    num_classes = contract().output_tensor.shape[1]
    outputs = np.zeros((2, num_classes), contract().output_tensor.dtype)
    return Goldens(
        images=(np.zeros((4, 5, 3), np.uint8), np.ones((3, 3, 3), np.uint8)),
        repeats=np.array([1, 3], np.uint8),
        input_digests=np.zeros((2, 32), np.uint8),
        outputs=outputs,
        reference_outputs=outputs,
        kernels="reference",
        reference_backends=("litert",),
        similarities=np.zeros(2, np.float32),
    )


def contract_texts() -> list[bytes]:
    """The contract in JSON, and JSON that goes deeper than any reader."""
    return [to_json(contract()).encode(), b"[" * 20_000, b'{"a":' * 5_000]


@cache
def goldens_files() -> list[bytes]:
    """One golden.npz."""
    return [goldens_to_npz(goldens())]


@cache
def model_files() -> list[bytes]:
    """The toys as other converters write them, one of ours, and that one signed."""
    foreign = [path.read_bytes() for path in sorted(TOYS.glob("*.tflite"))]
    flatbuffer = (TOYS / "uint8_metadata.tflite").read_bytes()
    flatbuffer = flatbuffer[: flatbuffer.index(b"PK\x03\x04")]
    ours = write_model(flatbuffer, dataclasses.replace(contract(), neighbours=None), None)
    private, _ = make_keys()
    return [*foreign, ours, sign(ours, private, 7)]


@cache
def jpegs() -> list[bytes]:
    """A JPEG in one scan, a progressive one, and one that was cut out of a frame."""
    image = draw_wave_image(16, 24)
    plain, progressive = (
        cv2.imencode(".jpg", image, flags)[1].tobytes() for flags in ([], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    )
    return [plain, progressive, mark_region(plain, Region(0.25, 0.25, 0.5, 0.5))]


@cache
def camera_streams() -> list[bytes]:
    """Images one after another: with lengths, without, and without a multipart frame."""
    head = b"--frame\r\nContent-Type: image/jpeg\r\n"
    with_length = b"".join(head + b"Content-Length: %d\r\n\r\n" % len(each) + each + b"\r\n" for each in jpegs())
    return [with_length, b"".join(head + b"\r\n" + each + b"\r\n" for each in jpegs()), b"".join(jpegs()), head * 2000]


HTTP_ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n",
    b"HTTP/1.0 401 Unauthorized\nContent-Length: 12\nTransfer-Encoding: chunked\n\nno",
]
RTSP_ANSWERS = [
    b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://far/a\r\n\r\n",
    b"RTSP/1.0 200 OK\nCSeq: 2\nContent-Length: 4\n\nv=0\nRTSP/1.0 301 x\nl\rocation:rtsp://far\n\n",
    b"RTSP/1.0 200 OK\r\n$\0\0\4abcdLocation: rtsp://far/\r\n\r\n",
]
CHUNKS = [b"5;x=1\r\nhello\r\n10\r\n" + bytes(16) + b"\r\n0\r\n\r\n"]
CAMERAS = [
    "0", "9" * 5000, "/dev/video2", "csi", "synthetic:640x480@15", "synthetic:%sx480" % ("9" * 5000), "demo", "rtsp://user:pw@cam:554/live?x=1#y", "http://[::1]:80/a",
    "clip.mp4", "192.168.1.5:80/video", "~/clips", "Webcam C270",
]  # fmt: skip
STATES = [
    json.dumps(
        dataclasses.asdict(StoreState(history=("shipped", "a" * 64), refused={"b" * 64: "It was slow."}))
    ).encode(),
    b"[" * 20_000,
]

"""Everything that one row must do on one processor: the device's own verbs, and the same answers as on this machine."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.cameras.synthetic import numbered_picture, wave_picture
from edge_runtime.contract import InputSpec
from edge_runtime.metrics import wilson_interval
from edge_runtime.model_file import default_model
from tests.device.emulator import Device, Done
from train.datasets.cifar10_mini import read_mini

ON_DEVICE = Path(__file__).with_name("on_device.py")
SHIPPED = sorted(default_model().parent.glob("*.tflite"))
NUM_PICTURES, NUM_LABELS = 300, 12


@dataclass(frozen=True)
class Material:
    """What is compared: files for the device, and this machine's own answers to them, by interpreter."""

    pictures: Path
    picture: Path
    video: Path
    inputs_sha256: str
    outputs: dict[str, NDArray[np.uint8]]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """The outcome of one row on one processor; ``failures`` is empty when everything held."""

    row: str
    cpu: str
    failures: tuple[str, ...]
    kernels: str = ""
    num_correct: int = 0
    largest_step: int = 0
    num_other_label: int = 0
    import_s: float = 0.0
    peak_mb: float = 0.0
    instructions_a_frame: int | None = None


def make_material(work: Path, backends: tuple[str, ...]) -> Material:
    """300 embedded test pictures, the same number of each class, a photo, a video, and what they give here."""
    from tests.device.on_device import pictures

    _, split = read_mini(InputSpec(32, 32))
    chosen = np.linspace(0, len(split.labels) - 1, NUM_PICTURES).round().astype(int)
    # Four times as large and of odd width, so that the device's resizing is compared as well.
    frames = np.stack([cv2.resize(split.images[index][..., ::-1], (131, 128)) for index in chosen])
    labels = split.labels[chosen]
    stored = work / "pictures.npz"
    np.savez(stored, frames=frames, labels=labels)
    outputs, digests = {}, set()
    for backend in backends:
        found = pictures(str(default_model()), str(stored), str(work / "outputs.npy"), backend)
        digests.add(str(found["inputs_sha256"]))
        outputs[backend] = np.load(work / "outputs.npy")
    (digest,) = digests
    cv2.imwrite(str(work / "photo.jpg"), cv2.resize(frames[0], (640, 480)))
    writer = cv2.VideoWriter(str(work / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240))
    background = wave_picture(240, 320)
    for number in range(NUM_LABELS):
        writer.write(numbered_picture(background, number))
    writer.release()
    return Material(stored, work / "photo.jpg", work / "clip.avi", digest, outputs, labels)


def try_row(device: Device, material: Material, counter: Path | None) -> Trial:
    """Runs all of it; what goes wrong becomes a line of ``failures``."""
    failures: list[str] = []
    backend = device.row.backend

    def verb(*arguments: str) -> Done:
        done = device.run("-m", "edge_runtime", *arguments)
        if done.exit_code:
            failures.append(
                f"{' '.join(arguments)} ended with {done.exit_code}: {(done.err or done.out).strip()[-600:]}"
            )
        return done

    verb("doctor")
    for model in SHIPPED:
        verb("selftest", "--model", str(model), "--backend", backend)
    classified = _lines(verb("classify", str(material.picture), "--backend", backend, "--format", "jsonl"))
    if [line["type"] for line in classified] != ["prediction"]:
        failures.append(f"classify gave {classified}, expected one prediction")
    peaks = []
    with stream() as address:
        for camera in (str(material.video), address):
            arguments = ("--frames", str(NUM_LABELS), "--format", "jsonl", "--max-age-ms", "20000", "--give-up-s", "60")
            done = verb("run", "--camera", camera, *arguments, "--backend", backend)
            lines = _lines(done)
            num_labels = sum(line["type"] == "prediction" for line in lines)
            if num_labels != NUM_LABELS:
                failures.append(f"run on {camera} gave {num_labels} labels, expected {NUM_LABELS}: {done.err[-300:]}")
            peaks += [done.peak_mb] + [line["memory_mb"] or 0.0 for line in lines if line["type"] == "status"]
    outputs_path = device.work / "device-outputs.npy"
    outputs_path.unlink(missing_ok=True)
    model = str(default_model())
    done = device.run(ON_DEVICE, "pictures", model, material.pictures, outputs_path, backend)
    if done.exit_code:
        return Trial(
            device.row.name, device.cpu, (*failures, f"300 pictures: exit {done.exit_code}: {done.err[-600:]}")
        )
    found = json.loads(done.out)
    outputs = np.load(outputs_path)
    steps, others = _compare(material, found, outputs, backend, failures)
    return Trial(
        device.row.name,
        device.cpu,
        tuple(failures),
        f"{found['kernels']} {found['version']}, NumPy {found['numpy']}, OpenCV {found['opencv']}",
        found["num_correct"],
        steps,
        others,
        found["import_s"],
        max(peaks),
        None if counter is None else _instructions(device, model, counter, failures),
    )


def _compare(
    material: Material, found: dict[str, object], outputs: NDArray[np.uint8], backend: str, failures: list[str]
) -> tuple[int, int]:
    """(largest step, number of other labels) between the device's outputs and this machine's."""
    if found["inputs_sha256"] != material.inputs_sha256:
        failures.append(f"the inputs of {NUM_PICTURES} pictures differ: {found['inputs_sha256']} here "
                        f"{material.inputs_sha256}")  # fmt: skip
    here = material.outputs[backend]
    steps = int(np.abs(outputs.astype(int) - here.astype(int)).max())
    others = int((outputs.argmax(axis=1) != here.argmax(axis=1)).sum())
    if backend == "litert" and steps > 1:
        failures.append(f"outputs of LiteRT are up to {steps} steps from this machine's, expected at most 1")
    num_correct_here = int((here.argmax(axis=1) == material.labels).sum())
    low, high = wilson_interval(num_correct_here, NUM_PICTURES)
    accuracy = int(str(found["num_correct"])) / NUM_PICTURES
    if not low <= accuracy <= high:
        failures.append(f"accuracy {accuracy:.3f} is outside [{low:.3f}, {high:.3f}]")
    return steps, others


def _instructions(device: Device, model: str, counter: Path, failures: list[str]) -> int | None:
    """Guest instructions for one frame of 640x480: 41 frames minus one frame, divided by 40."""
    counts = []
    for number in ("1", "41"):
        done = device.run(ON_DEVICE, "frames", model, number, device.row.backend, counting=counter)
        if done.exit_code or done.instructions is None:
            failures.append(f"counting instructions ended with {done.exit_code}: {done.err[-300:]}")
            return None
        counts.append(done.instructions)
    return (counts[1] - counts[0]) // 40


def _lines(done: Done) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.out.splitlines()] if not done.exit_code else []


@contextlib.contextmanager
def stream() -> Iterator[str]:
    """The address of a camera on loopback that sends numbered JPEG pictures, 15 a second, to whoever connects."""
    background = wave_picture(240, 320)
    pictures = [cv2.imencode(".jpg", numbered_picture(background, number))[1].tobytes() for number in range(64)]
    stopping = threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Silent."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = 0
            with contextlib.suppress(OSError):
                while not stopping.wait(1 / 15):
                    picture = pictures[number % len(pictures)]
                    number += 1
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    self.wfile.write(head.encode() + picture + b"\r\n")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/stream.mjpg"
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()

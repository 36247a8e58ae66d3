"""Checks a device and says what it lacks for classifying, each finding with a remedy. Changes nothing."""

from __future__ import annotations

import grp
import importlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cameras.devices import VideoDevice, find_refusal, list_devices
from edge_runtime.errors import AlreadyRunningError, EdgeRuntimeError
from edge_runtime.system.clock import monotonic_s
from edge_runtime.version import __version__

if TYPE_CHECKING:
    from edge_runtime.cameras.options import CameraOptions
    from edge_runtime.model.stated_input import StatedInput

# A network camera may take this long to open.
FIRST_FRAME_S = 20.0
TFLITE_LACKS = (
    "tflite-runtime 2.14 is from 2023 and lacks every memory-safety fix since: take model files only from makers you "
    "know, best signed (edge-runtime trust); LiteRT has the fixes and is 2 to 5 times as fast where it has a wheel"
)


@dataclass(frozen=True)
class Finding:
    """``level`` is ok, note (may be fine) or problem (classifying does not work); ``remedy`` may be empty."""

    level: str
    what: str
    found: str
    remedy: str = ""


def check_device(
    model: str | None = None,
    labels: str | None = None,
    stated: StatedInput | None = None,
    root: Path = Path("/"),
) -> tuple[Finding, ...]:
    """All findings, in the order in which things have to work; ``model``, ``labels`` and ``stated`` are as for
    `open_model`; files are looked up below ``root``.
    """
    return (
        _system(root),
        _library("numpy", "numpy"),
        _library("cv2", "opencv-python-headless"),
        *_interpreters(),
        *_model(model, labels, stated),
        *_video_devices(root),
        _pi_camera(root),
        _memory(root),
    )


def check_camera(camera: str, options: CameraOptions) -> Finding:
    """Whether ``camera`` gives a frame: opens it as a run does, and waits for one or for the reason why none comes."""
    from edge_runtime.cameras.address import parse_camera
    from edge_runtime.cameras.lock import lock_camera
    from edge_runtime.cameras.opening import open_camera
    from edge_runtime.cameras.options import describe_silence

    what = "camera"
    try:
        address = parse_camera(camera)
        what, start_s = f"camera {address.shown}", monotonic_s()
        with lock_camera(address), open_camera(camera, options=options) as source:
            while monotonic_s() - start_s < options.choose_patience_s(FIRST_FRAME_S):
                frame = source.read(0.1)
                if frame is not None:
                    height, width = frame.pixels.shape[:2]
                    seconds = monotonic_s() - start_s
                    return Finding("ok", what, f"{source.name} gave a frame of {width}x{height} after {seconds:.1f} s")
                if source.trouble or source.ended:
                    break
            num_bad = source.counts().bad
            damaged = f"{num_bad} images came, all damaged or of a format that cannot be read"
            silent = f"no frame within {monotonic_s() - start_s:.0f} s: {describe_silence(source.name)}"
            return Finding("problem", what, (source.trouble or (damaged if num_bad else silent)).rstrip("."))
    except AlreadyRunningError as error:
        return Finding("note", what, str(error).rstrip("."))
    except EdgeRuntimeError as error:
        return Finding("problem", what, str(error).rstrip("."))


def format_finding(finding: Finding) -> str:
    """``problem  interpreter: none found; install ...``."""
    return f"{finding.level:>7}  {finding.what}: {finding.found}" + (f"; {finding.remedy}" if finding.remedy else "")


def _system(root: Path) -> Finding:
    try:
        board = (root / "proc/device-tree/model").read_text().strip("\0\n ") + ", "
    except OSError:
        board = ""
    system = f"{board}{platform.machine()}, Python {platform.python_version()}, edge-runtime {__version__}"
    if platform.system() != "Linux":
        return Finding("problem", "system", system, "live cameras need Linux")
    return Finding("ok", "system", system)


def _library(module: str, package: str) -> Finding:
    try:
        version = importlib.import_module(module).__version__
    except (ImportError, OSError) as error:
        return Finding("problem", package, f"cannot be imported ({error})", f"pip install {package}")
    return Finding("ok", package, version)


def _interpreters() -> list[Finding]:
    from edge_runtime.inference.interpreter import list_available_backends

    backends = list_available_backends()
    if not backends:
        remedy = "pip install 'edge-runtime[litert]', or 'edge-runtime[tflite]' on Python 3.11 without ai-edge-litert"
        return [Finding("problem", "interpreter", "none found", remedy)]
    if "litert" not in backends:
        return [Finding("note", "interpreter", ", ".join(backends), TFLITE_LACKS)]
    return [Finding("ok", "interpreter", ", ".join(backends))]


def _model(model: str | None, labels: str | None, stated: StatedInput | None) -> list[Finding]:
    try:
        from edge_runtime.inference.classifier import Classifier
        from edge_runtime.inference.selftest import selftest
        from edge_runtime.installed.first_run import FirstRun, try_unknown
        from edge_runtime.model.model_file import open_model

        opened = open_model(model, labels, stated, meet_unproved=try_unknown(FirstRun()))
        with Classifier(opened) as classifier:
            found = f"{classifier.model.path} with {classifier.interpreter.kernels} {classifier.interpreter.version}"
            if classifier.model.goldens is None:
                remedy = "the file has no golden frames, so no self-test is possible; edge-runtime adopt records some"
                return [Finding("note", "model", found, remedy)]
            report = selftest(classifier)
    except EdgeRuntimeError as error:
        return [Finding("problem", "model", str(error))]
    if not report.passed:
        return [Finding("problem", "model", f"{found} fails its self-test", "run: edge-runtime selftest")]
    return [Finding("ok", "model", f"{found}, self-test passed")]


def _video_devices(root: Path) -> list[Finding]:
    devices = list_devices(root)
    if not devices:
        return [
            Finding("note", "USB cameras", "no /dev/video*", "plug one in, or use csi, an address, a file or synthetic")
        ]
    return [_video_device(device, root / device.path.lstrip("/")) for device in devices]


def _video_device(device: VideoDevice, path: Path) -> Finding:
    """``device`` as a run would find it, without taking it from a program that uses it."""
    lasting = f"the path that stays with this camera: {device.lasting}" if device.lasting else ""
    if not os.access(path, os.R_OK | os.W_OK):
        group = _group_of(path)
        remedy = f"join the group {group}: sudo usermod -aG {group} $USER, then log in again"
        return Finding("problem", device.path, f"{device.name}, cannot be opened by this user", remedy)
    refusal = find_refusal(path)
    if refusal is None:
        return Finding("ok", device.path, device.name, lasting)
    what, _, remedy = refusal.words.partition("; ")
    level = {"busy": "note", "no_images": "ok"}.get(refusal.kind, "problem")
    if refusal.kind == "no_images":  # most cameras have one besides the device that gives images
        return Finding(level, device.path, f"{device.name}, a metadata or output node, which gives no images")
    what = what.removeprefix(f"is {device.name} and ")
    return Finding(level, device.path, f"{device.name}, {what}", "; ".join(filter(None, (remedy, lasting))))


def _pi_camera(root: Path) -> Finding:
    from edge_runtime.cameras.presence import PI_PROGRAMS, find_pi_program

    try:
        return Finding("ok", "Pi camera (csi)", f"{find_pi_program()} is installed")
    except EdgeRuntimeError:
        is_pi = (root / "proc/device-tree/model").exists()
        remedy = "sudo apt install rpicam-apps-lite (libcamera-apps-lite before Bookworm)"
        return Finding("note", "Pi camera (csi)", f"neither {' nor '.join(PI_PROGRAMS)} is installed", remedy * is_pi)


def _memory(root: Path) -> Finding:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        available_mb = next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return Finding("note", "memory", "unknown")
    if available_mb < 150:
        return Finding(
            "problem", "memory", f"{available_mb:.0f} MB available", "a run takes up to 130 MB; stop something else"
        )
    return Finding("ok", "memory", f"{available_mb:.0f} MB available")


def _group_of(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"

"""Looks at a device and says what is missing for classifying on it, each finding with its remedy. Changes nothing."""

from __future__ import annotations

import grp
import importlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.version import __version__

if TYPE_CHECKING:
    from edge_runtime.model.stated_input import StatedInput

TFLITE_LACKS = (
    "tflite-runtime 2.14 is from 2023 and lacks every memory-safety fix since: take model files only from makers you "
    "know, best signed (edge-runtime trust); LiteRT has the fixes and is 2 to 5 times as fast where it has a wheel"
)


@dataclass(frozen=True)
class Finding:
    """``level`` is ok, note (may be fine) or problem (classifying does not work); ``remedy`` is empty when none is
    needed.
    """

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
    """All findings, in the order in which things have to work; ``model``, ``labels`` and ``stated`` are those of
    `open_model`, ``root`` replaces / where files are looked at.
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
        from edge_runtime.model.model_file import open_model

        with Classifier(open_model(model, labels, stated)) as classifier:
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
    from edge_runtime.cameras.devices import list_devices

    devices = list_devices(root)
    if not devices:
        return [
            Finding("note", "USB cameras", "no /dev/video*", "plug one in, or use csi, an address, a file or synthetic")
        ]
    findings = []
    for device in devices:
        what, found = device.path, device.name
        path = root / device.path.lstrip("/")
        if not os.access(path, os.R_OK | os.W_OK):
            group = _group_of(path)
            remedy = f"join the group {group}: sudo usermod -aG {group} $USER, then log in again"
            findings.append(Finding("problem", what, f"{found}, may not be opened by this user", remedy))
        else:
            remedy = f"a path that stays with this camera: {device.lasting}" if device.lasting else ""
            findings.append(Finding("ok", what, found, remedy))
    return findings


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

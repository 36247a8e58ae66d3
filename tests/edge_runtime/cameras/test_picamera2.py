"""The Pi camera through a fake Picamera2: pixels stay as they lie in memory, and every refusal says what to do."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.errors import CameraError

PIXELS = np.arange(480 * 640 * 3, dtype=np.uint32).astype(np.uint8).reshape(480, 640, 3)


class FakePicamera2:
    def __init__(self) -> None:
        self.calls: list[Any] = []
        FakePicamera2.last = self

    def create_video_configuration(self, **options: Any) -> dict[str, Any]:
        return options

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append((name, *arguments))
            return PIXELS if name == "capture_array" else None

        return call


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("picamera2")
    module.Picamera2 = FakePicamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return module


def test_frames_are_numbered_bgr_images_and_closing_frees_the_camera(library: ModuleType) -> None:
    with open_source(parse_camera("picamera2")) as camera:
        frames = [camera.read(), camera.read()]
        assert camera.live and camera.counts().captured == 2
    camera.close()
    assert [frame.seq for frame in frames if frame] == [0, 1]
    assert all(frame is not None and np.array_equal(frame.pixels, PIXELS) for frame in frames)
    main = {"size": (640, 480), "format": "RGB888"}
    assert FakePicamera2.last.calls == [
        ("configure", {"main": main, "controls": {"FrameRate": 30}}),
        ("start",),
        ("capture_array", "main"),
        ("capture_array", "main"),
        ("stop",),
        ("close",),
    ]


def test_without_the_library_another_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match=r"Picamera2 cannot be imported .* python3-picamera2 .* Use the camera csi"):
        open_source(parse_camera("picamera2"))


def test_without_a_camera_it_says_so(library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_attached() -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(library, "Picamera2", none_attached)
    with pytest.raises(CameraError, match=r"cannot be opened \(list index out of range\); is a camera attached\?"):
        open_source(parse_camera("picamera2"))


def test_a_camera_without_the_control_of_the_rate_starts_all_the_same(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutControls(FakePicamera2):
        def create_video_configuration(self, **options: Any) -> dict[str, Any]:
            """As Picamera2 of Bookworm, which wishes for a rate by itself."""
            return {**options, "controls": {"FrameDurationLimits": (33333, 33333), **options.get("controls", {})}}

        def configure(self, options: dict[str, Any]) -> None:
            self.calls.append(("configure", options["controls"]))
            if options["controls"]:
                raise RuntimeError("Control FrameDurationLimits is not advertised by libcamera")

    monkeypatch.setattr(library, "Picamera2", WithoutControls)
    with open_source(parse_camera("picamera2")) as camera:
        assert camera.read() is not None
    wishes = {"FrameDurationLimits": (33333, 33333), "FrameRate": 30}
    assert FakePicamera2.last.calls[:3] == [("configure", wishes), ("configure", {}), ("start",)]


def test_a_failed_start_frees_the_camera_for_the_next_attempt(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(FakePicamera2):
        def start(self) -> None:
            raise RuntimeError("Failed to start camera")

    monkeypatch.setattr(library, "Picamera2", Broken)
    with pytest.raises(CameraError, match=r"cannot be opened \(Failed to start camera\)"):
        open_source(parse_camera("picamera2"))
    assert FakePicamera2.last.calls[-1] == ("close",)

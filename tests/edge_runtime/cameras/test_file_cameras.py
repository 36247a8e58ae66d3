"""Sources that are not live, the synthetic one, and V4L2 buffers: every frame, in order, in the right colours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.lookout import LookConfig, Lookout
from edge_runtime.cameras.opening import open_camera
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.presence import find_device_path
from edge_runtime.cameras.sources.opencv.device import DeviceCamera
from edge_runtime.cameras.sources.opencv.raw_buffer import raw_to_bgr
from edge_runtime.cameras.sources.opencv.stream import StreamCamera
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.cameras.sources.synthetic import (
    SyntheticCamera,
    draw_numbered_image,
    draw_wave_image,
    parse_options,
    read_image_number,
)
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError, DataError, MissingInputError, UsageError


def solid(colour: tuple[int, int, int], height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name, colour in {"b.png": (0, 255, 0), "a.png": (255, 0, 0), "sub/c.PNG": (0, 0, 255)}.items():
        cv2.imwrite(str(tmp_path / name), solid(colour))
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder_gives_each_image_once_in_sorted_order_with_its_name(folder: Path) -> None:
    with open_camera(folder) as camera:
        frames = list(camera)
        assert camera.ended
    assert [(frame.seq, frame.name) for frame in frames] == [(0, "a.png"), (1, "b.png"), (2, "sub/c.PNG")]
    assert [frame.pixels[0, 0].tolist() for frame in frames] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert camera.counts().captured == 3


def test_after_a_change_of_the_model_images_are_decoded_for_the_new_one(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        cv2.imwrite(str(tmp_path / name), np.zeros((240, 320, 3), np.uint8))
    with open_camera(tmp_path, InputSpec(24, 32)) as camera:
        shapes = []
        for spec in (InputSpec(24, 32), InputSpec(200, 200), InputSpec(24, 32)):
            camera.shrink_for(spec)
            frame = camera.read()
            assert frame is not None
            shapes.append(frame.pixels.shape)
    assert shapes == [(30, 40, 3), (240, 320, 3), (30, 40, 3)]


def test_an_image_that_cannot_be_decoded_is_logged_counted_and_skipped(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "aa.jpg").write_bytes(b"not an image")
    with caplog.at_level(logging.WARNING), open_camera(folder) as camera:
        assert [frame.name for frame in camera] == ["a.png", "b.png", "sub/c.PNG"]
    assert camera.num_bad == 1
    assert "aa.jpg (12 bytes) is not an image" in caplog.text


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"holds no image; expected files ending in .jpg"):
        open_camera(tmp_path)


def test_a_video_file_gives_every_frame_in_order(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for number in range(12):
        writer.write(draw_numbered_image(draw_wave_image(240, 320), number))
    writer.release()
    with open_camera(path) as camera:
        frames = list(camera)
    assert [frame.seq for frame in frames] == list(range(12))
    assert [read_image_number(frame.pixels) for frame in frames] == list(range(12))
    assert not camera.live
    assert camera.read() is None


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(DataError, match=r"clip.mp4 is not a video that OpenCV can read"):
        open_camera(path)


def test_a_missing_device_is_refused_at_once_and_the_message_says_what_there_is() -> None:
    with pytest.raises(CameraError, match=r"There is no camera /dev/video97; this machine has"):
        open_camera(97)
    with pytest.raises(CameraError, match=r"There is no camera /dev/video97"):
        open_source(parse_camera(97))


def test_a_device_without_permission_names_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "video0"
    device.touch()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(
        CameraError, match=r"cannot be opened by this user; join its group with: sudo usermod -aG video"
    ):
        find_device_path(str(device))


def test_a_file_that_is_no_capture_device_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "video0"
    device.touch()
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.device.find_device_path", lambda name: device)
    with pytest.raises(
        CameraError,
        match=r"did not open: it is not a camera \(it does not speak V4L2\); use a /dev/video\* that is one",
    ):
        open_source(parse_camera("/dev/video0"))


def test_the_synthetic_camera_counts_in_its_pixels_and_is_live() -> None:
    camera = SyntheticCamera("200x40@1000")
    frames = [camera.read() for _ in range(3)]
    assert [read_image_number(frame.pixels) for frame in frames if frame] == [0, 1, 2]
    assert [frame.seq for frame in frames if frame] == [0, 1, 2]
    assert frames[0] is not None and frames[0].pixels.shape == (40, 200, 3)
    assert camera.live


def test_a_synthetic_frame_that_is_not_due_yet_is_not_waited_for() -> None:
    camera = SyntheticCamera("@0.1")
    assert camera.read(0.0) is not None
    assert camera.read(0.0) is None


@pytest.mark.parametrize("number", [0, 1, 12345, 2**24 - 1])
def test_numbers_survive_jpeg_coding(number: int) -> None:
    coded = cv2.imencode(
        ".jpg", draw_numbered_image(draw_wave_image(240, 320), number), [cv2.IMWRITE_JPEG_QUALITY, 60]
    )[1]
    assert read_image_number(cv2.imdecode(coded, cv2.IMREAD_COLOR)) == number


def test_synthetic_options_are_read_and_checked() -> None:
    options = parse_options("1280x720@15")
    assert (options.width, options.height, options.fps) == (1280, 720, 15.0)
    assert parse_options("").fps == 30.0
    with pytest.raises(UsageError, match=r"options are '9+x480', expected WIDTHxHEIGHT@FPS"):
        parse_options("9" * 5000 + "x480")
    with pytest.raises(UsageError, match=r"options are 'fast', expected WIDTHxHEIGHT@FPS such as 640x480@30"):
        open_camera("synthetic:fast")
    with pytest.raises(UsageError, match=r"The synthetic camera is 10x10 at 30 fps, expected at least 192x16"):
        parse_options("10x10")


def test_raw_v4l2_jpeg_is_decoded_small_and_a_cut_one_is_bad() -> None:
    content = cv2.imencode(".jpg", draw_wave_image(480, 640))[1]
    raw = content.reshape(1, -1)
    decoded = raw_to_bgr(raw, "MJPG", InputSpec(32, 32))
    assert decoded is not None and decoded.shape == (60, 80, 3)
    assert raw_to_bgr(raw[:, :-100], "MJPG", InputSpec(32, 32)) is None
    junk = np.arange(64, dtype=np.uint8).reshape(1, -1)
    padded = raw_to_bgr(np.hstack([raw, junk]), "MJPG", InputSpec(32, 32))
    assert padded is not None and (padded == decoded).all(), "what a chip leaves behind the end marker is no damage"
    assert raw_to_bgr(np.zeros((1, 64), np.uint8), "MJPG", None) is None


def test_raw_v4l2_yuyv_and_converted_frames_become_three_channels() -> None:
    yuyv = np.full((480, 640, 2), 128, np.uint8)
    reduced = raw_to_bgr(yuyv, "YUYV", InputSpec(32, 32))
    assert reduced is not None and reduced.shape == (60, 80, 3)
    assert raw_to_bgr(np.zeros((9, 9), np.uint8), "GREY", None).shape == (9, 9, 3)  # type: ignore[union-attr]
    assert raw_to_bgr(np.zeros((9, 9, 4), np.uint8), "BGR4", None).shape == (9, 9, 3)  # type: ignore[union-attr]
    assert raw_to_bgr(solid((1, 2, 3)), "BGR3", None)[0, 0].tolist() == [1, 2, 3]  # type: ignore[index]
    assert raw_to_bgr(np.zeros((9, 9, 5), np.uint8), "ODD ", None) is None


class FakeCapture:
    """What OpenCV gives for a V4L2 camera: one raw JPEG again and again, each with the driver's time stamp."""

    def __init__(self, stamps_ms: list[float]) -> None:
        self.stamps_ms, self.stamp_ms = stamps_ms, 0.0
        self.raw = cv2.imencode(".jpg", draw_wave_image(48, 64))[1].reshape(1, -1)

    def isOpened(self) -> bool:
        return True

    def set(self, name: int, value: float) -> bool:
        return True

    def get(self, name: int) -> float:
        values = {cv2.CAP_PROP_POS_MSEC: self.stamp_ms, cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG")}
        return float(values[name])

    def grab(self) -> bool:
        self.stamp_ms = self.stamps_ms.pop(0)
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, self.raw

    def release(self) -> None: ...


def test_a_v4l2_frame_is_as_old_as_its_driver_says_if_that_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]
) -> None:
    device = tmp_path / "video0"
    device.touch()
    now_s = clock()
    stamps_s = [now_s - 0.25, now_s - 9.5, now_s - 10.5, now_s + 0.01, 0.0, 1_764_000_000.0]
    capture = FakeCapture([1e3 * stamp_s for stamp_s in stamps_s])
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.cv2.VideoCapture", lambda *arguments: capture)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.device.find_refusal", lambda path: None)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.device.monotonic_s", clock)
    with DeviceCamera(CameraAddress("device", str(device))) as camera:
        frames = [camera.read() for _ in stamps_s]
    ages_s = [now_s - frame.captured_s for frame in frames if frame is not None]
    assert ages_s == pytest.approx([0.25, 9.5, 0.0, 0.0, 0.0, 0.0])


class FakeDevice:
    """A V4L2 device as OpenCV shows it: open, sending frames of one format."""

    def __init__(self, fourcc: str) -> None:
        self.fourcc, self.has_been_read, self.is_released = fourcc, False, False

    def isOpened(self) -> bool:
        return True

    def get(self, which: int) -> float:
        return float(cv2.VideoWriter.fourcc(*self.fourcc)) if which == cv2.CAP_PROP_FOURCC else 0.0

    def grab(self) -> bool:
        self.has_been_read = True
        return False

    def release(self) -> None:
        self.is_released = True


@pytest.mark.parametrize("fourcc", ["Y10 ", "Y12 ", "Y10B", "Y10P", "Y12P"])
def test_grey_of_ten_and_twelve_bits_is_refused_by_name_before_a_frame_ends_the_process(
    fourcc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video0").touch()
    device = FakeDevice(fourcc)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.cv2.VideoCapture", lambda *arguments: device)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.device.find_refusal", lambda path: None)
    with pytest.raises(
        CameraError, match=rf"video0 sends {fourcc.strip()}, grey of 10 or 12 bits.*expected MJPG, YUYV"
    ):
        DeviceCamera(CameraAddress("device", str(tmp_path / "video0")))
    assert device.is_released and not device.has_been_read


class FakeScene(FakeDevice):
    """A device that sends the raw buffers of ``frames``, and then nothing."""

    def __init__(self, fourcc: str, frames: list[np.ndarray]) -> None:
        super().__init__(fourcc)
        self.frames, self.num_retrieved = frames, 0

    def set(self, which: int, value: float) -> bool:
        return True

    def grab(self) -> bool:
        return bool(self.frames)

    def retrieve(self) -> tuple[bool, np.ndarray]:
        self.num_retrieved += 1
        return True, self.frames.pop(0)


def send(value: int, fourcc: str, chance: np.random.Generator) -> np.ndarray:
    """The raw buffer of a noisy grey frame."""
    grey = chance.integers(value, value + 20, (240, 320), dtype=np.uint8)
    if fourcc == "YUYV":
        return np.stack([grey, np.full_like(grey, 128)], axis=-1)
    if fourcc == "GREY":
        return grey
    return np.frombuffer(cv2.imencode(".jpg", cv2.merge([grey] * 3))[1].tobytes(), np.uint8).reshape(1, -1)


@pytest.mark.parametrize("fourcc", ["MJPG", "YUYV", "GREY"])
def test_a_v4l2_camera_gives_the_frames_in_which_something_moves_and_one_that_is_damaged_is_made_good(
    fourcc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    chance = np.random.default_rng(4)
    values = [60] * 40 + [150] * 40
    frames = [send(value, fourcc, chance) for value in values]
    if fourcc == "MJPG":  # the first of the second scene that would be looked at
        frames[42] = frames[42][:, : frames[42].size // 2]
    device = FakeScene(fourcc, frames)
    (tmp_path / "video0").touch()
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.cv2.VideoCapture", lambda *arguments: device)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.device.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.device.find_refusal", lambda path: None)
    with DeviceCamera(CameraAddress("device", str(tmp_path / "video0")), InputSpec(24, 32)) as camera:
        camera.lookout = Lookout(LookConfig(on_motion=True))
        assert camera.asks_lookout
        seen = []
        while device.frames:
            clock.now_s += 0.1
            frame = camera.read(0.0)
            if frame is not None:
                seen.append((camera.num_captured + camera.num_bad - 1, round(float(frame.pixels.mean()), -1)))
    looked = [number for number, _ in seen]
    assert looked[0] == 0 and max(number for number in looked if number < 40) <= 14
    assert 40 <= min(number for number in looked if number >= 40) <= 43 and max(looked) <= 56
    assert all(value > 140 for number, value in seen if number >= 42)
    assert camera.num_captured == len(looked) + camera.skips().num
    assert camera.num_bad == (fourcc == "MJPG")


def test_a_stream_is_not_converted_when_no_frame_is_wanted(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    device = FakeScene("H264", [np.zeros((48, 64, 3), np.uint8)] * 100)
    monkeypatch.setattr(device, "grab", lambda: True)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.cv2.VideoCapture", lambda *arguments: device)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.stream.monotonic_s", clock)
    with StreamCamera(parse_camera("rtsp://127.0.0.1/x")) as camera:
        camera.lookout = Lookout(LookConfig(every_s=1.0))
        for _ in range(50):
            clock.now_s += 0.1
            frame = camera.read(0.0)
            if frame is not None:  # as the capture process asks of what comes decoded
                assert camera.lookout.wants(frame.captured_s, 1, lambda region: np.zeros((1, 1), np.uint8))
    assert 5 <= device.num_retrieved <= 6 and camera.num_captured == 50
    assert camera.skips().num == 50 - 4 - device.num_retrieved, "the first four came while it was opened"


def test_a_recording_in_real_time_is_looked_at_as_a_live_camera_is(tmp_path: Path) -> None:
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), solid((9, 9, 20 if number < 6 else 220)))
    look = CameraOptions(expect_fps=20.0, realtime=True, look=LookConfig(every_s=0.2))
    with open_camera(tmp_path, options=look) as camera:
        assert camera.look is not None
        num_taken = sum(camera.read(0.5) is not None for _ in range(12) if not camera.ended)
        counts = camera.counts()
    assert 2 <= num_taken <= 5 and counts.skipped >= 5
    assert counts.captured == num_taken + counts.dropped + counts.skipped == 12

"""Files shown as cameras: every frame when it is due, round after round, with true ages and counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.opening import open_camera
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources import playback
from edge_runtime.cameras.sources.opencv.video_file import VideoFileCamera
from edge_runtime.cameras.sources.playback import Playback, Recording
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image, read_image_number
from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError, DataError
from edge_runtime.live.health import Health
from edge_runtime.pixels.preprocess import Image


class Film(Recording):
    """Frames at ``stamps_s``, None for a damaged one; the colour tells which it is."""

    def __init__(self, *stamps_s: float, damaged: tuple[int, ...] = ()) -> None:
        self.name, self.interval_s = "film", 0.1
        self.stamps_s, self.damaged, self.index, self.num_decoded = stamps_s, damaged, -1, 0
        self.asked_for: InputSpec | None = None

    def step(self) -> bool:
        if self.index + 1 == len(self.stamps_s):
            return False
        self.index += 1
        self.position_s = self.stamps_s[self.index]
        return True

    def decode(self) -> Image | None:
        self.num_decoded += 1
        return None if self.index in self.damaged else np.full((2, 2, 3), self.index, np.uint8)

    def rewind(self) -> None:
        self.index = -1

    def shrink_for(self, spec: InputSpec) -> None:
        self.asked_for = spec


@pytest.fixture
def time_passes(clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fake clock, which moves by what is slept."""

    def sleep(seconds: float) -> None:
        clock.now_s += seconds

    monkeypatch.setattr(playback, "monotonic_s", clock)
    monkeypatch.setattr(playback, "time", SimpleNamespace(sleep=sleep))
    return clock


def read_all(source: FrameSource, most: int = 100) -> list[Frame]:
    frames: list[Frame] = []
    while not source.ended and len(frames) < most:
        frame = source.read(1.0)
        if frame is not None:
            frames.append(frame)
    return frames


def test_in_real_time_each_frame_comes_when_its_time_stamp_says(time_passes: Any) -> None:
    start_s = time_passes()
    source = Playback(Film(0.5, 0.6, 0.75, 2.0), realtime=True, loop=False)
    assert source.live
    frames, came_s = [], []
    for _ in range(8):
        frame = source.read(0.5)
        if frame is not None:
            frames.append(frame)
            came_s.append(time_passes() - start_s)
    assert came_s == pytest.approx([0.0, 0.1, 0.25, 1.5]), "the third is waited for in pieces"
    assert [frame.captured_s - start_s for frame in frames] == pytest.approx(came_s)
    assert [frame.position_s for frame in frames] == [0.5, 0.6, 0.75, 2.0]
    assert source.ended and source.counts().captured == 4


def test_a_loop_goes_on_counting_and_its_time_never_goes_back(time_passes: Any) -> None:
    film = Film(0.0, 0.1, 0.2)
    source = Playback(film, realtime=True, loop=True)
    frames = read_all(source, 7)
    assert [frame.seq for frame in frames] == list(range(7))
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 1, 2, 0, 1, 2, 0]
    assert [frame.position_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    gaps = np.diff([frame.captured_s for frame in frames])
    assert gaps == pytest.approx(0.1), "the seam between two rounds is as long as any step"
    assert not source.ended
    source.shrink_for(InputSpec(24, 32))
    assert film.asked_for == InputSpec(24, 32)
    source.close()
    assert film.ended and source.read(0.1) is None


def test_who_reads_slowly_misses_frames_which_are_counted_and_never_decoded(time_passes: Any) -> None:
    film = Film(*(0.1 * number for number in range(10)))
    source = Playback(film, realtime=True, loop=False)
    frames = []
    while not source.ended:
        frame = source.read(1.0)
        if frame is not None:
            frames.append(frame)
            assert time_passes() - frame.captured_s <= 0.1 + 1e-9, "it was not due any longer ago"
            time_passes.now_s += 0.23
    assert [frame.seq for frame in frames] == [0, 2, 4, 6, 9]
    counts = source.counts()
    assert (counts.captured, counts.dropped) == (10, 5) and film.num_decoded == 5


def test_after_a_stop_of_this_machine_it_goes_on_where_it_was(time_passes: Any) -> None:
    source = Playback(Film(*(0.1 * number for number in range(9))), realtime=True, loop=False)
    assert source.read(1.0) is not None
    time_passes.now_s += 60.0
    frame = source.read(1.0)
    assert frame is not None and frame.seq == 1 and frame.captured_s == time_passes(), "as old as it is shown"


def test_damaged_frames_are_counted_in_every_round_and_a_round_of_nothing_else_is_the_last(time_passes: Any) -> None:
    source = Playback(Film(0.0, 0.1, 0.2, damaged=(1,)), realtime=False, loop=True)
    frames = read_all(source, 5)
    assert not source.live and [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 2, 0, 2, 0]
    assert (source.counts().captured, source.counts().bad) == (5, 2)
    empty = Playback(Film(0.0, 0.1, damaged=(0, 1)), realtime=True, loop=True)
    assert read_all(empty) == [] and empty.ended and empty.counts().bad == 2
    assert read_all(Playback(Film(), realtime=True, loop=True)) == []


def test_a_still_scene_in_a_loop_is_no_frozen_camera_and_a_steady_one_is_ok(time_passes: Any) -> None:
    source = Playback(Film(*(0.1 * number for number in range(20))), realtime=True, loop=True)
    health = Health(time_passes())
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    for frame in read_all(source, 300):
        assert health.frame(pixels, frame.fingerprint, source.counts().captured, frame.captured_s)
        assert str(health.condition(frame.captured_s).state) == "ok"


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """Twelve numbered frames at 25 a second."""
    path = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for number in range(12):
        writer.write(draw_numbered_image(draw_wave_image(240, 320), number))
    writer.release()
    return path


def test_a_video_loops_without_losing_a_frame_and_knows_its_time_stamps(clip: str) -> None:
    with open_camera(clip, options=CameraOptions(loop=True)) as source:
        frames = read_all(source, 30)
    assert [read_image_number(frame.pixels) for frame in frames] == [number % 12 for number in range(30)]
    assert [frame.position_s for frame in frames] == pytest.approx([number / 25 for number in range(30)], abs=2e-3)


def test_a_video_without_usable_time_stamps_keeps_its_rate(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = VideoFileCamera(clip)
    real = camera._capture

    class Unstamped:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def get(self, which: int) -> float:
            return 0.0 if which == cv2.CAP_PROP_POS_MSEC else float(real.get(which))

    monkeypatch.setattr(camera, "_capture", Unstamped())
    positions_s = [frame.position_s for frame in read_all(camera)]
    assert positions_s == pytest.approx([number / 25 for number in range(12)])


def test_a_video_whose_codec_nobody_knows_is_an_error_and_no_empty_run(
    clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = VideoFileCamera(clip)
    monkeypatch.setattr(camera, "_capture", SimpleNamespace(grab=lambda: False, get=camera._capture.get))
    with pytest.raises(
        DataError,
        match=r"clip.avi has no frame that this OpenCV can decode \(its codec is MJPG\); convert it with: ffmpeg",
    ):
        camera.read(1.0)


def test_a_video_that_is_gone_at_the_end_of_a_round_is_an_error(clip: str) -> None:
    with open_camera(clip, options=CameraOptions(loop=True)) as source:
        assert len(read_all(source, 12)) == 12
        Path(clip).unlink()
        with pytest.raises(DataError, match=r"clip.avi is not a video that OpenCV can read"):
            source.read(1.0)


@pytest.mark.parametrize(("fps", "step_s"), [(None, 1.0), (4.0, 0.25)])
def test_a_folder_shows_an_image_a_second_or_as_often_as_is_said(
    tmp_path: Path, time_passes: Any, fps: float | None, step_s: float
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    with open_camera(tmp_path, options=CameraOptions(expect_fps=fps, realtime=True, loop=True)) as source:
        frames = read_all(source, 5)
    assert [frame.name for frame in frames] == ["a.png", "b.png", "c.png", "a.png", "b.png"]
    assert np.diff([frame.captured_s for frame in frames]) == pytest.approx(step_s)


@pytest.mark.parametrize("name", ["realtime", "loop"])
def test_a_live_camera_is_neither_slowed_down_nor_begun_again(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"`{name}` is for video files and folders of images, .* synthetic, wh"
    ):
        open_camera("synthetic", options=CameraOptions(**{name: True}))

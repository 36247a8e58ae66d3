"""The window: what it draws, when it closes, and what it says where no window can be."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.sources.synthetic import wave_picture
from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.results import Counts, Pulse, Result
from edge_runtime.outputs.window import FRAME, Window, check_window, darkened, drawn

WITH_GUI = "  GUI:                           GTK3\n"
RESULT = Result(1, 0.0, 8.0, Prediction(0, "cat", 0.9, (ClassScore("cat", 0.9), ClassScore("dog", 0.1)), False), 0)


class FakeDesktop:
    """The six window functions of OpenCV, recording what is shown."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray[Any, Any]] = []
        self.size = 0, 0
        self.key, self.visible, self.opened, self.destroyed = -1, 1.0, 0, 0

    def namedWindow(self, title: str, flags: int) -> None:
        self.opened += 1

    def resizeWindow(self, title: str, width: int, height: int) -> None:
        self.size = width, height

    def imshow(self, title: str, picture: np.ndarray[Any, Any]) -> None:
        self.shown.append(picture)

    def waitKey(self, wait_ms: int) -> int:
        return self.key

    def getWindowProperty(self, title: str, what: int) -> float:
        return self.visible

    def destroyAllWindows(self) -> None:
        self.destroyed += 1


def test_an_opencv_without_windows_and_a_missing_display_say_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"This OpenCV cannot open windows.*--web.*pip install opencv-python$"):
        check_window({"DISPLAY": ":0"}, "  GUI:                           NONE\n")
    with pytest.raises(ConfigurationError, match=r"There is no display.*--web"):
        check_window({}, WITH_GUI)
    assert check_window({"WAYLAND_DISPLAY": "wayland-0"}, WITH_GUI) is None  # type: ignore[func-returns-value]


def test_the_model_s_region_is_framed_and_the_rest_untouched_there() -> None:
    picture = drawn(wave_picture(240, 320), RESULT, InputSpec(32, 32, "crop"))
    assert tuple(picture[120, 40]) == FRAME and tuple(picture[120, 279]) == FRAME
    assert np.array_equal(picture[120, 200:270], wave_picture(240, 320)[120, 200:270])
    assert not np.array_equal(picture[:60], wave_picture(240, 320)[:60])


def test_a_picture_that_is_not_live_is_dark_with_the_reason() -> None:
    picture = darkened(wave_picture(240, 320), "no_camera: the cable is out " * 3)
    assert np.median(picture) < 64
    assert picture.max() > 240


def test_frames_are_shown_at_most_thirty_times_a_second_and_trouble_darkens(toy: Classifier, clock: Any) -> None:
    desktop = FakeDesktop()
    window = Window(desktop, clock)
    window.model(toy)
    for number in range(100):
        clock.now_s += 0.01
        window.frame(Frame(wave_picture(96, 256), number, clock.now_s), RESULT)
    assert 20 <= len(desktop.shown) <= 31 and desktop.opened == 1
    assert desktop.size == (320, 240)
    bright = desktop.shown[-1]
    window.frame(Frame(wave_picture(96, 256), 1, clock.now_s), None)
    window.pulse(Pulse(clock.now_s, "door", "frozen", "the same picture", Counts()))
    assert np.median(desktop.shown[-1]) < np.median(bright) / 2
    window.close()
    window.close()
    assert desktop.destroyed == 1


@pytest.mark.parametrize(("key", "visible"), [(ord("q"), 1.0), (27, 1.0), (-1, 0.0)])
def test_the_viewer_may_close_it(clock: Any, key: int, visible: float) -> None:
    desktop = FakeDesktop()
    desktop.key, desktop.visible = key, visible
    window = Window(desktop, clock)
    window.frame(Frame(wave_picture(96, 256), 1, 0.0), RESULT)
    assert window.closed
    window.frame(Frame(wave_picture(96, 256), 2, 0.0), RESULT)
    assert len(desktop.shown) == 1


def test_the_window_of_this_opencv_matches_its_build() -> None:
    has_windows = "GUI:                           NONE" not in cv2.getBuildInformation()
    if has_windows:
        assert check_window({"DISPLAY": ":0"}) is None  # type: ignore[func-returns-value]
    else:
        with pytest.raises(ConfigurationError, match="cannot open windows"):
            check_window({"DISPLAY": ":0"})

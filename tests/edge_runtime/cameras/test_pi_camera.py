"""The Pi camera through a fake rpicam-vid that stands first on PATH: images, silence, death, and no process left
over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.capture.parent import Capture, CaptureConfig
from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.opening import open_camera
from edge_runtime.cameras.sources.rpicam import PiCamera
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image, read_image_number
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]
Install = Callable[..., Path]
SENDS = "for number in range(10**9):\n    out.write(images[number % len(images)]); out.flush(); time.sleep(0.01)\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a program called ``name`` first on PATH: it writes its arguments and id to files, then does
    ``statements``.
    """
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for number in range(20):
        cv2.imwrite(str(tmp_path / f"{number:02}.jpg"), draw_numbered_image(draw_wave_image(240, 320), number))

    def write(statements: str, name: str = "rpicam-vid") -> Path:
        program = tmp_path / name
        program.write_text(
            f"#!{sys.executable} -S\nimport os, signal, sys, time\nfrom pathlib import Path\n"
            f"here = Path({str(tmp_path)!r})\n"
            "(here / 'arguments').write_text(' '.join(sys.argv[1:]))\n(here / 'pid').write_text(str(os.getpid()))\n"
            "images = [path.read_bytes() for path in sorted(here.glob('*.jpg'))]\nout = sys.stdout.buffer\n"
            + statements
        )
        program.chmod(0o755)
        return tmp_path

    return write


def take(camera: FrameSource, count: int) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < count:
        frame = camera.read(5.0)
        assert frame is not None, "the camera fell silent"
        frames.append(frame)
    return frames


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def test_images_come_whole_small_and_in_order(install: Install) -> None:
    here = install(SENDS)
    with PiCamera(InputSpec(60, 80)) as camera:
        frames = take(camera, 6)
        assert camera.name == "Pi camera by rpicam-vid"
    assert all(frame.pixels.shape == (60, 80, 3) for frame in frames)
    assert "--codec mjpeg --timeout 0 --nopreview" in (here / "arguments").read_text()
    assert state(int((here / "pid").read_text())) == "gone"


def test_the_number_in_the_pixels_is_the_number_of_the_frame(install: Install) -> None:
    install(SENDS)
    with PiCamera() as camera:
        assert all(read_image_number(frame.pixels) == frame.seq % 20 for frame in take(camera, 6))


def test_images_that_pile_up_are_dropped_all_but_the_newest(install: Install) -> None:
    install("out.write(b''.join(images)); out.flush(); time.sleep(60)\n")
    with PiCamera() as camera:
        frames = []
        while not frames or frames[-1].seq < 19:
            frames += take(camera, 1)
        assert camera.num_captured == 20
    assert read_image_number(frames[-1].pixels) == 19


def test_a_program_that_writes_as_fast_as_it_can_still_gives_its_newest_image_again_and_again(
    install: Install,
) -> None:
    install("all_of_them = b''.join(images)\nwhile True: out.write(all_of_them); out.flush()\n")
    with PiCamera(InputSpec(60, 80)) as camera:
        frames = take(camera, 5)
    numbers = [frame.seq for frame in frames]
    assert numbers == sorted(set(numbers)) and camera.num_captured == numbers[-1] + 1
    assert numbers[-1] > len(numbers), "and what piled up between them was dropped"


def test_the_older_program_is_used_where_it_is_the_only_one(install: Install) -> None:
    install(SENDS, "libcamera-vid")
    with PiCamera() as camera:
        assert camera.name == "Pi camera by libcamera-vid"
        take(camera, 1)


def test_a_damaged_image_is_counted_and_the_next_one_comes(install: Install) -> None:
    install("out.write(images[0][:400] + b'\\xff\\xd9' + images[1]); out.flush(); time.sleep(60)\n")
    with PiCamera() as camera:
        assert read_image_number(take(camera, 1)[0].pixels) == 1
        assert (camera.num_captured, camera.num_bad) == (1, 1)


def test_a_program_that_ends_is_an_error_with_its_code(install: Install) -> None:
    install("sys.exit(255)\n")
    with PiCamera() as camera, pytest.raises(CameraError, match=r"ended with code 255; is a camera attached\?"):
        camera.read(5.0)


def test_without_the_program_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        CameraError, match=r"Neither rpicam-vid nor libcamera-vid is installed.*apt install rpicam-apps-lite"
    ):
        open_camera("csi")


def test_a_silent_program_is_killed_with_its_capture_process_and_started_again(install: Install) -> None:
    here = install(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nout.write(images[0]); out.flush()\nwhile True: time.sleep(60)\n"
    )
    config = CaptureConfig(silent_s=0.3, unknown_s=0.3, first_restart_s=0.02)
    with Capture(CameraAddress("csi", ""), config=config) as capture:
        end_s = time.monotonic() + HANG_S
        while capture.read(0.1) is None:
            assert time.monotonic() < end_s
        first = int((here / "pid").read_text())
        while capture.read(0.1) is None or capture.counts().restarts < 1:
            assert time.monotonic() < end_s
        assert int((here / "pid").read_text()) != first
        assert state(first) in ("gone", "Z")


def test_nothing_survives_closing_the_camera(install: Install) -> None:
    here = install("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SENDS)
    with open_camera("csi") as capture:
        assert capture.read(HANG_S) is not None
        pids = [*capture.pids, int((here / "pid").read_text())]
    end_s = time.monotonic() + HANG_S
    while any(state(pid) not in ("gone", "Z") for pid in pids):
        assert time.monotonic() < end_s
    assert not {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()} & set(pids)


@pytest.mark.usefixtures("machine_cameras")
def test_a_second_run_on_the_same_camera_ends_with_75_and_the_first_goes_on(install: Install, toy_path: Path) -> None:
    install(SENDS)
    run = [sys.executable, "-m", "edge_runtime", "run", "--model", str(toy_path), "--camera", "csi"]
    first = subprocess.Popen([*run, "--format", "jsonl"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        while '"prediction"' not in (line := first.stdout.readline()):
            assert line, "the first run ended"
        second = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)
        assert (second.returncode, second.stdout) == (75, "")
        assert "Another edge-runtime holds the camera csi; stop that one first" in second.stderr
        while '"prediction"' not in (line := first.stdout.readline()):
            assert line, "the first run ended"
        first.terminate()
        first.communicate(timeout=HANG_S)
        assert first.returncode == 0
    finally:
        first.kill()
        first.communicate()

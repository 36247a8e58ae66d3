"""The live camera in its own process, under every fault that it is there for; real processes, real sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.capture.orders import Order
from edge_runtime.cameras.capture.parent import Capture, CaptureConfig
from edge_runtime.cameras.capture.shared_frames import HEADER_BYTES, SLOT_BYTES, SharedFrames
from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.lookout import LookConfig
from edge_runtime.cameras.opening import open_camera
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.synthetic import read_image_number
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import CameraError, ConfigurationError
from edge_runtime.system.backoff import Backoff
from tests.patience import HANG_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="capture processes need Linux")

QUICK = CaptureConfig(silent_s=0.4, unknown_s=0.4, opening_s=1.0, first_restart_s=0.02, restart_cap_s=0.1)
# Only a child that gave a frame is soon silent: on a busy machine a healthy one may take long to start and to open.
QUICK_ONCE_OPEN = CaptureConfig(
    start_s=60, opening_s=10, silent_s=0.4, unknown_s=0.4, first_restart_s=0.02, restart_cap_s=0.1
)
ReadUntil = Callable[..., Frame | None]
Fake = Callable[[str], tuple[str, ...]]
ANY = CameraAddress("synthetic", "")


def is_frame(frame: Frame | None) -> bool:
    return frame is not None


def holds(capture: Capture, processed: int) -> bool:
    counts = capture.counts()
    return counts.captured == processed + counts.dropped + counts.waiting and counts.dropped >= 0


def is_alive(pid: int) -> bool:
    """True when a process (also a zombie) has this id."""
    return Path(f"/proc/{pid}").exists()


def children() -> set[int]:
    """The ids of this process's children, zombies included."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread may end meanwhile
            found |= {int(pid) for pid in path.read_text().split()}
    return found


def shared_memory() -> set[str]:
    """The files in shared memory that a program of ours could have made; others' come and go."""
    return {name for name in os.listdir("/dev/shm") if name.startswith(("psm_", "edge"))}


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Every test here ends with the processes and descriptors that it began with, and no shared-memory file."""
    before = (children(), len(os.listdir("/proc/self/fd")), shared_memory())
    yield
    assert (children(), len(os.listdir("/proc/self/fd")), shared_memory()) == before


@pytest.fixture
def fake_child(tmp_path: Path) -> Fake:
    """A capture child that speaks the real protocol and misbehaves as the given statements say."""

    def command(statements: str) -> tuple[str, ...]:
        script = tmp_path / "child.py"
        script.write_text(
            f"import json, os, signal, sys, time\nsys.path[:] = {sys.path!r}\n"
            "from edge_runtime.cameras.capture.child import Order\n"
            "order = Order.from_json(sys.stdin.readline())\n"
            "def say(state, text='fake'):\n    print(json.dumps({'state': state, 'text': text}), flush=True)\n"
            "def publish(count=1):\n"
            "    import numpy as np\n"
            "    from edge_runtime.cameras.frame import Frame\n"
            "    from edge_runtime.cameras.capture.shared_frames import SharedFrames\n"
            "    shared = SharedFrames(order.frames_fd)\n"
            "    for seq in range(count):\n"
            "        shared.publish(Frame(np.full((4, 6, 3), seq, np.uint8), seq, time.monotonic()))\n"
            "        shared.count(seq + 1, 0)\n"
            "    os.eventfd_write(order.event_fd, 1)\n" + statements
        )
        return (sys.executable, str(script))

    return command


def test_only_the_newest_frame_is_seen_and_every_frame_is_accounted_for(
    network_camera: Any, read_until: ReadUntil
) -> None:
    with Capture(parse_camera(network_camera.address)) as capture:
        first = read_until(capture, is_frame)
        assert first is not None and read_image_number(first.pixels) == first.seq
        assert holds(capture, 1)
        sent = network_camera.num_sent
        while network_camera.num_sent < sent + 40:
            time.sleep(0.01)
        late = capture.read(1.0)
        assert late is not None
        assert late.seq >= first.seq + 35
        assert read_image_number(late.pixels) == late.seq
        assert late.captured_s > first.captured_s
        assert holds(capture, 2)
        assert capture.counts().dropped >= 30


def test_decoding_happens_in_the_child_at_the_size_that_the_model_needs(
    network_camera: Any, read_until: ReadUntil
) -> None:
    with Capture(parse_camera(network_camera.address), InputSpec(24, 32)) as capture:
        frame = read_until(capture, is_frame)
    assert frame is not None and frame.pixels.shape == (30, 40, 3)


def test_a_model_with_another_input_size_gets_its_images_from_the_same_process_and_connection(
    network_camera: Any, read_until: ReadUntil
) -> None:
    small, large = InputSpec(24, 32), InputSpec(200, 200)
    with Capture(parse_camera(network_camera.address), small) as capture:
        first = read_until(capture, is_frame)
        assert first is not None and first.pixels.shape == (30, 40, 3)
        pids, seen = capture.pids, []
        for spec, shape in ((large, (240, 320, 3)), (small, (30, 40, 3)), (large, (240, 320, 3))):
            capture.shrink_for(spec)
            while not seen or seen[-1].pixels.shape != shape:
                frame = read_until(capture, is_frame)
                assert frame is not None
                seen.append(Frame(frame.pixels.copy(), frame.seq, frame.captured_s))
        assert (capture.pids, capture.counts().restarts, network_camera.num_connections) == (pids, 0, 1)
        assert [frame.seq for frame in seen] == sorted({frame.seq for frame in seen}), "and its numbers go on"


def test_a_camera_that_comes_back_still_gives_the_size_that_was_asked_for_last(
    network_camera: Any, read_until: ReadUntil
) -> None:
    with Capture(parse_camera(network_camera.address), InputSpec(24, 32)) as capture:
        read_until(capture, is_frame)
        network_camera.stop()
        read_until(capture, lambda frame: bool(capture.trouble))
        capture.shrink_for(InputSpec(200, 200))
        pids = capture.pids
        network_camera.start()
        frame = read_until(capture, is_frame)
        assert frame is not None and frame.pixels.shape == (240, 320, 3)
        assert capture.pids == pids


def test_a_new_process_gets_the_size_that_was_asked_for_last(network_camera: Any, read_until: ReadUntil) -> None:
    with Capture(parse_camera(network_camera.address), InputSpec(24, 32), QUICK_ONCE_OPEN) as capture:
        read_until(capture, is_frame)
        capture.shrink_for(InputSpec(200, 200))
        os.kill(capture.pids[0], signal.SIGKILL)
        read_until(capture, lambda frame: capture.counts().restarts == 1)
        frame = read_until(capture, is_frame)
        assert frame is not None and frame.pixels.shape == (240, 320, 3)


def test_a_camera_that_was_opened_for_whole_frames_keeps_them(network_camera: Any, read_until: ReadUntil) -> None:
    with Capture(parse_camera(network_camera.address)) as capture:
        read_until(capture, is_frame)
        capture.shrink_for(InputSpec(24, 32))
        shapes = set()
        for _ in range(5):
            frame = read_until(capture, is_frame)
            assert frame is not None
            shapes.add(frame.pixels.shape)
    assert shapes == {(240, 320, 3)}


def test_frames_of_an_iteration_keep_their_pixels(network_camera: Any) -> None:
    with open_camera(network_camera.address) as camera:
        frames = [frame for frame, _ in zip(camera, range(5), strict=False)]
    assert [read_image_number(frame.pixels) for frame in frames] == [frame.seq for frame in frames]


def test_a_changing_resolution_gives_no_wrong_shape(network_camera: Any, read_until: ReadUntil) -> None:
    from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image

    backgrounds = [draw_wave_image(240, 320), draw_wave_image(120, 200), draw_wave_image(480, 640)]
    import cv2

    network_camera.image = lambda number: cv2.imencode(
        ".jpg", draw_numbered_image(backgrounds[number // 5 % 3], number)
    )[1].tobytes()
    seen = set()
    with Capture(parse_camera(network_camera.address)) as capture:
        while len(seen) < 3:
            frame = read_until(capture, is_frame)
            assert frame is not None
            assert read_image_number(frame.pixels) == frame.seq
            assert frame.pixels.shape == backgrounds[frame.seq // 5 % 3].shape
            seen.add(frame.pixels.shape)
        assert capture.counts().restarts == 0


@pytest.mark.slow
def test_an_unplugged_camera_is_missed_cheaply_and_seen_again_each_time(
    network_camera: Any, read_until: ReadUntil
) -> None:
    processed = 0

    def is_missed(frame: Frame | None) -> bool:
        nonlocal processed
        processed += frame is not None  # one that was on its way when the plug was pulled
        return bool(capture.trouble)

    with Capture(parse_camera(network_camera.address)) as capture:
        for _ in range(5):
            read_until(capture, is_frame)
            processed += 1
            network_camera.stop()
            read_until(capture, is_missed)
            out_s, used_s = time.monotonic(), _cpu_seconds(capture.pids)
            while time.monotonic() - out_s < 1.0:
                processed += capture.read(0.25) is not None
            assert _cpu_seconds(capture.pids) - used_s < 0.05 * (time.monotonic() - out_s) + 0.02
            network_camera.start()
            read_until(capture, is_frame)
            processed += 1
            assert holds(capture, processed)
        assert capture.counts().restarts == 0, "an orderly outage needs no new process"


def _cpu_seconds(pids: tuple[int, ...]) -> float:
    total = time.process_time()
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


@pytest.mark.slow
def test_a_stopped_child_is_killed_and_replaced_and_leaves_no_zombie_and_no_descriptor(
    network_camera: Any, read_until: ReadUntil
) -> None:
    """Each cycle is checked by itself, so a leak of one descriptor a cycle is seen in the second."""
    processed, descriptors = 0, None
    with Capture(parse_camera(network_camera.address), config=QUICK_ONCE_OPEN) as capture:
        for cycle in range(10):
            read_until(capture, is_frame)
            processed += 1
            descriptors = descriptors or _descriptors_but_sockets()
            assert _descriptors_but_sockets() == descriptors
            (pid,) = capture.pids
            os.kill(pid, signal.SIGSTOP)
            while pid in capture.pids:
                time.sleep(0.005)
                # One step at a time: a longer read may already have started the next child when it returns.
                processed += capture.read(0.0) is not None
            assert "silent" in capture.trouble
            assert not is_alive(pid)
            assert capture.counts().restarts == cycle
            assert holds(capture, processed)


def _descriptors_but_sockets() -> int:
    """Those of the capture: the fake camera in this process has sockets, and closes them when it gets round to it."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += not os.readlink(path).startswith("socket:")
    return found


def test_with_the_usual_limits_a_stopped_child_is_replaced_within_five_seconds(clock: Any, fake_child: Fake) -> None:
    config = CaptureConfig()
    assert config.silent_s + config.first_restart_s * 1.2 <= 5.0
    assert config.first_restart_s * 1.2 < 2.0, "and one that crashed within two"
    assert config.silent_s <= 3.0


def test_a_camera_that_accepts_and_never_speaks_is_reported_and_its_child_stays_killable(read_until: ReadUntil) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = parse_camera(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        with Capture(address, config=QUICK) as capture:
            read_until(capture, lambda frame: bool(capture.trouble))
            assert "silent" in capture.trouble
            read_until(capture, lambda frame: capture.counts().restarts >= 1)


@pytest.mark.slow
def test_a_crashing_child_is_replaced_and_counted(network_camera: Any, read_until: ReadUntil) -> None:
    with Capture(parse_camera(network_camera.address)) as capture:
        read_until(capture, is_frame)
        os.kill(capture.pids[0], signal.SIGSEGV)
        read_until(capture, lambda frame: capture.counts().restarts == 1 and bool(capture.pids))
        read_until(capture, is_frame)


def test_the_way_a_child_ended_is_told(fake_child: Fake, read_until: ReadUntil) -> None:
    with Capture(ANY, config=QUICK, command=fake_child("os.kill(os.getpid(), signal.SIGSEGV)")) as capture:
        read_until(capture, lambda frame: bool(capture.trouble))
        assert capture.trouble == "the capture process of synthetic ended (signal SIGSEGV)"


def test_a_child_that_ends_by_a_signal_without_a_name_is_replaced(fake_child: Fake, read_until: ReadUntil) -> None:
    statements = "os.kill(os.getpid(), signal.SIGRTMIN + 1)\ntime.sleep(60)\n"
    with Capture(ANY, config=QUICK_ONCE_OPEN, command=fake_child(statements)) as capture:
        read_until(capture, lambda frame: capture.counts().restarts >= 1)
        assert capture.trouble == f"the capture process of synthetic ended (signal {signal.SIGRTMIN + 1})"


def test_a_child_that_announces_an_impossible_frame_is_replaced_and_the_next_one_believed(
    fake_child: Fake, read_until: ReadUntil, tmp_path: Path
) -> None:
    has_lied = str(tmp_path / "has-lied")
    statements = (
        f"if os.path.exists({has_lied!r}):\n    publish(3)\n    time.sleep(60)\n"
        f"open({has_lied!r}, 'w').close()\n"
        "from edge_runtime.cameras.capture.shared_frames import SharedFrames\n"
        "shared = SharedFrames(order.frames_fd)\n"
        "shared._slots[0][:5] = 5, 1, 100_000, 100_000, -1\nshared._words[0] = 1\n"
        "os.eventfd_write(order.event_fd, 1)\ntime.sleep(60)\n"
    )
    with Capture(ANY, config=QUICK_ONCE_OPEN, command=fake_child(statements)) as capture:
        (liar,) = capture.pids
        read_until(capture, lambda frame: bool(capture.trouble))
        assert "announced a frame of 100000x100000, which is impossible. It was killed" in capture.trouble
        assert not is_alive(liar)
        frame = read_until(capture, is_frame)
        assert frame is not None and frame.pixels.shape == (4, 6, 3)
        assert (capture.trouble, capture.counts().restarts) == ("", 1)
        assert holds(capture, 1)


def test_a_child_that_always_exits_is_started_at_most_twelve_times_in_two_minutes(clock: Any) -> None:
    with Capture(ANY, command=("/bin/false",), clock=clock) as capture:
        starts, waits = [clock.now_s], []
        while clock.now_s < 1120.0:
            restarts = capture.counts().restarts
            while capture.pids:  # the process is real: give it real time to end
                capture.read(0.0)
                time.sleep(0.002)
            clock.now_s += 0.05
            capture.read(0.0)
            if capture.counts().restarts > restarts:
                waits.append(clock.now_s - starts[-1])
                starts.append(clock.now_s)
    assert 7 <= len(starts) <= 12
    for wait_s, wanted_s in zip(waits, [1, 2, 4, 8, 16, 30, 30], strict=False):
        assert 0.79 * wanted_s <= wait_s <= 1.21 * wanted_s + 0.1


def test_waits_double_to_a_cap_with_jitter_and_start_again_after_a_reset() -> None:
    backoff = Backoff(1.0, 30.0, seed=1)
    waits = [backoff.next_s() for _ in range(7)]
    assert all(
        0.8 * wanted <= wait <= 1.2 * wanted for wait, wanted in zip(waits, [1, 2, 4, 8, 16, 30, 30], strict=True)
    )
    assert len({round(wait / wanted, 6) for wait, wanted in zip(waits, [1, 2, 4, 8, 16, 30, 30], strict=True)}) == 7
    backoff.reset()
    assert backoff.next_s() <= 1.2


def test_a_child_that_ignores_sigterm_is_killed_on_close(fake_child: Fake, read_until: ReadUntil) -> None:
    statements = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\npublish()\nwhile True: time.sleep(60)\n"
    capture = Capture(ANY, command=fake_child(statements))
    read_until(capture, is_frame)
    (pid,) = capture.pids
    started_s = time.monotonic()
    capture.close()
    assert time.monotonic() - started_s < 3.0
    assert not is_alive(pid)


def test_what_a_killed_child_started_is_killed_too(fake_child: Fake, read_until: ReadUntil, tmp_path: Path) -> None:
    statements = (
        "import subprocess\nother = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(other.pid))\npublish()\nwhile True: time.sleep(60)\n"
    )
    capture = Capture(ANY, config=QUICK, command=fake_child(statements))
    read_until(capture, is_frame)
    capture.close()
    end_s = time.monotonic() + HANG_S
    state = ""
    while time.monotonic() < end_s and state != "gone":
        with contextlib.suppress(FileNotFoundError):
            state = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":  # orphans are reaped by whatever adopts them
                continue
        state = "gone"
    assert state == "gone"


@pytest.mark.slow
def test_a_camera_that_refuses_first_is_labelled_within_seven_seconds_of_serving(
    network_camera: Any, read_until: ReadUntil
) -> None:
    """By then the waits between two attempts, 0.5, 1, 2 and 2 s, are as long as they get."""
    refuse_s = 6.0
    network_camera.stop()
    with Capture(parse_camera(network_camera.address)) as capture:
        start_s = time.monotonic()
        read_until(capture, lambda frame: time.monotonic() - start_s > refuse_s)
        assert "Connection refused" in capture.trouble
        network_camera.start()
        read_until(capture, is_frame, 7)
        assert capture.trouble == ""


def test_the_child_dies_when_its_parent_is_killed(network_camera: Any, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\nfrom edge_runtime.cameras.opening import open_camera\n"
        f"camera = open_camera({network_camera.address!r})\nframe = None\n"
        "while frame is None: frame = camera.read()\n"
        "print(*camera.pids, flush=True)\nwhile True: camera.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
        end_s = time.monotonic() + HANG_S
        while is_alive(child) and _state(child) != "Z":
            assert time.monotonic() < end_s, "the capture process outlives its parent"
            time.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_nonsense_on_the_message_pipe_is_skipped(fake_child: Fake, read_until: ReadUntil) -> None:
    statements = "print('x' * 70000)\nprint('[1]')\nprint('{}')\nprint('[' * 15000)\nsay('trouble', 'the lens fell off')\ntime.sleep(60)\n"
    with Capture(ANY, command=fake_child(statements)) as capture:
        read_until(capture, lambda frame: bool(capture.trouble))
        assert capture.trouble == "the lens fell off"


def test_a_child_that_closes_its_message_pipe_does_not_make_the_parent_spin(
    fake_child: Fake, read_until: ReadUntil
) -> None:
    with Capture(ANY, command=fake_child("publish()\nos.close(1)\ntime.sleep(60)\n")) as capture:
        read_until(capture, is_frame)
        capture.read(0.1)
        used_s = time.process_time()
        capture.read(0.5)
        assert time.process_time() - used_s < 0.1


def test_a_source_that_ends_ends_the_capture(fake_child: Fake, read_until: ReadUntil) -> None:
    with Capture(ANY, command=fake_child("publish(3)\nsay('ended')\n")) as capture:
        read_until(capture, lambda frame: capture.ended)
        assert capture.ended and capture.counts().restarts == 0


def test_iterating_gives_up_when_no_first_frame_comes(fake_child: Fake) -> None:
    config = CaptureConfig(first_frame_s=0.3)
    capture = Capture(ANY, config=config, command=fake_child("say('trouble', 'no such camera')\ntime.sleep(60)\n"))
    with pytest.raises(CameraError, match=r"No frame within 0.3 s: "):
        next(iter(capture))


def test_a_camera_that_is_there_again_is_no_longer_called_missing(
    fake_child: Fake, read_until: ReadUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.cameras.capture.parent.LONG_OPENING_S", 0.05)
    statements = (
        "say('opening')\nsay('trouble', '/dev/video0 does not exist')\ntime.sleep(0.5)\n"
        "say('opening')\ntime.sleep(60)\n"
    )
    with Capture(ANY, command=fake_child(statements)) as capture:
        read_until(capture, lambda frame: capture.trouble == "/dev/video0 does not exist")
        read_until(capture, lambda frame: capture.trouble != "/dev/video0 does not exist")
        assert capture.trouble.endswith("has been opening for more than 0.05 s")


def test_a_program_that_cannot_be_started_is_an_error() -> None:
    with pytest.raises(CameraError, match=r"The capture process cannot start \(.*/no/such/program"):
        Capture(ANY, command=("/no/such/program",))


def test_a_restart_that_fails_is_waited_out(
    fake_child: Fake, read_until: ReadUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Capture(ANY, config=QUICK, command=fake_child("publish()\nos._exit(3)\n")) as capture:
        read_until(capture, is_frame)
        with monkeypatch.context() as patch:
            patch.setattr(SharedFrames, "create", staticmethod(_no_descriptors))
            read_until(capture, lambda frame: "Too many open files" in capture.trouble)
            assert capture.pids == () and "check memory, processes and open files" in capture.trouble
        read_until(capture, is_frame)
        assert capture.counts().restarts >= 2


def _no_descriptors(*arguments: Any) -> Any:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_capture_process_says_which_defect_ended_it(read_until: ReadUntil) -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\nfrom edge_runtime.cameras.capture import child\n"
        "child.open_source = lambda *arguments: 1 / 0\nchild.main()\n"
    )
    with Capture(ANY, config=QUICK_ONCE_OPEN, command=(sys.executable, "-c", script)) as capture:
        read_until(capture, lambda frame: capture.trouble != "")
        assert capture.trouble == "The capture process failed: ZeroDivisionError: division by zero"


def test_an_order_survives_its_pipe() -> None:
    for spec in (None, InputSpec(32, 48, "crop")):
        order = Order(CameraAddress("http", "http://a:b@c/"), spec, 5, 6, 7)
        assert Order.from_json(order.to_json()) == order
    slow = Order(CameraAddress("csi", ""), None, 5, 6, 7, CameraOptions(expect_fps=0.1))
    assert Order.from_json(slow.to_json()) == slow
    resting = CameraOptions(look=LookConfig(max_fps=5.0, every_s=60.0, on_motion=True, num_votes=3))
    picky = Order(CameraAddress("csi", ""), None, 5, 6, 7, resting, Region(0.5, 0.0, 0.5, 1.0))
    assert Order.from_json(picky.to_json()) == picky


def test_shared_frames_keep_the_newest_and_never_touch_the_one_being_read() -> None:
    shared = SharedFrames.create()
    writer = SharedFrames(os.dup(shared.fd))
    assert shared.take(-1) is None
    writer.publish(Frame(np.full((4, 6, 3), 1, np.uint8), 0, 12.5, fingerprint=99))
    reading = shared.take(-1)
    assert reading is not None
    assert (reading.seq, reading.captured_s, reading.fingerprint, reading.pixels.shape) == (0, 12.5, 99, (4, 6, 3))
    for seq in range(1, 50):
        writer.publish(Frame(np.full((5, 7, 3), seq + 1, np.uint8), seq, 13.0))
        assert (reading.pixels == 1).all()
    newest = shared.take(0)
    assert newest is not None
    assert (newest.seq, newest.fingerprint, newest.pixels.shape) == (49, None, (5, 7, 3))
    assert (newest.pixels == 50).all()
    assert shared.take(49) is None
    writer.close()
    shared.close()


def test_frames_that_do_not_fit_are_refused_on_both_sides() -> None:
    shared = SharedFrames.create()
    huge = np.broadcast_to(np.uint8(0), (8000, 8000, 3))
    with pytest.raises(CameraError, match=rf"The frame is 8000x8000 pixels; {SLOT_BYTES} bytes is the limit"):
        shared.publish(Frame(huge, 0, 0.0))
    shared.publish(Frame(np.zeros((2, 2, 3), np.uint8), 0, 0.0))
    words = np.frombuffer(shared._memory, np.int64, HEADER_BYTES // 8)
    slot = int(words[0]) - 1
    words[8 * (slot + 1) + 2] = 10**9
    with pytest.raises(CameraError, match=r"announced a frame of 2x1000000000, which is impossible"):
        shared.take(-1)
    shared.close()


def test_a_camera_whose_images_are_all_damaged_is_neither_silent_nor_replaced(
    network_camera: Any, read_until: Any
) -> None:
    network_camera.image, network_camera.fps = lambda number: b"<html>busy</html>", 20
    address = CameraAddress("http", network_camera.address)
    with Capture(address, config=CaptureConfig(opening_s=30.0, silent_s=0.9)) as capture:
        read_until(capture, lambda frame: capture.counts().bad >= 40)
        assert (capture.counts().restarts, capture.trouble) == (0, "")


def test_a_slow_camera_is_waited_for_and_its_process_stays(fake_child: Fake, read_until: ReadUntil) -> None:
    statements = (
        "import numpy as np\nfrom edge_runtime.cameras.frame import Frame\n"
        "from edge_runtime.cameras.capture.shared_frames import SharedFrames\nshared = SharedFrames(order.frames_fd)\n"
        "for seq in range(60):\n"
        "    shared.publish(Frame(np.full((4, 6, 3), seq, np.uint8), seq, time.monotonic()))\n"
        "    shared.count(seq + 1, 0)\n    os.eventfd_write(order.event_fd, 1)\n"
        "    time.sleep(0.5)\n"
    )
    config = CaptureConfig(silent_s=0.2, unknown_s=60.0)
    with Capture(ANY, config=config, command=fake_child(statements)) as capture:
        for _ in range(6):
            read_until(capture, is_frame)
        assert capture.counts().restarts == 0


def test_an_expected_rate_gives_the_first_frame_and_every_other_its_time(clock: Any, fake_child: Fake) -> None:
    slow = CameraOptions(expect_fps=0.1)
    with Capture(ANY, command=fake_child("time.sleep(60)\n"), clock=clock, options=slow) as capture:
        assert capture._silent_s() == 30.0
    with Capture(ANY, command=fake_child("time.sleep(60)\n"), clock=clock) as capture:
        assert (capture._silent_s(), capture.config.silent_s) == (20.0, 3.0)


@pytest.fixture
def still_camera(network_camera: Any) -> Any:
    """A network camera of a noisy still scene; ``brightness`` may be changed."""
    chance, pool = np.random.default_rng(2), {}
    network_camera.brightness, network_camera.fps = 60, 30

    def image(number: int) -> bytes:
        key = (network_camera.brightness, number % 40)
        if key not in pool:
            noise = chance.integers(0, 30, (240, 320, 3))
            pool[key] = encode((noise + network_camera.brightness).astype(np.uint8))
        return bytes(pool[key])

    network_camera.image = image
    return network_camera


def encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def adds_up(capture: Capture, num_taken: int) -> bool:
    counts = capture.counts()
    return counts.captured == num_taken + counts.dropped + counts.skipped + counts.waiting and counts.dropped >= 0


@pytest.mark.slow
def test_a_camera_at_rest_is_neither_silent_nor_replaced_and_wakes_when_something_moves(
    still_camera: Any, read_until: ReadUntil
) -> None:
    options = CameraOptions(look=LookConfig(on_motion=True))
    taken = 0

    def count(frame: Frame | None) -> None:
        nonlocal taken
        taken += frame is not None
        assert adds_up(capture, taken)

    config = CaptureConfig(silent_s=1.5)
    with Capture(parse_camera(still_camera.address), InputSpec(24, 32), config, options=options) as capture:

        def is_still(frame: Frame | None) -> bool:
            count(frame)
            return frame is None and capture.skips().still_since_s is not None and capture.counts().skipped > 90

        read_until(capture, is_still)
        skips = capture.skips()
        assert skips.num == capture.counts().skipped and skips.fingerprint is not None
        assert skips.arrived_s is not None and time.monotonic() - skips.arrived_s < 5
        assert (capture.counts().restarts, capture.trouble) == (0, "")
        still_camera.brightness = 160

        def is_bright(frame: Frame | None) -> bool:
            count(frame)
            return frame is not None and frame.pixels.mean() > 150

        read_until(capture, is_bright)
        assert capture.skips().still_since_s is None
        read_until(capture, is_still)
        before = taken
        capture.look_again()
        read_until(capture, lambda frame: count(frame) or taken > before)


def test_the_region_in_which_movement_counts_reaches_this_process_and_the_next(
    still_camera: Any, read_until: ReadUntil
) -> None:
    options = CameraOptions(look=LookConfig(every_s=1000.0))
    region = Region(0.5, 0.0, 0.5, 1.0)
    config = CaptureConfig(first_restart_s=0.02, restart_cap_s=0.1)
    with Capture(parse_camera(still_camera.address), None, config, options=options) as capture:
        read_until(capture, is_frame)
        capture.watch(region)
        second = read_until(capture, is_frame)
        skipped = capture.counts().skipped
        os.kill(capture.pids[0], signal.SIGKILL)
        third = read_until(capture, is_frame)
        assert second is not None and third is not None and third.seq > second.seq
        assert capture.counts().restarts == 1 and capture.counts().skipped >= skipped and adds_up(capture, 3)
        assert capture._region == region


@pytest.mark.parametrize("camera", ["synthetic:320x240@60", "demo"])
def test_cameras_that_give_decoded_frames_skip_them_too(camera: str, read_until: ReadUntil) -> None:
    options = CameraOptions(look=LookConfig(max_fps=5.0))
    with Capture(parse_camera(camera), options=options) as capture:
        times = []
        while len(times) < 5:
            frame = read_until(capture, is_frame)
            assert frame is not None
            times.append(frame.captured_s)
        assert np.diff(times).mean() > 0.15
        assert capture.counts().skipped >= 10


@pytest.mark.parametrize("look", [LookConfig(on_motion=True), LookConfig(max_fps=5.0), LookConfig(every_s=2.0)])
def test_a_file_has_no_frames_to_skip(look: LookConfig, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"`max_fps`, `every_s` and `on_motion` are for live cameras, but every image of"
    ):
        open_camera(tmp_path, options=CameraOptions(look=look))

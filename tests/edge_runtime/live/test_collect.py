"""Collecting keeps sharp and new frames only, never overwrites, stays within its limits, and stops when told."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cli.collect import main
from edge_runtime.contract import Region
from edge_runtime.errors import CameraError, OutputError, UsageError
from edge_runtime.live.collect import CollectConfig, Collector, Kept, collect, measure_sharpness
from edge_runtime.pixels.image_file import decode_image
from edge_runtime.pixels.jpeg_region import read_region


def sharp(seed: int) -> np.ndarray:
    """An image of large random patches with hard edges."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(patches, (160, 120), interpolation=cv2.INTER_NEAREST)


def blurred(seed: int) -> np.ndarray:
    return cv2.GaussianBlur(sharp(seed), (0, 0), 20)


class ListCamera(FrameSource):
    """Gives these images; then it ends, or is silent when ``live``."""

    def __init__(self, images: Sequence[np.ndarray], *, live: bool = False, clock: object = None) -> None:
        self.name, self.live, self._images, self._clock = "list", live, list(images), clock

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        if self._clock is not None:
            self._clock.now_s += timeout_s
        if not self._images:
            self.ended = not self.live
            return None
        self.num_captured += 1
        return Frame(self._images.pop(0), self.num_captured - 1, 0.0)


def run(tmp_path: Path, images: Sequence[np.ndarray], **settings: object) -> tuple[Collector, object, list[object]]:
    collector = Collector(CollectConfig(tmp_path, "mug", **settings))  # type: ignore[arg-type]
    told: list[object] = []
    return collector, collect(collector, ListCamera(images), told.append), told


def test_sharp_new_frames_are_written_with_their_pixels(tmp_path: Path) -> None:
    _, summary, told = run(tmp_path, [sharp(1), sharp(2)])
    files = sorted((tmp_path / "mug").iterdir())
    assert [file.name for file in files] == ["00001.jpg", "00002.jpg"]
    assert np.abs(cv2.imread(str(files[1])).astype(int) - sharp(2)).mean() < 4
    assert (summary.num_kept, summary.reason) == (2, "the camera has no more images")
    assert all(isinstance(item, Kept) for item in told)


def test_blurred_frames_are_left_out_with_the_reason(tmp_path: Path) -> None:
    _, summary, told = run(tmp_path, [blurred(1), sharp(1)])
    assert (summary.num_kept, summary.num_blurred) == (1, 1)
    assert str(told[0]).startswith("blurred, or nothing to see: sharpness")


def test_a_frame_like_an_earlier_one_is_left_out_even_when_others_came_between(tmp_path: Path) -> None:
    noisy = (sharp(1).astype(int) + np.random.default_rng(0).integers(-3, 4, (120, 160, 3))).clip(0, 255)
    _, summary, told = run(tmp_path, [sharp(1), sharp(2), noisy.astype(np.uint8)])
    assert (summary.num_kept, summary.num_alike) == (2, 1)
    assert str(told[2]).startswith("like one that was kept: change")


def test_a_frame_like_one_of_an_earlier_run_is_left_out(tmp_path: Path) -> None:
    run(tmp_path, [sharp(1), sharp(2)])
    (tmp_path / "mug" / "00003.jpg").write_bytes(b"broken")
    _, summary, _ = run(tmp_path, [sharp(1), sharp(3)])
    assert (summary.num_kept, summary.num_alike) == (1, 1)


def test_enter_takes_an_image_and_the_end_of_stdin_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\n")
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        threading.Timer(1.0, os.close, [writing]).start()
        camera = ["--camera", "synthetic:640x480@30", "--min-sharpness", "0"]
        assert main(["--label", "mug", "--out", str(tmp_path), "--on-enter", *camera]) == 0
    assert "Enter takes an image, Ctrl-C ends" in (printed := capsys.readouterr()).err
    assert printed.out.splitlines() == [str(tmp_path / "mug" / "00001.jpg"), "1 kept, 0 blurred, 0 alike; stopped"]


def test_earlier_images_are_never_overwritten(tmp_path: Path) -> None:
    run(tmp_path, [sharp(1)])
    before = (tmp_path / "mug" / "00001.jpg").read_bytes()
    run(tmp_path, [sharp(2)])
    assert (tmp_path / "mug" / "00001.jpg").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "mug").iterdir()) == ["00001.jpg", "00002.jpg"]


def test_it_ends_at_the_wanted_number(tmp_path: Path) -> None:
    _, summary, _ = run(tmp_path, [sharp(seed) for seed in range(5)], max_images=2)
    assert (summary.num_kept, summary.reason) == (2, "2 images are kept")


def test_it_ends_at_the_folder_s_limit_which_counts_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "mug").mkdir()
    (tmp_path / "mug" / "old.jpg").write_bytes(bytes(2_000_000))
    _, summary, _ = run(tmp_path, [sharp(1)], max_mb=2)
    assert summary.num_kept == 0
    assert summary.reason == f"{tmp_path / 'mug'} holds 2 MB, its limit (`max_mb`)"


def test_a_live_camera_gives_an_image_every_so_many_seconds(tmp_path: Path, clock) -> None:  # type: ignore[no-untyped-def]
    collector = Collector(CollectConfig(tmp_path, "mug", every_s=1.0, max_images=2))
    camera = ListCamera([sharp(seed) for seed in range(30)], live=True, clock=clock)
    collect(collector, camera, lambda told: None, clock=clock)
    assert camera.num_captured in (11, 12)  # the first, and the next after ten reads of 0.1 s


def test_a_camera_slower_than_the_wanted_rate_gives_every_frame_it_has(tmp_path: Path, clock) -> None:  # type: ignore[no-untyped-def]
    """One frame in 20 s, read in pieces of 0.1 s; what is waited for counts from the last frame."""

    class SlowCamera(ListCamera):
        def read(self, timeout_s: float = 1.0) -> Frame | None:
            clock.now_s += timeout_s
            is_due = clock.now_s - start_s >= 20.0 * (self.num_captured + 1)
            return super().read(0.0) if is_due else None

    start_s = clock.now_s
    collector = Collector(CollectConfig(tmp_path, "mug", every_s=1.0, max_images=3))
    summary = collect(
        collector,
        SlowCamera([sharp(seed) for seed in range(5)], live=True, clock=clock),
        lambda told: None,
        clock=clock,
    )
    assert summary.num_kept == 3 and clock.now_s - start_s == pytest.approx(60.0, abs=1.0)


def test_of_a_video_an_image_is_taken_every_so_many_seconds_of_its_time_stamps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for number in range(41):
        writer.write(sharp(number))
    writer.release()
    assert (
        main(["--label", "mug", "--camera", str(clip), "--every", "1", "--out", str(tmp_path), "--format", "jsonl"])
        == 0
    )
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["num_kept"] == 5, "at 0, 1, 2, 3 and 4 s"
    kept = [cv2.imread(str(tmp_path / "mug" / f"0000{number}.jpg")) for number in range(1, 6)]
    differences = [float(np.abs(image.astype(int) - sharp(10 * n)).mean()) for n, image in enumerate(kept)]
    assert max(differences) < 12, "each is the frame of its second"


@pytest.mark.parametrize(("rate", "num_kept"), [((), 6), (("--expect-fps", "2"), 3)])
def test_of_a_folder_all_images_are_taken_unless_their_rate_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: tuple[str, ...], num_kept: int
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"in/{number}.png"), sharp(number))
    arguments = [
        "--label",
        "mug",
        "--camera",
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "out"),
        "--format",
        "jsonl",
    ]
    assert main([*arguments, *rate]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["num_kept"] == num_kept


def test_without_a_time_an_image_is_taken_only_when_asked(tmp_path: Path) -> None:
    asked = iter([False, True, False, True, False])
    collector = Collector(CollectConfig(tmp_path, "mug", every_s=None))
    summary = collect(collector, ListCamera([sharp(seed) for seed in range(5)]), lambda told: None, lambda: next(asked))
    assert summary.num_kept == 2


def test_it_stops_when_told(tmp_path: Path) -> None:
    collector = Collector(CollectConfig(tmp_path, "mug"))
    assert collect(collector, ListCamera([sharp(1)]), lambda told: None, should_stop=lambda: True).reason == "stopped"


def test_a_silent_camera_is_an_error(tmp_path: Path, clock) -> None:  # type: ignore[no-untyped-def]
    collector = Collector(CollectConfig(tmp_path, "mug", give_up_s=5))
    with pytest.raises(
        CameraError,
        match=r"No frame within 5 s: list is silent; check cable, .* how slow it is by nature \(`expect_fps`\)\.",
    ):
        collect(collector, ListCamera([], live=True, clock=clock), lambda told: None, clock=clock)


@pytest.mark.parametrize("label", ["", "a/b", ".hidden", " mug", "a\\b", "a\nb"])
def test_a_label_that_is_no_directory_s_name_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(UsageError, match=r"`label` is .*, expected a valid directory name"):
        CollectConfig(tmp_path, label)


def test_numbers_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`every_s` is -1, expected seconds of at least 0"):
        CollectConfig(tmp_path, "mug", every_s=-1)
    with pytest.raises(UsageError, match=r"`max_images` is 0, expected at least 1"):
        CollectConfig(tmp_path, "mug", max_images=0)
    with pytest.raises(UsageError, match=r"`max_mb` is 0, expected a number above 0"):
        CollectConfig(tmp_path, "mug", max_mb=0)


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_numbers_without_end_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=rf"`every_s` is {value}, expected seconds of at least 0"):
        CollectConfig(tmp_path, "mug", every_s=float(value))
    with pytest.raises(UsageError, match=rf"`min_sharpness` is {value}, expected a number such as 4"):
        CollectConfig(tmp_path, "mug", min_sharpness=float(value))
    with pytest.raises(UsageError, match=rf"`min_change` is {value}, expected a number such as 4"):
        CollectConfig(tmp_path, "mug", min_change=float(value))
    with pytest.raises(UsageError, match=rf"`max_mb` is {value}, expected a number above 0"):
        main(["--label", "mug", "--out", str(tmp_path / "out"), "--max-mb", value])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"Images cannot be saved in .*file/mug \(.*\); choose a writable"):
        Collector(CollectConfig(tmp_path / "file", "mug"))


def test_a_folder_that_goes_away_is_named(tmp_path: Path) -> None:
    collector = Collector(CollectConfig(tmp_path, "mug"))
    (tmp_path / "mug").rmdir()
    with pytest.raises(OutputError, match=r"Images cannot be saved in .*mug \(.*\); free space"):
        collector.offer(sharp(1))


def test_sharpness_falls_when_an_image_is_blurred() -> None:
    assert measure_sharpness(sharp(1)) > 20 > measure_sharpness(blurred(1))


def test_the_verb_collects_from_a_folder_as_from_a_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{seed}.png"), sharp(seed))
    flags = ["--label", "mug", "--camera", str(tmp_path / "in"), "--out", str(tmp_path / "photos"), "--format", "jsonl"]
    assert main(flags) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["type"] for line in lines] == ["image"] * 3 + ["summary"]
    assert Path(lines[0]["file"]).is_file()
    assert lines[-1]["num_kept"] == 3
    assert main([*flags[:-1], "text", "--min-sharpness", "1e9"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "0 kept, 3 blurred, 0 alike; the camera has no more images\n"
    assert printed.err.count("left out, blurred") == 1


def test_the_empty_scene_is_collected_beside_the_classes_however_plain_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wall").mkdir()
    for number, grey in enumerate((90, 120)):  # a plain wall, then with the light on: no edges at all
        cv2.imwrite(str(tmp_path / "wall" / f"{number}.png"), np.full((96, 128, 3), grey, np.uint8))
    arguments = ["collect", "--camera", str(tmp_path / "wall"), "--out", str(tmp_path / "photos")]
    assert cli.main([*arguments, "--background"]) == 0
    assert len(list((tmp_path / "photos" / "background").iterdir())) == 2
    capsys.readouterr()
    assert cli.main([*arguments, "--background", "--label", "mug"]) == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_of_a_region_only_that_is_judged_and_saved_with_its_mark(tmp_path: Path) -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[120:, 160:] = sharp(1)
    region = Region(0.5, 0.5, 0.5, 0.5)
    _, summary, _ = run(tmp_path, [frame], region=region)
    content = (tmp_path / "mug" / "00001.jpg").read_bytes()
    assert (summary.num_kept, read_region(content)) == (1, region)
    assert np.abs(decode_image(content, "kept").astype(int) - sharp(1)).mean() < 4


def test_the_command_saves_the_region_that_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "seen").mkdir()
    cv2.imwrite(str(tmp_path / "seen" / "1.png"), cv2.copyMakeBorder(sharp(2), 0, 0, 0, 160, cv2.BORDER_CONSTANT))
    flags = ["--label", "mug", "--camera", str(tmp_path / "seen"), "--out", str(tmp_path / "photos"), "--region"]
    assert main([*flags, "0,0,0.5,1"]) == 0
    assert decode_image((tmp_path / "photos/mug/00001.jpg").read_bytes(), "kept").shape == (120, 160, 3)
    assert cli.main(["collect", *flags, "0,0,320,240"]) == 2
    assert "--region is 0,0,320,240, expected X,Y,W,H in fractions" in capsys.readouterr().err

"""The recorder: which frames it keeps, that it never outgrows its limit nor the disk, and that trouble stays outside the
loop.
"""

from __future__ import annotations

import base64
import errno
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image, read_image_number
from edge_runtime.contract import Region
from edge_runtime.errors import OutputError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.results import Result
from edge_runtime.model.model_file import ModelFile
from edge_runtime.outputs.image_folder import ImageFolder
from edge_runtime.outputs.recorder import Recorder, RecorderConfig
from edge_runtime.outputs.trouble import OutputTrouble
from edge_runtime.pixels.image_file import list_images
from edge_runtime.pixels.jpeg_region import read_region
from tests.patience import HANG_S, until

BACKGROUND = draw_wave_image(96, 256)


def frame(number: int) -> Frame:
    return Frame(draw_numbered_image(BACKGROUND, number), number, 0.0)


def result(number: int, label: str, score: float = 0.9, unknown: bool = False) -> Result:
    return Result(number, 1.7e9 + number, 5.0, Prediction(0, label, score, (ClassScore(label, score),), unknown), 0)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def feed(recorder: Recorder, clock: Any, results: list[Result], gap_s: float = 1.0) -> None:
    """Waits for the writer after each, so that what is kept is decided by the rules alone."""
    for each in results:
        clock.now_s += gap_s
        recorder.frame(frame(each.seq), each)
        until(lambda: recorder._queue.empty())


def test_changes_are_kept_whole_with_a_line_of_json_each(tmp_path: Path, clock: Any, toy: Classifier) -> None:
    recorder = Recorder(RecorderConfig(tmp_path / "new" / "folder", ("change",), keep_free_bytes=0), clock)
    recorder.model(toy)
    feed(recorder, clock, [result(n, label) for n, label in enumerate(["cat", "cat", "dog", "dog", "cat"])])
    recorder.close()
    lines = records(tmp_path / "new" / "folder")
    assert [(line["seq"], line["label"], line["reason"]) for line in lines] == [
        (0, "cat", "change"), (2, "dog", "change"), (4, "cat", "change"),
    ]  # fmt: skip
    for line in lines:
        image = cv2.imread(str(tmp_path / "new" / "folder" / line["file"]))
        assert read_image_number(image) == line["seq"]
        assert (line["size"], line["type"], line["model"]) == ([256, 96], "record", toy.contract.spec.name)
        assert line["file"].startswith("20231114T")
    assert oct((tmp_path / "new" / "folder").stat().st_mode & 0o777) == "0o700"


def test_where_the_model_looked_lies_beside_the_frame(tmp_path: Path, clock: Any, toy_model: ModelFile) -> None:
    classifier = Classifier(toy_model, maps=True)
    recorder = Recorder(RecorderConfig(tmp_path, ("change",), keep_free_bytes=0), clock)
    recorder.model(classifier)
    pixels = np.zeros((96, 256, 3), np.uint8)
    pixels[:48, :128, 2] = 255
    prediction = classifier.classify(pixels)
    recorder.frame(Frame(pixels, 0, 0.0), Result(0, 1.7e9, 5.0, prediction, 0))
    recorder.close()
    (drawing,) = tmp_path.glob("*.svg")
    text = drawing.read_text()
    assert f'<image href="{drawing.stem}.jpg" width="256" height="96"' in text
    assert 'x="0.00" y="0.00" width="256.00" height="96.00"' in text
    coded = base64.b64decode(text.partition("base64,")[2].partition('"')[0])
    cells = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert cells.shape == (8, 8, 4)
    assert (cells[:4, :4, 3] > 190).all() and not cells[4:, :, 3].any() and not cells[:4, 4:, 3].any()
    folder = ImageFolder(tmp_path, 10**6, keep_free_bytes=0)
    assert folder.num_bytes == sum(path.stat().st_size for path in tmp_path.iterdir()), "it counts"
    assert [path.suffix for path in list_images(str(tmp_path))] == [".jpg"], "no image to learn from"


def test_the_oldest_drawings_go_with_their_images(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path, 3000, keep_free_bytes=0)
    for number in range(5):
        folder.save(f"20231114T000000.000Z-{number:08d}", b"j" * 900, "{}\n", "<svg/>" * 50)
    assert len(list(tmp_path.iterdir())) == 6 and folder.num_bytes <= 3000


def test_uncertain_frames_are_kept_at_most_one_a_second(tmp_path: Path, clock: Any) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("uncertain",), keep_free_bytes=0), clock)
    sure, unsure = result(0, "cat", 0.9), [result(n, "cat", 0.59) for n in range(1, 9)]
    feed(recorder, clock, [sure, *unsure, result(20, "unknown", 0.8, unknown=True)], gap_s=0.25)
    recorder.close()
    assert [line["seq"] for line in records(tmp_path)] == [1, 5, 20]


def test_one_folder_may_serve_both_reasons_and_nothing_else_is_kept(tmp_path: Path, clock: Any) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("uncertain", "change"), keep_free_bytes=0), clock)
    feed(recorder, clock, [result(0, "cat"), result(1, "cat"), result(2, "cat", 0.3), result(3, "dog")])
    recorder.frame(frame(4), None)
    recorder.close()
    assert [(line["seq"], line["reason"]) for line in records(tmp_path)] == [
        (0, "change"),
        (2, "uncertain"),
        (3, "change"),
    ]


def test_the_oldest_pairs_go_when_the_limit_is_reached_and_foreign_files_stay(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x" * 5000)
    folder = ImageFolder(tmp_path, 10_000, keep_free_bytes=0)
    for number in range(50):
        folder.save(f"20231114T000000.000Z-{number:08d}", b"j" * 900, "{}\n")
        own = [path for path in tmp_path.iterdir() if path.name != "holiday.jpg"]
        assert sum(path.stat().st_size for path in own) == folder.num_bytes <= 10_000
    names = sorted(path.stem[-2:] for path in tmp_path.glob("2023*.jpg"))
    assert names == [f"{number:02d}" for number in range(39, 50)]
    assert len(list(tmp_path.glob("2023*.json"))) == 11
    assert (tmp_path / "holiday.jpg").stat().st_size == 5000


def test_a_restart_counts_what_is_there_and_removes_half_written_files(tmp_path: Path) -> None:
    first = ImageFolder(tmp_path, 10_000, keep_free_bytes=0)
    first.save("20231114T000000.000Z-00000001", b"j" * 900, "{}\n")
    (tmp_path / ".unfinished-20231114T000000.000Z-00000002.jpg-7").write_bytes(b"half")
    again = ImageFolder(tmp_path, 10_000, keep_free_bytes=0)
    assert again.num_bytes == first.num_bytes == 903
    assert not list(tmp_path.glob(".unfinished-*"))


def test_room_is_left_for_others_even_below_the_limit(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path, 10_000_000, keep_free_bytes=0)
    folder.save("20231114T000000.000Z-00000001", b"j" * 900, "{}\n")
    greedy = ImageFolder(tmp_path, 10_000_000, keep_free_bytes=2**62)
    with pytest.raises(OSError, match="MB are free"):
        greedy.save("20231114T000000.000Z-00000002", b"j" * 900, "{}\n")
    assert list(tmp_path.iterdir()) == [] and greedy.num_bytes == 0


def test_an_image_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="2,003 bytes, the limit is 1,000"):
        ImageFolder(tmp_path, 1000, keep_free_bytes=0).save("20231114T000000.000Z-00000001", b"j" * 2000, "{}\n")


def test_a_folder_that_cannot_be_made_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"Images cannot be saved in .* choose a folder that this user may write"):
        ImageFolder(tmp_path / "file" / "folder", 1000)


@pytest.mark.parametrize("limit_mb", [0.5, float("inf"), float("nan")])
def test_a_limit_below_a_megabyte_or_without_end_is_a_usage_error(tmp_path: Path, limit_mb: float) -> None:
    with pytest.raises(UsageError, match=rf"`save_limit_mb` is {limit_mb:g}, expected a number of at least 1"):
        RecorderConfig(tmp_path, ("change",), save_limit_mb=limit_mb)


def test_a_full_disk_is_one_event_one_log_line_a_minute_and_no_file_half_written(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("uncertain",), keep_free_bytes=0), clock)
    is_full = True

    def write(self: ImageFolder, name: str, content: bytes, whole: Any = ImageFolder._write) -> None:
        if is_full and name.endswith(".jpg"):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, name, content)

    monkeypatch.setattr(ImageFolder, "_write", write)
    feed(recorder, clock, [result(n, "cat", 0.2) for n in range(90)])
    until(lambda: recorder.num_lost == 90)
    assert [(event.kind, event.state) for event in recorder.take_events()] == [("recorder", "failing")]
    assert len(caplog.records) == 2  # at the start and after a minute
    assert "No space left on device" in caplog.text
    assert list(tmp_path.iterdir()) == []
    is_full = False
    clock.now_s += 20
    feed(recorder, clock, [result(100, "cat", 0.2)])
    until(lambda: recorder.num_saved == 1)
    assert [(event.kind, event.state) for event in recorder.take_events()] == [("recorder", "ok")]
    recorder.close()


def test_a_patient_recorder_begins_without_its_disk_and_saves_when_it_comes(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "disk").write_text("a file where the folder should be")
    config = RecorderConfig(tmp_path / "disk" / "saved", ("change",), keep_free_bytes=0)
    recorder = Recorder(config, clock, patient=True)
    assert [(event.kind, event.state) for event in recorder.take_events()] == [("recorder", "failing")]
    feed(recorder, clock, [result(1, "cat")])
    until(lambda: recorder.num_lost == 1)
    (tmp_path / "disk").unlink()
    clock.now_s += 20
    feed(recorder, clock, [result(2, "dog")])
    until(lambda: recorder.num_saved == 1)
    assert [event.state for event in recorder.take_events()] == ["ok"]
    recorder.close()


def test_an_image_that_jpeg_cannot_hold_costs_itself_and_not_the_recorder(tmp_path: Path, clock: Any) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("change",), keep_free_bytes=0), clock)
    wide = Frame(np.zeros((1, 70_000, 3), np.uint8), 1, 0.0)
    recorder.frame(wide, result(1, "cat"))
    until(lambda: recorder.num_lost == 1)
    (event,) = recorder.take_events()
    assert "an image of 70000x1 cannot be coded as JPEG" in event.reason
    clock.now_s += 20
    feed(recorder, clock, [result(2, "dog")])
    until(lambda: recorder.num_saved == 1)
    recorder.close()


def test_a_stuck_disk_costs_images_and_never_waits(tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    go_on = threading.Event()
    monkeypatch.setattr(ImageFolder, "save", lambda *arguments: go_on.wait(HANG_S))
    recorder = Recorder(RecorderConfig(tmp_path, ("uncertain",), keep_free_bytes=0), clock)
    for number in range(100):
        clock.now_s += 2
        recorder.frame(frame(number), result(number, "cat", 0.2))
    assert recorder.num_lost >= 100 - 5 - 1
    go_on.set()
    recorder.close()


def test_the_frame_is_copied_before_the_camera_overwrites_it(tmp_path: Path, clock: Any) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("change",), keep_free_bytes=0), clock)
    shared = frame(5)
    recorder.frame(shared, result(5, "cat"))
    shared.pixels[:] = 0
    recorder.close()
    assert read_image_number(cv2.imread(str(next(tmp_path.glob("*.jpg"))))) == 5


def test_trouble_is_told_once_and_its_end_too(clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    trouble = OutputTrouble("mqtt", clock)
    trouble.worked("nothing was wrong")
    for _ in range(130):
        trouble.failed("gone")
        clock.now_s += 1
    trouble.worked("back")
    assert [(event.state, event.reason) for event in trouble.take_events()] == [("failing", "gone"), ("ok", "back")]
    assert trouble.take_events() == []
    assert len(caplog.records) == 3
    assert np.all([record.message == "mqtt: gone" for record in caplog.records])


def test_of_a_region_only_that_is_saved_and_it_is_said(tmp_path: Path, clock: Any, toy_model: ModelFile) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("change",), keep_free_bytes=0), clock)
    region = Region(0.5, 0.0, 0.5, 1.0)
    recorder.model(Classifier(toy_model, region=region))
    feed(recorder, clock, [result(1, "a")])
    recorder.close()
    (record,) = records(tmp_path)
    content = (tmp_path / record["file"]).read_bytes()
    assert (record["region"], record["size"], read_region(content)) == ("0.5,0,0.5,1", [128, 96], region)
    assert cv2.imread(str(tmp_path / record["file"])).shape == (96, 128, 3)

"""``edge-runtime teach`` from end to end: on one of the package's own models as the backbone, so that it takes seconds.

Photos are of coloured shapes: what is tested is the file and the marks, not how much a good backbone knows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.cameras.frame import Frame
from edge_runtime.cli.teach.command import _name_camera
from edge_runtime.cli.teach.prompts import Prompter
from edge_runtime.contract import Provisional
from edge_runtime.errors import DataError, MissingInputError, ModelError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.selftest import selftest
from edge_runtime.installed.teach.backbone import find_backbone, install_backbone, open_backbone
from edge_runtime.installed.teach.photos import MOST_PHOTOS, find_photos, find_region
from edge_runtime.installed.teach.teaching import teach
from edge_runtime.live.collect import CollectConfig
from edge_runtime.model.model_file import open_model, read_model
from edge_runtime.model.signatures import make_keys
from edge_runtime.model.stated_input import StatedInput
from edge_runtime.pixels.jpeg_region import mark_region
from edge_runtime.pixels.region import parse_region
from edge_runtime.store.shipped import default_model
from edge_runtime.store.store import Store

COLOURS = {"blue": (220, 60, 40), "green": (50, 200, 60), "red": (40, 50, 220)}


def draw_photo(label: str, number: int) -> np.ndarray:
    """(120, 160, 3) uint8 BGR: a disc of the class's colour somewhere on grey noise."""
    rng = np.random.default_rng([number, list(COLOURS).index(label)])
    image = rng.integers(90, 150, (120, 160, 3), np.uint8)
    centre = (int(rng.integers(50, 110)), int(rng.integers(45, 75)))
    return np.asarray(cv2.circle(image, centre, int(rng.integers(25, 45)), COLOURS[label], -1), np.uint8)


def draw_folder(folder: Path, num: int = 6) -> Path:
    for label in COLOURS:
        (folder / label).mkdir(parents=True)
        for number in range(num):
            cv2.imwrite(str(folder / label / f"{number:05d}.jpg"), draw_photo(label, number))
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_folder(tmp_path / "photos")


def run_teach(*arguments: object) -> int:
    return cli.main(["teach", *map(str, arguments)])


def test_a_taught_file_is_an_ordinary_model_that_knows_what_it_was_shown(photos: Path) -> None:
    heard: list[tuple[int, int]] = []
    taught = teach(open_model("default"), find_photos(photos), "discs", tell=lambda *done: heard.append(done))
    assert heard[-1] == (18, 18)
    assert taught.num_photos == {"blue": 6, "green": 6, "red": 6}
    model = read_model(taught.content, "discs.tflite", needs_contract=True)
    contract = model.contract
    assert contract.spec.name == "discs" and contract.spec.labels == ("blue", "green", "red")
    assert contract.provisional == Provisional(18, sum(taught.num_correct.values()))
    assert contract.scores == () and contract.drift is None
    assert contract.neighbours is not None and contract.neighbours.num_images == 18
    with Classifier(model) as classifier:
        answers = [classifier.classify(draw_photo(label, 50 + n)) for label in COLOURS for n in range(6)]
        assert selftest(classifier).passed
    right = [answer.top[0].label == label for answer, label in zip(answers, np.repeat(list(COLOURS), 6), strict=True)]
    assert sum(right) >= 15
    assert all(answer.similarity is not None for answer in answers)


def test_the_same_photos_give_the_same_bytes(photos: Path) -> None:
    first, second = (teach(open_model("default"), find_photos(photos), "discs").content for _ in range(2))
    assert first == second


@pytest.mark.usefixtures("lonely")
def test_the_file_is_taught_tried_installed_and_marked_everywhere(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "discs.tflite"
    assert run_teach(photos, "--backbone", default_model(), "--out", out, "--format", "jsonl") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["type"] == "taught" and value["provisional"] is True and value["photos"]["red"] == 6
    mark = str(read_model(out.read_bytes(), "it").contract.provisional)
    assert mark.startswith("provisional: ") and mark.endswith("of 18 taught photos recognised when left out")
    for verb in ("info", "selftest"):
        assert cli.main([verb, "--model", str(out)]) == 0
    told = capsys.readouterr().out
    assert mark in told and "18 taught photos" in told and "passed" in told
    assert cli.main(["install", str(out), "--max-latency-ms", "10000"]) == 0
    capsys.readouterr()
    assert cli.main(["status"]) == 0
    assert mark in capsys.readouterr().out
    assert cli.main(["status", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["provisional"] == mark
    assert cli.main(["run", "--camera", str(photos), "--frames", "2"]) == 0
    assert f"discs ({mark}); Ctrl-C ends." in capsys.readouterr().err


@pytest.mark.usefixtures("lonely")
def test_the_summary_says_it_in_words(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my discs.tflite"
    assert run_teach(photos, "--backbone", default_model(), "--out", out, "--name", "shapes") == 0
    told = capsys.readouterr().out
    assert f"Look at it: edge-runtime run --model '{out}' --camera 0\n" in told
    assert "of 18 taught photos recognised when left out." in told
    assert "of 6 taught photos recognised when left out" in told and "provisional" in told
    assert read_model(out.read_bytes(), "it").contract.spec.name == "shapes"
    assert run_teach(photos, "--backbone", default_model(), "--out", out) == 2
    assert f"{out} already exists; name another file, or add --replace." in capsys.readouterr().err


@pytest.mark.usefixtures("lonely")
def test_without_a_backbone_it_is_said_where_one_comes_from(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_teach(photos, "--out", tmp_path / "x.tflite") == 66
    told = capsys.readouterr().err
    assert "There is no backbone" in told and "make teach-backbone" in told and "--as-backbone" in told
    with pytest.raises(MissingInputError, match="There is no backbone"):
        open_backbone(tmp_path / "none.tflite", Store())


@pytest.mark.usefixtures("lonely")
def test_an_installed_backbone_is_used_and_the_model_in_use_stays(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["install", "--as-backbone", str(default_model())]) == 0
    assert "is what teach uses now" in capsys.readouterr().out
    store = Store()
    assert find_backbone(store).read_bytes() == default_model().read_bytes()
    assert store.state().current == "shipped"
    assert run_teach(photos, "--out", tmp_path / "x.tflite") == 0


@pytest.mark.usefixtures("lonely")
def test_a_file_that_cannot_be_taught_is_not_installed_as_a_backbone(tmp_path: Path) -> None:
    from edge_runtime.installed.adopt import adopt
    from tests.edge_runtime.toy_graphs import colours  # skips where flatbuffers is not installed

    (tmp_path / "colours.tflite").write_bytes(colours())
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    stated = StatedInput.parse("0..1", None, None, None)
    other = tmp_path / "other.tflite"
    other.write_bytes(adopt(open_model(tmp_path / "colours.tflite", tmp_path / "labels.txt", stated), "other"))
    with pytest.raises(ModelError, match="does not end in one dense layer"):
        install_backbone(str(other), Store())
    assert not find_backbone(Store()).exists()


@pytest.mark.usefixtures("lonely")
def test_on_a_device_that_trusts_a_key_it_is_said_that_a_taught_model_must_be_signed(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "maker.pub").write_bytes(make_keys()[1])
    assert cli.main(["trust", str(tmp_path / "maker.pub"), "--for", "me"]) == 0
    assert run_teach(photos, "--backbone", default_model(), "--out", tmp_path / "x.tflite") == 0
    assert "signed by nobody: sign it on the workstation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--photos", "4"), "--photos is 4, expected 5 to 20 a class."),
        (("--photos", "21"), "--photos is 21, expected 5 to 20 a class."),
        (("--pause", "-1"), "--pause is -1, expected seconds of at least 0."),
        (("--labels", "a,b"), "--labels needs --camera, which is missing; add it, or leave the flag out."),
    ],
)
def test_flags_that_cannot_be_are_refused(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_teach(*arguments) == 2
    assert words in capsys.readouterr().err


def test_folders_that_cannot_be_taught_say_what_is_missing(photos: Path) -> None:
    with pytest.raises(MissingInputError, match="There is no folder"):
        find_photos(photos / "none")
    with pytest.raises(DataError, match="has 0 class folders, expected 2 to 50"):
        find_photos(photos / "red")
    (photos / "red" / "00000.jpg").unlink()
    (photos / "red" / "00001.jpg").unlink()
    with pytest.raises(DataError, match="red has 4 photos, expected at least 5: take more"):
        find_photos(photos)


def test_what_programs_keep_for_themselves_is_no_class(photos: Path) -> None:
    (photos / ".discarded").mkdir()
    (photos / "__MACOSX").mkdir()
    assert list(find_photos(photos)) == ["blue", "green", "red"]


def test_of_very_many_photos_as_many_of_each_class_are_taken(tmp_path: Path) -> None:
    for label, num in (("a", 900), ("b", 7)):
        (tmp_path / label).mkdir()
        for number in range(num):
            (tmp_path / label / f"{number:05d}.jpg").touch()
    found = find_photos(tmp_path)
    assert len(found["a"]) <= MOST_PHOTOS // 2 and len(found["b"]) == 7
    assert found["a"][-1].name > "00800.jpg", "from the whole folder"


def test_photos_of_one_region_give_a_model_of_that_region(photos: Path) -> None:
    region = parse_region("0.25,0.25,0.5,0.5")
    assert find_region(find_photos(photos)) is None
    for path in photos.rglob("*.jpg"):
        path.write_bytes(mark_region(path.read_bytes(), region))
    taught = teach(open_model("default"), find_photos(photos), "discs")
    assert read_model(taught.content, "it").contract.region == region
    path.write_bytes(cv2.imencode(".jpg", draw_photo("red", 3))[1].tobytes())
    assert find_region(find_photos(photos)) is None


class ShownDiscs:
    """A camera that is shown the classes one after the other, as the prompts ask for."""

    live, ended, trouble, name = False, False, "", "discs"

    def __init__(self, labels: tuple[str, ...], num: int) -> None:
        self._frames = [(label, number) for label in labels for number in range(num)]

    def read(self, timeout_s: float) -> Frame | None:
        if not self._frames:
            self.ended = True
            return None
        return Frame(draw_photo(*self._frames.pop(0)), 0.0, 0)


def make_prompter(tmp_path: Path, num: int, pause_s: float | None = 0.0, shown: int = 5) -> Prompter:
    config = CollectConfig(tmp_path / "taken", "none", min_change=0.0)
    camera = ShownDiscs(tuple(COLOURS), shown)
    return Prompter(camera, config, num, pause_s, lambda: False, tell)  # type: ignore[arg-type]


def tell(text: str) -> None:
    print(text, file=sys.stderr)


def test_each_class_gets_its_photos_and_they_are_a_training_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_prompter(tmp_path, 5).take_all(tuple(COLOURS))
    assert {path.name: len(list(path.iterdir())) for path in (tmp_path / "taken").iterdir()} == dict.fromkeys(
        COLOURS, 5
    )
    told = capsys.readouterr().err
    assert "Show blue (class 1 of 3) to the camera; it begins in 0 s." in told
    assert "red: photo 5 of 5" in told
    assert make_prompter(tmp_path, 5).take_all(tuple(COLOURS)), "all are there already"
    assert "red has 5 photos already." in capsys.readouterr().err


def test_a_camera_that_ends_too_early_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"red has 3 photos, expected 6: the camera has no more images\."):
        make_prompter(tmp_path, 6).take_all(tuple(COLOURS))


def test_names_are_needed_where_nobody_can_be_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody is asked for names; give them: --labels"):
        make_prompter(tmp_path, 5).take_all(None)


@pytest.mark.parametrize(
    ("camera", "named"),
    [
        (None, "0"),
        ("2", "2"),
        ("/dev/video1", "/dev/video1"),
        ("rtsp://me:secret@cam/live?key=secret", "ADDRESS"),
        ("http://cam/secret.mjpg", "ADDRESS"),
    ],
)
def test_the_command_that_is_advised_has_the_same_camera_but_no_password(camera: str | None, named: str) -> None:
    assert _name_camera(camera) == named


@pytest.mark.slow
@pytest.mark.arithmetic
def test_typed_names_and_enter_lead_through_it(photos: Path, tmp_path: Path) -> None:
    frames = tmp_path / "my frames"
    frames.mkdir()
    for place, label in enumerate(("red", "blue")):
        for number in range(5):
            lit = cv2.convertScaleAbs(draw_photo(label, number), alpha=1 - 0.15 * number)
            cv2.imwrite(str(frames / f"{place}{number}.png"), lit)
    command = [sys.executable, "-m", "edge_runtime", "teach", tmp_path / "new", "--camera", frames, "--photos", "5"]
    command += ["--backbone", default_model(), "--out", tmp_path / "typed.tflite"]
    done = subprocess.run([*map(str, command)], input=b"red\nblue\n\n", capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Class 2: show it, type its name and press Enter." in done.stderr
    assert b"2 classes from 10 photos" in done.stdout
    assert f"{tmp_path / 'typed.tflite'} --camera '{frames}'\n".encode() in done.stdout
    assert read_model((tmp_path / "typed.tflite").read_bytes(), "it").contract.spec.labels == ("blue", "red")
    done = subprocess.run(
        [*map(str, command), "--replace", "--labels", "cup"], input=b"", capture_output=True, timeout=120
    )
    assert done.returncode == 2 and b"stdin ended while waiting for Enter" in done.stderr

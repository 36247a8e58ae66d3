"""A student learns from its teacher's answers to the very pixels that it sees, and the teacher is asked once a view."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, UsageError
from edge_runtime.metrics import calibration_error
from train.datasets.dataset import ArraySplit, Dataset
from train.progress import Progress
from train.recipes.config import Recipe, TeacherRun, TrainConfig, adam, modern
from train.runs.places import find_teacher_run
from train.scratch.augment import draw_shifts, shift
from train.scratch.batches import Lesson, draw_epoch_batches

tf = pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.__main__ import main  # noqa: E402
from train.runs.flags import make_configuration, make_parser  # noqa: E402
from train.runs.run_directory import write_run  # noqa: E402
from train.scratch import distillation  # noqa: E402
from train.scratch.distillation import Teacher, open_start, open_teacher, soften  # noqa: E402
from train.scratch.fit import fit  # noqa: E402
from train.training.evaluation import evaluate  # noqa: E402
from train.training.logits import compute_logits  # noqa: E402
from train.training.temperature import softmax  # noqa: E402

SPEC = InputSpec(8, 8)
RECIPE = dataclasses.replace(modern(3), batch_size=16, crop_padding=1, learning_rate=0.05)


def colour_split(name: str, num: int, seed: int) -> ArraySplit:
    pixels = np.random.default_rng(seed).integers(0, 256, (num, 8, 8, 3), np.uint8)
    return ArraySplit(pixels, np.arange(num) % 3, tuple(f"{name}/{i}" for i in range(num)), SPEC)


def config(recipe: Recipe, teacher: TeacherRun | None = None) -> TrainConfig:
    return TrainConfig("colours", "colours", "seed_cnn", SPEC, recipe, 3, teacher)


@pytest.fixture(scope="module")
def teacher_folder(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that no test changes."""
    folder = tmp_path_factory.mktemp("teacher")
    recipe = dataclasses.replace(adam(4), batch_size=16)
    result = fit(config(recipe), colours, folder / "c", resume=False, progress=Progress(io.StringIO(), 4))
    write_run(folder / "teacher", config(recipe), colours, result, evaluate(result.model, colours))
    return folder / "teacher"


def opened(folder: Path, colours: Dataset, answers: Path) -> Teacher:
    return open_teacher(folder, config(RECIPE, find_teacher_run(folder)), colours, answers)


def test_a_lesson_is_what_the_teacher_says_to_the_shifted_images(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    teacher = opened(teacher_folder, colours, tmp_path / "answers")
    lesson = teacher.lesson(colours.train, RECIPE, seed=3, epoch=1)
    seen = shift(colours.train.read(np.arange(96)), lesson.shifts)
    assert not np.array_equal(seen, colours.train.read(np.arange(96)))
    logits = teacher.model(tf.cast(seen, tf.float32), training=False).numpy()
    assert np.allclose(lesson.probabilities, soften(logits), atol=1e-5)


def test_a_batch_has_the_lesson_s_pixels_and_a_mixture_of_its_answers_and_the_labels(colours: Dataset) -> None:
    shifts = draw_shifts(96, 1, flip=True, rng=np.random.default_rng(0))
    answers = np.random.default_rng(1).dirichlet(np.ones(3), 96).astype(np.float32)
    plain = dataclasses.replace(RECIPE, batch_size=96)
    ((images, targets),) = draw_epoch_batches(colours.train, 3, plain, 3, 0, Lesson(shifts, answers, 0.75))
    wanted = shift(colours.train.read(np.arange(96)), shifts)
    order = [next(j for j in range(96) if np.array_equal(image, wanted[j])) for image in images]
    assert sorted(order) == list(range(96))
    labels = np.eye(3, dtype=np.float32)[colours.train.labels[order]]
    assert np.allclose(targets, answers[order] * 0.75 + labels * 0.25, atol=1e-6)


def test_the_teacher_is_asked_once_for_each_view_and_a_resumed_run_reads_its_answers(
    colours: Dataset, teacher_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(*args: object) -> object:
        asked.append(1)
        return compute_logits(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(distillation, "compute_logits", counting)
    first = opened(teacher_folder, colours, tmp_path / "answers").lesson(colours.train, RECIPE, 3, 0)
    again = opened(teacher_folder, colours, tmp_path / "answers").lesson(colours.train, RECIPE, 3, RECIPE.views)
    assert len(asked) == 1
    assert np.array_equal(first.probabilities, again.probabilities)
    assert np.array_equal(first.shifts.tops, again.shifts.tops)
    other = opened(teacher_folder, colours, tmp_path / "answers").lesson(colours.train, RECIPE, 3, 1)
    assert len(asked) == 2
    assert not np.array_equal(first.shifts.tops, other.shifts.tops)


def test_an_averaged_lesson_mixes_the_answer_to_the_view_with_the_mean_over_the_views_so_far(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    teacher = opened(teacher_folder, colours, tmp_path / "answers")
    plain = [teacher.lesson(colours.train, RECIPE, 3, epoch) for epoch in range(2)]
    averaging = dataclasses.replace(RECIPE, views=2, averaged=0.5)
    first, second, third = (teacher.lesson(colours.train, averaging, 3, epoch) for epoch in range(3))
    mean = (plain[0].probabilities + plain[1].probabilities) / 2
    assert np.allclose(first.probabilities, plain[0].probabilities, atol=1e-6)
    assert np.allclose(second.probabilities, (plain[1].probabilities + mean) / 2, atol=1e-6)
    assert np.allclose(third.probabilities, (plain[0].probabilities + mean) / 2, atol=1e-6)
    assert np.array_equal(third.shifts.tops, plain[0].shifts.tops)


def test_a_training_that_goes_on_begins_with_the_weights_of_its_start(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    still = dataclasses.replace(adam(1), batch_size=16, learning_rate=1e-9)
    run = dataclasses.replace(config(still), start=find_teacher_run(teacher_folder))
    start = open_start(teacher_folder, run, colours)
    result = fit(run, colours, tmp_path / "p", resume=False, progress=Progress(io.StringIO(), 1), start=start)
    for after, before in zip(result.model.get_weights(), start.get_weights(), strict=True):
        assert np.allclose(after, before, atol=1e-5)


def test_a_start_of_another_architecture_or_that_changed_is_refused(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    run = dataclasses.replace(config(RECIPE), start=TeacherRun("colours", "00"))
    with pytest.raises(DataError, match=r"The start .*now, expected TeacherRun.*'00'.*; it changed, start again"):
        open_start(teacher_folder, run, colours)
    with pytest.raises(UsageError, match=r"is of the architecture seed_cnn, expected micro; name a run of that one"):
        open_start(teacher_folder, dataclasses.replace(run, model="micro"), colours)
    with pytest.raises(UsageError, match=r"The start .* cannot serve this run: its data set is colours, expected sh"):
        open_start(teacher_folder, run, dataclasses.replace(colours, name="shades"))


def test_a_higher_temperature_keeps_the_order_of_the_answers_and_says_them_more_softly() -> None:
    logits = np.array([[4.0, 0.0, -2.0], [500.0, 0.0, 1.0]], np.float32)
    soft = soften(logits)
    assert soft[0] == pytest.approx(np.exp([2.0, 0.0, -1.0]) / np.exp([2.0, 0.0, -1.0]).sum())
    assert np.isfinite(soft).all() and np.allclose(soft.sum(axis=1), 1)


def test_a_student_that_is_told_nothing_but_a_teacher_s_answers_learns_the_colours(
    colours: Dataset, teacher_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "TEACHERS_SHARE", 1.0)
    teacher = opened(teacher_folder, colours, tmp_path / "answers")
    recipe = dataclasses.replace(adam(6), batch_size=16, crop_padding=1)
    run = config(recipe, teacher.run)
    result = fit(run, colours, tmp_path / "p", resume=False, progress=Progress(io.StringIO(), 6), teacher=teacher)
    assert np.mean(compute_logits(result.model, colours.validation).argmax(axis=1) == colours.validation.labels) == 1.0


def test_answers_to_other_images_or_shifts_or_of_another_teacher_are_not_taken_for_these(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    teacher = opened(teacher_folder, colours, tmp_path / "answers")
    teacher.lesson(colours.train, RECIPE, 3, 0)
    teacher.lesson(colours.train, RECIPE, 4, 0)
    teacher.lesson(colours.train, dataclasses.replace(RECIPE, crop_padding=2), 3, 0)
    assert isinstance(colours.train, ArraySplit)
    darker = dataclasses.replace(colours.train, images=colours.train.images // 2)
    teacher.lesson(darker, RECIPE, 3, 0)
    dataclasses.replace(teacher, run=TeacherRun("colours", "00")).lesson(colours.train, RECIPE, 3, 0)
    teacher.lesson(colours.train, RECIPE, 3, 0)
    assert len(list((tmp_path / "answers").iterdir())) == 5


def test_damaged_answers_are_named_and_not_learnt(colours: Dataset, teacher_folder: Path, tmp_path: Path) -> None:
    teacher = opened(teacher_folder, colours, tmp_path / "answers")
    teacher.lesson(colours.train, RECIPE, 3, 0)
    (path,) = (tmp_path / "answers").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"teacher's answers in .*view-0-.*cannot be read .* Remove the file, and the"):
        teacher.lesson(colours.train, RECIPE, 3, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": ("red", "green", "teal")},
            r"its classes is \('red', 'green', 'blue'\), expected \('red', 'green', 't",
        ),
        ({"name": "shades"}, r"its data set is colours, expected shades"),
        ({"train": colour_split("x", 90, 0)}, r"its number of training images is 96, expected 90"),
        ({"test": colour_split("x", 30, 9)}, r"its number of test images in common is 0, expected 30"),
    ],
)
def test_a_teacher_of_other_data_is_refused(
    colours: Dataset, teacher_folder: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    other = dataclasses.replace(colours, **change)  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match=rf"The teacher .* cannot serve this run: {message}.* Train a teacher on the same data, seed"
    ):
        opened(teacher_folder, other, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, r"its seed, which splits the data, is 3, expected 4"),
        ({"input": InputSpec(8, 8, "crop")}, r"its input is \{.*'stretch'.*\}, expected \{.*'crop'"),
        ({"input": InputSpec(16, 16)}, r"its input is .*8.*, expected .*16"),
    ],
)
def test_a_teacher_with_another_seed_or_input_is_refused(
    colours: Dataset, teacher_folder: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    wanted = dataclasses.replace(config(RECIPE, find_teacher_run(teacher_folder)), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        open_teacher(teacher_folder, wanted, colours, tmp_path)


def test_a_teacher_that_changed_since_the_run_began_is_refused(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    wanted = config(RECIPE, TeacherRun("colours", "00"))
    with pytest.raises(
        DataError, match=r"sha256='[0-9a-f]{64}'\) now, expected TeacherRun\(name='colours', sha256='00'"
    ):
        open_teacher(teacher_folder, wanted, colours, tmp_path)


def test_the_scores_of_a_student_are_made_as_sure_as_they_are_right_and_no_label_moves(
    colours: Dataset, teacher_folder: Path, tmp_path: Path
) -> None:
    teacher = opened(teacher_folder, colours, tmp_path / "answers")
    run = config(dataclasses.replace(adam(6), batch_size=16, crop_padding=1), teacher.run)
    result = fit(run, colours, tmp_path / "p", resume=False, progress=Progress(io.StringIO(), 6), teacher=teacher)
    fitted = result.extra["temperature"]
    assert fitted["num_images"] == 24 and fitted["temperature"] < 1
    assert fitted["error_after"] < fitted["error_before"]
    softer = compute_logits(result.model, colours.validation) * fitted["temperature"]
    found = calibration_error(softmax(softer), colours.validation.labels)
    assert found == pytest.approx(fitted["error_before"], abs=1e-4)


def test_a_folder_that_is_no_run_is_refused_as_a_teacher_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--teacher", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "has no model.keras and config.json, expected a run directory" in capsys.readouterr().err


def test_transfer_takes_no_start() -> None:
    args = make_parser().parse_args(["--data", "photos", "--model", "transfer", "--start", "runs/a", "--out", "runs/b"])
    with pytest.raises(UsageError, match=r"--start is for training from scratch; --model transfer starts from"):
        make_configuration(args)


def test_a_folder_that_is_no_run_is_refused_as_a_start_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--start", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert f"--start {tmp_path} has no model.keras and config.json" in capsys.readouterr().err


def test_transfer_takes_no_teacher() -> None:
    args = make_parser().parse_args(
        ["--data", "photos", "--model", "transfer", "--teacher", "runs/a", "--out", "runs/b"]
    )
    with pytest.raises(
        UsageError, match=r"--teacher is for training from scratch; --model transfer is transfer learning"
    ):
        make_configuration(args)


def test_the_command_line_trains_a_teacher_and_its_student_and_names_the_teacher_in_the_run(tmp_path: Path) -> None:
    for label in range(3):
        (tmp_path / "photos" / f"{label}").mkdir(parents=True)
        for number in range(20):
            image = np.random.default_rng(100 * label + number).integers(
                60 * label, 60 * label + 90, (32, 32, 3), np.uint8
            )
            cv2.imwrite(str(tmp_path / "photos" / f"{label}" / f"{number}.png"), image)
    small = ["--data", str(tmp_path / "photos"), "--size", "32", "--epochs", "1", "--batch-size", "20"]
    assert main([*small, "--model", "seed_cnn", "--name", "master", "--out", str(tmp_path / "t")]) == 0
    earlier = ["--teacher", str(tmp_path / "t"), "--start", str(tmp_path / "t"), "--light", "0.5"]
    assert main([*small, "--model", "seed_cnn", *earlier, "--out", str(tmp_path / "p")]) == 0
    saved = json.loads((tmp_path / "p" / "config.json").read_text("utf-8"))
    assert saved["teacher"] == dataclasses.asdict(find_teacher_run(tmp_path / "t"))
    assert saved["teacher"]["name"] == "master"
    assert saved["start"] == saved["teacher"] and saved["recipe"]["light"] == 0.5
    assert not (tmp_path / "p.checkpoint").exists()

"""Own photos become a calibrated model within the time that is given, the same one each time, and in resumable steps."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError, DataError, InternalError, MissingInputError, UsageError
from train.datasets.dataset import Dataset
from train.datasets.folder import open_folder
from train.progress import Progress, Stage, format_duration
from train.recipes.config import TrainConfig
from train.recipes.transfer_config import Scale, TransferRecipe, transfer, with_changes

tf = pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.__main__ import main  # noqa: E402
from train.runs.flags import make_configuration, make_parser  # noqa: E402
from train.training.logits import compute_logits  # noqa: E402
from train.training.result import TrainResult  # noqa: E402
from train.transfer.backbone import efficientnet_lite0 as backbone  # noqa: E402
from train.transfer.fine_tune import Clock, Ending, _best, _ending, _stuck, compute_rate, num_steps  # noqa: E402
from train.transfer.head import fit_heads  # noqa: E402
from train.transfer.photos import train_transfer, weigh_classes  # noqa: E402
from train.transfer.scaled_adam import ScaledAdam  # noqa: E402
from train.transfer.scenes.small_photos import load_small_photos  # noqa: E402

SIDE = 48
COLOURS = {"cup": (40, 60, 200), "pen": (200, 80, 40), "toy": (60, 190, 70)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, (name, colour) in enumerate(COLOURS.items()):
        (folder / name).mkdir()
        for i in range(30):
            rng = np.random.default_rng([number, i])
            scene = cv2.resize(rng.integers(0, 256, (4, 5, 3), np.uint8), (80, 64), interpolation=cv2.INTER_CUBIC)
            centre = (int(rng.integers(20, 60)), int(rng.integers(20, 44)))
            cv2.circle(scene, centre, int(rng.integers(12, 20)), colour, -1)
            assert cv2.imwrite(str(folder / name / f"{i:02d}.jpg"), scene)
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    tf.config.experimental.enable_op_determinism()  # as the command line does
    try:
        backbone.find_weights_file()
    except MissingInputError as error:
        pytest.skip(str(error))


@pytest.fixture
def quick_heads(brief_heads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds each instead of five and three."""
    monkeypatch.setattr("train.transfer.head_choice.NUM_FOLDS", 2)
    monkeypatch.setattr("train.transfer.learning_curve.NUM_FOLDS", 2)


def quick(**changes: object) -> TransferRecipe:
    """The tiny recipe, shrunk: small images, an early cut, a few steps."""
    recipe = dataclasses.replace(
        transfer("tiny"), scale=Scale("toy", SIDE, 3), first_block=0, min_steps=12, epochs=1, rounds=3
    )
    return with_changes(recipe, {"batch_size": 8, **changes})


def run(photos: Path, folder: Path, recipe: TransferRecipe, **settings: object) -> tuple[TrainResult, Dataset, str]:
    spec = InputSpec(SIDE, SIDE)
    dataset = open_folder(photos, spec)
    stream = io.StringIO()
    config = TrainConfig("photos", str(photos), "transfer", spec, recipe, 3)
    defaults: dict[str, object] = {"resume": False, "progress": Progress(stream, recipe.rounds)}
    result = train_transfer(config, recipe, dataset, folder, **{**defaults, **settings})  # type: ignore[arg-type]
    return result, dataset, stream.getvalue()


def test_photos_are_learnt(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("train.transfer.photos.list_known", lambda labels: asked.append(labels) or {"dog"})
    load = load_small_photos
    monkeypatch.setattr("train.transfer.photos.load_small_photos", lambda labels: asked.append(labels) or load(labels))
    result, dataset, said = run(photos, tmp_path / "a", quick(min_steps=60, learning_rate=3e-3))
    right = {
        name: compute_logits(result.model, split).argmax(axis=1) == split.labels
        for name, split in (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    }
    assert np.mean(right["train"]) >= 0.7, "60 steps at 48 pixels learn most of 72 photos"
    assert np.mean([*right["validation"], *right["test"]]) >= 0.5, "and 18 others well above one in three"
    assert "the head alone" in said and "temperature" in said and "every planned step was taken" in said
    assert result.extra["ended_by"] == "steps" and result.extra["mirroring"]["decided"]
    assert result.extra["own_small_photos"] == ["dog"] and asked == 2 * [dataset.labels]
    assert result.extra["temperature"]["num_images"] == len(dataset.validation.labels)


@pytest.mark.usefixtures("quick_heads")
def test_tuning_goes_on_where_it_stopped_to_the_same_weights(photos: Path, tmp_path: Path) -> None:
    """Which two runs can only do when the same run gives the same weights."""
    whole, _, _ = run(photos, tmp_path / "whole", quick(patience=9))

    class Stopped(Exception):
        pass

    class Stopping(Progress):
        def note(self, text: str) -> None:
            if text.startswith("round 2"):
                raise Stopped
            super().note(text)

    with pytest.raises(Stopped):
        run(photos, tmp_path / "cut", quick(patience=9), progress=Stopping(io.StringIO(), 3))
    resumed, _, _ = run(photos, tmp_path / "cut", quick(patience=9), resume=True)
    assert [row["steps"] for row in resumed.history] == [row["steps"] for row in whole.history] == [0, 4, 8, 12]
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("quick_heads")
def test_a_checkpoint_of_another_recipe_is_refused(photos: Path, tmp_path: Path) -> None:
    run(photos, tmp_path / "a", quick())
    with pytest.raises(ConfigurationError, match=r"was made with another recipe"):
        run(photos, tmp_path / "a", quick(jitter=0.1), resume=True)


@pytest.mark.usefixtures("quick_heads")
def test_when_the_time_is_up_there_is_a_whole_model(photos: Path, tmp_path: Path) -> None:
    now = iter(range(0, 100_000, 10))
    result, _, said = run(photos, tmp_path, quick(minutes=1.0), started_s=0.0, now=lambda: float(next(now)))
    assert result.history[-1]["steps"] < 12
    assert "at most 00:" in said and "the time was up" in said
    assert result.extra["ended_by"] == "clock"


@pytest.mark.usefixtures("quick_heads")
def test_the_head_alone_is_a_model_too(photos: Path, tmp_path: Path) -> None:
    result, _, _ = run(photos, tmp_path, quick(epochs=0))
    assert [row["steps"] for row in result.history] == [0]
    assert result.best_epoch == 0


@pytest.mark.usefixtures("quick_heads")
def test_a_second_run_reads_its_features_from_the_cache(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.transfer.features import features

    run(photos, tmp_path / "a", quick(epochs=0))
    asked: list[int] = []
    original = features.FeatureCache.put
    monkeypatch.setattr(features.FeatureCache, "put", lambda self, *args: (asked.append(1), original(self, *args)))
    run(photos, tmp_path / "b", quick(epochs=0))
    assert asked == []


@pytest.mark.usefixtures("quick_heads")
def test_features_that_go_away_are_named(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from train.transfer.features import features

    monkeypatch.setattr(features.FeatureCache, "get", lambda self, digest: None)
    with pytest.raises(DataError, match=r"features have gone from .* while they were in use"):
        run(photos, tmp_path, quick(epochs=0))


@pytest.mark.usefixtures("quick_heads")
def test_the_command_line_writes_a_run_with_its_validation_images_and_warnings(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    flags = ["--data", str(photos), "--model", "transfer", "--size", "tiny", "--epochs", "0", "--out", str(out)]
    assert main(flags) == 0
    images = json.loads((out / "images.json").read_text())
    assert sorted(images) == ["calibration", "test", "validation"]
    assert len(images["validation"]) == 9
    metrics = json.loads((out / "metrics.json").read_text())
    assert [item["kind"] for item in metrics["data_warnings"]] == ["few"]
    assert metrics["class_counts"]["train"] == {"cup": 24, "pen": 24, "toy": 24}
    assert metrics["temperature"]["temperature"] > 0
    assert "warning: Fewer than 30 training images in cup (24)" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_the_size_of_transfer_is_a_word_and_brings_its_input() -> None:
    made = make_configuration(
        make_parser().parse_args(["--out", "x", "--model", "transfer", "--data", "d", "--minutes", "3"])
    )
    assert (made.name, made.input) == ("d-small", InputSpec(160, 160))
    assert isinstance(made.recipe, TransferRecipe) and made.recipe.minutes == 3
    with pytest.raises(UsageError, match=r"--size is '96', but the model transfer comes as tiny, small, full"):
        make_configuration(make_parser().parse_args(["--out", "x", "--model", "transfer", "--size", "96"]))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "transfer", "--recipe", "adam"], r"--recipe adam is for training from scratch"),
        (["--minutes", "3"], r"--minutes goes with --model transfer; resnet8 is trained for --epochs"),
        (["--model", "transfer", "--mixup", "0.2"], r"--mixup is not part of the recipe transfer; leave it out"),
        (["--jitter", "0.2"], r"--jitter is only part of the recipe transfer; leave it out"),
        (["--flip", "off"], r"--flip off goes with --model transfer; resnet8 has its own"),
        (["--background", "empty"], r"--background goes with --model transfer; resnet8 does not use it"),
    ],
)
def test_flags_of_the_other_recipe_are_refused(flags: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_configuration(make_parser().parse_args(["--out", "x", *flags]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minutes": 0}, r"number of minutes is 0, expected above 0"),
        ({"epochs": -1}, r"number of epochs is -1, expected at least 0"),
        ({"crop_area": 0}, r"crop area is 0, expected above 0, at most 1"),
        ({"batch_size": 0}, r"batch size is 0, expected at least 1"),
        ({"learning_rate": 2}, r"learning rate is 2, expected above 0, at most 1"),
        ({"jitter": 1}, r"jitter is 1, expected at least 0, below 1"),
        ({"placed": 1.5}, r"placed is 1.5, expected from 0 to 1"),
        ({"flip": "maybe"}, r"flip is 'maybe', expected one of auto, on, off"),
    ],
)
def test_a_transfer_recipe_out_of_range_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        with_changes(transfer("small"), change)


def test_the_rate_rises_then_falls_to_zero() -> None:
    recipe = transfer("small")
    middle = (1 + recipe.warmup) / 2
    rates = [compute_rate(used, 500, recipe) for used in (0.0, recipe.warmup / 2, recipe.warmup, middle, 1.0)]
    assert 0 < rates[0] < rates[1] < rates[2] == recipe.learning_rate
    assert rates[3] == pytest.approx(recipe.learning_rate / 2)
    assert rates[4] == pytest.approx(0)


def test_the_first_steps_are_short_even_when_much_of_the_time_is_gone() -> None:
    recipe = transfer("small")
    assert compute_rate(recipe.warmup, 4, recipe) == pytest.approx(recipe.learning_rate / 10)
    assert compute_rate(recipe.warmup / 2, 0, recipe) == pytest.approx(recipe.learning_rate / 50)
    assert compute_rate(recipe.warmup, 49, recipe) == pytest.approx(recipe.learning_rate)


def test_the_number_of_steps_grows_with_the_images_but_few_get_a_least_number() -> None:
    recipe = with_changes(transfer("small"), {"min_steps": 300, "epochs": 6})
    assert num_steps(50, recipe) == 300
    assert num_steps(3200, recipe) == 600
    assert num_steps(3200, with_changes(recipe, {"epochs": 0})) == 0


def test_the_clock_tells_the_used_share_and_a_past_deadline_is_all_of_it() -> None:
    assert Clock(lambda: 15.0, 10.0, 20.0).used() == 0.5
    assert Clock(lambda: 30.0, 10.0, 20.0).used() == 1
    assert Clock(lambda: 10.0, 10.0, 5.0).used() == 1


def row(accuracy: float, loss: float, camera: float = 0.5) -> dict[str, float]:
    return {"validation_accuracy": accuracy, "camera_accuracy": camera, "validation_loss": loss}


def test_rounds_are_compared_by_cross_entropy_and_a_stop_needs_neither_to_improve() -> None:
    history = [row(0.5, 0.9), row(0.8, 0.5), row(0.8, 0.4), row(0.7, 0.6)]
    assert _best(history) == 2
    assert not _stuck(history, 2)
    assert _stuck([*history, row(0.8, 0.45)], 2)
    assert not _stuck([*history, row(0.9, 0.45)], 2)


def test_a_round_that_is_right_less_often_than_the_head_alone_is_never_the_best() -> None:
    destroyed = [row(0.95, 4.2, camera=0.3), row(0.57, 2.4, camera=0.16)]
    assert _best(destroyed) == 0
    assert _best([*destroyed, row(0.93, 2.5, camera=0.4)]) == 2
    assert _best([row(0.95, 4.2, camera=0.3), row(0.85, 0.9, camera=0.8)]) == 1, "what a camera gains counts as much"


def test_why_tuning_ended_is_told_apart() -> None:
    recipe = with_changes(transfer("small"), {"patience": 2})
    early, late = Clock(lambda: 0.0, 0.0, 10.0), Clock(lambda: 10.0, 0.0, 10.0)
    history = [row(0.5, 0.9), row(0.8, 0.5)]
    assert _ending(history, 10, 100, early, recipe) is None
    assert _ending(history, 100, 100, early, recipe) is Ending.STEPS
    assert _ending(history, 10, 100, late, recipe) is Ending.CLOCK
    assert _ending([*history, row(0.8, 0.5), row(0.7, 0.6)], 10, 100, early, recipe) is Ending.PATIENCE
    assert _ending([*history, row(1.0, 0.005, camera=1.0)], 10, 100, early, recipe) is Ending.NOTHING_LEFT
    assert _ending([*history, row(1.0, 0.005, camera=0.99)], 10, 100, early, recipe) is None
    assert _ending([*history, row(1.0, 0.2, camera=1.0)], 10, 100, early, recipe) is None


def test_a_better_answer_in_a_cameras_frame_is_progress() -> None:
    history = [row(0.8, 0.5, camera=0.6), row(0.8, 0.6, camera=0.6), row(0.7, 0.6, camera=0.7)]
    assert not _stuck(history, 2)
    assert _stuck([*history[:2], row(0.7, 0.6, camera=0.6)], 2)


def test_class_weights_appear_only_when_unbalanced_and_keep_the_mean() -> None:
    even = np.repeat([0, 1], [30, 90])
    np.testing.assert_array_equal(weigh_classes(even, 2), [1, 1])
    labels = np.repeat([0, 1], [10, 90])
    weights = weigh_classes(labels, 2)
    assert weights[0] / weights[1] == pytest.approx(3)
    assert weights[labels].mean() == pytest.approx(1)
    with pytest.raises(InternalError, match=r"A class has no training image"):
        weigh_classes(np.zeros(3, np.int64), 2)


def test_the_head_separates_what_is_separable_with_weights_that_8_bits_can_hold() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = rng.normal(0, 0.3, (90, 5)).astype(np.float32)
    features[np.arange(90), labels] += 2
    features[:, 4] = 1e-4 * rng.normal(size=90)  # hardly varies
    targets = np.eye(3, dtype=np.float32)[labels]

    def batches(num: int):  # type: ignore[no-untyped-def]
        for _ in range(num):
            yield features, targets, np.ones(90, np.float32)

    head = fit_heads(batches, 3)[0]
    assert np.mean(head.logits(features).argmax(axis=1) == labels) == 1
    # Divided by its own deviation of 1e-4 instead of the floor, it would be about a thousand times as large.
    assert np.abs(head.kernel[4]).max() < 5


def test_each_head_takes_the_steps_of_keras_adam_on_its_weighted_loss_and_its_decay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras

    from train.transfer import head

    monkeypatch.setattr(head, "NUM_STEPS", 8)
    rng = np.random.default_rng(1)
    features = rng.normal(0, 1, (20, 4)).astype(np.float32)
    features = (features - features.mean(axis=0)) / features.std(axis=0)  # then fit_heads has nothing to scale
    targets = np.eye(3, dtype=np.float32)[np.arange(20) % 3] * 0.9 + np.float32(0.1 / 3)
    weights = rng.uniform(0.5, 2, 20).astype(np.float32)
    found = fit_heads(lambda num: iter([(features, targets, weights)] * num), 3)
    for penalty, fitted in zip(head.PENALTIES, found, strict=True):
        kernel, bias = tf.Variable(tf.zeros((4, 3))), tf.Variable(tf.zeros(3))
        adam = keras.optimizers.Adam(head.RATE)
        adam.build([kernel, bias])
        for number in range(8):
            with tf.GradientTape() as tape:
                losses = tf.nn.softmax_cross_entropy_with_logits(targets, features @ kernel + bias)
                loss = tf.reduce_mean(losses * weights) + penalty * tf.reduce_sum(kernel * kernel)
            adam.learning_rate.assign(head.RATE * (1 - number / 8))
            adam.apply_gradients(zip(tape.gradient(loss, [kernel, bias]), [kernel, bias], strict=True))
        np.testing.assert_allclose(fitted.kernel, kernel.numpy(), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(fitted.bias, bias.numpy(), rtol=1e-3, atol=1e-6)


def test_scaled_adam_moves_a_folded_kernel_as_plain_adam_moves_the_original() -> None:
    import keras

    scale = np.array([4.0, 0.25], np.float32)
    start = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    original, folded = tf.Variable(start), tf.Variable(start * scale)
    plain = keras.optimizers.Adam(0.1)
    plain.build([original])
    scaled = ScaledAdam([folded], [scale], 0.9)
    for _ in range(5):
        with tf.GradientTape(persistent=True) as tape:
            losses = [tf.reduce_sum(tf.sin(kernel)) for kernel in (original * scale, tf.convert_to_tensor(folded))]
            other = tf.reduce_sum(tf.sin(folded))
        del losses[1]
        with tf.GradientTape() as inner:
            loss = tf.reduce_sum(tf.sin(original * scale))
        plain.apply_gradients([(inner.gradient(loss, original), original)])
        scaled.apply([tape.gradient(other, folded)], tf.constant(0.1))
    np.testing.assert_allclose(folded.numpy(), original.numpy() * scale, rtol=1e-4)
    assert not np.allclose(scaled.averaged[0].numpy(), folded.numpy())


def test_a_stage_shows_how_far_it_is_and_how_long_it_took() -> None:
    now = iter([0.0, 5.0, 20.0, 40.0])
    stream = io.StringIO()
    stage = Stage(stream, "reading", 4, lambda: next(now))
    stage.step()
    stage.step()
    stage.step(2)
    assert stream.getvalue() == "reading 2/4  ETA 00:20\nreading 4/4  40.0 s\n"


def test_durations_are_minutes_and_from_an_hour_on_hours() -> None:
    assert [format_duration(seconds) for seconds in (59.6, 61, 3661)] == ["01:00", "01:01", "1:01:01"]

"""A new model in a running loop: used from one frame to the next, judged, and rolled back by itself when it fails."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import cli
from edge_runtime.errors import EdgeRuntimeError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.installed.candidate import LAST_WAIT_S, ModelFollower
from edge_runtime.installed.health_check import HEALTH_CHECK_S, PATIENCE_S
from edge_runtime.installed.rollback import BRIEF_WAIT_S, MAX_UNCLEAR_ENDS
from edge_runtime.model.model_file import open_model
from edge_runtime.store.runs import RunCount, count_runs
from edge_runtime.store.state import SHIPPED
from edge_runtime.store.store import Store
from tests.patience import HANG_S


def until_changed(follower: Any, clock: Any) -> Classifier | None:
    """What the loop is given in the end, once the loader's thread is done."""
    for _ in range(6):
        clock.now_s += 0.2
        if (changed := follower(0, 0)) is not None:
            return changed
        if follower._work is not None:
            follower._work.wait()
    return None


@pytest.fixture
def follower(store: Store, clock: Any) -> ModelFollower:
    return ModelFollower(store, lambda path: Classifier(open_model(path)), clock)


def test_a_change_of_the_store_gives_a_loaded_classifier(
    follower: ModelFollower, store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    follower.begin()
    assert until_changed(follower, clock) is None
    store.add(make_model(1))
    changed = until_changed(follower, clock)
    assert changed is not None
    assert changed.contract.provenance["number"] == 1
    assert until_changed(follower, clock) is None


def run_for(follower: Any, clock: Any, seconds: float, labels: int = 0, late: int = 0) -> list[Classifier]:
    """Ten frames per second of which each adds ``labels`` and ``late``, from 0; the classifiers that the loop is given."""
    changes = []
    for number in range(1, round(10 * seconds) + 1):
        clock.now_s += 0.1
        changes.append(follower(number * labels, number * late))
        if follower._work is not None:
            follower._work.wait()
    return [changed for changed in changes if changed is not None]


def test_a_model_that_gives_labels_for_a_minute_is_accepted(
    follower: ModelFollower, store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    store.add(make_model(1))
    follower.begin()
    run_for(follower, clock, HEALTH_CHECK_S - 10, labels=1)
    assert store.state().probation
    run_for(follower, clock, 600)  # time alone proves nothing
    assert store.state().probation
    run_for(follower, clock, 1)
    follower(10000, 0)
    clock.now_s += HEALTH_CHECK_S
    follower(10001, 0)  # nor do two labels with a minute between them
    assert store.state().probation
    run_for(follower, clock, HEALTH_CHECK_S, labels=1)
    assert (store.state().probation, store.state().failed_starts) == (False, 0)


def test_a_model_whose_labels_are_all_too_late_is_taken_back_after_half_a_minute(
    follower: ModelFollower, store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    slow = store.add(make_model(1))
    follower.begin()
    assert run_for(follower, clock, PATIENCE_S - 1, late=1) == []
    assert store.state().current == slow
    (before,) = run_for(follower, clock, 3, late=1)
    assert before.contract.spec.name == Classifier(store.path_of(SHIPPED)).contract.spec.name
    assert store.state().current == SHIPPED
    assert "gave no label in time for 30 s" in store.state().refused[slow]


def test_the_loop_itself_never_touches_disk_or_lock(
    store: Store, clock: Any, make_model: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[tuple[str, bool]] = []

    def watch(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any) -> Any:
            touched.append((name, threading.current_thread() is threading.main_thread()))
            return original(*arguments)

        monkeypatch.setattr(owner, name, watched)

    def load(path: Path) -> Classifier:
        classifier = Classifier(open_model(path))
        if classifier.contract.provenance.get("number") == 2:
            raise ModelError("It does not fit into memory.")
        return classifier

    follower = ModelFollower(store, load, clock)
    follower.begin()
    good, bad = store.add(make_model(1)), make_model(2)
    for owner, name in ((fcntl, "flock"), (os, "fsync"), (os, "open"), (Path, "read_bytes"), (Path, "replace")):
        watch(owner, name)
    assert len(run_for(follower, clock, HEALTH_CHECK_S + 5, labels=1)) == 1
    kept = store.state()
    on_loop = [name for name, is_loop in touched if is_loop]
    assert on_loop == ["open", "open"], "those were this test's own look at the state and the floor"
    store.add(bad)
    touched.clear()
    assert run_for(follower, clock, 1, labels=1) == []
    assert {name for name, _ in touched} == {"flock", "fsync", "open", "replace"}
    assert not [name for name, is_loop in touched if is_loop]
    assert (kept.current, kept.probation) == (good, False)
    assert (store.state().current, list(store.state().refused)) == (good, [hashlib.sha256(bad).hexdigest()])


def test_a_camera_that_gives_nothing_to_label_never_fails_a_model(
    follower: ModelFollower, store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    store.add(make_model(1))
    follower.begin()
    assert run_for(follower, clock, 20 * PATIENCE_S) == []
    assert (store.state().probation, store.state().refused) == (True, {})


def test_a_model_that_cannot_be_loaded_is_taken_back_and_remembered(
    store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    def load(path: Path) -> Classifier:
        classifier = Classifier(open_model(path))
        if classifier.contract.provenance.get("number") == 2:
            raise ModelError("It does not fit into memory.")
        return classifier

    good = store.add(make_model(1))
    follower = ModelFollower(store, load, clock)
    follower.begin()
    bad = store.add(make_model(2))
    assert until_changed(follower, clock) is None
    assert store.state().current == good
    assert store.state().refused == {bad: "It does not fit into memory."}
    with pytest.raises(ModelError, match="It does not fit into memory"):
        store.add(make_model(2))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "It cannot be loaded: MemoryError()."),
        (
            RuntimeError("failed to allocate tensors"),
            "It cannot be loaded: RuntimeError('failed to allocate tensors').",
        ),
    ],
)
def test_whatever_loading_a_model_raises_is_the_reason_why_it_is_taken_back(
    store: Store, clock: Any, make_model: Callable[..., bytes], error: Exception, reason: str
) -> None:
    def load(path: Path) -> Classifier:
        raise error

    follower = ModelFollower(store, load, clock)
    follower.begin()
    bad = store.add(make_model(1))
    assert until_changed(follower, clock) is None
    assert store.state().refused == {bad: reason}


def test_a_good_model_that_is_installed_while_a_bad_one_loads_is_used(
    store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    good: list[str] = []

    def load(path: Path) -> Classifier:
        if path.stem == bad:
            good.append(store.add(make_model(2)))
            raise ModelError("It does not fit into memory.")
        return Classifier(open_model(path))

    follower = ModelFollower(store, load, clock)
    follower.begin()
    bad = store.add(make_model(1))
    changed = until_changed(follower, clock)
    assert changed is not None and changed.contract.provenance["number"] == 2
    assert store.state().history == (SHIPPED, *good)
    assert store.state().refused == {bad: "It does not fit into memory."}


def crash(follower: ModelFollower) -> None:
    """What the death of its process does to a run."""
    for run in follower._switch._open_runs:
        run.abandon()


def test_after_three_bad_ends_the_model_before_starts(
    store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    bad = store.add(make_model(1))
    paths = []
    for _ in range(4):
        follower = ModelFollower(store, Classifier, clock)
        paths.append(follower.begin())
        crash(follower)
    assert [path.stem for path in paths] == [bad, bad, bad, "default"]
    assert store.state().current == SHIPPED
    assert "3 runs with it ended badly" in store.state().refused[bad]


@pytest.fixture
def reboot(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From each call on, the machine was started anew."""
    number = itertools.count(1)

    def again() -> None:
        boot = f"{next(number):032x}"
        monkeypatch.setattr("edge_runtime.store.runs.boot_id", lambda: boot)

    return again


def test_power_cuts_are_no_fault_of_a_model_that_labels(
    store: Store, clock: Any, make_model: Callable[..., bytes], reboot: Callable[[], None]
) -> None:
    model = store.add(make_model(1))
    for _ in range(2 * MAX_UNCLEAR_ENDS):
        reboot()
        follower = ModelFollower(store, Classifier, clock)
        assert follower.begin() == store.path_of(model)
        run_for(follower, clock, 5, labels=1)
        crash(follower)
    assert (store.state().refused, store.state().failed_starts, store.state().probation) == ({}, 0, True)
    assert len(list((store.folder / "runs").iterdir())) == 1


def test_a_model_that_labelled_and_crashed_in_the_boot_that_goes_on_failed(
    store: Store, clock: Any, make_model: Callable[..., bytes], reboot: Callable[[], None]
) -> None:
    bad = store.add(make_model(1))
    reboot()
    for _ in range(4):
        follower = ModelFollower(store, Classifier, clock)
        follower.begin()
        run_for(follower, clock, 5, labels=1)
        crash(follower)
    assert "3 runs with it ended badly" in store.state().refused[bad]


def test_a_model_before_whose_first_label_the_machine_ends_each_time_is_taken_back_in_the_end(
    store: Store, clock: Any, make_model: Callable[..., bytes], reboot: Callable[[], None]
) -> None:
    bad = store.add(make_model(1))
    for number in range(MAX_UNCLEAR_ENDS):
        reboot()
        follower = ModelFollower(store, Classifier, clock)
        assert follower.begin() == store.path_of(bad), number
        run_for(follower, clock, 5)
        crash(follower)
    reboot()
    assert ModelFollower(store, Classifier, clock).begin() == store.path_of(SHIPPED)
    assert "10 times the machine ended before it gave a label" in store.state().refused[bad]


def test_one_label_clears_a_model_of_machines_that_ended_before(
    store: Store, clock: Any, make_model: Callable[..., bytes], reboot: Callable[[], None]
) -> None:
    model = store.add(make_model(1))
    for number in range(2 * MAX_UNCLEAR_ENDS):
        reboot()
        follower = ModelFollower(store, Classifier, clock)
        assert follower.begin() == store.path_of(model), number
        run_for(follower, clock, 5, labels=number == MAX_UNCLEAR_ENDS - 1)
        crash(follower)


def test_what_is_left_of_an_earlier_installation_is_no_fault_of_a_later_one(
    store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    model = store.add(make_model(1))
    for _ in range(4):
        follower = ModelFollower(store, Classifier, clock)
        assert follower.begin() == store.path_of(model)
        crash(follower)
        store.rollback()
        store.add(make_model(1))


def test_runs_that_end_well_are_no_crashes(store: Store, clock: Any, make_model: Callable[..., bytes]) -> None:
    store.add(make_model(1))
    for _ in range(8):
        follower = ModelFollower(store, Classifier, clock)
        follower.begin()
        follower.end()
    assert (store.state().probation, store.state().failed_starts) == (True, 0)


def test_a_run_that_ends_well_while_a_model_is_loaded_is_no_crash_of_it(
    store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    is_loading, may_load = threading.Event(), threading.Event()

    def load(path: Path) -> Classifier:
        is_loading.set()
        may_load.wait(HANG_S)
        return Classifier(open_model(path))

    follower = ModelFollower(store, load, clock)
    follower.begin()
    store.add(make_model(1))
    clock.now_s += 1
    assert follower(0, 0) is None
    assert is_loading.wait(HANG_S)
    assert count_runs(store.folder, store.state().current).num_open == 1
    follower.end()
    may_load.set()
    assert follower._work is not None
    follower._work.wait()
    assert count_runs(store.folder, store.state().current) == RunCount(0, 0, 0)
    assert (store.state().probation, store.state().failed_starts) == (True, 0)


def test_a_run_ends_although_another_process_holds_the_store(
    store: Store, clock: Any, make_model: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    model = store.add(make_model(1))
    follower = ModelFollower(store, Classifier, clock)
    follower.begin()
    with store.changing():
        follower.end()
    assert caplog.text == ""
    assert count_runs(store.folder, model) == RunCount(0, 0, 0)


def test_a_run_ends_although_a_verdict_and_a_start_wait_for_the_store(
    store: Store, clock: Any, make_model: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    store.add(make_model(1))
    follower = ModelFollower(store, lambda path: Classifier(open_model(path)), clock)
    follower.begin()
    run_for(follower, clock, PATIENCE_S - 1, late=1)
    with store.changing():
        clock.now_s += 2
        follower(0, 1000)
        clock.now_s += 2
        follower(0, 2000)  # the verdict: a thread waits to write it down
        waiting = follower._work
        assert waiting is not None and waiting.is_brief
        follower._switch._beginning.acquire()  # as a thread does that begins a run of yet another model
        follower.end()
        assert not waiting.is_done()
    waiting.wait(HANG_S)
    assert "cannot be saved: another process holds the store" in caplog.text
    assert store.state().current == SHIPPED
    assert LAST_WAIT_S + BRIEF_WAIT_S < 2  # of the 3 s that a signal may take


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes every store one that this user may read only, from the call on."""

    def refuse(path: Path, content: bytes) -> None:
        raise EdgeRuntimeError(f"{path} cannot be written (Permission denied).")

    def lock() -> None:
        monkeypatch.setattr("edge_runtime.store.store.write_durably", refuse)
        monkeypatch.setattr("edge_runtime.store.runs.write_durably", refuse)

    return lock


def test_a_store_that_cannot_be_written_is_followed_without_judging(
    follower: ModelFollower,
    store: Store,
    clock: Any,
    make_model: Callable[..., bytes],
    locked: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = store.add(make_model(1))
    locked()
    assert follower.begin() == store.path_of(first)
    assert run_for(follower, clock, 2 * HEALTH_CHECK_S, labels=1) == []
    monkeypatch.undo()
    second = store.add(make_model(2))
    locked()
    (changed,) = run_for(follower, clock, 2 * HEALTH_CHECK_S, late=1)
    assert changed.contract.provenance["number"] == 2
    follower.end()
    assert (store.state().current, store.state().probation, store.state().failed_starts) == (second, True, 0)
    assert caplog.text.count("New models are used without being judged, because this run cannot write the store") == 1
    assert caplog.text.count("From the next frame on: model") == 1


def test_a_damaged_model_gives_way_even_where_that_cannot_be_noted(
    follower: ModelFollower,
    store: Store,
    make_model: Callable[..., bytes],
    locked: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = store.add(make_model(1))
    locked()
    follower.begin()
    assert follower.instead(ModelError("It is cut short.")) == store.path_of(SHIPPED)
    assert (store.state().current, store.state().refused) == (model, {})
    assert "The rollback cannot be saved" in caplog.text


def test_a_proved_model_that_was_damaged_gives_way_to_the_one_before(
    store: Store, clock: Any, make_model: Callable[..., bytes]
) -> None:
    model = store.add(make_model(1))
    store.accept(model)
    follower = ModelFollower(store, Classifier, clock)
    follower.begin()
    assert follower.instead(ModelError("damaged")).stem == "default"
    assert store.state().refused == {}
    with pytest.raises(ModelError, match="the shipped one is damaged"):
        follower.instead(ModelError("the shipped one is damaged"))


def run_once() -> int:
    return cli.main(["run", "--camera", "synthetic:192x128@100", "--frames", "2", "--format", "jsonl"])


@pytest.mark.parametrize("is_proved", [True, False])
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_run_whose_installed_model_is_gone_or_damaged_uses_the_one_before(
    store: Store, make_model: Callable[..., bytes], is_gone: bool, is_proved: bool
) -> None:
    model = store.add(make_model(1))
    if is_proved:
        store.accept(model)
    if is_gone:
        store.path_of(model).unlink()
    else:
        store.path_of(model).write_bytes(make_model(1)[:-9])
    assert run_once() == 0
    assert store.state().current == SHIPPED
    assert list(store.state().refused) == ([] if is_gone or is_proved else [model])
    if is_gone or is_proved:
        assert store.add(make_model(1)) == model


def test_a_label_file_that_is_not_there_is_no_fault_of_the_model(
    store: Store, make_model: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    model = store.add(make_model(1))
    assert cli.main(["run", "--camera", "synthetic:192x128@100", "--frames", "2", "--labels", "absent.txt"]) == 66
    assert "There is no label file absent.txt" in capsys.readouterr().err
    assert (store.state().current, store.state().refused) == (model, {})


def test_a_store_that_becomes_unreadable_changes_nothing(
    follower: ModelFollower,
    store: Store,
    clock: Any,
    make_model: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.add(make_model(1))
    follower.begin()
    store.state_path.write_text("{")
    assert until_changed(follower, clock) is None
    assert "The model is kept as it is" in caplog.text


@pytest.fixture
def service(store: Store) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "edge_runtime", "run", "--camera", "synthetic:192x128@30", "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        yield process
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def lines(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    return (json.loads(line) for line in process.stdout)


@pytest.mark.slow
@pytest.mark.arithmetic
def test_a_running_service_takes_a_new_model_between_two_frames(
    store: Store, make_model: Callable[..., bytes], service: subprocess.Popen[str]
) -> None:
    first = {"red", "green", "blue"}
    second = ("rouge", "vert", "bleu")
    predictions = (line for line in lines(service) if line["type"] == "prediction")
    before = list(itertools.islice(predictions, 15))  # of the shipped model: its classes are others
    store.add(make_model(1))
    since_first = list(itertools.takewhile(lambda line: line["top"][0]["label"] not in first, predictions))
    store.add(make_model(2, labels=second))
    since_second = list(itertools.takewhile(lambda line: line["top"][0]["label"] not in second, predictions))
    after = list(itertools.islice(predictions, 15))
    assert service.poll() is None
    vocabularies = [
        {entry["label"] for entry in line["top"]} for line in (*before, *since_first, *since_second, *after)
    ]
    assert all(words <= first or words <= set(second) or not words & (first | set(second)) for words in vocabularies)
    assert all(words <= set(second) for words in vocabularies[-15:])
    service.terminate()
    assert service.wait(HANG_S) == 0


@pytest.mark.slow
@pytest.mark.arithmetic
def test_a_running_service_ends_in_time_although_its_store_is_held(
    store: Store, make_model: Callable[..., bytes], service: subprocess.Popen[str]
) -> None:
    store.add(make_model(1))
    labels = {"red", "green", "blue"}
    assert next(line for line in lines(service) if line["type"] == "prediction" and line["top"][0]["label"] in labels)
    with store.changing():
        service.terminate()
        assert service.wait(HANG_S) == 0


def test_status_says_that_a_candidate_is_being_tried_and_what_failed_before(
    store: Store, clock: Any, make_model: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    store.add(make_model(1))
    follower = ModelFollower(store, Classifier, clock)

    def says() -> str:
        assert cli.main(["status", "--store", str(store.folder)]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if " state " in line)

    assert "candidate: no run is trying it now, 0 ended badly" in says()
    follower.begin()
    assert "candidate: a run is trying it now, 0 ended badly" in says()
    crash(follower)
    assert "candidate: no run is trying it now, 1 ended badly" in says()
    again = ModelFollower(store, Classifier, clock)
    again.begin()
    assert "candidate: a run is trying it now, 1 ended badly" in says()
    again.end()

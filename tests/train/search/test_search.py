"""The search within a budget: what it refuses untrained, what it shares and resumes, whom it names the winner."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import ConfigurationError, DataError, MissingInputError, UsageError
from train.models.scaled import KINDS, Architecture
from train.progress import Progress
from train.search import trial as search_trial
from train.search import worker as search_worker
from train.search.__main__ import finish, main, make_configuration, parse, render_table
from train.search.pruner import COSTS
from train.search.space import (
    WIDTHS,
    Budget,
    Candidate,
    choose_epochs,
    choose_sizes,
    is_larger_everywhere,
    list_first_candidates,
    make_narrower,
    measure_excess_before_training,
    suggest,
)
from train.search.study import SearchConfig, begin, choose_front, count_run, open_study, read_results
from train.search.trial import Hopeless, OutOfTime, TrialConfig, time_untrained
from train.search.worker import work

pytest.importorskip("optuna", reason="needs the search engine, part of the workstation's environment")


def settings(out: Path, **changes: Any) -> SearchConfig:
    trial = TrialConfig("cifar10-mini", None, 4, 0, None, 1)
    values = {"trial": trial, "budget": Budget(), "sizes": (16, 32), "num_classes": 10, "trials": 8, "minutes": 1.0}
    return SearchConfig(out=out, workers=1, **{**values, **changes})


def candidate(kind: str = "plain", width: int = 8, depth: int = 1, size: int = 32, stem: int = 1) -> Candidate:
    return Candidate(Architecture(kind, width, depth, stem), size)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trials that train nothing: accuracy and time grow with the multiplications."""
    trained: list[str] = []

    def train(folder: Path, model: str, size: int, config: TrialConfig, report: Any, deadline_s: float) -> Path:
        trained.append(f"{model}@{size}")
        accuracy = 0.3 + candidate_macs(model, size) / 1e9
        for epoch in (1, 2, 3):
            if not report(epoch, accuracy):
                raise Hopeless
        run = folder / "run"
        run.mkdir(parents=True)
        (run / "metrics.json").write_text(json.dumps({"history": [{"validation_accuracy": accuracy}]}))
        return run

    def convert(run: Path, out: Path, config: TrialConfig) -> dict[str, Any]:
        model, size = trained[-1].split("@")
        out.write_text(trained[-1])
        macs = candidate_macs(model, int(size))
        return {
            "bytes": 1000 + macs // 100,
            "macs": macs,
            "parameters": 10,
            "passed": True,
            "correct": {"litert": 60},
            "num_images": 100,
        }

    def timed(files: list[Path], config: TrialConfig, seconds: float = 0) -> dict[str, dict[str, float]]:
        found = {}
        for path in files:
            macs = candidate_macs(*path.read_text().split("@"))
            found[str(path)] = {"bytes": 1000 + macs // 100, **times(macs)}
        return found

    def untrained(folder: Path, model: str, size: int, num_classes: int, config: TrialConfig) -> dict[str, float]:
        return times(candidate_macs(model, size))

    def times(macs: int) -> dict[str, float]:
        return {"latency_ms": macs / 1e8, "time_ratio": macs / 1e6}

    monkeypatch.setattr(search_worker, "train_trial", train)
    monkeypatch.setattr(search_worker, "convert_trial", convert)
    monkeypatch.setattr(search_worker, "time_untrained", untrained)
    monkeypatch.setattr("train.search.__main__.time_files", timed)
    return trained


def candidate_macs(model: str, size: int | str) -> int:
    from train.models.scaled import parse as parse_name

    return int(Candidate(parse_name(model), int(size)).figures(10)["macs"])


def test_the_budget_counts_the_worst_of_its_figures() -> None:
    budget = Budget(max_bytes=1000, max_macs=500)
    assert budget.excess({"bytes": 900, "macs": 250}) == pytest.approx(-0.1)
    assert budget.excess({"bytes": 900, "macs": 1000}) == pytest.approx(1.0)
    assert Budget().excess({"bytes": 1e9}) == -1.0
    with pytest.raises(UsageError, match=r"The budget's max bytes is 0, expected a number above 0"):
        Budget(max_bytes=0)


def test_too_many_bytes_or_multiplications_are_known_without_training() -> None:
    figures = candidate(width=32).figures(10)
    assert measure_excess_before_training(
        candidate(width=32), Budget(max_macs=int(figures["macs"] / 2)), 10
    ) == pytest.approx(1.0)
    assert measure_excess_before_training(candidate(width=32), Budget(max_bytes=int(figures["bytes"] * 0.9)), 10) > 0
    assert measure_excess_before_training(candidate(width=32), Budget(max_bytes=int(figures["bytes"] * 0.99)), 10) <= 0


def test_what_was_too_slow_is_tried_narrower_until_nothing_is_left() -> None:
    assert make_narrower(candidate(width=48, stem=2), 3.0) == candidate(width=16, stem=2)
    assert make_narrower(candidate(width=16), 0.01) == candidate(width=14)
    assert make_narrower(candidate(width=4), 0.5) is None and make_narrower(candidate(width=16), 100) is None


def test_more_images_get_fewer_epochs_within_bounds() -> None:
    assert [choose_epochs(num) for num in (100, 9_000, 45_000)] == [60, 30, 12]


def test_only_what_is_larger_in_everything_and_of_one_kind_is_certainly_slower() -> None:
    assert is_larger_everywhere(candidate(width=10, depth=2), candidate())
    assert not is_larger_everywhere(candidate(width=10, size=16), candidate())
    assert not is_larger_everywhere(candidate(kind="residual", width=10), candidate())
    assert is_larger_everywhere(candidate(), candidate(stem=2)) and not is_larger_everywhere(
        candidate(stem=2), candidate()
    )


def test_the_engine_proposes_members_of_the_family_only() -> None:
    class Trial:
        def suggest_categorical(self, name: str, choices: Any) -> Any:
            return choices[-1]

    assert suggest(Trial(), (16, 32)) == candidate("inverted", 48, 3, 32, 2)
    assert choose_sizes("cifar10-mini")[-1] == 32 and choose_sizes("/photos")[-1] == 128


def test_the_first_networks_are_the_widest_within_the_budget_or_small_without_one() -> None:
    free = list_first_candidates((16, 32), Budget(max_bytes=100_000), 10)
    assert [(values["kind"], values["stem"]) for values in free] == [(kind, stem) for stem in (2, 1) for kind in KINDS]
    assert {values["width"] for values in free} == {12}
    assert {values["width"] for values in list_first_candidates((32,), Budget(max_time_ratio=1.0), 10)} == {max(WIDTHS)}
    budget = Budget(max_bytes=100_000, max_macs=6_000_000)
    for values in list_first_candidates((16, 32), budget, 10):
        kind, width, stem = values["kind"], values["width"], values["stem"]
        assert measure_excess_before_training(candidate(kind, width, stem=stem), budget, 10) <= 0
        wider = min((w for w in WIDTHS if w > width), default=None)
        assert wider is None or measure_excess_before_training(candidate(kind, wider, stem=stem), budget, 10) > 0
    assert list_first_candidates((32,), Budget(max_macs=1), 10)[0]["width"] == 4


def test_a_search_trains_small_ones_of_each_kind_first_and_stops_after_its_trials(
    tmp_path: Path, pretended: list[str]
) -> None:
    config = settings(tmp_path)
    begin(config)
    work(config, 0, time.time() + 60)
    assert len(pretended) == count_run(open_study(config)) == 8
    assert pretended[:6] == [f"scaled-{kind}-w12-d1{stem}@32" for stem in ("-s2", "") for kind in KINDS]
    assert len(set(pretended)) == 8


def test_what_is_too_slow_before_it_learnt_anything_is_never_trained(tmp_path: Path, pretended: list[str]) -> None:
    config = settings(tmp_path, budget=Budget(max_latency_ms=0.02), trials=12)
    begin(config)
    work(config, 0, time.time() + 60)
    assert len(pretended) == 12 and all(candidate_macs(*name.split("@")) <= 2_000_000 for name in pretended)
    slow = [trial for trial in open_study(config).trials if trial.user_attrs.get("slow")]
    assert slow and all(trial.constraints["budget"] > 0 and "ran" not in trial.user_attrs for trial in slow)
    # Of each kind that was too slow at first a narrower one was within.
    assert {name.split("-")[1] for name in pretended} == set(KINDS)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_network_is_timed_before_it_learnt_anything(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    config = TrialConfig("cifar10-mini", None, 4, 0, None, 1)
    figures = time_untrained(tmp_path, "scaled-plain-w4-d1-s2", 16, 3, config)
    assert figures["latency_ms"] > 0 and figures["time_ratio"] == 1.0 and list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match=r"scaled-plain-w4-d1-s2 cannot be built for an input of 4 pixels"):
        time_untrained(tmp_path, "scaled-plain-w4-d1-s2", 4, 3, config)


def test_what_is_over_the_budget_is_never_trained(tmp_path: Path, pretended: list[str]) -> None:
    config = settings(tmp_path, budget=Budget(max_macs=3_000_000), trials=8)
    begin(config)
    work(config, 0, time.time() + 60)
    assert len(pretended) == 8
    assert all(candidate_macs(*name.split("@")) <= 3_000_000 for name in pretended)


def test_a_second_start_and_a_second_worker_go_on_with_the_same_search(tmp_path: Path, pretended: list[str]) -> None:
    config = settings(tmp_path, trials=3)
    begin(config)
    work(config, 0, time.time() + 60)
    more = settings(tmp_path, trials=6)
    begin(more)
    work(more, 1, time.time() + 60)
    assert len(pretended) == 6 and len(set(pretended)) == 6
    assert sorted(read_results(open_study(more))) == sorted(set(read_results(open_study(more))))


def test_a_folder_with_another_search_is_refused(tmp_path: Path) -> None:
    begin(settings(tmp_path))
    with pytest.raises(ConfigurationError, match=r"holds a search with another budget: .*choose another --out"):
        begin(settings(tmp_path, budget=Budget(max_bytes=50_000)))


@pytest.mark.slow
def test_a_budget_that_nothing_fits_is_said_at_once(tmp_path: Path, pretended: list[str]) -> None:
    config = settings(tmp_path, budget=Budget(max_macs=10))
    with pytest.raises(ConfigurationError, match=r"No network of the family stays within the budget .*smaller --sizes"):
        begin(config)
    assert pretended == [] and list(tmp_path.iterdir()) == []


def test_a_worker_ends_when_nothing_new_is_proposed(
    tmp_path: Path, pretended: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Six networks at 16 pixels are this cheap; the engine soon proposes nothing else.
    monkeypatch.setattr(search_worker, "MAX_REJECTED_IN_A_ROW", 20)
    config = settings(tmp_path, sizes=(16,), budget=Budget(max_macs=80_000), trials=500)
    begin(config)
    work(config, 0, time.time() + 60)
    assert 1 <= len(pretended) <= 6 and "20 proposals in a row were known or over the budget" in capsys.readouterr().err


def test_a_worker_starts_nothing_that_would_not_end_in_time(tmp_path: Path, pretended: list[str]) -> None:
    config = settings(tmp_path)
    begin(config)
    work(config, 0, time.time() - 1)
    assert pretended == []


def test_a_trial_that_runs_out_of_time_does_not_count_as_a_result(
    tmp_path: Path, pretended: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(*arguments: Any) -> Path:
        raise OutOfTime

    monkeypatch.setattr(search_worker, "train_trial", late)
    config = settings(tmp_path, trials=1)
    begin(config)
    work(config, 0, time.time() + 60)
    assert read_results(open_study(config)) == {} and "out of time" in capsys.readouterr().err


def test_a_first_trial_that_fails_ends_the_search_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> Path:
        raise DataError("Training failed, see train.log.")

    monkeypatch.setattr(search_worker, "time_untrained", broken)
    config = settings(tmp_path)
    begin(config)
    with pytest.raises(DataError, match=r"Training failed, see train\.log"):
        work(config, 0, time.time() + 60)


def test_the_front_holds_what_no_other_trial_beats_within_the_budget() -> None:
    def figures(rate: float, size: int, ms: float, excess: float = -0.1, passed: bool = True) -> dict[str, Any]:
        return {"validation_accuracy": rate, "bytes": size, "latency_ms": ms, "excess": excess, "passed": passed}

    found = {
        0: figures(0.5, 10, 1.0), 1: figures(0.6, 20, 2.0), 2: figures(0.55, 30, 3.0), 3: figures(0.9, 5, 0.1, excess=0.2),
        4: figures(0.9, 5, 0.1, passed=False), 5: figures(0.5, 10, 1.0),
    }  # fmt: skip
    assert choose_front(found) == (0, 1)


@pytest.mark.slow
def test_the_winner_is_the_best_on_validation_and_becomes_an_ordinary_run_directory(
    tmp_path: Path, pretended: list[str]
) -> None:
    config = settings(tmp_path, budget=Budget(max_macs=5_000_000))
    begin(config)
    work(config, 0, time.time() + 60)
    result = finish(config)
    best = max(result["front"], key=lambda row: row["validation_accuracy"])
    assert result["winner"] == best["trial"] and best["macs"] <= 5_000_000
    assert (tmp_path / "winner" / "metrics.json").is_file() and (tmp_path / "front.html").is_file()
    assert (tmp_path / "winner.tflite").read_text() == f"{best['model']}@{best['size']}"
    assert f"* {best['model']}" in render_table(result)
    assert result["num_trials"] + result["num_ended_early"] == 8 and result["count_too_slow"] == 0
    assert " x seed.tflite\n" in render_table({**result, "like": "seed.tflite"})
    kept = [path.parent.name for path in sorted(tmp_path.glob("trials/*/run"))]
    assert kept == [f"{row['trial']:04}" for row in sorted(result["front"], key=lambda row: row["trial"])]


def test_the_lines_that_training_prints_are_the_ones_that_the_search_reads() -> None:
    printed = io.StringIO()
    row = {"epoch": 3, "loss": 0.5, "train_accuracy": 0.456, "validation_accuracy": 0.2, "seconds": 1.0}
    Progress(printed, 30).epoch(row, 30)
    found = search_trial._EPOCH.search(printed.getvalue())
    assert found is not None and (int(found[1]), float(found[2])) == (3, 45.6)


def test_only_those_no_dearer_that_learnt_more_make_a_trial_hopeless(tmp_path: Path) -> None:
    study = open_study(settings(tmp_path))  # 4 epochs: looked at after 1 and after 2

    def hopeless(costs: tuple[float, float], accuracy: float, epoch: int = 1) -> bool:
        trial = study.ask()
        trial.set_user_attr(COSTS, costs)
        trial.report(accuracy, epoch)
        return trial.should_prune()

    assert not hopeless((100, 1.0), 0.5), "the first has nobody to be compared with"
    assert not hopeless((50, 1.0), 0.1) and not hopeless((100, 0.5), 0.1), "smaller, or faster"
    assert hopeless((104, 1.04), 0.05) and hopeless((200, 2.0), 0.05)
    assert not hopeless((200, 2.0), 0.6)
    assert not hopeless((200, 2.0), 0.01, epoch=3), "no rung"


def test_without_anything_within_the_budget_there_is_no_winner(tmp_path: Path, pretended: list[str]) -> None:
    config = settings(tmp_path, trials=1)
    begin(config)
    with pytest.raises(DataError, match=r"ended before a single network was trained|none was finished"):
        finish(config)
    work(config, 0, time.time() + 60)
    slow = settings(tmp_path, trials=1, budget=Budget(max_latency_ms=1e-9))
    with pytest.raises(DataError, match=r"Timed again alone, none of 1 networks stays within the budget"):
        finish(slow)


@pytest.mark.slow
def test_a_worker_that_died_does_not_take_the_trials_of_the_others_with_it(
    tmp_path: Path, pretended: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_dies(config: Any, *, join: bool, quiet: bool) -> int:
        begin(config)
        work(config, 0, time.time() + 60)
        return 70

    monkeypatch.setattr("train.search.__main__.search", one_dies)
    assert main(["--out", str(tmp_path / "found"), "--trials", "2", "--epochs", "4", "--minutes", "1"]) == 0
    assert "a worker ended with exit code 70" in capsys.readouterr().err
    monkeypatch.setattr("train.search.__main__.search", lambda config, *, join, quiet: 70)
    begin(make_configuration(parse(["--out", str(tmp_path / "empty")])))
    assert main(["--out", str(tmp_path / "empty")]) == 70


def test_who_joins_works_for_the_search_that_is_there_and_leaves_its_end_to_the_first(
    tmp_path: Path, pretended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--out", str(tmp_path), "--trials", "3", "--epochs", "4", "--minutes", "1"]
    config = make_configuration(parse(words))
    begin(config)
    work(config, 0, time.time() + 60)

    def joined(config: Any, *, join: bool, quiet: bool) -> int:
        assert join
        work(config, 1, time.time() + 60)
        return 0

    monkeypatch.setattr("train.search.__main__.search", joined)
    assert main([*words, "--join"]) == 0
    assert len(pretended) == 3 and not (tmp_path / "front.json").exists()


def test_flags_out_of_range_are_refused_in_words(tmp_path: Path) -> None:
    for name in ("epochs", "trials", "minutes", "workers"):
        with pytest.raises(UsageError, match=rf"--{name} is 0.*, expected a number above 0"):
            make_configuration(parse([f"--{name}", "0"]))
    with pytest.raises(MissingInputError, match=r"There is no file .*x.tflite to compare with; check --like"):
        make_configuration(parse(["--like", str(tmp_path / "x.tflite")]))
    config = make_configuration(parse(["--max-kb", "100", "--max-macs", "5", "--out", str(tmp_path)]))
    assert config.budget == Budget(100_000, 5) and config.num_classes == 10

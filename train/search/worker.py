"""Works on a search until its time or its trials are used up: asks the engine, rejects what is too dear by counting or
by timing the untrained network, runs the rest.

Any number of workers, on one machine or many, share nothing but the search's folder.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time

import optuna
from optuna.trial import TrialState

from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr
from train.models.scaled import parse
from train.search.pruner import COSTS
from train.search.space import (
    Candidate,
    is_larger_everywhere,
    list_parameters,
    make_narrower,
    measure_excess_before_training,
    suggest,
)
from train.search.study import BUDGET, SearchConfig, choose_front, count_run, open_study, read_results
from train.search.trial import Hopeless, OutOfTime, convert_trial, time_untrained, train_trial

MAX_REJECTED_IN_A_ROW = 200


def work(config: SearchConfig, worker: int, deadline_s: float) -> None:
    """Runs trials until the deadline (seconds of `time.time`) or until there are enough.

    Raises:
        MissingInputError, DataError: the trials cannot run at all (the first one failed).
    """
    study = open_study(config, seed=1000 * worker + int(time.time()) % 1000)
    rejected = 0
    while time.time() + _shortest_duration_s(study) < deadline_s and count_run(study) < config.trials:
        trial = study.ask()
        candidate = suggest(trial, config.sizes)
        excess = _certain_excess(study, candidate, config)
        if excess > 0:
            _reject(study, trial, excess)
            rejected += 1
            if rejected == MAX_REJECTED_IN_A_ROW:
                print(f"{rejected} proposals in a row were known or over the budget: ending early.", file=sys.stderr)
                return
            continue
        rejected = 0
        try:
            _run(study, trial, candidate, config, deadline_s)
        except (Hopeless, OutOfTime) as end:
            ended = isinstance(end, OutOfTime)
            study.tell(trial, state=TrialState.FAIL if ended else TrialState.PRUNED)
            _say(study, config, deadline_s, trial.number, candidate, "out of time" if ended else "ended early")
        except (DataError, MissingInputError) as error:
            study.tell(trial, state=TrialState.FAIL)
            _say(study, config, deadline_s, trial.number, candidate, str(error))
            if not any(other.state is TrialState.COMPLETE for other in study.get_trials(deepcopy=False)):
                raise
        except BaseException:  # also for Ctrl-C: the others must not wait for a trial that nobody is working on
            study.tell(trial, state=TrialState.FAIL)
            raise


def _run(
    study: optuna.Study, trial: optuna.Trial, candidate: Candidate, config: SearchConfig, deadline_s: float
) -> None:
    started_s = time.time()
    name = candidate.architecture.name
    folder = config.out / "trials" / f"{trial.number:04}"
    folder.mkdir(parents=True, exist_ok=True)
    trial.set_user_attr("model", name)
    figures = time_untrained(folder, name, candidate.size, config.num_classes, config.trial)
    excess = config.budget.excess(figures)
    if excess > 0:
        trial.set_user_attr("slow", True)
        _reject(study, trial, excess)
        shape = make_narrower(candidate, excess)
        if shape is not None:
            study.enqueue_trial(list_parameters(shape), skip_if_exists=True)
        words = f"{figures['latency_ms']:.3f} ms, {excess:.0%} over the budget, not trained"
        _say(study, config, deadline_s, trial.number, candidate, words)
        return
    time_cost = figures["latency_ms" if config.trial.like is None else "time_ratio"]
    trial.set_user_attr(COSTS, (candidate.figures(config.num_classes)["bytes"], time_cost))
    trial.set_user_attr("ran", True)

    def report(epoch: int, accuracy: float) -> bool:
        trial.report(accuracy, epoch)
        return not trial.should_prune()

    run = train_trial(folder, name, candidate.size, config.trial, report, deadline_s)
    history = json.loads((run / "metrics.json").read_text("utf-8"))["history"]
    accuracy = max(row["validation_accuracy"] for row in history)
    converted = convert_trial(run, folder / "model.tflite", config.trial)
    figures |= {"bytes": converted["bytes"], "macs": converted["macs"]}
    excess = config.budget.excess(figures)
    correct = next(iter(converted["correct"].values()))
    result = {
        **figures,
        "parameters": converted["parameters"],
        "validation_accuracy": accuracy,
        "correct": correct,
        "num_images": converted["num_images"],
        "passed": converted["passed"],
        "seconds": round(time.time() - started_s, 1),
    }
    trial.set_user_attr("result", result)
    # A network that the gate refused is not a solution, whatever it costs.
    trial.set_constraint(BUDGET, excess if converted["passed"] else max(1.0, excess))
    study.tell(trial, accuracy)
    words = (
        f"{accuracy:.2%} validation, int8 {correct / converted['num_images']:.2%} test, {figures['bytes']:,} bytes, "
        f"{figures['macs'] / 1e6:.2f} M MACs, {figures['latency_ms']:.3f} ms"
    )
    _say(study, config, deadline_s, trial.number, candidate, words + (" – over the budget" if excess > 0 else ""))
    _tidy(study, config)


def _reject(study: optuna.Study, trial: optuna.Trial, excess: float) -> None:
    trial.set_constraint(BUDGET, excess)
    study.tell(trial, state=TrialState.PRUNED)


def _certain_excess(study: optuna.Study, candidate: Candidate, config: SearchConfig) -> float:
    """Over the budget by counting, or larger in every respect than one that was too slow, or already tried."""
    excess = measure_excess_before_training(candidate, config.budget, config.num_classes)
    if excess > 0:
        return excess
    for trial in study.get_trials(deepcopy=False):
        if "model" not in trial.user_attrs or trial.state is TrialState.FAIL:
            continue
        other = Candidate(parse(trial.user_attrs["model"]), trial.params["size"])
        too_dear = trial.constraints.get(BUDGET, 0.0)
        if other == candidate:
            return max(too_dear, 1e-3)
        if trial.user_attrs.get("slow") and is_larger_everywhere(candidate, other):
            return too_dear
    return 0.0


def _shortest_duration_s(study: optuna.Study) -> float:
    return min((float(row["seconds"]) for row in read_results(study).values()), default=0.0)


def _tidy(study: optuna.Study, config: SearchConfig) -> None:
    """Removes the run directories that are no longer on the front; their figures and files stay."""
    found = read_results(study)
    kept = set(choose_front(found))
    for number in found.keys() - kept:
        shutil.rmtree(config.out / "trials" / f"{number:04}" / "run", ignore_errors=True)


def _say(
    study: optuna.Study, config: SearchConfig, deadline_s: float, number: int, candidate: Candidate, words: str
) -> None:
    left = max(0.0, deadline_s - time.time()) / 60
    print(
        f"trial {number} ({count_run(study)} of {config.trials} run, {left:.0f} min left): "
        f"{candidate.architecture.name} at {candidate.size}: {words}",
        file=sys.stderr,
        flush=True,
    )


def run_worker(config: SearchConfig, worker: int, deadline_s: float, quiet: bool = False) -> None:
    """`work` with errors in words, in a separate process, which ends with the exit code. A terminated worker ends its
    training too.

    It must be here and not beside the command: a new process cannot import the `__main__` of a package.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def work_quietly() -> None:
        with silence_stderr(quiet):
            work(config, worker, deadline_s)

    sys.exit(run_command(work_quietly, f"worker {worker} stopped"))

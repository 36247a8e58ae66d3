"""What a search is about and what it has found so far, in the folder that all its workers share."""

from __future__ import annotations

import dataclasses
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from edge_runtime.errors import ConfigurationError
from edge_runtime.system.durable import write_durably
from train.search.pruner import AmongNoDearer
from train.search.space import Budget, has_any_within, list_first_candidates
from train.search.trial import TrialConfig

STUDY, BUDGET = "search", "budget"


@dataclass(frozen=True)
class SearchConfig:
    """``out`` is the search's folder; paths in ``trial`` are absolute; ``minutes`` count from each start."""

    out: Path
    trial: TrialConfig
    budget: Budget
    sizes: tuple[int, ...]
    num_classes: int
    trials: int
    minutes: float
    workers: int


def begin(config: SearchConfig) -> optuna.Study:
    """Writes what the search is about; returns its study, with the first trials queued if it is new.

    Raises:
        ConfigurationError: the folder holds a search for something else, or nothing can keep within the budget.
    """
    if not has_any_within(config.sizes, config.budget, config.num_classes):
        raise ConfigurationError(
            f"No network of the family stays within the budget {config.budget}. Raise it, or give smaller --sizes."
        )
    path = config.out / "search.json"
    content = _identity(config)
    if path.exists() and json.loads(path.read_text("utf-8")) != content:
        found = json.loads(path.read_text("utf-8"))
        keys = sorted(key for key in content if found.get(key) != content[key])
        raise ConfigurationError(
            f"{config.out} holds a search with another {', '.join(keys)}: {[found.get(key) for key in keys]} there, "
            f"{[content[key] for key in keys]} now. Go on with the same settings, or choose another --out."
        )
    config.out.mkdir(parents=True, exist_ok=True)
    write_durably(path, f"{json.dumps(content, indent=2, sort_keys=True)}\n".encode())
    study = open_study(config)
    for first in list_first_candidates(config.sizes, config.budget, config.num_classes):
        study.enqueue_trial(first, skip_if_exists=True)
    return study


def _identity(config: SearchConfig) -> dict[str, Any]:
    trial = dataclasses.asdict(config.trial)
    shared = {name: trial[name] for name in ("data", "epochs", "seed")}
    like = None if config.trial.like is None else str(config.trial.like)
    return {**shared, "like": like, "sizes": list(config.sizes), "budget": dataclasses.asdict(config.budget)}


def open_study(config: SearchConfig, seed: int = 0) -> optuna.Study:
    """The search's study in the file that all workers share; created if it does not exist."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(config.out / "study.log")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    quarter = max(1, config.trial.epochs // 4)
    pruner = AmongNoDearer((quarter, 2 * quarter))
    return optuna.create_study(
        storage=storage, sampler=sampler, pruner=pruner, study_name=STUDY, direction="maximize", load_if_exists=True
    )


def read_results(study: optuna.Study) -> dict[int, dict[str, Any]]:
    """The figures of all finished trials by their number, with ``model``, ``size`` and ``excess``."""
    return {
        trial.number: {
            **trial.user_attrs["result"],
            "model": trial.user_attrs["model"],
            "size": trial.params["size"],
            "excess": trial.constraints.get(BUDGET, 0.0),
        }
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    }


def choose_front(found: dict[int, dict[str, Any]]) -> tuple[int, ...]:
    """The numbers of those within the budget that no other matches or beats in accuracy, bytes and time alike."""
    inside = {number: row for number, row in found.items() if row["excess"] <= 0 and row["passed"]}

    def beaten(number: int) -> bool:
        mine = _costs(inside[number])
        return any(
            all(a <= b for a, b in zip(_costs(other), mine, strict=True)) and (_costs(other) != mine or key < number)
            for key, other in inside.items()
            if key != number
        )

    return tuple(sorted(number for number in inside if not beaten(number)))


def count_run(study: optuna.Study) -> int:
    """Trials that were trained, or are being."""
    return sum(bool(trial.user_attrs.get("ran")) for trial in study.get_trials(deepcopy=False))


def count_too_slow(study: optuna.Study) -> int:
    """Networks that were only timed."""
    return sum(bool(trial.user_attrs.get("slow")) for trial in study.get_trials(deepcopy=False))


def _costs(row: dict[str, Any]) -> tuple[float, ...]:
    return -row["validation_accuracy"], row["bytes"], row["latency_ms"]

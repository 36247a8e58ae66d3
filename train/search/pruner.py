"""Which trial of a search is hopeless: one that costs no less than others that learnt more in as many epochs.

Successive halving (Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020) compares all with all;
here a small, fast network is not ended for being less accurate than a large, slow one: the front needs both.
"""

from __future__ import annotations

import optuna

COSTS = "costs"  # the user attribute with (bytes, time), set before a trial reports anything
AS_DEAR = 1.05  # timing the same network twice differs by less


class AmongNoDearer(optuna.pruners.BasePruner):
    """Ends a trial at one of ``rungs`` (epochs) when more than half of those that cost no more were better."""

    def __init__(self, rungs: tuple[int, ...]) -> None:
        self.rungs = rungs

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """If ``trial`` is hopeless at the epoch that it reported last; its costs must be set."""
        epoch = trial.last_step
        if epoch is None or epoch not in self.rungs:
            return False
        others = [
            other.intermediate_values[epoch]
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number
            and epoch in other.intermediate_values
            and all(
                theirs <= AS_DEAR * mine
                for theirs, mine in zip(other.user_attrs[COSTS], trial.user_attrs[COSTS], strict=True)
            )
        ]
        return 2 * sum(value > trial.intermediate_values[epoch] for value in others) > len(others)

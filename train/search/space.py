"""What the search may choose from, and what each choice costs: known by counting before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError
from train.models.scaled import KINDS, STEMS, Architecture, count_costs
from train.recipes.config import NAMED_DATA

WIDTHS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48)
DEPTHS = (1, 2, 3)
SMALL_WIDTHS = 5  # this many, from the first, are small
SMALL_SIZES, LARGE_SIZES = (16, 20, 24, 28, 32), (48, 64, 80, 96, 128)
# The count of a file's bytes is this accurate; only a network that is over by more is refused without training.
BYTES_TOLERANCE = 0.03
# Time grows with the width to the power of 1.3 to 1.5 (measured from 16 to 64 channels), so the width by this of time.
WIDTH_BY_TIME = 0.7
# One trial sees about this many images: enough epochs of 9,000 of them to tell networks apart.
IMAGES_A_TRIAL, MIN_EPOCHS, MAX_EPOCHS = 270_000, 12, 60


class Suggests(Protocol):
    """The part of an Optuna trial that is used here."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of ``choices`` for the parameter ``name``."""


@dataclass(frozen=True)
class Budget:
    """Upper limits, None where there is none: bytes of the int8 flatbuffer, MACs, milliseconds per image (LiteRT, one
    thread), and ``time_ratio``, the time against the file that the search must not be slower than.
    """

    max_bytes: int | None = None
    max_macs: int | None = None
    max_latency_ms: float | None = None
    max_time_ratio: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value <= 0:
                raise UsageError(f"The budget's {name.replace('_', ' ')} is {value}, expected a number above 0.")

    def excess(self, figures: dict[str, float]) -> float:
        """By what share the worst of ``figures`` (bytes, macs, latency_ms, time_ratio) exceeds its limit; <= 0 is
        within.
        """
        limits = {name.removeprefix("max_"): limit for name, limit in vars(self).items() if limit is not None}
        return max((figures[name] / limit - 1 for name, limit in limits.items() if name in figures), default=-1.0)


@dataclass(frozen=True)
class Candidate:
    """One choice: the network and the side of its square input in pixels."""

    architecture: Architecture
    size: int

    def figures(self, num_classes: int) -> dict[str, float]:
        """The expected ``bytes`` and ``macs``."""
        found = count_costs(self.architecture, InputSpec(self.size, self.size), num_classes)
        return {"bytes": found.file_bytes, "macs": found.macs}


def choose_sizes(data: str) -> tuple[int, ...]:
    """The input sizes worth trying for a data set."""
    return SMALL_SIZES if data in NAMED_DATA else LARGE_SIZES


def choose_epochs(num_images: int) -> int:
    """How many epochs a trial trains on ``num_images`` training images, unless told otherwise."""
    return max(MIN_EPOCHS, min(MAX_EPOCHS, round(IMAGES_A_TRIAL / num_images)))


def suggest(trial: Suggests, sizes: Sequence[int]) -> Candidate:
    """The candidate that the engine proposes."""
    kind = trial.suggest_categorical("kind", KINDS)
    width = trial.suggest_categorical("width", WIDTHS)
    depth = trial.suggest_categorical("depth", DEPTHS)
    stem = trial.suggest_categorical("stem", STEMS)
    return Candidate(Architecture(kind, width, depth, stem), trial.suggest_categorical("size", tuple(sizes)))


def measure_excess_before_training(candidate: Candidate, budget: Budget, num_classes: int) -> float:
    """How far the candidate is certainly over the budget, <= 0 when it may be within."""
    figures = candidate.figures(num_classes)
    return budget.excess({**figures, "bytes": figures["bytes"] * (1 - BYTES_TOLERANCE)})


def list_first_candidates(sizes: Sequence[int], budget: Budget, num_classes: int) -> tuple[dict[str, Any], ...]:
    """What is tried first: for each kind and stem the widest shallow network within the limits that can be counted;
    small ones where nothing limits the work per image.
    """
    limited = budget.max_macs or budget.max_latency_ms or budget.max_time_ratio
    found = []
    for stem in reversed(STEMS):
        for kind in KINDS:
            candidates = [
                Candidate(Architecture(kind, width, DEPTHS[0], stem), max(sizes))
                for width in (WIDTHS if limited else WIDTHS[:SMALL_WIDTHS])
            ]
            allowed = [one for one in candidates if measure_excess_before_training(one, budget, num_classes) <= 0]
            found.append(list_parameters(allowed[-1] if allowed else candidates[0]))
    return tuple(found)


def list_parameters(candidate: Candidate) -> dict[str, Any]:
    """What the engine must suggest to get ``candidate``."""
    return {**vars(candidate.architecture), "size": candidate.size}


def make_narrower(candidate: Candidate, excess: float) -> Candidate | None:
    """The widest network of the same shape that may keep within the time that ``candidate`` exceeds by ``excess``; None
    if there is none.
    """
    old = candidate.architecture
    allowed = [width for width in WIDTHS if width < old.width and width <= old.width / (1 + excess) ** WIDTH_BY_TIME]
    return replace(candidate, architecture=replace(old, width=allowed[-1])) if allowed else None


def has_any_within(sizes: Sequence[int], budget: Budget, num_classes: int) -> bool:
    """Whether any candidate may keep within the budget, by counting."""
    smallest = [Candidate(Architecture(kind, WIDTHS[0], DEPTHS[0], max(STEMS)), min(sizes)) for kind in KINDS]
    return any(measure_excess_before_training(candidate, budget, num_classes) <= 0 for candidate in smallest)


def is_larger_everywhere(candidate: Candidate, other: Candidate) -> bool:
    """Whether ``candidate`` is at least as large as ``other`` in every respect: then it cannot be faster."""
    a, b = candidate.architecture, other.architecture
    wider = a.width >= b.width and a.depth >= b.depth and a.stem <= b.stem
    return a.kind == b.kind and wider and candidate.size >= other.size

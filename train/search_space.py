"""What the search may choose from, and what it may cost: known by counting before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError
from train.models.scaled import KINDS, Architecture, costs

WIDTHS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48)
DEPTHS = (1, 2, 3)
SMALL_WIDTHS = 5  # the first so many are small
SMALL_SIZES, LARGE_SIZES = (16, 20, 24, 28, 32), (48, 64, 80, 96, 128)
# The count of a file's bytes is this exact; only what is over by more is refused without training.
BYTES_TOLERANCE = 0.03
# A network that is this much faster a MAC than all that were measured is not expected.
SPEED_MARGIN, MIN_MEASURED = 1.3, 3


class Suggests(Protocol):
    """The part of an Optuna trial that is used here."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class Budget:
    """Upper limits, None where there is none: bytes of the int8 flatbuffer, MACs, milliseconds a picture (LiteRT, one
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
        """By how much the worst of ``figures`` (bytes, macs, latency_ms, time_ratio) is over, relative; <= 0 is
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
        found = costs(self.architecture, InputSpec(self.size, self.size), num_classes)
        return {"bytes": found.file_bytes, "macs": found.macs}


def sizes_for(data: str) -> tuple[int, ...]:
    """The input sizes worth trying for a data set."""
    return SMALL_SIZES if data.startswith("cifar10") else LARGE_SIZES


def suggest(trial: Suggests, sizes: Sequence[int]) -> Candidate:
    """The candidate that the engine proposes."""
    kind = trial.suggest_categorical("kind", KINDS)
    width = trial.suggest_categorical("width", WIDTHS)
    depth = trial.suggest_categorical("depth", DEPTHS)
    return Candidate(Architecture(kind, width, depth), trial.suggest_categorical("size", tuple(sizes)))


def excess_before_training(candidate: Candidate, budget: Budget, num_classes: int) -> float:
    """How far the candidate is certainly over the budget, <= 0 when it may be within."""
    figures = candidate.figures(num_classes)
    return budget.excess({**figures, "bytes": figures["bytes"] * (1 - BYTES_TOLERANCE)})


def first_candidates(sizes: Sequence[int], budget: Budget, num_classes: int) -> tuple[dict[str, Any], ...]:
    """What is tried first: of each kind the widest shallow network within the budget, so that a good one and the
    machine's speed are known early; without limits to count by, a small one.
    """
    found = []
    for kind in KINDS:
        allowed = [
            width
            for width in (WIDTHS if budget.max_bytes and budget.max_macs else WIDTHS[:SMALL_WIDTHS])
            if excess_before_training(Candidate(Architecture(kind, width, 1), max(sizes)), budget, num_classes) <= 0
        ]
        found.append({"kind": kind, "width": max(allowed, default=WIDTHS[0]), "depth": 1, "size": max(sizes)})
    return tuple(found)


def any_within(sizes: Sequence[int], budget: Budget, num_classes: int) -> bool:
    """If some candidate may keep the budget, by counting."""
    smallest = [Candidate(Architecture(kind, WIDTHS[0], DEPTHS[0]), min(sizes)) for kind in KINDS]
    return any(excess_before_training(candidate, budget, num_classes) <= 0 for candidate in smallest)


def excess_by_speed(macs: float, measured: Sequence[dict[str, float]], budget: Budget) -> float:
    """How far a network is over the time budget if it did a MAC `SPEED_MARGIN` times faster than any ``measured`` one;
    -1 until `MIN_MEASURED` are known.
    """
    if len(measured) < MIN_MEASURED:
        return -1.0
    figures = {
        name: macs * min(row[name] / row["macs"] for row in measured) / SPEED_MARGIN
        for name in ("latency_ms", "time_ratio")
    }
    return budget.excess(figures)


def larger_everywhere(candidate: Candidate, other: Candidate) -> bool:
    """If ``candidate`` is ``other`` with nothing smaller: then it cannot be faster."""
    a, b = candidate.architecture, other.architecture
    return a.kind == b.kind and a.width >= b.width and a.depth >= b.depth and candidate.size >= other.size

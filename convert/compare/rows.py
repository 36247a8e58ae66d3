"""The results of a comparison as frozen rows; which row it recommends; and both as JSON and Markdown."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from convert.compare.variants import FLOAT32, INT8_IO, SAME_MODEL, Failure
from convert.measure.latency import Timing
from convert.output.page import render_markdown_table

SIGNIFICANCE = 0.05
TIE = 0.05
WORTH = 0.15


@dataclass(frozen=True)
class Accuracy:
    """One variant on one backend over the test split; rates in [0, 1]; ``drop`` is against the float32 variant."""

    backend: str
    accuracy: float
    interval: tuple[float, float]
    macro_precision: float
    macro_recall: float
    macro_f1: float
    drop: float
    drop_interval: tuple[float, float]
    mcnemar_p: float
    agreement: float


@dataclass(frozen=True)
class Row:
    """One variant; sizes in bytes, ``zeros`` the share of weights that are zero, ``float_tensors`` how many tensors are
    not integer, ``incompatible`` the backends that cannot run it and why, ``command`` the one that writes it, else "".
    """

    name: str
    how: str
    group: str
    file_bytes: int
    gzip_bytes: int
    parameters: int
    zeros: float
    macs: int
    float_tensors: int
    accuracies: tuple[Accuracy, ...]
    timings: tuple[Timing, ...]
    incompatible: dict[str, str]
    command: str = ""

    @property
    def accuracy(self) -> Accuracy:
        """The accuracy on the preferred backend that runs it."""
        return self.accuracies[0]

    def timing(self, backend: str, threads: int) -> Timing | None:
        """Its time on ``backend`` with this many threads, None where it does not run."""
        return next((row for row in self.timings if (row.backend, row.threads) == (backend, threads)), None)


@dataclass(frozen=True)
class Comparison:
    """All rows of one run directory, the recommended one and why; ``processor`` names what the times were taken on."""

    run: str
    num_images: int
    num_calibration_images: int
    backends: tuple[str, ...]
    threads: tuple[int, ...]
    processor: str
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]

    @property
    def recommended(self) -> Row:
        """The row that `recommend` chooses."""
        return recommend(self)[0]


def recommend(comparison: Comparison) -> tuple[Row, str]:
    """The row to take, and why, with the command that makes it: of the variants and pruned copies of this model that
    every backend runs and that do not lose accuracy significantly, the one with the least time x bytes. One that some
    programs refuse must save `WORTH` of that compared with one that all accept.
    """
    backend = comparison.backends[0]
    own = [row for row in comparison.rows if row.group in (SAME_MODEL, "pruned")]
    able = [row for row in own if not row.incompatible]
    sound = [row for row in able if row.accuracy.drop <= 0 or row.accuracy.mcnemar_p >= SIGNIFICANCE]
    reference = next(row for row in comparison.rows if row.name == FLOAT32)

    def cost(row: Row) -> float:
        timing = row.timing(backend, comparison.threads[0])
        return (timing.ratio if timing else 1e9) * row.file_bytes

    candidates = sound or [reference]
    least = min(cost(row) for row in candidates)
    # In a tie the earlier row wins: the one that takes raw pixels comes before the one that does not.
    chosen = next(row for row in candidates if cost(row) <= least * (1 + TIE))
    welcome = [row for row in candidates if not find_refusing(row) and cost(row) * (1 - WORTH) <= least]
    if find_refusing(chosen) and welcome:
        chosen = welcome[0]
    timing = chosen.timing(backend, comparison.threads[0])
    accuracy = chosen.accuracy
    if chosen is reference:
        return chosen, (
            f"Take {FLOAT32}: every smaller variant loses accuracy significantly or does not run on all of "
            f"{', '.join(comparison.backends)}. {tell_how(chosen)}"
        )
    lost = [row.name for row in able if row not in sound]
    return chosen, (
        f"Take “{chosen.name}”: {accuracy.accuracy:.2%} against {reference.accuracy.accuracy:.2%} in float32 "
        f"({_points(-accuracy.drop)} points, McNemar p = {accuracy.mcnemar_p:.2g}, so no significant loss), in "
        f"{chosen.file_bytes / reference.file_bytes:.0%} of the bytes and "
        f"{timing.ratio if timing else float('nan'):.2f} of the time on {backend}; of the variants of this model "
        f"that run on {' and '.join(comparison.backends)} and lose nothing significant it has the least time x bytes"
        + (f" ({', '.join(lost)} {'loses' if len(lost) == 1 else 'lose'} significantly)" if lost else "")
        + f". {tell_how(chosen)}"
    )


def find_refusing(row: Row) -> str:
    """Which programs refuse a file of this variant, "" when all known programs accept it."""
    return "MediaPipe and Android's task library refuse an int8 input" if row.name == INT8_IO else ""


def tell_how(row: Row) -> str:
    """What loads this variant and the command that makes it, in sentences."""
    refusing = find_refusing(row)
    loads = f"{refusing}." if refusing else "Raw pixels go in, so every program that runs TFLite files takes it."
    if row.float_tensors:
        return "No command here writes it, because devices get full-integer files: see what is lost in the table."
    return f"{loads} Make it: `{row.command}`" if row.command else loads


def to_json_text(comparison: Comparison) -> str:
    """`to_data` as indented JSON, its keys sorted."""
    return json.dumps(to_data(comparison), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def to_data(comparison: Comparison) -> dict[str, Any]:
    """All rows, and the recommended one with the reason, as plain JSON values."""
    chosen, why = recommend(comparison)
    return {**dataclasses.asdict(comparison), "recommended": {"row": chosen.name, "why": why}}


def to_markdown(comparison: Comparison) -> str:
    """The sentence, the tables and the failures, for a terminal or a pull request."""
    accuracy_head, accuracy_rows = tabulate_accuracy(comparison)
    size_head, size_rows = tabulate_sizes(comparison)
    parts = [
        f"# {comparison.run}: which variant?",
        recommend(comparison)[1],
        f"{comparison.num_images:,} held-out test images, {comparison.num_calibration_images} calibration images; "
        f"times on {comparison.processor}, the models taking turns in one process.",
        render_markdown_table(accuracy_head, accuracy_rows),
        render_markdown_table(size_head, size_rows),
        render_markdown_table(*tabulate_latency(comparison)),
    ]
    problems = list_problems(comparison)
    if problems:
        parts.append("\n".join(f"- {line}" for line in problems))
    return "\n\n".join(parts) + "\n"


def tabulate_accuracy(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Head and rows, one per variant: its figures on the preferred backend, and the accuracy on each other one."""
    backends = comparison.backends
    head = ["variant", f"accuracy, {backends[0]}", "95 % interval", "change, points", "McNemar p", "agreement"]
    head += ["precision", "recall", "F1", *(f"accuracy, {backend}" for backend in backends[1:])]
    body = []
    for row in comparison.rows:
        by_backend = {accuracy.backend: accuracy for accuracy in row.accuracies}
        first = by_backend.get(backends[0])
        if first is None:
            cells = [row.name, "cannot run it", *["–"] * 7]
        else:
            cells = [row.name, f"{first.accuracy:.2%}", f"{first.interval[0]:.2%} to {first.interval[1]:.2%}"]
            cells += [_points(-first.drop), f"{first.mcnemar_p:.2g}", f"{first.agreement:.2%}"]
            cells += [f"{first.macro_precision:.3f}", f"{first.macro_recall:.3f}", f"{first.macro_f1:.3f}"]
        rest = [by_backend.get(backend) for backend in backends[1:]]
        body.append(cells + ["cannot run it" if found is None else f"{found.accuracy:.2%}" for found in rest])
    return head, body


def tabulate_sizes(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Head and rows, one per variant: bytes, weights, MACs, and the backends that load it."""
    head = [
        "variant",
        "bytes",
        "gzip bytes",
        "parameters",
        "zero weights",
        "MACs",
        "all integer",
        "loads in",
    ]
    body = []
    for row in comparison.rows:
        integer = "yes" if row.float_tensors == 0 else f"no, {row.float_tensors} float tensors"
        loads = [backend for backend in comparison.backends if backend not in row.incompatible]
        cells = [row.name, f"{row.file_bytes:,}", f"{row.gzip_bytes:,}", f"{row.parameters:,}", f"{row.zeros:.0%}"]
        body.append([*cells, f"{row.macs:,}", integer, ", ".join(loads) or "none"])
    return head, body


def tabulate_latency(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Head and rows, one per variant: milliseconds for each backend and thread count, and the ratio to float32."""
    pairs = [(backend, threads) for backend in comparison.backends for threads in comparison.threads]
    head = [
        "variant",
        *(f"{backend}, {n} thread{'s' if n > 1 else ''}: p50 / p95 ms (x float32)" for backend, n in pairs),
    ]
    body = []
    for row in comparison.rows:
        cells = [row.name]
        for backend, threads in pairs:
            timing = row.timing(backend, threads)
            cells.append("–" if timing is None else f"{timing.p50_ms:.3f} / {timing.p95_ms:.3f} ({timing.ratio:.2f})")
        body.append(cells)
    return head, body


def list_problems(comparison: Comparison) -> list[str]:
    """What could not be made or run, in words."""
    lines = [f"{failure.name} could not be made: {failure.reason}" for failure in comparison.failures]
    for row in comparison.rows:
        lines += [f"{row.name} does not run on {backend}: {reason}" for backend, reason in row.incompatible.items()]
    return lines


def _points(rate: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{100 * rate + 0.0:+.2f}"

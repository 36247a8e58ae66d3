"""What the layers' signals mean: which layer is to blame, and what to do about it; as JSON, Markdown and a page."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.explain.layer_signals import FIXED_SCALE, WITH_WEIGHTS, Signals
from convert.output.page import Table, count, render_markdown_table, render_page
from convert.output.plot import Bar, Kind, draw_bars

_TEMPLATE = Path(__file__).parent / "templates" / "explain.html"
POOR_DB = 20.0
INHERITED_DB = 6.0
UNEVEN = 8.0
MANY_CLIPPED = 0.002
LITTLE_USED = 0.5
LENT_USE = 0.25


@dataclass(frozen=True)
class Diagnosis:
    """One layer with its problem and what helps; ``to_blame`` is False if the noise came from an earlier layer."""

    signals: Signals
    unevenness: float
    largest_channel: int
    to_blame: bool
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """All layers in order of execution; ``worst`` names those to blame, the worst first; ``agreement`` in [0, 1]."""

    name: str
    num_images: int
    agreement: float
    layers: tuple[Diagnosis, ...]
    worst: tuple[str, ...]


def explain_signals(name: str, signals: Sequence[Signals], num_images: int, agreement: float) -> Explanation:
    """The Explanation of measured signals."""
    by_layer = {row.layer: row for row in signals}
    lent = {row.layer: find_scale_owner(row, signals, by_layer) for row in signals}
    diagnoses = tuple(_diagnose(row, by_layer, lent[row.layer]) for row in signals)
    blamed = sorted((item for item in diagnoses if item.to_blame), key=lambda item: item.signals.own_db)
    worst = tuple(dict.fromkeys(item.signals.layer for item in blamed))
    return Explanation(name, num_images, agreement, diagnoses, worst)


def find_scale_owner(row: Signals, signals: Sequence[Signals], by_layer: dict[str, Signals]) -> str | None:
    """The layer whose large values set the scale of ``row``, since the converter may give both inputs of an addition
    one scale. None when ``row`` has its own scale.
    """
    for reader in signals:
        if row.layer in reader.reads:
            for name in reader.reads:
                other = by_layer.get(name)
                if (
                    other
                    and other is not row
                    and row.used < LENT_USE * other.used
                    and 0.5 < row.scale / other.scale < 2
                ):
                    return name
    return None


def _diagnose(row: Signals, by_layer: dict[str, Signals], owner: str | None) -> Diagnosis:
    alive = [size for size in row.channels if size > 0] or [0.0]
    middle = statistics.median(alive)
    unevenness = max(alive) / middle if middle > 0 else 1.0
    largest = max(range(len(row.channels)), key=lambda index: row.channels[index])
    # An addition or a pooling passes on the uneven channels that a layer with weights produced.
    before = [by_layer[name].own_db for name in row.reads if name in by_layer]
    own_fault = row.kind in WITH_WEIGHTS or not before or row.own_db < min(before) - INHERITED_DB
    to_blame = own_fault and row.kind not in FIXED_SCALE and owner is None
    advice = _advice(row, unevenness, largest, to_blame=to_blame)
    if owner is not None:
        advice = (f"its range fits the values of {owner}, which the same operator reads: fix {owner}",)
    return Diagnosis(row, unevenness, largest, to_blame, advice)


def _advice(row: Signals, unevenness: float, largest: int, *, to_blame: bool) -> tuple[str, ...]:
    advice = []
    if row.weights_db is not None and row.weights_db < POOR_DB + 10 and row.per_channel is False:
        advice.append("one scale for all weights: turn per-channel quantisation of this layer on")
    if to_blame and unevenness >= UNEVEN and row.own_db < POOR_DB + 10:
        drowned = f", {row.drowned} others are drowned" if row.drowned else ""
        advice.append(
            f"channel {largest} reaches {unevenness:.0f} times the median channel{drowned}: divide its weights, bias "
            f"too, by {unevenness:.0f} and multiply the next layer's weights for it (equal in float), or clip the "
            "activation (ReLU6 in training), or give this layer int16 activations"
        )
    elif to_blame and row.own_db < POOR_DB:
        advice.append(
            "coarse output steps: clip the activation (ReLU6 in training), or int16 activations for this layer"
        )
    if row.clipped > MANY_CLIPPED and row.kind not in FIXED_SCALE:
        advice.append(f"{row.clipped:.1%} of the values are cut off: use more, and more typical, calibration images")
    if row.used < LITTLE_USED and row.kind not in FIXED_SCALE:
        advice.append(
            f"only {row.used:.0%} of the range is used here: a few calibration images have far larger values; look at "
            "them, or clip the activation"
        )
    if row.dead:
        advice.append(f"{row.dead} of {len(row.channels)} channels never change: train with fewer filters")
    return tuple(advice)


def to_json_text(explanation: Explanation) -> str:
    """The Explanation as indented JSON, its keys sorted."""
    return json.dumps(dataclasses.asdict(explanation), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def tabulate(explanation: Explanation) -> tuple[list[str], list[list[str]]]:
    """The table: one row per layer in order of execution."""
    head = ["layer", "operator", "own SQNR, dB", "accumulated, dB", "weights, dB", "output step"]
    head += ["largest / median channel", "range used", "cut off", "dead", "drowned", "what to do"]
    body = []
    for item in explanation.layers:
        row = item.signals
        weights = "–" if row.weights_db is None else f"{row.weights_db:.1f}"
        cells = [row.layer, row.kind, f"{row.own_db:.1f}", f"{row.accumulated_db:.1f}", weights, f"{row.scale:.4g}"]
        cells += [f"{item.unevenness:.1f}", f"{row.used:.0%}", f"{row.clipped:.2%}", str(row.dead), str(row.drowned)]
        body.append([*cells, "; ".join(item.advice) or "nothing"])
    return head, body


def summarize(explanation: Explanation) -> str:
    """One sentence: the worst layers."""
    own = {item.signals.layer: item.signals.own_db for item in reversed(explanation.layers) if item.to_blame}
    worst = ", ".join(f"{name} ({own[name]:.1f} dB)" for name in explanation.worst[:3])
    where = f"Worst layers: {worst}." if worst else "No layer is to blame."
    return f"{where} Float and integer model give the same label on {explanation.agreement:.1%} of the images."


def to_markdown(explanation: Explanation) -> str:
    """The summary and the table, for a terminal or a pull request."""
    head, body = tabulate(explanation)
    return (
        f"# {explanation.name}: where did the accuracy go?\n\n{summarize(explanation)}\n\n"
        f"{count(explanation.num_images, 'test image')}.\n\n{render_markdown_table(head, body)}\n"
    )


def to_html(explanation: Explanation) -> str:
    """The self-contained page: the worst layers, what helps, the layers' noise as bars, and every figure."""
    head, body = tabulate(explanation)

    def kind(item: Diagnosis) -> Kind:
        if not item.to_blame:
            return "three"
        return "bad" if item.signals.own_db < POOR_DB else "one"

    own = [Bar(item.signals.layer, item.signals.own_db, kind(item)) for item in explanation.layers]
    accumulated = [Bar(item.signals.layer, item.signals.accumulated_db, kind(item)) for item in explanation.layers]
    return render_page(
        _TEMPLATE,
        title=f"{explanation.name}: layers",
        name=explanation.name,
        summary=summarize(explanation),
        num_images=explanation.num_images,
        poor_db=POOR_DB,
        own_chart=draw_bars({"": own}, "signal to quantisation noise, dB"),
        accumulated_chart=draw_bars({"": accumulated}, "signal to quantisation noise, dB"),
        # The advice consists of sentences: it has a separate table, so that no window cuts it off.
        advice=Table(
            ["layer", "what to do"],
            [[item.signals.layer, "; ".join(item.advice)] for item in explanation.layers if item.advice],
            words=(1,),
        ),
        layers=Table(head[:-1], [row[:-1] for row in body], names=(1,)),
    )

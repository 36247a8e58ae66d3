"""The report as one self-contained HTML page: no script, no font, no file beside it; light, dark and print.

Every section is one value here and one template in `templates/sections`, shown when the value is not None. A new
section needs a field of `to_html`, a template, and a block in `templates/conversion.html`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from convert.measure.gate import BackendReport
from convert.output.page import Table, count, render_page
from convert.output.plot import draw_confusion, draw_intervals
from convert.report.conversion import ConversionReport, describe_ranges, list_accuracies, name_rate
from convert.report.field_section import tabulate_scenes
from convert.report.next_steps import list_next_steps
from convert.report.thumbnail_cards import GalleryCard, describe_flips, describe_shown
from convert.report.training_section import describe_training
from convert.report.unknown_section import describe_unknown
from convert.report.verdict import describe_time, judge
from edge_runtime.metrics import wilson_interval
from edge_runtime.pixels.preprocess import Image

TEMPLATES = Path(__file__).parent / "templates"
_MAX_MATRIX_CLASSES = 25


@dataclass(frozen=True)
class Tile:
    """One figure in large type with its words; ``kind`` is a style of the page: good, bad or none."""

    figure: str
    words: str
    kind: str = ""


@dataclass(frozen=True)
class Chart:
    """An SVG with its title."""

    title: str
    drawn: str


@dataclass(frozen=True)
class GallerySection:
    """Cards of the most confident mistakes and the least confident answers on the test split; ``shows_where``: whether
    the mistakes show where the model looked.
    """

    num_mistakes: int
    mistakes: list[GalleryCard]
    least_sure: list[GalleryCard]
    shows_where: bool = False


@dataclass(frozen=True)
class FlipSection:
    """Cards of the answers that integer arithmetic changed on one backend."""

    backend: str
    only_float_right: int
    only_integer_right: int
    cards: list[GalleryCard]


def to_html(report: ConversionReport, images: Mapping[str, Image], looked: Mapping[str, Image] | None = None) -> str:
    """The page; ``images`` are (h, w, 3) uint8 BGR by their name in the report, ``looked`` those of the mistakes that
    show where the model looked.
    """
    verified, verdict = report.verification, judge(report)
    return render_page(
        TEMPLATES / "conversion.html",
        title=f"{report.name}: conversion report",
        report=report,
        verdict=verdict,
        next_steps=list_next_steps(report, verdict),
        tiles=make_tiles(report),
        accuracy_chart=_draw_accuracies(report) if verified.tested else "",
        accuracies=_tabulate_accuracies(report),
        classes=_tabulate_classes(report),
        confusions=_draw_confusions(report),
        unknown=describe_unknown(report.unknown),
        field_test=report.field_test,
        scenes=tabulate_scenes(report.field_test) if report.field_test else None,
        gallery=_describe_gallery(report, images, looked or {}),
        flips=[_describe_flips(backend, images) for backend in verified.backends],
        training=describe_training(report.training),
        calibration=Table(["class", "images"], [[name, f"{n:,}"] for name, n in report.calibration_counts.items()]),
        ranges=describe_ranges(report.ranges),
        sizes=_tabulate_sizes(report),
        operators=_tabulate_operators(report),
    )


def make_tiles(report: ConversionReport) -> list[Tile]:
    """The figures at the top of the page: how good, how fast, and how large."""
    audit, first = report.audit, report.verification.backends[0]
    tiles = []
    if report.verification.tested:
        low, high = first.report.accuracy_interval
        between = f"accuracy on {first.backend}, 95 % interval {low:.1%} to {high:.1%}"
        tiles.append(
            Tile(
                f"{first.report.accuracy:.1%}", between, {"good": "", "unsure": ""}.get(judge(report).model.kind, "bad")
            )
        )
    else:
        tiles.append(Tile("unknown", "accuracy: there are no held-out images with labels"))
    if report.image_time is not None:
        tiles.append(Tile(f"{report.image_time.p50_ms:.2g} ms", describe_time(report.image_time)))
    if report.file_bytes is None:
        tiles.append(Tile("none", "no file was written", "bad"))
    else:
        tiles.append(Tile(f"{report.file_bytes:,} B", "the file on disk, with labels, contract and golden frames"))
    integer = f"full integer, {count(sum(audit.tensor_dtypes.values()), 'tensor')} walked"
    return [
        *tiles,
        Tile(f"{audit.macs / 1e6:.2f} M", f"multiplications (MACs), with {count(audit.parameters, 'parameter')}"),
        Tile("yes", integer, "good") if audit.full_integer else Tile("NO", integer, "bad"),
    ]


def _draw_accuracies(report: ConversionReport) -> str:
    rows = [(row.model, row.accuracy, row.interval) for row in list_accuracies(report)]
    return draw_intervals(rows, "accuracy with its 95 % interval")


def _tabulate_accuracies(report: ConversionReport) -> Table:
    body = []
    for row in list_accuracies(report):
        cells = [row.model, row.kernels, f"{row.accuracy:.2%}", f"{row.interval[0]:.2%} to {row.interval[1]:.2%}"]
        if row.drop is None or row.drop_interval is None:
            cells += [""] * 4
        else:
            between = f"{100 * row.drop_interval[0]:.2f} to {100 * row.drop_interval[1]:.2f}"
            cells += [f"{100 * row.drop:.2f}", between, f"{row.mcnemar_p:.3g}", f"{row.agreement:.2%}"]
        body.append(cells)
    head = [
        "model",
        "kernels",
        name_rate(report),
        "95 % interval",
        "drop, points",
        "95 % interval",
        "McNemar p",
        "agreement",
    ]
    return Table(head, body, names=(1,))


def _tabulate_classes(report: ConversionReport) -> Table:
    """A row per class; one without test images has no figures, and each recall on the first backend has an interval."""
    backends = report.verification.backends
    head = ["class", "images", "float recall"]
    for index, backend in enumerate(backends):
        head += [f"{backend.backend} recall", *(["95 % interval"] if index == 0 else []), "change, points"]
    body = []
    for index, (metrics, row) in enumerate(
        zip(backends[0].report.per_class, backends[0].report.confusion, strict=True)
    ):
        if metrics.support == 0:
            body.append([metrics.label, "0", *["–"] * (len(head) - 2)])
            continue
        changes = [backend.changes[index] for backend in backends]
        low, high = wilson_interval(row[index], metrics.support)
        cells = [metrics.label, f"{metrics.support:,}", f"{changes[0].float_recall:.1%}"]
        for number, change in enumerate(changes):
            between = [f"{low:.0%} to {high:.0%}"] if number == 0 else []
            # Adding zero turns -0.0 into 0.0.
            difference = f"{100 * (change.recall - change.float_recall) + 0.0:+.1f}"
            cells += [f"{change.recall:.1%}", *between, difference]
        body.append(cells)
    return Table(head, body)


def _draw_confusions(report: ConversionReport) -> list[Chart] | None:
    """A matrix for the float model and for each backend; None for more classes than can be shown."""
    if len(report.labels) > _MAX_MATRIX_CLASSES:
        return None
    verified = report.verification
    found = [("float32", verified.float_report)] if verified.float_report else []
    found += [(f"{report.io} on {backend.backend}", backend.report) for backend in verified.backends]
    return [Chart(name, draw_confusion(report.labels, scores.confusion)) for name, scores in found]


def _describe_gallery(
    report: ConversionReport, images: Mapping[str, Image], looked: Mapping[str, Image]
) -> GallerySection | None:
    found = report.gallery
    if found is None:
        return None
    mistakes, unsure = describe_shown(found.mistakes, images, looked), describe_shown(found.least_sure, images)
    return GallerySection(found.num_mistakes, mistakes, unsure, bool(looked))


def _describe_flips(backend: BackendReport, images: Mapping[str, Image]) -> FlipSection:
    cards = describe_flips(backend.flips, images)
    return FlipSection(backend.backend, backend.only_float_right, backend.only_integer_right, cards)


def _tabulate_sizes(report: ConversionReport) -> Table:
    rows = [
        ["float32 model", f"{report.float_bytes:,}"],
        ["integer model as converted", f"{report.bytes_before_packing:,}"],
        ["packed, with metadata", f"{report.bytes_after_packing:,}{_describe_saving(report)}"],
        ["of that: weights and biases", f"{report.audit.weight_bytes:,}"],
    ]
    if report.file_bytes is not None:
        rows.append(["the file: with labels, contract, golden frames and neighbours", f"{report.file_bytes:,}"])
    return Table(["what", "bytes"], rows)


def _describe_saving(report: ConversionReport) -> str:
    saved = 1 - report.bytes_after_packing / report.bytes_before_packing
    return f" ({saved:.1%} saved)" if saved >= 0 else f" ({-saved:.1%} added)"


def _tabulate_operators(report: ConversionReport) -> Table:
    head = ["operator", "layer", "version", "output", "MACs"]
    body = []
    for operator in report.audit.operators:
        shape = " x ".join(map(str, operator.output))
        body.append([operator.kind, operator.layer, str(operator.version), shape, f"{operator.macs:,}"])
    return Table(head, body, names=(1,))

"""The report as one HTML page that needs nothing else: no script, no font, no file beside it; light and dark."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import cv2

from convert.measure.gate import BackendReport, Flip
from convert.report.conversion import AccuracyRow, ConversionReport, accuracy_rows
from convert.report.training_section import training_section
from convert.report.unknown_section import gallery_section, unknown_section
from edge_runtime.pixels.preprocess import Image

_THUMBNAIL_PIXELS = 96
_MAX_MATRIX_CLASSES = 25
_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #ffffff; --ink: #1d2327; --soft: #5d6870; --line: #dcdfdf;
  --good: #1a7f37; --bad: #b3261e; --bar: #2f6fab; --heat: 47, 111, 171; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181b; --card: #1c2226; --ink: #e6e9ea; --soft: #9aa5ac;
  --line: #343c42; --good: #57c278; --bad: #ff8a80; --bar: #6fb1ea; --heat: 111, 177, 234; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 70rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; } p { margin: .25rem 0 .75rem; } .soft { color: var(--soft); }
.verdict { font-weight: 700; } .good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; } .tile span { color: var(--soft);
font-size: .9rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); font-weight: 600; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
.matrix td, .matrix th { padding: .2rem .4rem; text-align: center; border: 1px solid var(--line); font-size: .8rem; }
.matrix th.row { text-align: right; } .matrix thead th { writing-mode: vertical-rl; transform: rotate(180deg);
text-align: left; }
.matrix thead th:first-child { border: 0; }
.flips { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; }
.flips img { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; display: block; margin-bottom:
.5rem; }
.flips .card { font-size: .85rem; line-height: 1.4; overflow-wrap: anywhere; }
svg text { fill: var(--ink); font-size: 13px; } svg .rule { stroke: var(--line); } svg .whisker { stroke: var(--bar);
stroke-width: 3; }
svg circle { fill: var(--bar); } svg .curve { fill: none; stroke: var(--bar); stroke-width: 2.5; }
svg .soft-curve { stroke: var(--soft); } svg .wanted { stroke: var(--good); stroke-dasharray: 6 5; }
"""


def to_html(report: ConversionReport, thumbnails: Mapping[str, Image]) -> str:
    """The page; ``thumbnails`` are (h, w, 3) uint8 BGR pictures by image name."""
    verified = report.verification
    rows = accuracy_rows(report)
    verdict = (
        '<span class="verdict good">Passed</span>' if verified.passed else '<span class="verdict bad">Refused</span>'
    )
    basis = "held-out test images" if verified.tested else "calibration images, without true labels: agreement only"
    parts = [
        f"<h1>{escape(report.name)}</h1>",
        f"<p>{verdict} on {verified.num_images:,} {basis}; a drop above {report.max_drop:g} points that is "
        f"significant is refused.</p>",
        _list(verified.refusals, "bad"),
        _tiles(report),
        "<h2>Accuracy</h2>",
        _intervals(rows) if verified.tested else "",
        _accuracy_table(rows),
        f'<p class="soft">All interpreters give the same label on {verified.backend_agreement:.2%} of the images.</p>',
        "<h2>Each class</h2>",
        _class_table(report),
        "<h2>Confusion matrices</h2>",
        _matrices(report),
        unknown_section(report.unknown) if report.unknown else "",
        _gallery(report, thumbnails),
        *(_flips(backend, thumbnails) for backend in verified.backends),
        training_section(report.training),
        "<h2>Calibration</h2>",
        _calibration(report),
        "<h2>Size and operators</h2>",
        _sizes(report),
        _operators(report),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.name)}: conversion report</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _tiles(report: ConversionReport) -> str:
    audit, saved = report.audit, 1 - report.bytes_after_packing / report.bytes_before_packing
    tiles = [
        (f"{report.bytes_after_packing:,} B", f"packed, with metadata ({saved:+.1%} saved)".replace("+", "")),
        (f"{audit.parameters:,}", "parameters"),
        (f"{audit.macs / 1e6:.2f} M", "multiplications (MACs)"),
        ("yes" if audit.full_integer else "NO", f"full integer, {sum(audit.tensor_dtypes.values())} tensors walked"),
    ]
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{a}</b><span>{b}</span></div>' for a, b in tiles)
        + "</div>"
    )


def _intervals(rows: Sequence[AccuracyRow]) -> str:
    """The accuracies with their 95 % intervals on one axis."""
    low = max(0.0, min(row.interval[0] for row in rows) - 0.02)
    high = min(1.0, max(row.interval[1] for row in rows) + 0.02)
    left, width, step = 170, 500, 34

    def x(rate: float) -> float:
        return left + width * (rate - low) / (high - low)

    marks = []
    for tick in range(5):
        rate = low + (high - low) * tick / 4
        marks.append(f'<line class="rule" x1="{x(rate):.1f}" x2="{x(rate):.1f}" y1="8" y2="{step * len(rows) + 8}"/>')
        marks.append(f'<text x="{x(rate):.1f}" y="{step * len(rows) + 26}" text-anchor="middle">{rate:.1%}</text>')
    for index, row in enumerate(rows):
        y = step * index + 26
        marks.append(f'<text x="0" y="{y + 4}">{escape(row.model)}</text>')
        marks.append(
            f'<line class="whisker" x1="{x(row.interval[0]):.1f}" x2="{x(row.interval[1]):.1f}" y1="{y}" y2="{y}"/>'
        )
        marks.append(f'<circle cx="{x(row.accuracy):.1f}" cy="{y}" r="6"/>')
    size = f'viewBox="0 0 720 {step * len(rows) + 34}" width="720" style="max-width: 100%; height: auto"'
    return f'<svg {size} role="img" aria-label="Accuracy with 95 % intervals">{"".join(marks)}</svg>'


def _accuracy_table(rows: Sequence[AccuracyRow]) -> str:
    body = []
    for row in rows:
        cells = [row.model, row.kernels, f"{row.accuracy:.2%}", f"{row.interval[0]:.2%} to {row.interval[1]:.2%}"]
        if row.drop is None or row.drop_interval is None:
            cells += [""] * 4
        else:
            between = f"{100 * row.drop_interval[0]:.2f} to {100 * row.drop_interval[1]:.2f}"
            cells += [f"{100 * row.drop:.2f}", between, f"{row.mcnemar_p:.3g}", f"{row.agreement:.2%}"]
        body.append(cells)
    head = ["model", "kernels", "accuracy", "95 % interval", "drop, points", "95 % interval", "McNemar p", "agreement"]
    return _table(head, body)


def _class_table(report: ConversionReport) -> str:
    backends = report.verification.backends
    head = ["class", "images", "float recall", *(f"{backend.backend} recall" for backend in backends)]
    head += [f"{backend.backend} change" for backend in backends]
    body = []
    for index, metrics in enumerate(backends[0].report.per_class):
        changes = [backend.changes[index] for backend in backends]
        cells = [metrics.label, f"{metrics.support:,}", f"{changes[0].float_recall:.1%}"]
        cells += [f"{change.recall:.1%}" for change in changes]
        body.append(cells + [f"{100 * (change.recall - change.float_recall):+.1f}" for change in changes])
    return _table(head, body)


def _matrices(report: ConversionReport) -> str:
    verified = report.verification
    if len(report.labels) > _MAX_MATRIX_CLASSES:
        return f"<p>{len(report.labels)} classes are too many to show; the JSON report has both matrices.</p>"
    matrices = [("float32", verified.float_report)] if verified.float_report else []
    matrices += [(f"{report.io} on {backend.backend}", backend.report) for backend in verified.backends]
    cards = []
    for name, classification in matrices:
        table = _matrix(report.labels, classification.confusion)
        cards.append(f'<div class="card scroll"><h3>{escape(name)}</h3>{table}</div>')
    return f'<p class="soft">Rows: true class. Columns: answer.</p><div class="pair">{"".join(cards)}</div>'


def _matrix(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    rows = []
    for label, counts in zip(labels, confusion, strict=True):
        total = max(1, sum(counts))
        cells = "".join(
            f'<td style="background: rgba(var(--heat), {0.75 * count / total:.3f})">{count or ""}</td>'
            for count in counts
        )
        rows.append(f'<tr><th class="row">{escape(label)}</th>{cells}</tr>')
    return f'<table class="matrix"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _flips(backend: BackendReport, thumbnails: Mapping[str, Image]) -> str:
    heading = f"<h2>Worst flips on {escape(backend.backend)}</h2>"
    if not backend.flips:
        return f"{heading}<p>None: float and integer model answer alike on every image.</p>"
    cards = "".join(_flip(flip, thumbnails.get(flip.image)) for flip in backend.flips)
    return (
        f"{heading}<p>Float right and integer wrong: {backend.only_float_right}; the other way round: "
        f"{backend.only_integer_right}. The surest right answers that were lost come first.</p><div "
        f'class="flips">{cards}</div>'
    )


def _flip(flip: Flip, picture: Image | None) -> str:
    return (
        f'<div class="card">{_picture(flip.image, picture)}<b>{escape(flip.truth)}</b><br>'
        f"float: {escape(flip.float_label)} {flip.float_score:.0%}<br>"
        f'integer: {escape(flip.label)} {flip.score:.0%}<br><span class="soft">{escape(flip.image)}</span></div>'
    )


def _gallery(report: ConversionReport, thumbnails: Mapping[str, Image]) -> str:
    if report.gallery is None:
        return ""
    return gallery_section(report.gallery, lambda name: _picture(name, thumbnails.get(name)))


def _picture(name: str, picture: Image | None) -> str:
    return "" if picture is None else f'<img alt="{escape(name)}" src="{_data_address(picture)}">'


def _data_address(picture: Image) -> str:
    scale = min(1.0, _THUMBNAIL_PIXELS / max(picture.shape[:2]))
    size_wh = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = picture if scale == 1.0 else cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    # A photo is a tenth as large as JPEG; a picture as small as its thumbnail keeps its pixels.
    kind, suffix = ("png", ".png") if scale == 1.0 else ("jpeg", ".jpg")
    return f"data:image/{kind};base64," + base64.b64encode(cv2.imencode(suffix, small)[1].tobytes()).decode()


def _calibration(report: ConversionReport) -> str:
    tensor = report.input_tensor
    text = (
        f"{report.num_calibration_images} training images, drawn with seed {report.calibration_seed}; none is in the "
        f"test split "
        f"(compared by SHA-256). The input tensor has scale {tensor.scale:.8g} and zero point {tensor.zero_point}. "
        "Names and hashes of all images are in the file's contract."
    )
    return f"<p>{text}</p>" + _table(
        ["class", "images"], [[name, str(num)] for name, num in report.calibration_counts.items()]
    )


def _sizes(report: ConversionReport) -> str:
    rows = [
        ["float32 model", f"{report.float_bytes:,}"],
        ["integer model as converted", f"{report.bytes_before_packing:,}"],
        ["packed, with metadata", f"{report.bytes_after_packing:,}"],
        ["of that: weights and biases", f"{report.audit.weight_bytes:,}"],
    ]
    return _table(["flatbuffer", "bytes"], rows)


def _operators(report: ConversionReport) -> str:
    rows = [
        [
            operator.kind,
            operator.layer,
            str(operator.version),
            " x ".join(map(str, operator.output)),
            f"{operator.macs:,}",
        ]
        for operator in report.audit.operators
    ]
    problems = _list((*report.audit.problems, *report.audit.degenerate), "bad")
    return problems + "<p></p>" + _table(["operator", "layer", "version", "output", "MACs"], rows)


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body)
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'


def _list(items: Sequence[str], kind: str) -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>" if items else ""

"""The report page's part on answers: when the model says "unknown", what that gains, and the pictures to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from convert.measure.gallery import Gallery, Shown
from convert.measure.threshold import Acceptance, UnknownReport

_LEFT, _TOP, _WIDTH, _HEIGHT = 56, 12, 560, 250


def unknown_section(report: UnknownReport) -> str:
    """Sentences and the curve of accuracy over coverage."""
    return f"<h2>Unknown</h2>{sentences(report)}{_curve(report)}"


def sentences(report: UnknownReport) -> str:
    """What the threshold is, where it comes from, and what it does, as paragraphs."""
    test, fit = report.test, report.fit
    if fit is None:
        origin = "It was given, or there were no validation pictures to fit one on."
    else:
        validation = fit.validation
        origin = (
            f"It was fitted for a precision of {fit.wanted:.0%} on this model's own scores of "
            f"{validation.num_images:,} validation pictures: {_rate(validation.precision)} of the accepted answers are "
            f"right there, at a coverage of {validation.coverage:.1%}."
        )
        if not fit.reached:
            origin += f" A precision of {fit.wanted:.0%} cannot be had on these pictures; this is the closest."
    parts = [
        f"<p>Below a probability of <b>{test.threshold:.3f}</b> the answer is “unknown”. {origin}</p>",
        f"<p>On the {test.num_images:,} test pictures {test.num_accepted:,} answers are accepted (coverage "
        f"{test.coverage:.1%}); {_rate(test.precision)} of these are right. Calibration error there: "
        f"{report.calibration_error:.1%}.</p>",
    ]
    if report.out_of_distribution is not None:
        unknown = report.out_of_distribution.num_images - report.out_of_distribution.num_accepted
        parts.append(
            f"<p>Of {report.out_of_distribution.num_images:,} pictures of none of the classes {unknown:,} "
            f"({1 - report.out_of_distribution.coverage:.1%}) are answered “unknown”.</p>"
        )
    return "".join(parts)


def gallery_section(gallery: Gallery, image: Callable[[str], str]) -> str:
    """Both rows of pictures; ``image`` gives the HTML of a picture by its name."""
    mistakes = (
        f"<p>{gallery.num_mistakes:,} test pictures are answered wrongly; the surest mistakes come first. A wrong "
        f"label in the data looks like this too.</p>{_cards(gallery.mistakes, image)}"
        if gallery.mistakes
        else "<p>None.</p>"
    )
    return (
        f"<h2>Worst mistakes</h2>{mistakes}<h2>Least sure answers</h2><p>More pictures like these would help most.</p>"
        f"{_cards(gallery.least_sure, image)}"
    )


def _cards(items: Sequence[Shown], image: Callable[[str], str]) -> str:
    cards = []
    for item in items:
        kind = "good" if item.truth == item.label else "bad"
        cards.append(
            f'<div class="card">{image(item.image)}<b>{escape(item.truth)}</b><br><span class="{kind}">'
            f'{escape(item.label)} {item.score:.0%}</span><br><span class="soft">{escape(item.image)}</span></div>'
        )
    return f'<div class="flips">{"".join(cards)}</div>'


def _curve(report: UnknownReport) -> str:
    points = [point for point in report.curve if point.precision is not None]
    low = min([point.precision or 0.0 for point in points] + ([report.fit.wanted] if report.fit else []))
    bottom = max(0.0, int(low * 20) / 20 - 0.05)

    def x(coverage: float) -> float:
        return _LEFT + _WIDTH * coverage

    def y(precision: float) -> float:
        return _TOP + _HEIGHT * (1 - (precision - bottom) / (1 - bottom))

    marks = []
    for tick in range(6):
        value, rate = tick / 5, bottom + (1 - bottom) * tick / 5
        marks.append(f'<line class="rule" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{_TOP}" y2="{_TOP + _HEIGHT}"/>')
        marks.append(f'<text x="{x(value):.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{value:.0%}</text>')
        marks.append(f'<line class="rule" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y(rate):.1f}" y2="{y(rate):.1f}"/>')
        marks.append(f'<text x="{_LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:.0%}</text>')
    if report.fit is not None:
        wanted = y(report.fit.wanted)
        marks.append(f'<line class="wanted" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{wanted:.1f}" y2="{wanted:.1f}"/>')
    line = " ".join(f"{x(point.coverage):.1f},{y(point.precision or 0.0):.1f}" for point in points)
    marks.append(f'<polyline class="curve" points="{line}"/>')
    if report.test.precision is not None:
        marks.append(f'<circle cx="{x(report.test.coverage):.1f}" cy="{y(report.test.precision):.1f}" r="6"/>')
    foot = _TOP + _HEIGHT + 38
    marks.append(
        f'<text x="{_LEFT + _WIDTH / 2}" y="{foot}" text-anchor="middle">coverage: share of answers accepted</text>'
    )
    size = f'viewBox="0 0 {_LEFT + _WIDTH + 24} {foot + 8}" width="{_LEFT + _WIDTH + 24}"'
    return (
        '<p class="soft">Share of right answers among the accepted ones, on the test pictures; the dot is the stored '
        "threshold, the dashed line the wanted precision.</p>"
        f'<svg {size} style="max-width: 100%; height: auto" role="img" aria-label="Accuracy over coverage">'
        f"{''.join(marks)}</svg>"
    )


def _rate(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def acceptance_line(report: UnknownReport) -> str:
    """One line of text for a terminal."""
    test: Acceptance = report.test
    if test.threshold == 0:
        return "Every answer is accepted (threshold 0)."
    return (
        f"Below {test.threshold:.3f} the answer is unknown: {test.coverage:.1%} of the test images are accepted, "
        f"{_rate(test.precision)} of these are right."
    )

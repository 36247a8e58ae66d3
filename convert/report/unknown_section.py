"""The report page's section on answers: when the model says "unknown", and what that gains."""

from __future__ import annotations

from dataclasses import dataclass

from convert.measure.threshold import Acceptance, ForeignSet, UnknownReport
from convert.output.page import Table
from convert.output.plot import Curve, draw_curves


@dataclass(frozen=True)
class UnknownSection:
    """The values for the template: the figures, and the curve of precision over coverage as SVG or empty."""

    report: UnknownReport
    chart: str
    foreign: Table | None


def describe_unknown(report: UnknownReport | None) -> UnknownSection | None:
    """The section; None when nothing was measured."""
    return None if report is None else UnknownSection(report, _draw(report), _tabulate(report))


def _tabulate(report: UnknownReport) -> Table | None:
    """A row per set of images: what passes, and what is refused for which reason."""
    if not report.foreign:
        return None
    rows = [("test images of the classes", report.test), *((item.name, item.acceptance) for item in report.foreign)]
    body = []
    for name, found in rows:
        counts = found.num_accepted, found.num_unlike, found.num_not_sure
        body.append([name, f"{found.num_images:,}", *(f"{count / found.num_images:.1%}" for count in counts)])
    return Table(["images", "number", "pass", "unknown: unlike", "unknown: not sure"], body)


def _draw(report: UnknownReport) -> str:
    found = [(point.coverage, point.precision) for point in report.curve if point.precision is not None]
    if not found:
        return ""
    coverages, precisions = tuple(coverage for coverage, _ in found), tuple(rate for _, rate in found)
    curves = [Curve("right among the accepted", coverages, precisions)]
    test = report.test
    if test.precision is not None:
        curves.append(Curve("the stored threshold", (test.coverage,), (test.precision,), "two"))
    wanted = ("wanted precision", report.fit.wanted) if report.fit else None
    return draw_curves(curves, ("coverage: share of answers accepted", "precision"), share=True, wanted=wanted)


def describe_acceptance(report: UnknownReport) -> str:
    """One line of text for a terminal."""
    test: Acceptance = report.test
    if test.threshold == 0:
        return " ".join(["Every answer is accepted (threshold 0).", *([report.without] if report.without else [])])
    precision = "none" if test.precision is None else f"{test.precision:.1%}"
    return (
        f"Below {test.threshold:.3f} the answer is unknown: {test.coverage:.1%} of the test images are accepted, "
        f"{precision} of these are right."
        + "".join(f" {label} needs {value:.3f}." for label, value in sorted(report.class_thresholds.items()))
        + (f" No neighbours: {report.without}" if report.without else "")
        + "".join(
            f" Of {item.acceptance.num_images} {item.name} {_share_passed(item)} pass." for item in report.foreign
        )
    )


def _share_passed(item: ForeignSet) -> str:
    return f"{item.acceptance.coverage:.1%}"

"""The results of a conversion, as JSON and as Markdown for a terminal; the page for people is in `conversion_page`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from convert.output.page import count, render_markdown_table
from convert.report.conversion import ConversionReport, describe_ranges, list_accuracies, name_rate
from convert.report.field_section import describe_worst_scene
from convert.report.next_steps import list_next_steps
from convert.report.unknown_section import describe_acceptance
from convert.report.verdict import describe_time, judge


def to_data(report: ConversionReport) -> dict[str, Any]:
    """The report as plain JSON values, with its verdict and next steps; NaN and infinities become null."""
    verdict = judge(report)
    said = {"passed": report.verification.passed, "verdict": dataclasses.asdict(verdict)}
    said["next_steps"] = list_next_steps(report, verdict)
    data: dict[str, Any] = _plain({**dataclasses.asdict(report), **said})
    return data


def to_json_text(report: ConversionReport) -> str:
    """`to_data` as indented JSON, its keys sorted."""
    return json.dumps(to_data(report), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def to_markdown(report: ConversionReport) -> str:
    """The verdict, a table of accuracies and what to do next, for a terminal or a pull request."""
    verified, verdict = report.verification, judge(report)
    where = "held-out test image" if verified.tested else "calibration image"
    parts = [f"# {report.name}"]
    statements = ("conversion", verdict.conversion), ("model", verdict.model)
    lines = [f"- {what}: **{found.words}**. {found.reason}" for what, found in statements]
    lines += (
        [f"- time: {report.image_time.p50_ms:.2g} ms {describe_time(report.image_time)}"] if report.image_time else []
    )
    lines += [f"- file: {report.file_bytes:,} bytes"] if report.file_bytes else []
    parts.append("\n".join(lines))
    if verified.refusals:
        parts.append("\n".join(f"- refused: {refusal}" for refusal in verified.refusals))
    if verdict.warnings:
        parts.append("\n".join(f"- warning: {warning}" for warning in verdict.warnings))
    parts.append(f"{count(verified.num_images, where)}{'' if verified.tested else ' (no labels or no test split)'}")
    parts.append(_tabulate(report))
    if report.unknown is not None:
        parts.append(describe_acceptance(report.unknown))
    if report.field_test is not None:
        parts.append(describe_worst_scene(report.field_test))
    audit = report.audit
    parts.append(
        f"The backends agree on {verified.backend_agreement:.2%} of the images.\n"
        f"{count(audit.parameters, 'parameter')}, {count(audit.macs, 'MAC')}, {report.bytes_before_packing:,} bytes as "
        f"converted, {report.bytes_after_packing:,} packed with metadata, without contract and golden frames.\n"
        f"{describe_ranges(report.ranges)}"
    )
    steps = list_next_steps(report, verdict)
    parts.append("\n".join(["What to do next:", *(f"{number}. {step}" for number, step in enumerate(steps, 1))]))
    return "\n\n".join(parts) + "\n"


def _tabulate(report: ConversionReport) -> str:
    rows = []
    for row in list_accuracies(report):
        if row.drop is None or row.drop_interval is None or row.agreement is None:
            cells = ["–"] * 4
        else:
            interval = f"{100 * row.drop_interval[0]:.2f} to {100 * row.drop_interval[1]:.2f}"
            cells = [f"{100 * row.drop:.2f}", interval, f"{row.mcnemar_p:.3g}", f"{row.agreement:.2%}"]
        accuracy = [f"{row.accuracy:.2%}", f"{row.interval[0]:.2%} to {row.interval[1]:.2%}"]
        rows.append([row.model, *accuracy, *cells])
    head = ["model", name_rate(report), "95 % interval", "drop (points)", "95 % interval", "McNemar p", "agreement"]
    return render_markdown_table(head, rows)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return value

"""The section of a model card on corrupted images, and the table of several models; Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from convert.measure.corruptions import CORRUPTIONS, NUM_STRENGTHS, Corruption
from convert.measure.robustness import Robustness
from convert.output.page import render_markdown_table


def render_robustness(found: Robustness) -> str:
    """What was measured, and a row per corruption with its five strengths."""
    rows = [
        [_described(corruption), *_rates(found, corruption), f"{_mean(found, corruption):.1%}"]
        for corruption in CORRUPTIONS
    ]
    rows.append(["**mean**", *[""] * NUM_STRENGTHS, f"**{found.mean:.1%}**"])
    return (
        f"int8 on {found.backend}, {found.num_images:,} test images, {found.clean:.1%} right as they are; corrupted "
        "by code with fixed seeds (`convert/measure/corruptions.py`), five strengths each.\n\n"
        + render_markdown_table(["corruption", *map(str, range(1, NUM_STRENGTHS + 1)), "mean"], rows)
    )


def render_marked(found: Robustness) -> str:
    """The same between markers, so that this section of a card can be measured again and replaced."""
    return f"<!-- robustness -->\n{render_robustness(found)}\n<!-- end of robustness -->"


def tabulate_robustness(found: Mapping[str, Robustness]) -> str:
    """Each model's accuracy on unchanged images, and its mean over the five strengths of each corruption."""
    rows = [
        [name, f"{one.clean:.1%}", *(f"{_mean(one, corruption):.1%}" for corruption in CORRUPTIONS), f"{one.mean:.1%}"]
        for name, one in found.items()
    ]
    return render_markdown_table(["model", "clean", *(corruption.name for corruption in CORRUPTIONS), "mean"], rows)


def _described(corruption: Corruption) -> str:
    return f"{corruption.name} ({corruption.what} {', '.join(f'{value:g}' for value in corruption.strengths)})"


def _rates(found: Robustness, corruption: Corruption) -> list[str]:
    return [f"{rate:.1%}" for rate in found.accuracies[corruption.name]]


def _mean(found: Robustness, corruption: Corruption) -> float:
    return sum(found.accuracies[corruption.name]) / NUM_STRENGTHS

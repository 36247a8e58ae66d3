"""The comparison for people: a few lines for the terminal, and a page with the images that got better and worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.improve.judgement import Answer, Judgement, judge
from convert.output.page import Table, render_markdown_table, render_page
from convert.report.thumbnail_cards import GalleryCard, Line, make_thumbnail
from edge_runtime.pixels.preprocess import Image

NUM_SHOWN = 24
HEAD = ("images", "n", "old", "new", "points", "95 % interval", "McNemar p", "only new right", "only old right")


@dataclass(frozen=True)
class Improvement:
    """Two models' names and answers; ``answers`` are on classes that both know, ``new_classes`` on the others;
    ``from_camera`` are the names of images that a device saved.
    """

    old_name: str
    new_name: str
    answers: tuple[Answer, ...]
    new_classes: tuple[Answer, ...]
    from_camera: frozenset[str]
    num_left_out: int

    @property
    def verdict(self) -> Judgement | None:
        """The judgement on all images of the classes that both models know."""
        return judge(self.answers)


def describe_rows(found: Improvement) -> list[list[str]]:
    """A row for all images, for those that devices saved, and for each class."""
    groups = {
        "all": found.answers,
        "saved by devices": [answer for answer in found.answers if answer.image in found.from_camera],
        **{label: [a for a in found.answers if a.truth == label] for label in sorted({a.truth for a in found.answers})},
    }
    return [_row(name, result) for name, answers in groups.items() if (result := judge(answers)) is not None]


def say_verdict(found: Improvement) -> str:
    """The verdict, and what it leaves out."""
    verdict = found.verdict
    parts = [verdict.words if verdict else "The models share no class on these images, so they cannot be compared."]
    if found.new_classes:
        right = sum(answer.new_right for answer in found.new_classes)
        names = ", ".join(sorted({answer.truth for answer in found.new_classes}))
        parts.append(
            f"The new model gets {right} of {len(found.new_classes)} images right in classes that the old model lacks "
            f"({names})."
        )
    if found.num_left_out:
        parts.append(f"{found.num_left_out} test images are left out: the old model may have been trained on them.")
    return " ".join(parts)


def to_markdown(found: Improvement) -> str:
    """Verdict and table for a terminal."""
    return f"{say_verdict(found)}\n\n{render_markdown_table(HEAD, describe_rows(found))}"


def to_html(found: Improvement, images: Mapping[str, Image]) -> str:
    """The page; ``images`` are (h, w, 3) uint8 BGR by name."""
    return render_page(
        Path(__file__).with_name("templates") / "improve.html",
        title=f"{found.new_name} against {found.old_name}",
        verdict=say_verdict(found),
        kind=found.verdict.kind if found.verdict else "alike",
        rows=Table(HEAD, describe_rows(found)),
        better=_cards(list_changed(found.answers, better=True), images),
        worse=_cards(list_changed(found.answers, better=False), images),
    )


def list_changed(answers: Sequence[Answer], *, better: bool) -> list[Answer]:
    """What only the new (``better``) or only the old model gets right, the most confident answers first."""
    found = [a for a in answers if (a.new_right, a.old_right) == (better, not better)]
    return sorted(found, key=lambda a: (-(a.new_score if better else a.old_score), a.image))[:NUM_SHOWN]


def _cards(answers: Sequence[Answer], images: Mapping[str, Image]) -> list[GalleryCard]:
    return [
        GalleryCard(
            a.truth,
            (
                Line(f"old: {a.old_label} {a.old_score:.0%}", "good" if a.old_right else "bad"),
                Line(f"new: {a.new_label} {a.new_score:.0%}", "good" if a.new_right else "bad"),
                Line(a.image, "soft"),
            ),
            (make_thumbnail(a.image, images[a.image]),) if a.image in images else (),
        )
        for a in answers
    ]


def _row(name: str, result: Judgement) -> list[str]:
    low, high = (100 * value for value in result.interval)
    return [
        name, str(result.num), f"{result.old_right / result.num:.1%}", f"{result.new_right / result.num:.1%}",
        f"{100 * result.gain:+.1f}", f"{low:+.1f} to {high:+.1f}", f"{result.p:.2g}", str(result.only_new),
        str(result.only_old),
    ]  # fmt: skip

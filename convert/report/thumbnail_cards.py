"""Cards of a gallery: small images inside the page, the true class, and lines about the answers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2

from convert.measure.gallery import Shown
from convert.measure.gate import Flip
from edge_runtime.pixels.preprocess import Image

_THUMBNAIL_PIXELS = 160


@dataclass(frozen=True)
class Thumbnail:
    """An image as a data URL; a ``tiny`` one keeps its pixels visible when it is shown enlarged."""

    alt: str
    address: str
    tiny: bool


@dataclass(frozen=True)
class Line:
    """One line of a card; ``kind`` is a style of the page: good, bad, soft or none."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class GalleryCard:
    """``images`` may hold more than one view of the same image, the image itself first; none when it is unknown."""

    truth: str
    lines: tuple[Line, ...]
    images: tuple[Thumbnail, ...]


def describe_shown(
    items: Sequence[Shown], images: Mapping[str, Image], looked: Mapping[str, Image] | None = None
) -> list[GalleryCard]:
    """A card per answer; ``images``, and ``looked`` for where the model looked, are (h, w, 3) uint8 BGR by name."""
    cards = []
    for item in items:
        kind = "good" if item.truth == item.label else "bad"
        lines = Line(f"{item.label} {item.score:.0%}", kind), Line(item.image, "soft")
        views = _find(item.image, images)
        if looked and item.image in looked:
            views += (make_thumbnail(f"where the model looked in {item.image}", looked[item.image]),)
        cards.append(GalleryCard(item.truth, lines, views))
    return cards


def describe_flips(flips: Sequence[Flip], images: Mapping[str, Image]) -> list[GalleryCard]:
    """A card per image whose answer integer arithmetic changed; ``images`` are (h, w, 3) uint8 BGR by name."""
    cards = []
    for flip in flips:
        answers = (
            Line(f"float: {flip.float_label} {flip.float_score:.0%}"),
            Line(f"integer: {flip.label} {flip.score:.0%}"),
        )
        cards.append(GalleryCard(flip.truth, (*answers, Line(flip.image, "soft")), _find(flip.image, images)))
    return cards


def make_thumbnail(alt: str, image: Image) -> Thumbnail:
    """The (h, w, 3) uint8 BGR ``image``, its longer side at most 160 pixels, as a data URL."""
    scale = min(1.0, _THUMBNAIL_PIXELS / max(image.shape[:2]))
    size_wh = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    tiny = scale == 1.0
    small = image if tiny else cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    # As JPEG a photo takes a tenth of the bytes; an image no larger than its thumbnail keeps its exact pixels.
    kind, suffix = ("png", ".png") if tiny else ("jpeg", ".jpg")
    code = base64.b64encode(cv2.imencode(suffix, small)[1].tobytes()).decode()
    return Thumbnail(alt, f"data:image/{kind};base64,{code}", tiny)


def _find(name: str, images: Mapping[str, Image]) -> tuple[Thumbnail, ...]:
    return (make_thumbnail(name, images[name]),) if name in images else ()

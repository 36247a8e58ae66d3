"""The region of the camera's frame that all images of a folder were cropped from, if they record it and agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edge_runtime.contract import Region
from train.datasets.data_checks import DataWarning, make_warning
from train.datasets.splits import LabelledImage


def find_common_region(images: Sequence[LabelledImage]) -> tuple[Region | None, list[DataWarning]]:
    """(the one region that all ``images`` carry, or None; a warning when only some do, or several are named)."""
    found = Counter(image.region for image in images)
    marked = len(images) - found[None]
    if not marked:
        return None, []
    if len(found) == 1:
        return images[0].region, []
    usual = max((region for region in found if region is not None), key=lambda region: found[region])
    text = (
        f"{found[usual]} of {len(images)} images were cut from the region {usual} of a camera's frame, the others from "
        f"{len(found) - 1} other place(s) or from none that is known: the model gets no region of its own; give it as "
        f"--region {usual} where it runs, or train on images of one region."
    )
    return None, [make_warning("region", text, [image.name for image in images if image.region != usual])]

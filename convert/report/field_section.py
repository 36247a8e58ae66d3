"""The report page's section on the field test: a row per scene, its accuracy and change on each backend."""

from __future__ import annotations

from convert.measure.field_test import FieldTest
from convert.output.page import Table, count


def tabulate_scenes(found: FieldTest) -> Table:
    """A row per scene; changes in points against the unchanged images."""
    backends = list(dict.fromkeys(row.backend for row in found.rows))
    head = ["scene"]
    for backend in backends:
        head += [f"{backend} accuracy", "change, points", "unknown"]
    rows = {(row.scene, row.backend): row for row in found.rows}
    body = []
    for scene in dict.fromkeys(row.scene for row in found.rows):
        cells = [scene]
        for backend in backends:
            row = rows[scene, backend]
            unknown = 1 - row.num_accepted / found.num_images
            # Adding zero turns -0.0 into 0.0.
            cells += [f"{row.num_correct / found.num_images:.1%}", f"{100 * row.change + 0.0:+.1f}", f"{unknown:.1%}"]
        body.append(cells)
    return Table(head, body)


def describe_worst_scene(found: FieldTest) -> str:
    """One line of text for a terminal: the scene that costs most on the first backend."""
    worst, images = found.worst, count(found.num_images, "image")
    if worst.change >= 0:
        return f"Field test: none of the camera's scenes costs anything on {images}."
    cost = f"{-100 * worst.change:.1f} points"
    return f"Field test: {worst.scene} costs most, {cost} on {images}; the report has every scene."

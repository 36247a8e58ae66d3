"""The field test in words: a row a scene, and the scene that costs most."""

from __future__ import annotations

from convert.measure.field_test import AS_THEY_ARE, FieldRow, FieldTest
from convert.report.field_section import describe_worst_scene, tabulate_scenes


def found(correct: int) -> FieldTest:
    rows = []
    for backend in ("litert", "tflite"):
        rows += [FieldRow(AS_THEY_ARE, backend, 9, 8, 0.0), FieldRow("dark", backend, correct, 4, (correct - 9) / 10)]
    return FieldTest(10, tuple(rows))


def test_every_scene_is_a_row_with_its_change_on_each_backend() -> None:
    table = tabulate_scenes(found(6))
    assert table.body == [
        [AS_THEY_ARE, "90.0%", "+0.0", "20.0%", "90.0%", "+0.0", "20.0%"],
        ["dark", "60.0%", "-30.0", "60.0%", "60.0%", "-30.0", "60.0%"],
    ]


def test_the_worst_scene_is_told() -> None:
    assert describe_worst_scene(found(6)).startswith("Field test: dark costs most, 30.0 points on 10 images")
    assert describe_worst_scene(found(9)) == "Field test: none of the camera's scenes costs anything on 10 images."

"""Sizes side by side: the figures of their reports, and the smallest that is as good as the best is recommended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from convert.compare.sizes import Size, main, read_sizes, recommend_size, to_html, to_markdown
from edge_runtime.errors import DataError, MissingInputError

TOY = Path(__file__).parents[2] / "edge_runtime" / "toys" / "uint8.tflite"


def size(name: str, accuracy: float, field: float | None, num_bytes: int, refusal: str = "") -> Size:
    interval = (accuracy - 0.03, accuracy + 0.03)
    return Size(name, accuracy, interval, field, "dark: 50%", 0.4, num_bytes, 5_000_000, 2.0, 1.0, refusal)


def test_the_smallest_that_is_as_good_as_the_best_is_recommended() -> None:
    tiny, small, full = (
        size("tiny", 0.80, 0.7, 400_000),
        size("small", 0.90, 0.81, 900_000),
        size("full", 0.92, 0.82, 4_000_000),
    )
    chosen, why = recommend_size([full, tiny, small])
    assert chosen is small
    assert why == (
        "Take small: 90.0% on the test images, 81.0% in the scenes of the field test, 900 kB. The most accurate, full, has "
        "92.0% (95 % interval 89.0% to 95.0%) in 4.4 times the bytes."
    )
    assert recommend_size([tiny, full])[1].endswith(
        "tiny is smaller and behind: 80.0% on the test images, 70.0% in the scenes."
    )


def test_a_size_that_falls_behind_in_the_field_is_not_recommended() -> None:
    assert recommend_size([size("tiny", 0.9, 0.6, 400), size("small", 0.9, 0.8, 900)])[0].name == "small"
    assert recommend_size([size("tiny", 0.9, None, 400), size("small", 0.9, None, 900)])[0].name == "tiny"


def test_what_is_best_in_the_field_is_taken_where_nothing_is_best_in_both() -> None:
    assert recommend_size([size("tiny", 0.8, 0.9, 400), size("small", 0.9, 0.8, 900)])[0].name == "tiny"


def test_where_the_test_images_tell_no_difference_the_field_test_does() -> None:
    tiny, small, full = (
        size("tiny", 0.92, 0.85, 360_000),
        size("small", 1.0, 0.965, 900_000),
        size("full", 1.0, 0.987, 3_600_000),
    )
    chosen, why = recommend_size([tiny, small, full])
    assert chosen is full and "The most accurate" not in why
    assert why.endswith("small is smaller and behind: 100.0% on the test images, 96.5% in the scenes.")


def test_the_most_accurate_is_named_with_what_it_lacks_in_the_field() -> None:
    why = recommend_size([size("tiny", 0.8, 0.9, 500), size("small", 0.9, 0.8, 1000)])[1]
    assert why.endswith("in 2.0 times the bytes, but only 80.0% in the scenes.")


def test_a_refused_size_is_shown_and_never_recommended() -> None:
    refused, good = size("tiny", 0.9, 0.9, 400, "accuracy: litert loses 5 points"), size("small", 0.9, 0.8, 900)
    assert recommend_size([refused, good])[0] is good
    assert "- tiny was refused: accuracy: litert loses 5 points" in to_markdown([refused, good])
    assert recommend_size([refused]) == (None, "Take none: every size was refused; the reports say why.")


def test_the_page_says_the_same_and_marks_what_to_take() -> None:
    refused, small = size("tiny", 0.9, 0.9, 400, "accuracy: litert loses <5> points"), size("small", 0.9, 0.8, 900_000)
    page = to_html([refused, small])
    assert recommend_size([refused, small])[1] in page and "tiny was refused: accuracy: litert loses &lt;5&gt;" in page
    assert '<tr class="mark"><th scope="row">small</th>' in page.replace("\n", "")
    assert page.count("<svg") == 1 and "http" not in page.replace("http://www.w3.org/", "")
    nothing = to_html([refused])
    assert "Take none: every size was refused" in nothing and "<svg" not in nothing


def write_report(path: Path, labels: tuple[str, ...] = ("a", "b"), **more: Any) -> Path:
    figures = {"accuracy": 0.9, "accuracy_interval": [0.8, 0.95]}
    rows = [
        {"scene": "as they are", "backend": "litert", "num_correct": 9},
        {"scene": "dark", "backend": "litert", "num_correct": 7},
    ]
    report = {
        "labels": labels, "passed": True, "bytes_after_packing": 1234, "audit": {"macs": 10},
        "field_test": {"num_images": 10, "rows": rows},
        "unknown": {"foreign": [{"acceptance": {"num_images": 8, "num_accepted": 2}}]},
        "verification": {"num_images": 20, "backends": [{"backend": "litert", "report": figures}], "refusals": []},
        **more,
    }  # fmt: skip
    path.with_suffix(".report.json").write_text(json.dumps(report))
    shutil.copy(TOY, path)
    return path


def test_the_figures_come_from_the_reports_and_the_times_from_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [
        write_report(tmp_path / "tiny.tflite"),
        write_report(tmp_path / "small.tflite", field_test=None, unknown=None),
    ]
    tiny, small = read_sizes(paths, 0.1)
    assert (tiny.field, tiny.worst, tiny.unknown, tiny.file_bytes) == (0.8, "dark: 70%", 0.75, 1234)
    assert (small.field, small.unknown) == (None, None) and tiny.p50_ms > 0 and tiny.time_ratio == 1
    assert main([*map(str, paths), "--seconds", "0.1", "--out", str(tmp_path / "sizes.md")]) == 0
    assert "Take " in (tmp_path / "sizes.html").read_text("utf-8")
    assert "| tiny | 90.00% | 80.0% to 95.0% | 80.0% | dark: 70% | 75% |" in capsys.readouterr().out.replace("  ", " ")


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    first = write_report(tmp_path / "tiny.tflite")
    with pytest.raises(MissingInputError, match=r"There is no report .*none\.report\.json; convert the model first"):
        read_sizes([tmp_path / "none.tflite"], 0.1)
    with pytest.raises(DataError, match=r"tested on 20 images of \['x', 'y'\].*Train them on the same data"):
        read_sizes([first, write_report(tmp_path / "other.tflite", ("x", "y"))], 0.1)
    first.with_suffix(".report.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        read_sizes([first], 0.1)

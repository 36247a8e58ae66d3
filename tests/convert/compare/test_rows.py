"""Which variant is recommended and how figures are said, on literal rows: no model, no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from convert.compare.comparison import CompareConfig, make_command
from convert.compare.page import render
from convert.compare.rows import (
    Accuracy,
    Comparison,
    Row,
    recommend,
    tabulate_accuracy,
    to_json_text,
    to_markdown,
)
from convert.compare.variants import FLOAT32, INT8_IO, OTHER, PRUNED, SAME_MODEL, UINT8_IO, Failure, Variant
from convert.config import ForeignModel
from convert.measure.latency import Timing
from convert.measure.processor import read_processor_name


def row(
    name: str,
    *,
    group: str = SAME_MODEL,
    rate: float = 0.80,
    p: float = 1.0,
    size: int = 1000,
    ratio: float = 1.0,
    incompatible: dict[str, str] | None = None,
) -> Row:
    accuracy = Accuracy(
        "litert", rate, (rate - 0.02, rate + 0.02), rate, rate, rate, 0.80 - rate, (-0.01, 0.03), p, 0.97
    )
    timing = Timing(name, "litert", "litert-xnnpack 2.3.0", 1, 50, ratio, 1.5 * ratio, ratio)
    return Row(
        name, f"how {name}", group, size, size // 2, 900, 0.0, 5000, 0, (accuracy,), (timing,), incompatible or {}
    )


def comparison(*rows: Row, failures: tuple[Failure, ...] = ()) -> Comparison:
    return Comparison("run", 2000, 200, ("litert",), (1,), "a processor", rows, failures)


def test_the_least_time_times_bytes_is_recommended_among_variants_that_lose_nothing_significant() -> None:
    found = comparison(
        row(FLOAT32, size=4000),
        row("int8", size=1000, ratio=0.5, rate=0.795, p=0.3),
        row("tiny", size=500, ratio=0.2, rate=0.70, p=1e-6, group=PRUNED),
        row("other network", size=10, ratio=0.01, group=OTHER),
    )
    chosen, why = recommend(found)
    assert chosen.name == "int8"
    assert "79.50% against 80.00%" in why and "25% of the bytes" in why and "0.50 of the time" in why
    assert "tiny loses significantly" in why and "other network" not in why


def test_within_a_tie_the_variant_that_comes_first_is_recommended() -> None:
    found = comparison(row(FLOAT32, size=4000), row("uint8", size=1000, ratio=0.52), row("int8", size=1000, ratio=0.5))
    assert recommend(found)[0].name == "uint8"


def test_a_variant_that_some_programs_refuse_has_to_be_worth_it_and_the_command_is_said() -> None:
    welcome = dataclasses.replace(row(UINT8_IO, size=1000, ratio=0.5), command="python -m convert runs/x")
    refused = dataclasses.replace(row(INT8_IO, size=1000, ratio=0.44), command="python -m convert runs/x --io int8")
    chosen, why = recommend(comparison(row(FLOAT32, size=4000), welcome, refused))
    assert chosen.name == UINT8_IO and why.endswith("takes it. Make it: `python -m convert runs/x`")
    faster = dataclasses.replace(row(INT8_IO, size=1000, ratio=0.3), command="python -m convert runs/x --io int8")
    chosen, why = recommend(comparison(row(FLOAT32, size=4000), welcome, faster))
    assert chosen.name == INT8_IO
    assert "MediaPipe and Android's task library refuse an int8 input. Make it: `python -m convert" in why
    floating = dataclasses.replace(row(FLOAT32), float_tensors=9)
    assert "No command here writes it" in recommend(comparison(floating))[1]


def test_the_command_names_what_was_converted() -> None:
    config = CompareConfig(Path("runs/my photos"), Path("x.html"), (), ())
    foreign = dataclasses.replace(config, run=Path("m.keras"), foreign=ForeignModel(Path("l"), Path("c"), std=(255.0,)))

    def variant(name: str, run: Path | None = None) -> Variant:
        return Variant(name, "", SAME_MODEL, None, None, run)  # type: ignore[arg-type]

    assert make_command(config, variant(UINT8_IO)) == "python -m convert 'runs/my photos'"
    assert make_command(config, variant(INT8_IO)) == "python -m convert 'runs/my photos' --io int8"
    assert make_command(config, variant("float16")) == ""
    assert make_command(config, variant("pruned 50 %", Path("build/p50"))) == "python -m convert build/p50"
    assert make_command(foreign, variant(UINT8_IO)) == "python -m convert m.keras --labels l --calibration c --std 255"


def test_a_variant_that_a_backend_refuses_is_not_recommended_and_its_reason_is_said() -> None:
    broken = row("int16", size=10, ratio=0.1, incompatible={"tflite": "unknown operator"})
    found = comparison(row(FLOAT32), broken, failures=(Failure("pruned 50 %", PRUNED, "no images"),))
    chosen, why = recommend(found)
    assert chosen.name == FLOAT32 and "every smaller variant loses accuracy" in why
    text = to_markdown(found)
    assert "int16 does not run on tflite: unknown operator" in text
    assert "pruned 50 % could not be made: no images" in text


def test_a_variant_that_only_the_second_backend_runs_shows_its_accuracy_there_alone() -> None:
    accuracy = dataclasses.replace(row("x", rate=0.61).accuracy, backend="tflite")
    odd = dataclasses.replace(row("odd", incompatible={"litert": "no kernel"}), accuracies=(accuracy,))
    found = dataclasses.replace(comparison(row(FLOAT32), odd), backends=("litert", "tflite"))
    head, body = tabulate_accuracy(found)
    assert dict(zip(head, body[1], strict=True))["accuracy, litert"] == "cannot run it"
    assert dict(zip(head, body[1], strict=True))["accuracy, tflite"] == "61.00%"
    assert dict(zip(head, body[0], strict=True))["accuracy, tflite"] == "cannot run it"


def test_the_markdown_and_the_json_hold_every_figure_of_a_row() -> None:
    found = comparison(row(FLOAT32, size=4321), row("int8", size=1234, ratio=0.25, rate=0.79, p=0.4))
    text, data = to_markdown(found), json.loads(to_json_text(found))
    for figure in ("4,321", "617", "79.00%", "77.00% to 81.00%", "-1.00", "97.00%", "0.250 / 0.375 (0.25)", "5,000"):
        assert figure in text
    assert "+0.00" in text and "-0.00" not in text
    assert data["recommended"]["row"] == "int8" and len(data["rows"]) == 2
    assert data["rows"][1]["accuracies"][0]["macro_f1"] == 0.79


def test_the_page_stands_alone_has_both_plots_and_marks_the_recommended_row() -> None:
    page = render(comparison(row(FLOAT32), row("<int8>", size=300, ratio=0.3)))
    assert page.count("<svg") == 2 and "&lt;int8&gt;" in page and "<int8>" not in page
    assert "<script" not in page and "http" not in page
    assert page.count('<tr class="mark">') == 3 and "95&nbsp;% intervals" in re.sub(r"\s+", " ", page)


def test_the_processor_is_named_with_its_threads(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nprocessor\t: 1\nmodel name\t: Other CPU\nflags\t\t: avx2\n")
    assert read_processor_name(cpuinfo).startswith("Other CPU (") and "2 threads" in read_processor_name(cpuinfo)

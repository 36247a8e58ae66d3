"""The notebook runs from top to bottom and ends with labels; what is committed is what it gave, and small."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
MAX_BYTES = 60_000


def read_notebook() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def text_of(cell: Any) -> str:
    """What a cell of code shows as text or Markdown."""
    shown = [output.get("text") or output.get("data", {}) for output in cell.get("outputs", [])]
    return "".join(each if isinstance(each, str) else each.get("text/markdown", "") for each in shown)


def check_answers(notebook: Any) -> None:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [output for cell in cells for output in cell.outputs if output.output_type == "error"] == []
    train, report, frames = (
        next(text_of(cell) for cell in cells if word in cell.source)
        for word in ('run("train"', '"convert", trained', "islice(frames, 3)")
    )
    assert "test accuracy" in train
    assert "**Conversion**: " in report and "**Model**: " in report and "1. " in report
    assert [line.split()[0] in ("bird", "ship", "truck", "unknown") for line in frames.splitlines()] == [True] * 3


def test_the_committed_notebook_was_run_and_is_small_and_names_no_place() -> None:
    notebook = read_notebook()
    check_answers(notebook)
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    text = NOTEBOOK.read_text("utf-8")
    assert "/tmp/" not in text and str(Path.home()) not in text.replace("~", "")
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == list(
        range(1, 1 + sum(cell.cell_type == "code" for cell in notebook.cells))
    )


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = read_notebook()
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    check_answers(notebook)
    assert [path.name for path in tmp_path.glob("*.tflite")] == []  # everything is in the notebook's own folder
    assert len(list(tmp_path.glob("notebook-*/photos.report.html"))) == 1

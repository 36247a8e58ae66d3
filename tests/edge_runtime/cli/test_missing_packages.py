"""Without OpenCV or without any interpreter: one line that says what to install, from every verb and from the library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = {"OpenCV": ("cv2",), "backend": ("ai_edge_litert", "tflite_runtime")}
# Runs each command line in this one process; prints their exit codes and what they said.
SCRIPT = """\
import contextlib, io, json, sys
from edge_runtime.cli import main
answers = []
for arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(arguments)
    answers.append((code, said.getvalue()))
print(json.dumps(answers))
"""


@pytest.fixture(params=PACKAGES)
def missing(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lonely: None) -> str:
    """What is missing, in every process that is started."""
    for package in PACKAGES[request.param]:
        (tmp_path / "missing" / package).mkdir(parents=True)
        (tmp_path / "missing" / package / "__init__.py").write_text(
            f'raise ModuleNotFoundError("No module named {package!r}", name="{package}")'
        )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "missing"), str(ROOT)]))
    return str(request.param)


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, timeout=120)


def test_every_verb_that_needs_it_says_so_in_one_line_and_ends_with_78(
    missing: str, tmp_path: Path, save, make_model
) -> None:
    installable = save(make_model(1))
    verbs = {
        "classify": ["photo.jpg"],
        "run": ["--camera", "synthetic"],
        "selftest": ["--model", installable],
        "bench": ["--runs", "1"],
        "collect": ["--label", "mug", "--camera", "synthetic", "--out", str(tmp_path)],
        "install": [installable],
    }
    if missing == "backend":
        del verbs["collect"]
    done = start(SCRIPT, json.dumps([[verb, *rest] for verb, rest in verbs.items()]))
    for verb, (code, said) in zip(verbs, json.loads(done.stdout), strict=True):
        assert code == 78, (verb, said)
        assert said.count("\n") == 1 and said.startswith(f"edge-runtime: {'No ' * (missing == 'backend')}{missing} "), (
            verb
        )
        assert "pip install" in said and "bug in edge-runtime" not in said


def test_verbs_that_can_do_without_it_do(missing: str, toy_path: Path) -> None:
    done = start(SCRIPT, json.dumps([["info", "--model", str(toy_path)], ["status"], ["service", "--program", "/x"]]))
    assert [code for code, _ in json.loads(done.stdout)] == [0, 0, 0], done


def test_doctor_lists_it_as_a_problem_with_its_remedy(missing: str) -> None:
    done = start("import sys; from edge_runtime.cli import main; sys.exit(main(['doctor']))")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert any(
        line.startswith("problem") and "pip install" in line for line in map(str.strip, done.stdout.splitlines())
    )


def test_the_library_raises_a_configuration_error(missing: str) -> None:
    done = start(
        "import edge_runtime\n"
        "try:\n    edge_runtime.Classifier()\n"
        "except edge_runtime.ConfigurationError as error:\n    print(error)"
    )
    assert "pip install" in done.stdout and missing in done.stdout, done.stderr

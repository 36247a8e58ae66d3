"""Every command line explains each of its flags, shows an example, ends with the same code for the same cause, and can be
told to be quiet.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime import cli, errors
from tests.tools.docs.reference import EXIT_CODES, HOST, list_parsers
from train import edge_train

PARSERS = dict(list_parsers())
ABSENT = "/nowhere/absent"
# What each command reads first, where there is none.
READS = {
    "edge-runtime classify": [f"{ABSENT}.jpg"],
    "edge-runtime info": ["--model", f"{ABSENT}.tflite"],
    "edge-runtime selftest": ["--model", f"{ABSENT}.tflite"],
    "edge-runtime bench": ["--model", f"{ABSENT}.tflite"],
    "edge-runtime install": [f"{ABSENT}.tflite"],
    "python -m train": ["--data", ABSENT],
    "python -m convert.pack": [f"{ABSENT}.tflite", f"{ABSENT}.out"],
    "python -m convert.sign": [f"{ABSENT}.tflite", "--key", f"{ABSENT}.key"],
    "python -m convert": [ABSENT],
    "edge-train": [ABSENT],
}
# What each command reads, damaged: @ stands for the file.
DAMAGED = {
    "edge-runtime classify": ["@.jpg"],
    "edge-runtime run": ["--camera", "demo", "--frames", "1", "--model", "@.tflite"],
    "edge-runtime info": ["--model", "@.tflite"],
    "edge-runtime selftest": ["--model", "@.tflite"],
    "edge-runtime bench": ["--model", "@.tflite"],
    "edge-runtime install": ["@.tflite"],
    "edge-runtime adopt": ["@.tflite", "--out", "@.new.tflite"],
    "python -m train": ["--data", "@", "--out", "@.run"],
    "python -m convert.explain": ["@.tflite", "--out", "@.html"],
}
# What each command would write, and it is there already.
OCCUPIED = {
    "edge-runtime adopt": ["@.tflite", "--out", "@.tflite"],
    "python -m train": ["--out", "@"],
    "python -m convert.pack": ["@.jpg", "@.tflite"],
}
# What each command writes, where there is no room: below a file.
NO_ROOM = {
    "edge-runtime collect": ["--label", "mug", "--camera", "demo", "--count", "1", "--out", "@.jpg/x"],
    "edge-runtime run": ["--camera", "demo", "--frames", "1", "--log-file", "@.jpg/x"],
    "python -m train": ["--out", "@.jpg/x"],
    "python -m convert.compare": ["@", "--out", "@.jpg/x.html"],
    "python -m convert.sign": ["--make-keys", "@.jpg/x"],
}
# They say nothing on stderr but errors, or, as sort does, the one thing that is needed.
ALWAYS_QUIET = ("edge-runtime completion", "python -m train.sort", "python -m convert.pack", "python -m convert.sign")


def run(command: str, arguments: list[str]) -> int:
    """The exit code of ``command``, in this process."""
    if command == "edge-train":
        return edge_train.main(arguments)
    if command.startswith("edge-runtime "):
        return cli.main([command.split()[1], *arguments])
    return int(importlib.import_module(HOST[command]).main(arguments))


@pytest.mark.parametrize("command", PARSERS)
def test_every_flag_says_what_it_is_for_and_every_command_shows_an_example(command: str) -> None:
    parser = PARSERS[command]
    silent = [action.dest for action in parser._actions if not action.help or action.help is argparse.SUPPRESS]
    assert silent == []
    assert re.search(rf"^ *(example: )?{re.escape(command)}", parser.epilog or "", re.MULTILINE)


@pytest.mark.parametrize("command", [*PARSERS, "edge-train"])
def test_a_flag_that_is_unknown_ends_with_2_and_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, ["docs"] * (command == "edge-train") + ["--no-such-flag"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", READS)
def test_an_input_that_is_missing_ends_with_66_and_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, READS[command]) == 66
    assert Path(ABSENT).name in capsys.readouterr().err


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    """A path: with these suffixes a damaged file, without one a folder that holds nothing of use."""
    path = tmp_path / "damaged"
    path.mkdir()
    (path / "notes.txt").write_text("nothing")
    for suffix in (".jpg", ".tflite", ".keras"):
        path.with_suffix(suffix).write_bytes(b"damaged" * 40)
    return str(path)


@pytest.mark.parametrize("command", DAMAGED)
def test_an_input_that_is_damaged_ends_with_65_and_is_named(
    command: str, damaged: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGE_RUNTIME_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("edge_runtime.model.signatures.ALL_USERS_KEYS", tmp_path / "keys")
    assert run(command, [word.replace("@", damaged) for word in DAMAGED[command]]) == 65
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize("command", OCCUPIED)
def test_a_file_is_not_overwritten_unasked_and_the_code_is_2(
    command: str, damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(f"{damaged}.tflite").read_bytes()
    assert run(command, [word.replace("@", damaged) for word in OCCUPIED[command]]) == 2
    assert "damaged" in capsys.readouterr().err
    assert Path(f"{damaged}.tflite").read_bytes() == before


@pytest.mark.parametrize("command", NO_ROOM)
def test_an_output_that_cannot_be_written_ends_with_73(
    command: str, damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, [word.replace("@", damaged) for word in NO_ROOM[command]]) == 73
    assert "damaged.jpg" in capsys.readouterr().err


def test_the_table_of_exit_codes_has_those_of_every_error_and_no_other() -> None:
    tree = [errors.EdgeRuntimeError]
    for kind in tree:
        tree += kind.__subclasses__()
    assert set(EXIT_CODES) == {0, 130} | {kind.exit_code for kind in tree}
    page = (Path(__file__).parents[1] / "docs/command-line.md").read_text("utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == list(EXIT_CODES)


@pytest.mark.parametrize("command", [command for command in PARSERS if command not in ALWAYS_QUIET])
def test_quiet_has_one_spelling(command: str) -> None:
    flags = {name for action in PARSERS[command]._actions for name in action.option_strings}
    assert flags & {"--quiet", "--silent", "-q", "--no-progress"} == {"--quiet"}


def run_apart(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own: what native libraries write counts as well."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "words",
    ["run --camera demo --frames 3", "classify --demo", "selftest", "info", "trust", "bench --runs 2 --threads 1"],
)
def test_a_quiet_verb_says_its_results_and_nothing_else(words: str, tmp_path: Path) -> None:
    done = run_apart(["edge_runtime", *words.split(), "--quiet"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout or words == "trust"


def test_a_quiet_verb_still_says_what_is_wrong(damaged: str, tmp_path: Path) -> None:
    done = run_apart(["edge_runtime", "classify", "--quiet", f"{damaged}.jpg"], tmp_path)
    assert done.returncode == 65
    assert done.stderr.count("\n") == 1 and "damaged.jpg" in done.stderr


@pytest.mark.slow
@pytest.mark.tensorflow
def test_quiet_training_and_conversion_say_their_results_and_errors_alone(tmp_path: Path) -> None:
    flags = "--data cifar10-mini --model seed_cnn --size 16 --epochs 1 --out run --quiet"
    done = run_apart(["train", *flags.split()], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy" in done.stdout
    done = run_apart(["train", *flags.split()], tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    done = run_apart(["convert", "run", "--out", "x.tflite", "--max-drop", "100", "--quiet"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "written" in done.stdout

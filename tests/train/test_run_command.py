"""However a command of training ends, its last words are one line and its exit code says why."""

from __future__ import annotations

from pathlib import Path
from subprocess import run

import pytest

from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.system.command import run_command


def end_with(ending: BaseException | int | None) -> int | None:
    if isinstance(ending, BaseException):
        raise ending
    return ending


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (None, 0, ""),
        (3, 3, ""),
        (DataError("The file is odd."), 65, "error: The file is odd.\n"),
        (MissingInputError("There is no file."), 66, "error: There is no file.\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted, go on with --resume\n"),
    ],
)
def test_an_ending_is_one_line_and_its_exit_code(
    ending: BaseException | int | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(lambda: end_with(ending), "interrupted, go on with --resume") == code
    assert capsys.readouterr() == ("", said)


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: end_with(ZeroDivisionError()))


@pytest.mark.parametrize("module", ["train.__main__", "train.prune", "train.models.__main__", "train.search.__main__"])
def test_every_command_ends_so(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    command = importlib.import_module(module)
    work = {"train.__main__": "train", "train.prune": "prune", "train.models.__main__": "write_untrained"}
    flags = {
        "train.__main__": ["--out", "x"],
        "train.prune": ["x", "--sparsity", "50", "--out", "y"],
        "train.models.__main__": ["x", "--size", "8", "--classes", "2", "--out", "y"],
        "train.search.__main__": [],
    }

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, work.get(module, "run"), interrupt)
    assert command.main(flags[module]) == 130
    assert capsys.readouterr().err.strip().startswith("interrupted")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--out", "x"], "interrupted; the same command with --resume continues after the last finished epoch"),
        (["--out", "x", "--resume"], "interrupted; the same command continues after the last finished epoch"),
    ],
)
def test_an_interrupted_training_says_what_goes_on_with_it(
    flags: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from train import __main__ as command

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "train", interrupt)
    assert command.main(flags) == 130
    assert capsys.readouterr().err.strip() == said


def test_make_goes_on_with_a_training_by_itself_unless_told_to_start_again() -> None:
    root = Path(__file__).parents[2]

    def line(*given: str) -> str:
        make = ["make", "--dry-run", "--no-print-directory", "train", "DATA=photos", *given]
        return run(make, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()[-1]

    assert "--resume" in line()
    assert "--resume" not in line("TRAIN_FLAGS=--force --epochs 2") and "--force" in line("TRAIN_FLAGS=--force")

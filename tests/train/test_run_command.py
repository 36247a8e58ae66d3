"""However a command of training ends, its last words are one line and its exit code says why."""

from __future__ import annotations

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

"""The completion that is printed completes in Bash; every verb and flag is in the scripts of all shells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.cli.completion import SHELLS, collect_flags, write_script


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "edge-runtime.bash"
    path.write_text(write_script("bash", collect_flags()), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["edge-runtime", "cla"], ["classify"]),
        (["edge-runtime", "ro"], ["rollback"]),
        (["edge-runtime", "classify", "--top"], ["--top-k"]),
        (["edge-runtime", "run", "--camera-p"], ["--camera-password-file"]),
        (["edge-runtime", "run", "--backend", ""], ["auto", "litert", "tflite"]),
        (["edge-runtime", "run", "--backend", "t"], ["tflite"]),
        (["edge-runtime", "classify", "photo"], []),
        (["edge-runtime", "nothing", "--x"], []),
    ],
)
def test_bash_completes_verbs_flags_and_values(words: list[str], completed: list[str], bash_script: Path) -> None:
    quoted = " ".join(f"'{word}'" for word in words)
    program = f"""set -eu; source '{bash_script}'
COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMPREPLY=()
_edge_runtime || true
printf '%s\\n' "${{COMPREPLY[@]-}}"; complete -p edge-runtime"""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *found, registered = done.stdout.splitlines()
    assert [word for word in found if word] == completed
    assert registered == "complete -o default -F _edge_runtime edge-runtime"


@pytest.mark.parametrize("shell", SHELLS)
def test_every_verb_and_flag_is_in_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    out = capsys.readouterr().out
    flags = collect_flags()
    assert list(flags) == list(cli.VERBS)
    assert len(flags["run"]) > 20
    for verb, known in flags.items():
        for flag in known:
            assert (f"from {verb}' -l {flag.name[2:]}" if shell == "fish" else f"{flag.name}") in out
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=out, text=True, check=True)


def test_another_shell_is_refused_with_what_was_probably_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "bahs"]) == 2
    assert "invalid choice: 'bahs'" in capsys.readouterr().err

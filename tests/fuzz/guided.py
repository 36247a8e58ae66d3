"""Runs each harness guided by coverage, where atheris is installed (it is no part of the environment): a byte string
stays in the corpus when it reaches a line that no other did.

    pip install atheris && python -m tests.fuzz.guided --seconds 60

A find is kept as a file in ``build/fuzz``; ``--harness NAME --repeat FILE`` runs it again.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODULES = ("test_images", "test_model_files", "test_network_answers", "test_settings")
_NUM_BEGINNINGS, _MOST_BYTES = 50, 4096


def list_harnesses() -> dict[str, Callable[[bytes], Any]]:
    """What takes bytes and feeds a harness with what hypothesis makes of them, by its name; none that needs fixtures."""
    found = {}
    for name in MODULES:
        for each, harness in vars(importlib.import_module(f"tests.fuzz.{name}")).items():
            if (
                each.startswith("test_")
                and hasattr(harness, "hypothesis")
                and not inspect.signature(harness).parameters
            ):
                found[each] = harness.hypothesis.fuzz_one_input
    return found


def main() -> int:
    """Runs all harnesses, one process each; 0, or the exit code of the first that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each harness (default 60)")
    parser.add_argument("--harness", help="only this one, as test_a_jpeg")
    parser.add_argument("--repeat", type=Path, help="the file of a find")
    parser.add_argument("--be-guided", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.be_guided:
        return _fuzz(flags.harness, flags.seconds)
    harnesses = list_harnesses()
    if flags.repeat:
        harnesses[flags.harness](flags.repeat.read_bytes())
        return 0
    for name in [flags.harness] if flags.harness else harnesses:
        print(f"{name}: {flags.seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.guided", "--be-guided", "--harness", name]
        if ended := subprocess.run([*command, "--seconds", str(flags.seconds)], cwd=ROOT).returncode:
            print(f"{name} failed; its example is the newest file in build/fuzz.", file=sys.stderr)
            return ended
    return 0


def _fuzz(name: str, seconds: int) -> int:
    try:
        import atheris
    except ImportError:
        print("Guided fuzzing needs atheris, which is not installed; `make fuzz` needs nothing.", file=sys.stderr)
        return 69
    with atheris.instrument_imports(include=["edge_runtime"]):
        harness = list_harnesses()[name]
    corpus = ROOT / "build" / "fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(_NUM_BEGINNINGS):  # what hypothesis draws from: short ones run dry before they make anything
        (corpus / f"beginning-{number}").write_bytes(random.Random(number).randbytes(_MOST_BYTES // 2))
    options = ["-len_control=0", f"-max_len={_MOST_BYTES}", f"-max_total_time={seconds}"]
    options += [f"-artifact_prefix={corpus.parent}/", "-print_final_stats=1"]
    atheris.Setup([name, *options, str(corpus)], harness)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())

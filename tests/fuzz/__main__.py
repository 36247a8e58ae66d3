"""Runs the harnesses on random examples until the time is over or one fails: ``python -m tests.fuzz --minutes 60``."""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

# So many a harness and round: a round takes a minute or two.
_EXAMPLES = 500


def main() -> int:
    """0 when the time is over, else what pytest ended with."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long new rounds begin (default 60)")
    end_s = time.monotonic() + 60 * parser.parse_args().minutes
    num_rounds = 0
    while num_rounds == 0 or time.monotonic() < end_s:
        num_rounds += 1
        seed = secrets.randbits(32)
        command = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).parent), f"--hypothesis-seed={seed}"]
        print(f"round {num_rounds}: seed {seed}, {_EXAMPLES} examples a harness", flush=True)
        ended = subprocess.run(command, env={**os.environ, "FUZZ_EXAMPLES": str(_EXAMPLES)}).returncode
        if ended:
            print(f"Round {num_rounds} failed. Again: FUZZ_EXAMPLES={_EXAMPLES} {' '.join(command)}", file=sys.stderr)
            return ended
    return 0


if __name__ == "__main__":
    sys.exit(main())

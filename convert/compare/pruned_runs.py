"""Gets pruned and fine-tuned copies of a run by running `python -m train.prune`, while this process converts."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from convert.output.progress import stage

ROOT = Path(__file__).resolve().parents[2]


class Pruning:
    """Starts at once, one copy after the other; `wait` waits for it. An existing copy is requested again: `train.prune`
    decides whether it still belongs to the run.
    """

    def __init__(
        self, run: Path, folder: Path, percents: Sequence[int], epochs: int, data_path: Path | None = None
    ) -> None:
        self._jobs = {percent: folder / f"{run.name}-pruned{percent}" for percent in percents}
        self._run, self._epochs, self._data_path = run, epochs, data_path
        self._errors: dict[int, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="pruning", daemon=True)
        self._thread.start()

    def wait(self) -> dict[int, Path | str]:
        """The run directory for each percentage, or the reason why there is none."""
        if self._thread.is_alive():
            stage("Waiting for the pruned copies")
        self._thread.join()
        return {percent: self._errors.get(percent, path) for percent, path in self._jobs.items()}

    def stop(self) -> None:
        """Ends processes that are still running."""
        self._stopped = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def _work(self) -> None:
        for percent, path in self._jobs.items():
            if self._stopped:
                return
            command = [sys.executable, "-m", "train.prune", str(self._run.resolve()), "--sparsity", str(percent)]
            command += ["--epochs", str(self._epochs), "--out", str(path.resolve()), "--reuse"]
            if self._data_path is not None:
                command += ["--data-path", str(self._data_path.resolve())]
            self._process = subprocess.Popen(
                command, cwd=ROOT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            said = self._process.communicate()[1]
            if self._process.returncode != 0:
                last = [line for line in said.splitlines() if line.strip()][-1:]
                self._errors[percent] = f"python -m train.prune failed: {last[0] if last else 'it said nothing'}"

"""The curves of a training run in progress: a line of CSV after each epoch, and TensorBoard event files.

A file that cannot be written is left out with a warning: no curve is worth losing a training run.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any


class Curves:
    """Writes each row of the history into ``table``, a CSV file, and into ``board``, a folder for TensorBoard; either
    may be None. A resumed training run appends.
    """

    def __init__(self, table: str | Path | None, board: str | Path | None = None) -> None:
        self.table = None if table is None else Path(table)
        self.board = None if board is None else Path(board)
        self._columns: list[str] = []
        self._writer: Any = None

    def add(self, row: dict[str, float]) -> str:
        """Writes one row; returns a sentence about what could not be written, "" when everything was."""
        try:
            if self.table is not None:
                self._add_line(self.table, row)
        except OSError as error:
            failed, self.table = self.table, None
            return f"warning: {failed} cannot be written ({error.strerror}); training continues without it."
        try:
            if self.board is not None:
                self._add_event(self.board, row)
        except Exception as error:  # TensorFlow's own kinds
            board, self.board = self.board, None
            return f"warning: nothing can be written into {board} ({str(error)[:100]}); training continues without it."
        return ""

    def _add_line(self, table: Path, row: dict[str, float]) -> None:
        if not self._columns:
            table.parent.mkdir(parents=True, exist_ok=True)
            if table.is_file() and table.stat().st_size:
                with table.open(encoding="utf-8", newline="") as file:
                    self._columns = next(csv.reader(file))
            else:
                self._columns = list(row)
                _append(table, self._columns)
        # Each line is written in one piece, since the file is read while training runs.
        _append(table, [row.get(column, "") for column in self._columns])

    def _add_event(self, board: Path, row: dict[str, float]) -> None:
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(board))
        kind = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})
        step = int(row.get("epoch", row.get("round", 0)))
        with self._writer.as_default():
            for name, value in row.items():
                if name not in ("epoch", "round") and math.isfinite(value):
                    tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=kind)
        self._writer.flush()


def _append(table: Path, values: list[Any]) -> None:
    with table.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(values)

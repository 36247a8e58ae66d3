"""What makes a folder unusable, gathered so that one run names every fault: nobody wants one fault per run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_runtime.errors import DataError

MAX_LISTED = 10


class Faults:
    """Sentences about what has to be fixed in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Records one fault; it must say what was found, what was expected and what to do."""
        self.sentences.append(sentence)

    def expect_none(self, files: Sequence[object], fault: str, expected: str) -> None:
        """Records a fault that names ``files``, unless there are none."""
        if files:
            self.add(f"{len(files)} file(s) {fault}: {list_names(files)}. Expected {expected}.")

    def refuse(self) -> None:
        """Raises DataError with every fault; returns when there are none."""
        if len(self.sentences) == 1:
            raise DataError(self.sentences[0])
        if self.sentences:
            found = "\n".join(f"  - {sentence}" for sentence in self.sentences)
            raise DataError(f"{self.folder} has {len(self.sentences)} faults; fix them and start again:\n{found}")


def list_names(files: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    names = [str(file) for file in files]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more

"""The runs of a candidate: which go on, and how the others ended. A run that ends well leaves nothing.

    STORE/runs/MODEL-BOOT-NUMBER.begun      an empty file that its run holds locked, from its start on
    STORE/runs/MODEL-BOOT-NUMBER.labelled   the same file, once the model gave a label

A file that nobody holds is of a run that did not end well. In the boot that goes on, it failed. In an earlier one the
whole machine ended, as when somebody pulls the plug: no fault of a model that had labelled, and unclear of one that had
yet to. Unclear ends stay on file until the model labels.
"""

from __future__ import annotations

import contextlib
import enum
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import OutputError
from edge_runtime.store.ownership import expect_own_folder, give_to_owner_of
from edge_runtime.system.durable import UNFINISHED, sync_folder, write_durably
from edge_runtime.system.shared_file import try_lock

FOLDER = "runs"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RUN = re.compile(r"([0-9a-f]{64})-([0-9a-f]{32})-[0-9a-f]{8}\.(begun|labelled)")
_UNFINISHED_RUN = re.compile(re.escape(UNFINISHED) + _RUN.pattern + "-[0-9]+")


def boot_id() -> str:
    """32 hexadecimal digits that the kernel draws at each boot; zeros where it does not say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return "0" * 32


class End(enum.Enum):
    """How a run ended that left a file: not yet, by itself, or with the machine after or before its first label."""

    NONE = enum.auto()
    FAILURE = enum.auto()
    CUT_OFF = enum.auto()
    UNCLEAR = enum.auto()


class OpenRun:
    """A run of ``model`` in the store ``folder`` that has begun; as long as this process lives, it goes on.

    Raises:
        OutputError: it cannot be noted.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self.model = model
        self._path = folder / FOLDER / f"{model}-{boot_id()}-{secrets.token_hex(4)}.begun"
        try:
            self._path.parent.mkdir(exist_ok=True)
            expect_own_folder(self._path.parent)
            give_to_owner_of(folder, self._path.parent)
            write_durably(self._path, b"")
            self._lock = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"{self._path} cannot be made ({error.strerror}); check space and rights.") from error
        try_lock(self._lock)

    def note_label(self) -> None:
        """The model gave a label; this survives a power cut. Raises OSError when it cannot be noted."""
        if self._path.suffix != ".begun":
            return
        self._path = self._path.rename(self._path.with_suffix(".labelled"))
        for run in _runs(self._path.parents[1]):
            if run.model == self.model and run.end is End.UNCLEAR:
                run.path.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def end(self) -> None:
        """It ended well. Raises OSError when that cannot be noted."""
        try:
            self._path.unlink(missing_ok=True)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """From now on this run counts as one that ended otherwise, as it does when its process dies."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


@dataclass(frozen=True)
class RunCount:
    """How many runs of a model go on, failed, and ended with the machine before its first label."""

    num_open: int
    num_failed: int
    num_unclear: int


def count_runs(folder: Path, model: str) -> RunCount:
    """What is known of the runs of ``model`` that `settle_runs` has not settled."""
    ends = [run.end for run in _runs(folder) if run.model == model]
    return RunCount(ends.count(End.NONE), ends.count(End.FAILURE), ends.count(End.UNCLEAR))


def settle_runs(folder: Path, model: str) -> int:
    """How many runs of ``model`` failed since this was asked last; what is settled is removed.

    Call it while nobody else changes the store, or a run that is just beginning counts as ended.
    """
    num_failed = count_runs(folder, model).num_failed
    with contextlib.suppress(OSError):
        for run in _runs(folder):
            if run.end in (End.FAILURE, End.CUT_OFF) or (run.model != model and run.end is End.UNCLEAR):
                run.path.unlink(missing_ok=True)
        for path in (folder / FOLDER).iterdir():
            if _UNFINISHED_RUN.fullmatch(path.name):
                path.unlink()
    return num_failed


@dataclass(frozen=True)
class _Run:
    path: Path
    model: str
    end: End


def _runs(folder: Path) -> list[_Run]:
    """Every run that began and did not end well so far; by exact names, for other files are not ours."""
    found, this_boot = [], boot_id()
    try:
        paths = sorted((folder / FOLDER).iterdir())
    except OSError:
        return []
    for path in paths:
        if (name := _RUN.fullmatch(path.name)) is not None:
            model, boot, how_far = name.groups()
            with contextlib.suppress(OSError):  # it ended just now
                if _is_locked(path):
                    end = End.NONE
                elif boot == this_boot:
                    end = End.FAILURE
                else:
                    end = End.CUT_OFF if how_far == "labelled" else End.UNCLEAR
                found.append(_Run(path, model, end))
    return found


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)

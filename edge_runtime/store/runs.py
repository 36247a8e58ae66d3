"""The runs of a candidate: which are still going, and how the others ended. A run that ends well leaves nothing.

    STORE/runs/MODEL-BOOT-NUMBER.begun      an empty file that the run keeps locked from its start
    STORE/runs/MODEL-BOOT-NUMBER.labelled   the same file, once the model has given a label

A file that nobody holds locked belongs to a run that did not end well. If it is from the current boot, the run failed.
If it is from an earlier one, the whole machine went down, as when somebody pulls the plug: not the model's fault if it
had given a label, unclear if it had not. Unclear ends stay on record until the model gives a label.
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
    """32 hexadecimal digits that the kernel draws at each boot; zeros if they cannot be read."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return "0" * 32


class End(enum.Enum):
    """How a run that left a file ended: not yet, by its own failure, or with the machine after or before its first
    label.
    """

    NONE = enum.auto()
    FAILURE = enum.auto()
    CUT_OFF = enum.auto()
    UNCLEAR = enum.auto()


class OpenRun:
    """A run of ``model``, from the store in ``folder``, that has begun and goes on as long as this process lives.

    Raises:
        OutputError: it cannot be recorded.
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
            raise OutputError(
                f"{self._path} cannot be created ({error.strerror}); check space and permissions."
            ) from error
        try_lock(self._lock)

    def note_label(self) -> None:
        """Records durably that the model has given a label; OSError if it cannot be recorded."""
        if self._path.suffix != ".begun":
            return
        self._path = self._path.rename(self._path.with_suffix(".labelled"))
        for run in _runs(self._path.parents[1]):
            if run.model == self.model and run.end is End.UNCLEAR:
                run.path.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def end(self) -> None:
        """Records that the run ended well; OSError if it cannot be recorded."""
        try:
            self._path.unlink(missing_ok=True)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """From now on this run counts as one that did not end well, as it does when its process dies."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


@dataclass(frozen=True)
class RunCount:
    """How many runs of a model are still going, have failed, and ended with the machine before the first label."""

    num_open: int
    num_failed: int
    num_unclear: int


def count_runs(folder: Path, model: str) -> RunCount:
    """The runs of ``model`` that `settle_runs` has not yet settled."""
    ends = [run.end for run in _runs(folder) if run.model == model]
    return RunCount(ends.count(End.NONE), ends.count(End.FAILURE), ends.count(End.UNCLEAR))


def settle_runs(folder: Path, model: str) -> int:
    """How many runs of ``model`` have failed since the last call; settled runs are removed.

    Call it while holding the store's lock, or a run that is just beginning may count as ended.
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
    """Every run that has begun and not ended well; by exact names, because other files belong to someone else."""
    found, this_boot = [], boot_id()
    try:
        paths = sorted((folder / FOLDER).iterdir())
    except OSError:
        return []
    for path in paths:
        if (name := _RUN.fullmatch(path.name)) is not None:
            model, boot, how_far = name.groups()
            with contextlib.suppress(OSError):  # it has just ended
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

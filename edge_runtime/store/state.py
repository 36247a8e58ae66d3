"""What the files of a store say: which model is in use, and the lowest version that may be installed."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.errors import ModelError
from edge_runtime.system.guarded_read import read_plain

VERSION = 1
SHIPPED = "shipped"
# Far more than a few dozen refused models need.
MAX_STATE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StoreState:
    """``history`` names models by SHA-256, oldest first; the last one is in use; "shipped" is the package's own.

    ``probation`` says that the one in use is a candidate that has yet to pass its health check; ``failed_starts`` is
    how many of its runs ended badly, as far as a later run has seen. ``refused`` gives the reason why a model must not
    be installed again. ``floor`` is the lowest version of a signed model that may be installed: the highest version
    ever installed.
    """

    version: int = VERSION
    history: tuple[str, ...] = (SHIPPED,)
    probation: bool = False
    failed_starts: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    floor: int = 0

    @property
    def current(self) -> str:
        """The SHA-256 of the model in use, or "shipped"."""
        return self.history[-1]

    def to_json(self) -> bytes:
        """The content of ``state.json``, as `read_state` reads it."""
        return f"{json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True)}\n".encode()


def read_state(path: Path) -> StoreState:
    """The state in ``path``; without that file the shipped model is in use. Raises ModelError if it is damaged."""
    content = _read(path)
    return StoreState() if content is None else _parse(content, path)


def read_floor(path: Path) -> int:
    """The lowest version that may be installed, 0 without ``path``; ModelError if ``path`` is damaged."""
    content = _read(path)
    if content is None:
        return 0
    if not re.fullmatch(rb"[0-9]{1,19}\n?", content):
        raise ModelError(
            f"{path} is damaged, expected a number, the lowest version that may be installed. Write "
            "the version of your newest model into it."
        )
    return int(content)


def _parse(content: bytes, path: Path) -> StoreState:
    try:
        value: Any = json.loads(content)
        state = StoreState(**{**value, "history": tuple(value["history"])})
        sound = (
            state.version == VERSION
            and len(state.history) > 0
            and all(name == SHIPPED or re.fullmatch(r"[0-9a-f]{64}", name) for name in state.history)
            and isinstance(state.refused, dict)
            and all(isinstance(reason, str) for reason in state.refused.values())
            and all(isinstance(number, int) for number in (state.probation, state.failed_starts, state.floor))
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise ModelError(
            f"{path} is damaged or from another version of edge-runtime; expected what install writes (version "
            f"{VERSION}). Remove it and install the model again."
        )
    return state


def _read(path: Path) -> bytes | None:
    """The bytes of a file of the store, None if it does not exist; ModelError if it cannot be read."""
    try:
        return read_plain(path, MAX_STATE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); check its permissions, and who put it there."
        ) from error

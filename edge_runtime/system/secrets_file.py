"""Reads passwords from a file or the environment: on a command line every process list would show them."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.errors import ConfigurationError, MissingInputError


def read_password(path: str | None, argument: str, variable: str) -> str | None:
    """The one line in ``path``, which ``argument`` named, else the value of ``variable``; None if there is neither.

    Raises:
        MissingInputError: there is no such file.
        ConfigurationError: it cannot be read or is not text.
    """
    if path is None:
        return os.environ.get(variable) or None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no password file {path}; check `{argument}`.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The password file {path} cannot be read ({error}); expected one line.") from error

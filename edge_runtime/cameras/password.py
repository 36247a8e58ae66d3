"""A network camera's password from a file or the environment: on a command line every process list shows it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from edge_runtime.cameras.address import parse_camera, redact
from edge_runtime.errors import ConfigurationError, MissingInputError

PASSWORD_VARIABLE = "EDGE_RUNTIME_CAMERA_PASSWORD"


def with_password(camera: str, password_file: str | None) -> str:
    """``camera`` with the password of ``password_file``, else of EDGE_RUNTIME_CAMERA_PASSWORD, behind its user's name.

    Raises:
        ConfigurationError: there is no user that it could belong to, or a password already, or the file is unreadable.
        MissingInputError: there is no such file.
    """
    password = _password(password_file)
    is_network = parse_camera(camera).kind in ("http", "rtsp")
    if password is None or (not is_network and password_file is None):
        return camera
    parts = urlsplit(camera)
    if not is_network or not parts.username or parts.password is not None:
        raise ConfigurationError(
            f"There is a camera password, but the address {redact(camera)} has "
            f"{'one already' if parts.password is not None else 'no user'}; expected a form like rtsp://user@host/path."
        )
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def _password(path: str | None) -> str | None:
    if path is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no password file {path}; check --camera-password-file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The password file {path} cannot be read ({error}); expected one line.") from error

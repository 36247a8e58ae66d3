"""Puts a network camera's password into its address, where FFmpeg and HTTP look for it."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from edge_runtime.cameras.address import parse_camera
from edge_runtime.errors import ConfigurationError
from edge_runtime.system.redact import redact
from edge_runtime.system.secrets_file import read_password

PASSWORD_VARIABLE = "EDGE_RUNTIME_CAMERA_PASSWORD"


def add_password(camera: str, camera_password_file: str | None) -> str:
    """``camera`` with the password from ``camera_password_file``, or else from EDGE_RUNTIME_CAMERA_PASSWORD, added
    after the user's name.

    Raises:
        ConfigurationError: the address names no user or already has a password, or the file is unreadable.
        MissingInputError: there is no such file.
    """
    password = read_password(camera_password_file, "camera_password_file", PASSWORD_VARIABLE)
    is_network = parse_camera(camera).kind in ("http", "rtsp")
    if password is None or (not is_network and camera_password_file is None):
        return camera
    parts = urlsplit(camera)
    if not is_network or not parts.username or parts.password is not None:
        raise ConfigurationError(
            f"There is a camera password, but the address {redact(camera)} has "
            f"{'one already' if parts.password is not None else 'no user'}; expected a form like rtsp://user@host/path."
        )
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))

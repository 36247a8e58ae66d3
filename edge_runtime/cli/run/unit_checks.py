"""Whether the flags of ``run`` can work in the unit that `systemd_unit` writes: their values, and their paths as the
service will see them.

It starts in STATE_FOLDER, may write nowhere else, and sees neither home folders nor this user's /tmp.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from urllib.parse import urlsplit

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cli.flags import read_region_flag, read_stated_flags, read_threshold_flags
from edge_runtime.cli.run.outputs import refuse_lone_flags
from edge_runtime.cli.run.settings import read_settings
from edge_runtime.errors import ConfigurationError, MissingInputError, UsageError
from edge_runtime.outputs.mqtt.config import parse_mqtt
from edge_runtime.outputs.web.config import WebConfig, parse_web_address
from edge_runtime.store.naming import find_model

STATE_FOLDER = "/var/lib/edge-runtime"
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
READ = ("labels", "camera_password_file", "camera_ca", "web_token_file", "mqtt_password_file", "mqtt_ca")
WRITTEN = ("log_file", "save_uncertain", "save_changes", "save_differences")


def check_unit_flags(flags: Namespace) -> None:
    """Raises the error with which a run with ``flags`` would end at once, and for paths the service cannot use.

    Raises:
        UsageError, MissingInputError, ConfigurationError: a value or a path cannot work.
    """
    refuse_lone_flags(flags)
    paths = [(name, Path(getattr(flags, name))) for name in READ if getattr(flags, name)]
    paths += [(name, find_model(getattr(flags, name))) for name in ("model", "shadow") if getattr(flags, name)]
    for name, path in paths:
        _check_read(name, path)
    _expect_no_password(flags.camera)
    settings = read_settings(flags, flags.camera)
    if not settings.camera.live:
        _check_read("camera", Path(settings.camera.value))
    everywhere, by_label = read_threshold_flags(flags)
    for value in (everywhere or 0.0, *by_label.values()):
        if not 0 <= value <= 1:
            raise UsageError(f"`threshold` is {value:g}, expected a probability in [0, 1].")
    read_region_flag(flags)
    read_stated_flags(flags)
    if flags.web is not None:
        # Whoever writes the unit need not be able to read the token.
        WebConfig(*parse_web_address(flags.web), "of its file" if flags.web_token_file else None, ())
    if flags.mqtt:
        parse_mqtt(flags.mqtt, None, flags.mqtt_ca, settings.camera.shown, flags.camera)
    for name in WRITTEN:
        if getattr(flags, name):
            _check_written(name, getattr(flags, name))


def _expect_no_password(camera: str) -> None:
    """Raises ConfigurationError when a password would be in the unit, which every user of the device may read."""
    address = parse_camera(camera)
    if address.kind not in ("http", "rtsp"):
        return
    parts = urlsplit(address.value)
    if parts.password:
        raise ConfigurationError(
            f"`camera` has a password in it ({address.shown}), and every user of the device may read a unit; expected "
            "only the user there, and the password in the file that `camera_password_file` names."
        )
    if parts.query or "=" in parts.path:
        print(
            "edge-runtime: note: every user of the device may read this unit. If there is a password in the camera's "
            "address, see whether the camera takes it as that of a user: rtsp://user@host with --camera-password-file.",
            file=sys.stderr,
        )


def _check_read(name: str, path: Path) -> None:
    whole = Path(os.path.abspath(path))
    if not os.path.lexists(whole):
        raise MissingInputError(f"`{name}` names {path}, and there is no such file; check the path.")
    if hidden := _is_hidden(whole):
        raise ConfigurationError(
            f"`{name}` names {path}, which the service cannot see: it has no {hidden}. Copy it to {STATE_FOLDER} or "
            "/etc, and name it there."
        )
    if not path.is_absolute():
        raise ConfigurationError(
            f"`{name}` names {path}, but the service starts in {STATE_FOLDER}; expected the whole path, {whole}."
        )


def _check_written(name: str, text: str) -> None:
    whole = Path(os.path.normpath(os.path.join(STATE_FOLDER, text.replace("~", STATE_FOLDER, text.startswith("~")))))
    if not whole.is_relative_to(STATE_FOLDER):
        raise ConfigurationError(
            f"`{name}` names {text}, but the service may write below {STATE_FOLDER} only; expected a path there, or "
            f"one that begins with no slash, such as {whole.name}."
        )


def _is_hidden(path: Path) -> str:
    """The folder hidden from the service in which ``path`` lies, with links followed; empty when it is visible."""
    places = (path, Path(os.path.realpath(path)))
    return next((folder for folder in HIDDEN if any(place.is_relative_to(folder) for place in places)), "")

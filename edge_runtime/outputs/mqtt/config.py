"""Reads an address such as mqtts://pi@broker.lan once into a value; standard library only."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_runtime.errors import ConfigurationError, MissingInputError, UsageError
from edge_runtime.system.secrets_file import read_password

PASSWORD_VARIABLE = "EDGE_RUNTIME_MQTT_PASSWORD"
PORTS = {"mqtt": 1883, "mqtts": 8883}
FORMS = "mqtts://[USER@]HOST[:PORT][/PREFIX]"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MqttConfig:
    """A broker and the topic ``prefix`` below which everything is published. With ``tls`` the certificate and the host
    name are always checked; ``ca_file`` None means the system's authorities.
    """

    host: str
    port: int
    tls: bool
    prefix: str
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None

    @property
    def shown(self) -> str:
        """The broker's address for logs and messages, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def topic(self, name: str) -> str:
        """The topic ``name`` below the prefix."""
        return f"{self.prefix}/{name}"


def parse_mqtt(
    mqtt: str,
    mqtt_password_file: str | None = None,
    mqtt_ca: str | None = None,
    camera: str = "",
    camera_address: str = "",
) -> MqttConfig:
    """The broker at the address ``mqtt``; ``mqtt_ca`` is the file of its authority, and the password comes from the
    file, else from EDGE_RUNTIME_MQTT_PASSWORD. Without a prefix in the address, one is made of this machine and the
    ``camera`` (its shown address; ``camera_address`` is the whole one), so that no two runs share it.

    Raises:
        UsageError: the address is malformed.
        MissingInputError: no such password or authority file.
        ConfigurationError: settings that cannot work together, or a password where others can read it.
    """
    try:
        parts = urlsplit(mqtt)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"`mqtt` has a port that is no number from 0 to 65535, expected {FORMS}.") from error
    if parts.password is not None:
        raise ConfigurationError(
            "The password stands in `mqtt`, where every process list shows it; put it into a file for "
            f"`mqtt_password_file`, or into {PASSWORD_VARIABLE}."
        )
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"`mqtt` is {mqtt!r}, expected {FORMS}.")
    prefix = unquote(parts.path).strip("/") or default_prefix(camera, camera_address)
    if re.search(r"[+#\0]|//", prefix) or len(prefix.encode()) > 200:
        raise UsageError(f"The MQTT prefix is {prefix!r}, expected topic levels without + and #, such as home/door.")
    if mqtt_ca is not None and parts.scheme != "mqtts":
        raise ConfigurationError("`mqtt_ca` is for mqtts://, but the address says mqtt://, which checks nothing.")
    if mqtt_ca is not None and not Path(mqtt_ca).is_file():
        raise MissingInputError(f"There is no certificate file {mqtt_ca}; check `mqtt_ca`.")
    user = unquote(parts.username) if parts.username else None
    password = read_password(mqtt_password_file, "mqtt_password_file", PASSWORD_VARIABLE)
    if password is not None and user is None:
        raise ConfigurationError(f"There is an MQTT password but no user; write the user into the address: {FORMS}.")
    if password is not None and parts.scheme == "mqtt" and not _is_loopback(parts.hostname):
        log.warning("mqtt:// sends the password readable over the network to %s; use mqtts://.", parts.hostname)
    return MqttConfig(
        parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts", prefix, user, password, mqtt_ca
    )


def default_prefix(camera: str, camera_address: str = "", root: Path = Path("/")) -> str:
    """``edge-runtime/HOST-MACHINE/CAMERA``; hosts with the same name differ in the machine part, and cameras of the
    same recorder in a part made from the path of ``camera_address``.
    """
    host = socket.gethostname()
    if not camera:
        return f"edge-runtime/{host}"
    words = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[:60] or "camera"
    try:  # its manual says that the number itself should not be published
        machine = (root / "etc/machine-id").read_bytes().strip()
    except OSError:
        return f"edge-runtime/{host}/{words}"
    host += "-" + hashlib.sha256(b"edge-runtime" + machine).hexdigest()[:6]
    path = re.sub(r"^\w+://[^/]*/?", "", camera_address) if "://" in camera_address else ""
    if path:  # it may hold a password: without the machine's number nobody can test guesses against this
        words += "-" + hashlib.sha256(b"camera" + machine + path.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"edge-runtime/{host}/{words}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

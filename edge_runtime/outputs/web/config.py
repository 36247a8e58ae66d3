"""Where the live page listens and whom it answers; standard library only, so that a wrong flag is reported before
anything loads.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import ConfigurationError, MissingInputError, UsageError

DEFAULT_PORT = 8080
TOKEN_BITS = 128
MIN_TOKEN_LENGTH = 22  # 128 bits in base64; 32 in hexadecimal
NEW_TOKEN = "(umask 077; openssl rand -hex 16 > token)"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebConfig:
    """``host`` is a name or an IP address; ``token`` None means that everyone who can connect may look.

    Raises:
        ConfigurationError: the address can be reached from other machines and there is no token.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    extra_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is None and not self.is_loopback:
            raise ConfigurationError(
                f"The live page would listen on {self.host}, where other machines can reach it, without a token. Write "
                f"one with {NEW_TOKEN} and give it as `web_token_file`, or keep the default address 127.0.0.1."
            )

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can connect."""
        address = _ip_address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    @property
    def url(self) -> str:
        """The page's address for people."""
        address = _ip_address(self.host)
        host = socket.gethostname() if address is not None and address.is_unspecified else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def allows_host(self, header: str) -> bool:
        """True when the ``Host`` header names this machine by one of its allowed names.

        This refuses a page of another site that points its own name here (DNS rebinding). Bare IP addresses cannot be
        pointed elsewhere, so they are allowed wherever other machines may connect at all.
        """
        match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?", header)
        if match is None:
            return False
        name = match.group(1).strip("[]").lower().rstrip(".")
        if name in {"localhost", "127.0.0.1", "::1", self.host.lower(), *(host.lower() for host in self.extra_hosts)}:
            return True
        if self.is_loopback:
            return False
        own = socket.gethostname().lower()
        return name in (own, f"{own.partition('.')[0]}.local") or _ip_address(name) is not None


def parse_web_address(text: str) -> tuple[str, int]:
    """The (host, port) of ``HOST``, ``PORT``, ``HOST:PORT`` or ``[IPv6]:PORT``; empty text means 127.0.0.1:8080.

    Raises:
        UsageError: it is none of these.
    """
    if text.isdecimal():
        host, port = "", text
    elif _ip_address(text.strip("[]")) is not None:
        host, port = text, ""
    else:
        host, _, port = text.rpartition(":") if ":" in text else (text, "", "")
    if not re.fullmatch(r"\[[0-9a-fA-F:.]+\]|[0-9a-fA-F:.]+|[A-Za-z0-9._-]*", host) or not re.fullmatch(r"\d*", port):
        raise UsageError(f"`web` is {text!r}, expected HOST, PORT or HOST:PORT such as 127.0.0.1:8080.")
    if len(port) > 5 or int(port or 0) > 65535:
        raise UsageError(f"`web` has the port {port}, expected 0 to 65535.")
    return host.strip("[]") or "127.0.0.1", int(port or DEFAULT_PORT)


def read_token(path: str) -> str:
    """The token in the file ``path``.

    Raises:
        MissingInputError: there is no such file.
        ConfigurationError: the token could be guessed.
    """
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
        mode = Path(path).stat().st_mode
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no token file {path}; write one with {NEW_TOKEN}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The token file {path} cannot be read ({error}); expected one line of text."
        ) from error
    if len(token) < MIN_TOKEN_LENGTH or not re.fullmatch(r"[!-~]+", token) or len(set(token)) < 6:
        raise ConfigurationError(
            f"The token in {path} has {len(token)} characters, expected at least {MIN_TOKEN_LENGTH} random ones "
            f"without blanks ({TOKEN_BITS} bits); write a new one with {NEW_TOKEN}."
        )
    if mode & 0o004:
        log.warning("The token file %s can be read by every user of this machine; chmod 600 %s.", path, path)
    return token


def parse_web(web: str, web_token_file: str | None, allow_host: Sequence[str]) -> WebConfig:
    """The live page at the address ``web``, for anyone with the token in the file ``web_token_file``; ``allow_host``
    are other names of this machine. Raises what `parse_web_address`, `read_token` and `WebConfig` raise.
    """
    host, port = parse_web_address(web)
    return WebConfig(host, port, read_token(web_token_file) if web_token_file else None, tuple(allow_host))


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None

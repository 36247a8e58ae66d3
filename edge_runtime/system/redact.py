"""Hides passwords in addresses: the one place that knows what may be shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

# Some cameras want their password in the path, as in /user=admin&password=x&channel=1.
SECRETS = re.compile(r"\b(pass|passwd|password|pwd|token|key|secret)=[^&/;]*", re.I)


def redact(address: str) -> str:
    """``address`` with its user name, passwords and query replaced by ``***``; text that is no address is returned
    whole.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return address.partition("://")[0] + "://***"
    if not parts.scheme or not parts.netloc:
        return address
    host = f"[{host}]" if ":" in host else host
    user = "***@" if "@" in parts.netloc else ""
    path = SECRETS.sub(r"\1=***", parts.path)
    return urlunsplit((parts.scheme, f"{user}{host}{port}", path, "***" if parts.query else "", ""))

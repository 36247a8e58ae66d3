"""Installs a model from a file or an address: reads it once, verifies the signature, tries it in a child, then
switches.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from edge_runtime.errors import DataError, EdgeRuntimeError, MissingInputError, ModelError, SignatureError
from edge_runtime.installed.probe import Probe, probe
from edge_runtime.model.model_file import MAX_MODEL_BYTES, read_model
from edge_runtime.model.signatures import list_trusted_keys, require_trusted, split_signature
from edge_runtime.store.state import SHIPPED
from edge_runtime.store.store import Store
from edge_runtime.system.guarded_read import read_at_most
from edge_runtime.system.redact import redact, redact_answer

# Limits for silence, and for the whole time from the first request to the last byte.
FETCH_TIMEOUT_S, FETCH_S = 30.0, 300.0
# Models for small devices have a few megabytes; a larger one can be downloaded first and installed from the file.
MAX_FETCHED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class InstallConfig:
    """``again`` tries a model that was refused before; ``max_latency_ms`` replaces the limit set by the one in use."""

    backend: str = "auto"
    max_latency_ms: float | None = None
    again: bool = False


@dataclass(frozen=True)
class Installed:
    """What was installed: SHA-256 and version (0 if unsigned); ``changed`` is False if it was already in use."""

    model: str
    name: str
    version: int
    changed: bool
    probe: Probe | None


def install(source: str, store: Store, config: InstallConfig) -> Installed:
    """Installs the model at ``source``, a path or an http(s) address.

    Raises:
        MissingInputError: there is no such file, or the address does not answer.
        SignatureError: this device trusts a key and the file is not signed with it, or its version is too old; or the
            device trusts no key and the address is plain http.
        ModelError: the file is damaged, has no contract, fails in the probe, or was refused earlier.
        EdgeRuntimeError: it cannot be written. In every case the model in use is unchanged.
    """
    content = fetch(source)
    name = name_of(source)
    # Before anything parses the file:
    signature = require_trusted(content, name)
    version = signature.version if signature else 0
    model = hashlib.sha256(content).hexdigest()
    state = store.state()
    store.expect_welcome(state, model, version, again=config.again)
    if state.current == model:
        return Installed(model, read_model(content, name).contract.spec.name, version, False, None)
    if signature is None:
        _, claimed = split_signature(content, name)
        version = claimed.version if claimed else 0
    # The package's own model, which nobody chose to install, sets no limit.
    current = None if state.current == SHIPPED else store.current_path()
    in_use = current if current is not None and current.exists() else None
    # This process, which may be root's, does not parse the file before the child has done so.
    tried = probe(content, name, in_use, config.backend, config.max_latency_ms)
    # A version that no trusted key vouches for must not raise the floor.
    store.add(content, version if signature else 0, again=config.again)
    return Installed(model, tried.name, version, True, tried)


def fetch(source: str) -> bytes:
    """The bytes at a path, at most `MAX_MODEL_BYTES`, or at an http(s) address, at most `MAX_FETCHED_BYTES` within
    `FETCH_S`. Raises as `install`; plain http is only for devices that trust a key.
    """
    limit = MAX_FETCHED_BYTES if _is_address(source) else MAX_MODEL_BYTES
    try:
        if _is_address(source):
            _expect_no_password(source)
            _expect_genuine(source)
            content = _Download(source).wait(FETCH_S)
        else:
            with open(source, "rb") as file:
                content = read_at_most(file, limit + 1)
    except EdgeRuntimeError:
        raise
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no model {source}; check the path.") from error
    except urllib.error.URLError as error:
        why = redact_answer(str(error), source)
        raise MissingInputError(f"{redact(source)} does not give a model ({why}); check the address.") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = redact_answer(str(error), source) if _is_address(source) else str(error)
        raise DataError(f"{redact(source)} cannot be read ({why}); expected a model or its address.") from error
    if len(content) > limit:
        raise ModelError(
            f"{redact(source)} has more than {limit} bytes, the most that is read. Is it the address of the model?"
        )
    return content


class _Download:
    """One download, in a thread: a server that sends a byte now and then holds up only that thread."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._content = b""
        self._error: Exception | None = None
        self._is_late = False
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bytes:
        """The bytes read; raises what reading raised, or MissingInputError after ``seconds``."""
        self._thread.join(seconds)
        self._is_late = self._thread.is_alive()
        if self._is_late:
            raise MissingInputError(
                f"{redact(self._address)} gave no whole model within {seconds:g} s; check the address and the network, "
                "or fetch the file by other means and install that."
            )
        if self._error is not None:
            raise self._error
        return self._content

    def _run(self) -> None:
        try:
            with urllib.request.build_opener(_GenuineOnly).open(self._address, timeout=FETCH_TIMEOUT_S) as answer:
                self._content = read_at_most(_UntilLate(answer, self), MAX_FETCHED_BYTES + 1)
        except Exception as error:  # raised again in `wait`
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            self._error = error

    @property
    def is_late(self) -> bool:
        """Whether nobody is waiting any longer."""
        return self._is_late


class _UntilLate:
    """An answer that ends once nobody is waiting for it."""

    def __init__(self, answer: IO[bytes], download: _Download) -> None:
        self._answer, self._download = answer, download

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, as soon as some have come."""
        return b"" if self._download.is_late else self._answer.read1(size)  # type: ignore[attr-defined]


def _expect_no_password(address: str) -> None:
    """Raises MissingInputError for a password, which urllib does not support and its errors would show."""
    if "@" in urlsplit(address).netloc:
        raise MissingInputError(
            f"{redact(address)} has a user or a password in it, expected an address that anyone may read; a signature "
            "proves who made the model. Else fetch the file by other means and install that."
        )


def name_of(source: str) -> str:
    """The model's name in messages: for an address only the file name, if it has one, since the rest may be secret."""
    if not _is_address(source):
        return source.rsplit("/", 1)[-1]
    name = urlsplit(source).path.rsplit("/", 1)[-1]
    return name if re.fullmatch(r"[\w-][\w.-]*\.\w{1,8}", name) else redact(source)


def _is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _expect_genuine(address: str) -> None:
    """Raises SignatureError for http without a trusted key: anyone on the way could replace the model, and only a
    signature would reveal that.
    """
    if not address.startswith("https://") and not (_is_address(address) and list_trusted_keys()):
        raise SignatureError(
            f"{redact(address)} does not prove that the model is the one its maker put there; expected https, or a "
            "trusted key that the model is signed with: edge-runtime trust KEY.pub. Else fetch the file by other "
            "means and install that."
        )


class _GenuineOnly(urllib.request.HTTPRedirectHandler):
    """Requires the same of a redirect's target as of the address itself."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _expect_no_password(newurl)
            _expect_genuine(newurl)
        except EdgeRuntimeError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)

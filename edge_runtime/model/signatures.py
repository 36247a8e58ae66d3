"""Proves who made a model file: an Ed25519 signature at its end, checked before any parser sees a byte of it.

It is the last 104 bytes of a signed file, stored as the comment of its appended zip, so that every TFLite and zip
program can still read the file:

    offset  bytes  content
         0      8  "ERSIG1\\r\\n"
         8      8  version, big-endian: a number that rises from one model to the next
        16      8  key id: the first bytes of SHA-256 of the 32-byte public key
        24     64  Ed25519 signature of  "edge-runtime model 1\\n" + version (8 bytes) + SHA-256(body)
        88     16  the first bytes of SHA-256(SHA-256(body) + bytes 0 to 87), which shows damage even without a key

``body`` is the unsigned file: all bytes before these, with 0 instead of 104 as the zip's comment length (its last two
bytes). Keys are the usual PEM files. Only this module imports `cryptography` (extra ``[sign]``), and only when there is
a key.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import ConfigurationError, DataError, MissingInputError, ModelError, SignatureError
from edge_runtime.system.guarded_read import open_plain

MAGIC = b"ERSIG1\r\n"
PURPOSE = b"edge-runtime model 1\n"
BLOCK_BYTES = 104
_UNSIGNED_END, _SIGNED_END = (0).to_bytes(2, "little"), BLOCK_BYTES.to_bytes(2, "little")
KEY_SUFFIX = ".pub"
ALL_USERS_KEYS = Path("/etc/edge-runtime/keys")


@dataclass(frozen=True)
class Signature:
    """What a signed file claims; not to be trusted before `verify`. ``key_id`` is in hex."""

    version: int
    key_id: str
    signature: bytes


@dataclass(frozen=True)
class TrustedKey:
    """A public key on this device: its file, its id in hex and its 32 bytes."""

    path: Path
    key_id: str
    raw: bytes


def split_signature(content: bytes, name: str) -> tuple[bytes, Signature | None]:
    """(unsigned body, signature or None) of a model file, found by fixed offsets alone; ``name`` is for the error text.

    Raises:
        ModelError: there is a signature block, but it or the body is damaged.
    """
    if content[-BLOCK_BYTES : -BLOCK_BYTES + len(MAGIC)] != MAGIC:
        return content, None
    block = content[-BLOCK_BYTES:]
    body = content[: -BLOCK_BYTES - 2] + _UNSIGNED_END
    is_comment = content[-BLOCK_BYTES - 2 : -BLOCK_BYTES] == _SIGNED_END
    if not is_comment or _check(body, block) != block[88:]:
        raise ModelError(
            f"{name} ({len(content)} bytes) is damaged: its signature block does not fit the rest. Copy the file again."
        )
    return body, Signature(int.from_bytes(block[8:16], "big"), block[16:24].hex(), block[24:88])


def sign(content: bytes, private_key_pem: bytes, version: int) -> bytes:
    """The signed form of a model file; an existing signature is replaced.

    Raises:
        DataError: the key is not an Ed25519 private key in PEM, or ``version`` is not a number from 1 to 2^63 - 1.
        ModelError: ``content`` does not end with a zip without a comment, so convert did not write it.
        ConfigurationError: `cryptography` is missing.
    """
    from_pem = _ed25519()
    if not 1 <= version < 2**63:
        raise DataError(f"The version is {version}, expected a whole number from 1 to {2**63 - 1}.")
    body, _ = split_signature(content, "The model")
    if body[-22:-18] != b"PK\x05\x06" or body[-2:] != _UNSIGNED_END:
        raise ModelError("The model does not end with the zip that convert appends, so it cannot be signed.")
    key = from_pem.private(private_key_pem)
    raw = from_pem.raw_public(key.public_key())
    head = MAGIC + version.to_bytes(8, "big") + _key_id(raw) + bytes(key.sign(_message(body, version)))
    return body[:-2] + _SIGNED_END + head + _check(body, head)


def verify(content: bytes, keys: tuple[TrustedKey, ...], name: str) -> Signature:
    """The signature of ``content``, made with one of ``keys``.

    Raises:
        SignatureError: it is unsigned, signed with another key, or changed after signing.
        ConfigurationError: `cryptography` is missing.
    """
    from_pem = _ed25519()
    trusted = ", ".join(key.key_id for key in keys)
    try:
        body, signature = split_signature(content, name)
    except ModelError as error:
        raise SignatureError(str(error)) from error
    if signature is None:
        raise SignatureError(
            f"{name} is not signed, and this device takes only models signed with {trusted}. Sign it: "
            "python -m convert.sign model.tflite --key KEY."
        )
    for key in keys:
        if key.key_id == signature.key_id and from_pem.is_valid(
            key.raw, signature.signature, _message(body, signature.version)
        ):
            return signature
    raise SignatureError(
        f"{name} is signed with key {signature.key_id}, which is not trusted here or does not fit its bytes; expected "
        f"{trusted}. Get the file from its maker again, or trust the key: edge-runtime trust KEY.pub."
    )


def make_keys() -> tuple[bytes, bytes]:
    """(private, public) PEM of a new key; ConfigurationError if `cryptography` is missing."""
    return _ed25519().new_pair()


def read_public_key(path: Path) -> TrustedKey:
    """The public key in a PEM file.

    Raises:
        MissingInputError: there is no such file.
        DataError: it holds no Ed25519 public key.
        ConfigurationError: `cryptography` is missing.
    """
    try:
        with open_plain(path, follow_links=True) as file:
            pem = file.read(4096)
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no key {path}; check the path.") from error
    except OSError as error:
        raise DataError(f"The key {path} cannot be read ({error.strerror}); expected a readable file.") from error
    raw = _ed25519().public(pem, path)
    return TrustedKey(path, _key_id(raw).hex(), raw)


def list_key_folders() -> tuple[Path, ...]:
    """Where trusted keys lie: for all users, for this one, and in $EDGE_RUNTIME_KEYS, which can only add some and must
    exist.
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "edge-runtime" / "keys"
    extra = os.environ.get("EDGE_RUNTIME_KEYS")
    return (ALL_USERS_KEYS, home, *((Path(extra),) if extra else ()))


def list_trusted_keys() -> tuple[TrustedKey, ...]:
    """Every key in `list_key_folders`. Raises what `read_public_key` raises: a broken key file never means no check,
    nor does a folder that this user may not look for.
    """
    try:
        paths = [path for folder in list_key_folders() if _is_there(folder) for path in sorted(folder.iterdir())]
    except OSError as error:
        raise ConfigurationError(
            f"The folder of trusted keys {error.filename} cannot be read ({error.strerror}); make it a readable folder."
        ) from error
    paths = [path for path in paths if not path.name.startswith(".")]
    for path in paths:
        if path.suffix.lower() != KEY_SUFFIX or path.is_dir():
            raise ConfigurationError(
                f"{path} is among the trusted keys but is not a key, expected files called NAME{KEY_SUFFIX}; rename "
                "it, or put it elsewhere."
            )
    return tuple(read_public_key(path) for path in paths)


def _is_there(folder: Path) -> bool:
    """Whether ``folder``, or a link of that name, exists. Raises OSError when this user may not know, and when a
    variable names a folder that is not there, such as one on a disk that is not mounted.
    """
    try:
        folder.lstat()
    except FileNotFoundError:
        if str(folder) == os.environ.get("EDGE_RUNTIME_KEYS"):
            raise
        return False
    return True


def require_trusted(content: bytes, name: str) -> Signature | None:
    """The verified signature if any key is trusted on this device, else None. Raises as `verify`."""
    keys = list_trusted_keys()
    return verify(content, keys, name) if keys else None


def _message(body: bytes, version: int) -> bytes:
    return PURPOSE + version.to_bytes(8, "big") + hashlib.sha256(body).digest()


def _check(body: bytes, block: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(body).digest() + block[:88]).digest()[:16]


def _key_id(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()[:8]


class _Ed25519:
    """All calls into `cryptography`."""

    def __init__(self, ed25519: Any, serialization: Any, invalid: type[Exception]) -> None:
        self._ed25519, self._serialization, self._invalid = ed25519, serialization, invalid

    def new_pair(self) -> tuple[bytes, bytes]:
        form, key = self._serialization, self._ed25519.Ed25519PrivateKey.generate()
        private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        return private, public

    def private(self, pem: bytes) -> Any:
        try:
            key = self._serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise DataError(f"The private key cannot be read ({error}); expected PEM as make keys writes.") from error
        if not isinstance(key, self._ed25519.Ed25519PrivateKey):
            raise DataError(f"The private key is {type(key).__name__}, expected Ed25519; make one with: make keys.")
        return key

    def public(self, pem: bytes, path: Path) -> bytes:
        try:
            key = self._serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path} is not a public key ({error}); expected PEM as make keys writes.") from error
        if not isinstance(key, self._ed25519.Ed25519PublicKey):
            raise DataError(f"{path} is {type(key).__name__}, expected an Ed25519 public key; see make keys.")
        return self.raw_public(key)

    def raw_public(self, key: Any) -> bytes:
        form = self._serialization
        return bytes(key.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw))

    def is_valid(self, raw: bytes, signature: bytes, message: bytes) -> bool:
        try:
            self._ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
        except self._invalid:
            return False
        return True


def _ed25519() -> _Ed25519:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise ConfigurationError(
            f"Signatures need the package cryptography, which is missing ({error}); install edge-runtime[sign]."
        ) from error
    return _Ed25519(ed25519, serialization, InvalidSignature)

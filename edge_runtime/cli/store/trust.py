"""``edge-runtime trust``: from now on, only models signed with this key."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from edge_runtime.cli.flags import add_format_flag, print_result, say, verb_parser

if TYPE_CHECKING:
    from pathlib import Path

# A PEM file of keys and certificates; what is no file ends nowhere.
MAX_KEY_BYTES = 65536


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "trust",
        "Trusts a public key: from then on only models signed with a trusted key are used or installed, others are "
        "refused with exit code 76. Without KEY.pub, lists the trusted keys. While two keys are "
        "trusted, models signed with either are accepted: trust the new key, sign and install, then "
        "remove the old one.",
        "edge-runtime trust maker.pub",
        "edge-runtime trust --list",
        "edge-runtime trust --remove 1f2e3d4c5b6a7988",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("key", nargs="?", metavar="KEY.pub", help="an Ed25519 public key in PEM, as make keys writes")
    what.add_argument("--list", action="store_true", help="list the trusted keys (as without KEY.pub)")
    what.add_argument("--remove", metavar="ID", help="stop trusting this key")
    parser.add_argument(
        "--last",
        action="store_true",
        help="with --remove: remove even the last key, so that every model is accepted again",
    )
    parser.add_argument(
        "--for", choices=("all", "me"), dest="whom", help="for all users (default for root) or for this one"
    )
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import os
    from functools import partial
    from pathlib import Path

    from edge_runtime.model.signatures import KEY_SUFFIX, list_key_folders, list_trusted_keys, read_public_key
    from edge_runtime.system.durable import write_durably
    from edge_runtime.system.guarded_read import read_plain

    if flags.key:
        key = read_public_key(Path(flags.key))
        whom = flags.whom or ("all" if os.geteuid() == 0 else "me")
        folder = list_key_folders()[0 if whom == "all" else 1]
        place = folder / f"{key.key_id}{KEY_SUFFIX}"
        make_readable_folder(folder)
        write_durably(place, cut_out_public_key(read_plain(Path(flags.key), MAX_KEY_BYTES, follow_links=True)))
        place.chmod(0o644)
    if flags.remove:
        _remove_key(flags.remove, is_last_allowed=flags.last)
    keys = list_trusted_keys()
    for key in keys:
        print_result(
            flags.format,
            partial("{}  {}".format, key.key_id, key.path),
            partial(dict, v=1, type="key", key_id=key.key_id, path=str(key.path)),
        )
    if not keys:
        say(flags, "edge-runtime: no key is trusted, so signatures are not required.")
    elif flags.key or flags.remove:
        _warn_of_refused_model()
    return 0


def make_readable_folder(folder: Path) -> None:
    """Makes ``folder`` and what is missing above it, readable for everybody whatever this user's umask is: the user of
    a service must see that there is a key.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        each.chmod(0o755)


def cut_out_public_key(pem: bytes) -> bytes:
    """Only the public key of a PEM file, which may hold a private one as well."""
    import re

    found = re.search(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", pem, re.DOTALL)
    return found[0] + b"\n" if found else b""


def _remove_key(key_id: str, *, is_last_allowed: bool) -> None:
    """Removes every file with this key.

    Raises:
        UsageError: this key is not trusted, or it is the last one.
        ConfigurationError: this user may not remove it.
    """
    from edge_runtime.errors import ConfigurationError, UsageError
    from edge_runtime.model.signatures import list_trusted_keys
    from edge_runtime.system.durable import sync_folder

    keys = list_trusted_keys()
    known = sorted({key.key_id for key in keys})
    if key_id not in known:
        raise UsageError(
            f"No key {key_id} is trusted; expected one of {', '.join(known) or 'none: no key is trusted'}."
        )
    if known == [key_id] and not is_last_allowed:
        raise UsageError(
            f"{key_id} is the last trusted key: without it every model is taken, signed or not. Trust the new key "
            "first, or add --last."
        )
    for key in keys:
        if key.key_id == key_id:
            try:
                key.path.unlink()
                sync_folder(key.path.parent)
            except OSError as error:
                raise ConfigurationError(
                    f"{key.path} cannot be removed ({error.strerror}); run it as the user who may, such as with sudo."
                ) from error


def _warn_of_refused_model() -> None:
    """Warns when the signature of the model in use is no longer trusted: no frames would get labels."""
    from edge_runtime.errors import EdgeRuntimeError, SignatureError
    from edge_runtime.model.model_file import MAX_MODEL_BYTES
    from edge_runtime.model.signatures import require_trusted
    from edge_runtime.store.state import SHIPPED
    from edge_runtime.store.store import Store
    from edge_runtime.system.guarded_read import read_plain

    # If the store is damaged, or this user may not read it, `status` explains that.
    with contextlib.suppress(EdgeRuntimeError, OSError):
        store = Store()
        current = store.state().current
        if current == SHIPPED:
            return
        try:
            require_trusted(read_plain(store.path_of(current), MAX_MODEL_BYTES), f"model {current[:12]}")
        except SignatureError as error:
            print(
                f"edge-runtime: The model in use is refused from now on: {error} Then install it, or go back with: "
                "edge-runtime rollback.",
                file=sys.stderr,
            )

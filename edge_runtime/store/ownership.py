"""Who owns a store: its folders must not be links, and its content is trusted only if nobody else may write there.

Root installs into a service's store, and nothing that the service's user can put there may lead root elsewhere.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError


def expect_own_folder(folder: Path) -> None:
    """Checks that ``folder``, a part of a store, is a real folder.

    Raises:
        EdgeRuntimeError: it is a link or a file.
    """
    try:
        mode = folder.lstat().st_mode
    except OSError as error:
        raise EdgeRuntimeError(f"{folder} cannot be read ({error.strerror}); check who may.") from error
    if not stat.S_ISDIR(mode):
        found = "a link" if stat.S_ISLNK(mode) else "not a folder"
        raise EdgeRuntimeError(
            f"{folder} is {found}, expected a folder of the store's own, so nothing was written. Remove it, and find "
            "out who put it there."
        )


def give_to_owner_of(store: Path, made: Path) -> None:
    """Gives what root makes in a service's store to the service, which must be able to remove it. Follows no link."""
    if os.geteuid() == 0:
        owner = store.stat()
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def is_own_store(folder: Path) -> bool:
    """Whether only this user and root may write the state and the models of the store in ``folder``."""
    places = (folder, folder / "models", folder / "state.json")
    found = [place.stat() for place in places if place.exists()]
    return all(each.st_uid in (0, os.geteuid()) and not each.st_mode & 0o022 for each in found)

"""Attack 8: a key that lies where nobody looks means that every model is taken. Stopped by refusing what is no key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import ConfigurationError
from edge_runtime.model import signatures
from edge_runtime.model.signatures import list_trusted_keys, make_keys

pytest.importorskip("cryptography")


@pytest.fixture
def keys(tmp_path: Path, lonely: None) -> Path:
    (tmp_path / "keys").mkdir(exist_ok=True)
    return tmp_path / "keys"


def test_a_suffix_in_capitals_is_a_key_all_the_same(keys: Path) -> None:
    (keys / "maker.PUB").write_bytes(make_keys()[1])
    (keys / ".unfinished-x.pub-1").write_bytes(b"")
    assert len(list_trusted_keys()) == 1


@pytest.mark.parametrize("name", ["maker.pem", "old/maker.pub", "maker.pub/x"])
def test_what_is_no_key_among_the_keys_is_refused(name: str, keys: Path) -> None:
    (keys / name).parent.mkdir(exist_ok=True)
    (keys / name).write_bytes(make_keys()[1])
    with pytest.raises(
        ConfigurationError, match=r"is among the trusted keys but is not a key, expected files called NAME\.pub"
    ):
        list_trusted_keys()


def test_a_file_in_the_place_of_the_folder_is_refused(keys: Path) -> None:
    keys.rmdir()
    keys.write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"folder of trusted keys .* cannot be read \(Not a directory\)"):
        list_trusted_keys()


def test_a_folder_that_may_not_be_looked_for_is_no_folder_without_keys(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        if path.name == "hidden":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(signatures, "ALL_USERS_KEYS", tmp_path / "hidden")
    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(
        ConfigurationError, match=r"folder of trusted keys .*hidden cannot be read \(Permission denied\)"
    ):
        list_trusted_keys()


@pytest.mark.parametrize("link", [False, True])
def test_a_folder_that_a_variable_or_a_link_names_has_to_be_there(
    link: bool, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if link:
        monkeypatch.setattr(signatures, "ALL_USERS_KEYS", tmp_path / "link")
        (tmp_path / "link").symlink_to(tmp_path / "unplugged")
    else:
        monkeypatch.setenv("EDGE_RUNTIME_KEYS", str(tmp_path / "unplugged"))
    with pytest.raises(ConfigurationError, match=r"folder of trusted keys .* cannot be read \(No such file"):
        list_trusted_keys()


def test_a_key_can_be_read_by_every_user_whatever_the_umask_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "ALL_USERS_KEYS", tmp_path / "etc" / "edge-runtime" / "keys")
    (tmp_path / "maker.pub").write_bytes(make_keys()[1])
    before = os.umask(0o077)
    try:
        assert cli.main(["trust", str(tmp_path / "maker.pub"), "--for", "all"]) == 0
    finally:
        os.umask(before)
    (key,) = (tmp_path / "etc" / "edge-runtime" / "keys").iterdir()
    modes = [each.stat().st_mode & 0o777 for each in (key, *key.parents[:3])]
    assert modes == [0o644, 0o755, 0o755, 0o755]


def test_trust_copies_no_private_key_that_stands_in_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    private, public = make_keys()
    (tmp_path / "both.pem").write_bytes(public + private)
    assert cli.main(["trust", str(tmp_path / "both.pem"), "--for", "me"]) == 0
    (copy,) = (tmp_path / "edge-runtime" / "keys").iterdir()
    assert copy.read_bytes() == public

"""Keys are listed, rotated and removed; the last one only when that is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="keys need the package cryptography")

from edge_runtime import cli
from edge_runtime.model import signatures
from edge_runtime.model.signatures import make_keys, read_public_key, require_trusted, sign


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, str]]:
    """Two trusted key pairs: (private PEM, key id)."""
    monkeypatch.setattr(signatures, "ALL_USERS_KEYS", tmp_path / "all")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("EDGE_RUNTIME_KEYS", raising=False)
    found = []
    for name in ("old", "new"):
        private, public = make_keys()
        (tmp_path / f"{name}.pub").write_bytes(public)
        assert cli.main(["trust", str(tmp_path / f"{name}.pub"), "--for", "me"]) == 0
        found.append((private, read_public_key(tmp_path / f"{name}.pub").key_id))
    return found


def listed(capsys: pytest.CaptureFixture[str]) -> set[str]:
    capsys.readouterr()
    assert cli.main(["trust", "--list", "--format", "jsonl"]) == 0
    return {json.loads(line)["key_id"] for line in capsys.readouterr().out.splitlines()}


def test_during_a_rotation_both_keys_are_valid_and_then_the_new_one_alone(
    keys: list[tuple[bytes, str]], make_model: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    (old, old_id), (new, new_id) = keys
    signed = [sign(make_model(), private, 1) for private in (old, new)]
    assert listed(capsys) == {old_id, new_id}
    assert [require_trusted(content, "a model").key_id for content in signed] == [old_id, new_id]  # type: ignore[union-attr]
    assert cli.main(["trust", "--remove", old_id]) == 0
    assert listed(capsys) == {new_id}
    with pytest.raises(signatures.SignatureError, match=f"is signed with key {old_id}, which is not trusted here"):
        require_trusted(signed[0], "a model")
    assert require_trusted(signed[1], "a model") is not None


def test_the_last_key_goes_only_when_that_is_meant(
    keys: list[tuple[bytes, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (_, old_id), (_, new_id) = keys
    assert cli.main(["trust", "--remove", old_id]) == 0
    assert cli.main(["trust", "--remove", new_id]) == 2
    assert f"{new_id} is the last trusted key: without it every model is taken" in capsys.readouterr().err
    assert listed(capsys) == {new_id}
    assert cli.main(["trust", "--remove", new_id, "--last"]) == 0
    assert "no key is trusted" in capsys.readouterr().err and listed(capsys) == set()


def test_a_key_that_is_not_trusted_cannot_be_removed(
    keys: list[tuple[bytes, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trust", "--remove", "ffff"]) == 2
    assert "No key ffff is trusted; expected one of" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove anything")
def test_a_key_of_another_user_is_said(
    keys: list[tuple[bytes, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "config" / "edge-runtime" / "keys"
    folder.chmod(0o500)
    assert cli.main(["trust", "--remove", keys[0][1]]) == 78
    assert "cannot be removed (Permission denied); run it as the user who may" in capsys.readouterr().err
    folder.chmod(0o700)

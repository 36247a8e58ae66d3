"""``python -m convert.sign``: keys that are never overwritten, files signed in place or elsewhere."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from convert.sign import main
from edge_runtime.model.model_file import open_model
from edge_runtime.model.signatures import read_public_key, split_signature, verify
from edge_runtime.store.shipped import default_model

pytest.importorskip("cryptography", reason="needs the extra [sign]")


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["--make-keys", str(tmp_path / "maker")]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "keys"
    return tmp_path / "maker.key"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(default_model().read_bytes())
    return path


def test_the_private_key_is_for_its_owner_only_and_no_key_is_overwritten(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert main(["--make-keys", str(keys.with_suffix(""))]) == 2
    assert "a key is never overwritten" in capsys.readouterr().err


def test_a_model_is_signed_in_place_and_still_opens(keys: Path, model: Path) -> None:
    before = model.read_bytes()
    assert main([str(model), "--key", str(keys), "--version", "4"]) == 0
    signed = model.read_bytes()
    assert verify(signed, (read_public_key(keys.with_suffix(".pub")),), "m").version == 4
    assert split_signature(signed, "m")[0] == before
    assert open_model(model).contract == open_model(default_model()).contract


def test_out_leaves_the_model_as_it_is_and_is_not_overwritten(
    keys: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(model), "--key", str(keys), "--version", "4", "--out", str(tmp_path / "signed.tflite")]
    assert main(arguments) == 0
    assert model.read_bytes() == default_model().read_bytes()
    assert main(arguments) == 2
    assert "exists and is not overwritten unasked" in capsys.readouterr().err


def test_later_signatures_have_higher_versions_by_themselves(
    keys: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), "--key", str(keys)]) == 0
    assert json.loads(capsys.readouterr().out)["version"] > 1_700_000_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "There is nothing to do"),
        (["absent.tflite", "--key", "absent.key"], 66, "There is no absent.tflite"),
    ],
)
def test_what_is_missing_is_named(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert message in capsys.readouterr().err

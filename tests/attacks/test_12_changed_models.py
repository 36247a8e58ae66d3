"""Attack 12: change a model of ours on its way, mix two of them, hide something in its zip, bring an old or unsigned one
back. Stopped by a hash of every part, one canonical form of the zip, and signatures with a rising version.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import ModelError, SignatureError
from edge_runtime.model.appended_zip import split_zip, write_zip
from edge_runtime.model.model_file import read_model
from edge_runtime.store.store import Store
from tests.attacks import forged

pytestmark = pytest.mark.usefixtures("lonely")
SHIPPED = Path(__file__).parents[2] / "edge_runtime" / "models"


def ours() -> bytes:
    return forged.forge(forged.toy_flatbuffer(), forged.toy_contract())


def rotten(content: bytes, count: int) -> Iterator[bytes]:
    """``content`` with one bit turned, or cut short, or with a few bytes more."""
    chance = random.Random(12)
    for number in range(count):
        spoiled = bytearray(content)
        if number % 10 == 8:
            del spoiled[chance.randrange(8, len(spoiled)) :]
        elif number % 10 == 9:
            spoiled += chance.randbytes(3)
        else:
            spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
        yield bytes(spoiled)


def mixed(own: bytes, other: bytes, part: str) -> bytes:
    """Our file with ``part`` of another one of ours."""
    flatbuffer, members = split_zip(own, "own")
    other_flatbuffer, others = split_zip(other, "other")
    if part == "model":
        flatbuffer = other_flatbuffer
    else:
        members[part] = others[part]
    return flatbuffer + write_zip(members, len(flatbuffer))


def packed_by_zipfile(own: bytes, change: Callable[[zipfile.ZipFile], object], compression: int) -> bytes:
    """Our file with its zip written again by another program, which ``change`` makes use of."""
    flatbuffer, members = split_zip(own, "own")
    buffer = io.BytesIO(flatbuffer)
    buffer.seek(len(flatbuffer))
    with zipfile.ZipFile(buffer, "a", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        change(archive)
    return buffer.getvalue()


def test_a_changed_file_of_ours_is_never_taken() -> None:
    content = ours()
    for number, spoiled in enumerate(rotten(content, 300)):
        with pytest.raises(ModelError):
            read_model(spoiled, f"rotten {number}", needs_contract=True)


@pytest.mark.parametrize("part", ["model", "labels.txt", "golden.npz", "contract.json"])
def test_parts_of_two_files_do_not_go_together(part: str) -> None:
    own, other = ((SHIPPED / name).read_bytes() for name in ("default.tflite", "resnet8.tflite"))
    if split_zip(own, "own")[1].get(part) == split_zip(other, "other")[1].get(part) and part != "model":
        pytest.skip("both say the same there")
    with pytest.raises(ModelError):
        read_model(mixed(own, other, part), "mixed")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "compression"),
    [
        (lambda archive: archive.writestr("../../etc/passwd", b"x"), zipfile.ZIP_STORED),
        (lambda archive: archive.writestr("labels.txt", b"x\n"), zipfile.ZIP_STORED),
        (lambda archive: archive.writestr("extra", bytes(10**6)), zipfile.ZIP_DEFLATED),
        (lambda archive: setattr(archive, "comment", b"x" * 500), zipfile.ZIP_STORED),
        (lambda archive: None, zipfile.ZIP_DEFLATED),
    ],
)
def test_a_zip_of_any_other_form_is_refused(change: Callable[[zipfile.ZipFile], object], compression: int) -> None:
    with pytest.raises(ModelError):
        read_model(packed_by_zipfile(ours(), change, compression), "packed", needs_contract=True)


def test_a_zip_that_claims_gigabytes_takes_none() -> None:
    content = bytearray(ours())
    place = content.rindex(b"PK\x01\x02")
    struct.pack_into("<2I", content, place + 20, 2**32 - 1, 2**32 - 1)
    with pytest.raises(ModelError, match=r"is damaged: the parts appended to its model are not as they were written"):
        read_model(bytes(content), "claims")


def test_on_a_device_with_a_key_only_newer_models_of_its_maker_come_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signatures = pytest.importorskip("edge_runtime.model.signatures")
    pytest.importorskip("cryptography")
    private, public = signatures.make_keys()
    stranger, _ = signatures.make_keys()
    (tmp_path / "keys").mkdir(exist_ok=True)
    (tmp_path / "keys" / "maker.pub").write_bytes(public)
    own = ours()
    for content in (own, signatures.sign(own, stranger, 9), signatures.sign(own, private, 9)[:-1] + b"\0"):
        (tmp_path / "x.tflite").write_bytes(content)
        assert cli.main(["install", str(tmp_path / "x.tflite")]) == 76
        assert cli.main(["classify", "--model", str(tmp_path / "x.tflite"), "photo.jpg"]) == 76
    assert "is not signed" in capsys.readouterr().err
    store = Store()
    store.add(signatures.sign(own, private, 9), 9)
    with pytest.raises(SignatureError, match=r"has version 8, but this device has already had version 9"):
        store.add(signatures.sign(own, private, 8), 8)

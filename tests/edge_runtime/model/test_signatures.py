"""Signatures: the byte layout, what is refused, and that no parser sees an untrusted file."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import (
    ConfigurationError,
    DataError,
    EdgeRuntimeError,
    MissingInputError,
    ModelError,
    SignatureError,
)
from edge_runtime.installed import install
from edge_runtime.model import model_file, signatures
from edge_runtime.model.model_file import open_model, read_model
from edge_runtime.model.signatures import list_trusted_keys, make_keys, read_public_key, sign, split_signature, verify
from edge_runtime.store.shipped import default_model, list_shipped_models
from edge_runtime.store.store import Store

pytest.importorskip("cryptography", reason="needs the extra [sign]")

pytestmark = pytest.mark.usefixtures("lonely")


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    return make_keys()


@pytest.fixture
def trusted(pair: tuple[bytes, bytes], tmp_path: Path) -> tuple[signatures.TrustedKey, ...]:
    (tmp_path / ".keys").mkdir(exist_ok=True)
    (tmp_path / ".keys" / "maker.pub").write_bytes(pair[1])
    return list_trusted_keys()


def test_the_block_has_the_documented_layout(make_model: Callable[..., bytes], pair: tuple[bytes, bytes]) -> None:
    from cryptography.hazmat.primitives import serialization

    unsigned = make_model()
    signed = sign(unsigned, pair[0], 7)
    block = signed[-104:]
    public = serialization.load_pem_public_key(pair[1])
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    digest = hashlib.sha256(unsigned).digest()
    assert signed[:-106] == unsigned[:-2]
    assert signed[-106:-104] == (104).to_bytes(2, "little")
    assert block[:8] == b"ERSIG1\r\n"
    assert block[8:16] == (7).to_bytes(8, "big")
    assert block[16:24] == hashlib.sha256(raw).digest()[:8]
    public.verify(block[24:88], b"edge-runtime model 1\n" + (7).to_bytes(8, "big") + digest)
    assert block[88:] == hashlib.sha256(digest + block[:88]).digest()[:16]


def test_a_signed_file_is_still_a_model_and_a_zip(
    make_model: Callable[..., bytes], pair: tuple[bytes, bytes], tmp_path: Path
) -> None:
    signed = sign(make_model(), pair[0], 1)
    (tmp_path / "signed.tflite").write_bytes(signed)
    assert open_model(tmp_path / "signed.tflite").contract == read_model(make_model(), "m").contract
    assert zipfile.ZipFile(tmp_path / "signed.tflite").namelist() == ["labels.txt", "golden.npz", "contract.json"]


def test_signing_again_replaces_the_signature(make_model: Callable[..., bytes], pair: tuple[bytes, bytes]) -> None:
    first = sign(make_model(), pair[0], 1)
    assert sign(first, pair[0], 2) == sign(make_model(), pair[0], 2)
    assert split_signature(first, "m")[0] == make_model()


def test_a_trusted_signature_is_accepted_with_its_version(
    make_model: Callable[..., bytes], pair: tuple[bytes, bytes], trusted: tuple[signatures.TrustedKey, ...]
) -> None:
    assert verify(sign(make_model(), pair[0], 7), trusted, "m").version == 7


def test_an_unsigned_file_is_refused_once_a_key_is_trusted(
    make_model: Callable[..., bytes], save: Callable[..., str], trusted: tuple[signatures.TrustedKey, ...]
) -> None:
    with pytest.raises(
        SignatureError, match=r"is not signed, and this device takes only models signed with [0-9a-f]{16}"
    ):
        open_model(save(make_model()))


def test_another_key_is_refused(
    make_model: Callable[..., bytes], save: Callable[..., str], trusted: tuple[signatures.TrustedKey, ...]
) -> None:
    with pytest.raises(SignatureError, match=r"is signed with key [0-9a-f]{16}, which is not trusted here"):
        open_model(save(sign(make_model(), make_keys()[0], 9)))


def test_a_borrowed_key_id_is_refused(
    make_model: Callable[..., bytes], pair: tuple[bytes, bytes], trusted: tuple[signatures.TrustedKey, ...]
) -> None:
    forged = bytearray(sign(make_model(), make_keys()[0], 9))
    forged[-88:-80] = bytes.fromhex(trusted[0].key_id)
    body = bytes(forged[:-106]) + b"\0\0"
    forged[-16:] = hashlib.sha256(hashlib.sha256(body).digest() + bytes(forged[-104:-16])).digest()[:16]
    with pytest.raises(SignatureError, match="does not fit its bytes"):
        verify(bytes(forged), trusted, "forged")


def test_no_parser_sees_a_file_that_is_not_trusted(
    save: Callable[..., str], trusted: tuple[signatures.TrustedKey, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(model_file, "split_zip", lambda *arguments: seen.append(arguments))
    for module in (model_file, install):  # a module that is first imported now would keep the replacement
        monkeypatch.setattr(module, "read_model", lambda *arguments, **more: seen.append(arguments))
    path = save(b"TFL3 no model at all, but golden.npz is named")
    assert cli.main(["info", "--model", path]) == 76
    assert cli.main(["install", path]) == 76
    assert seen == []


def test_the_shipped_models_are_as_trusted_as_the_package(
    trusted: tuple[signatures.TrustedKey, ...], tmp_path: Path
) -> None:
    assert all(open_model(path).contract.spec.labels for path in list_shipped_models().values())
    copy = tmp_path / "default.tflite"
    copy.write_bytes(default_model().read_bytes())
    with pytest.raises(SignatureError, match=r"default\.tflite is not signed"):
        open_model(copy)


def test_a_damaged_block_is_noticed_without_any_key(
    make_model: Callable[..., bytes], pair: tuple[bytes, bytes]
) -> None:
    signed = bytearray(sign(make_model(), pair[0], 1))
    signed[-50] ^= 1
    with pytest.raises(ModelError, match="is damaged: its signature block does not fit the rest"):
        read_model(bytes(signed), "m")


@pytest.mark.parametrize("is_trusted", [False, True])
def test_five_thousand_mutations_of_a_signed_file_are_refused(
    is_trusted: bool, make_model: Callable[..., bytes], pair: tuple[bytes, bytes], tmp_path: Path
) -> None:
    chance = random.Random(25)
    signed = sign(make_model(), pair[0], 3)
    (tmp_path / "maker.pub").write_bytes(pair[1])
    keys = (read_public_key(tmp_path / "maker.pub"),)
    accepted = 0
    for _ in range(5000):
        mutated = mutate(signed, chance)
        try:
            if is_trusted:
                verify(mutated, keys, "m")
            else:
                read_model(mutated, "m")
            accepted += 1
        except EdgeRuntimeError:
            continue
    assert accepted == 0


def mutate(content: bytes, chance: random.Random) -> bytes:
    """A bit flipped, an end cut off or doubled, bytes put in, taken out or exchanged, or a member of the zip repeated."""
    at, kind = chance.randrange(len(content)), chance.randrange(7)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + chance.randbytes(chance.randrange(1, 64)) + content[at:]
    if kind == 2:
        return content[:at] + content[at + chance.randrange(1, 64) :]
    if kind == 3:
        return content + content[-chance.randrange(1, 400) :]
    if kind == 4:
        zip_at = content.index(b"PK\x03\x04")
        return content[:zip_at] + content[zip_at : zip_at + 200] + content[zip_at:]
    changed = bytearray(content)
    if kind == 5:
        changed[at] = (changed[at] + chance.randrange(1, 256)) % 256
    else:
        changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_a_key_that_cannot_be_read_never_means_no_check(
    make_model: Callable[..., bytes], save: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / ".keys").mkdir(exist_ok=True)
    (tmp_path / ".keys" / "broken.pub").write_text("not a key")
    with pytest.raises(DataError, match=r"broken.pub is not a public key .* expected PEM"):
        open_model(save(make_model()))


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ec.pub").write_bytes(public)
    with pytest.raises(DataError, match="expected an Ed25519 public key"):
        read_public_key(tmp_path / "ec.pub")
    with pytest.raises(DataError, match="expected Ed25519; make one with: make keys"):
        sign(b"PK\x05\x06" + bytes(18), private, 1)


def test_errors_of_signing_name_the_cause(
    make_model: Callable[..., bytes], pair: tuple[bytes, bytes], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="The version is 0, expected a whole number from 1"):
        sign(make_model(), pair[0], 0)
    with pytest.raises(ModelError, match="does not end with the zip that convert appends"):
        sign(b"TFL3" * 20, pair[0], 1)
    with pytest.raises(DataError, match="The private key cannot be read"):
        sign(make_model(), b"nothing", 1)
    with pytest.raises(MissingInputError, match="There is no key"):
        read_public_key(tmp_path / "absent.pub")
    with pytest.raises(DataError, match="cannot be read"):
        read_public_key(tmp_path)


def test_without_the_library_a_trusted_key_stops_everything(
    make_model: Callable[..., bytes],
    save: Callable[..., str],
    trusted: tuple[signatures.TrustedKey, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ConfigurationError, match=r"install edge-runtime\[sign\]"):
        open_model(save(make_model()))


def test_the_trust_verb_installs_the_key_and_lists_it(
    pair: tuple[bytes, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], make_model: Callable[..., bytes],
    save: Callable[..., str],
) -> None:  # fmt: skip
    (tmp_path / "maker.pub").write_bytes(pair[1])
    assert cli.main(["trust"]) == 0
    assert "no key is trusted" in capsys.readouterr().err
    assert cli.main(["trust", str(tmp_path / "maker.pub"), "--for", "me", "--format", "jsonl"]) == 0
    assert read_public_key(tmp_path / "maker.pub").key_id in capsys.readouterr().out
    assert cli.main(["info", "--model", save(make_model())]) == 76
    assert cli.main(["info", "--model", save(sign(make_model(), pair[0], 1))]) == 0


def test_trusting_a_key_says_so_when_it_refuses_the_model_in_use(
    pair: tuple[bytes, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], make_model: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "maker.pub").write_bytes(pair[1])
    trust = ["trust", str(tmp_path / "maker.pub"), "--for", "me"]
    monkeypatch.setenv("EDGE_RUNTIME_STORE", str(tmp_path / "store"))
    assert cli.main(trust) == 0
    assert capsys.readouterr().err == ""
    unsigned = Store().add(make_model(1))
    assert cli.main(trust) == 0
    said = capsys.readouterr().err
    assert f"The model in use is refused from now on: model {unsigned[:12]} is not signed" in said
    assert "edge-runtime rollback" in said
    Store().add(sign(make_model(1), pair[0], 1))
    assert cli.main(trust) == 0
    assert capsys.readouterr().err == ""


def test_a_version_is_a_number_that_fits_the_block(pair: tuple[bytes, bytes], make_model: Callable[..., bytes]) -> None:
    for version in (1, 2**63 - 1):
        assert split_signature(sign(make_model(), pair[0], version), "m")[1].version == version  # type: ignore[union-attr]
    for version in (0, -1, 2**63):
        with pytest.raises(DataError, match=rf"version is {version}, expected a whole number from 1 to {2**63 - 1}"):
            sign(make_model(), pair[0], version)


@pytest.mark.parametrize("spoil", [lambda content: content[:-2] + b"\1\0", lambda content: content[:-22] + bytes(22)])
def test_what_does_not_end_with_a_bare_zip_is_not_signed(
    spoil: Callable[[bytes], bytes], pair: tuple[bytes, bytes], make_model: Callable[..., bytes]
) -> None:
    with pytest.raises(ModelError, match=r"does not end with the zip that convert appends, so it cannot be signed"):
        sign(spoil(make_model()), pair[0], 1)


def test_a_key_may_be_a_link_and_only_its_first_4096_bytes_are_read(pair: tuple[bytes, bytes], tmp_path: Path) -> None:
    pem = pair[1].strip()
    for size, is_read in ((4096, True), (4097, False)):
        path = tmp_path / f"{size}.pub"
        path.write_bytes(pem.rjust(size, b"\n"))
        link = tmp_path / f"link-{size}.pub"
        link.symlink_to(path)
        if is_read:
            assert read_public_key(link).path == link
            continue
        with pytest.raises(DataError, match=r"link-4097.pub is not a public key"):
            read_public_key(link)


def test_keys_lie_in_etc_with_the_user_s_configuration_and_where_a_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("EDGE_RUNTIME_KEYS", str(tmp_path / "more"))
    everyone = Path("/etc/edge-runtime/keys")
    own = tmp_path / "own" / "edge-runtime" / "keys"
    assert signatures.list_key_folders() == (everyone, own, tmp_path / "more")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("EDGE_RUNTIME_KEYS")
    assert signatures.list_key_folders() == (everyone, tmp_path / ".config" / "edge-runtime" / "keys")


def test_a_signature_and_a_key_cannot_be_changed(
    make_model: Callable[..., bytes], pair: tuple[bytes, bytes], trusted: tuple[signatures.TrustedKey, ...]
) -> None:
    signature = verify(sign(make_model(), pair[0], 7), trusted, "m")
    for value in (signature, trusted[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.key_id = "0"  # type: ignore[misc]

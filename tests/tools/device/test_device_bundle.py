"""`make bundle` without the network, and what its installer says to devices of another kind."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.tools.device import bundle
from tests.tools.device.bundle import PURE_EXTRAS, bundle_pins, make_bundle, name_of
from tests.tools.device.rows import PC, ROWS, Row, row_named

INSTALL = Path(__file__).with_name("install.sh")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Wheels are files that name their pin; the given bytes become the project's own wheel."""

    def download(row: Row, verb: str, arguments: Iterable[str | Path], lines: list[str], work: Path) -> None:
        assert verb == "download"
        _, folder = arguments
        for line in lines:
            name, version = line.split()[0].split("==")
            Path(folder, f"{name.replace('-', '_')}-{version}-py3-none-any.whl").write_text(line)

    def own(content: bytes) -> None:
        def build(folder: Path) -> Path:
            wheel = folder / "edge_runtime-9.8.7-py3-none-any.whl"
            wheel.write_bytes(content)
            return wheel

        monkeypatch.setattr(bundle, "build_wheel", build)

    monkeypatch.setattr(bundle, "pip_for", download)
    own(b"wheel")
    return own


def made(tmp_path: Path, name: str, model: Path | None = None, key: Path | None = None) -> tuple[str, bytes]:
    """The release and the bytes of a bundle for 64-bit Bookworm."""
    work = tmp_path / f"work-{name}"
    work.mkdir()
    out = tmp_path / "dist" / f"{name}.tar"
    release = make_bundle(row_named("bookworm-arm64-litert"), model, key, out, work)
    assert [path.name for path in out.parent.glob("*.unfinished")] == []
    return release, out.read_bytes()


def test_a_bundle_holds_every_pinned_wheel_the_installer_and_what_is_to_be_installed(
    tmp_path: Path, no_network: Callable[[bytes], None]
) -> None:
    (tmp_path / "m").write_bytes(b"model")
    (tmp_path / "k").write_bytes(b"key")
    release, _ = made(tmp_path, "a", tmp_path / "m", tmp_path / "k")
    prefix = "edge-runtime-bookworm-arm64-litert/"
    with tarfile.open(tmp_path / "dist" / "a.tar") as archive:
        content = {entry.name.removeprefix(prefix): archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
        modes = {entry.name.removeprefix(prefix): entry.mode for entry in archive}
    pins = bundle_pins(row_named("bookworm-arm64-litert"))
    assert len([name for name in content if name.startswith("wheels/")]) == len(pins) + 1
    own = f"edge-runtime==9.8.7 --hash=sha256:{hashlib.sha256(b'wheel').hexdigest()}"
    assert content["requirements.txt"].decode().splitlines() == [*pins, own]
    facts = {"v": 1, "row": "bookworm-arm64-litert", "python": "3.11", "machine": "aarch64", "release": release}
    assert json.loads(content["bundle.json"]) == facts
    assert (content["model.tflite"], content["trusted.pub"]) == (b"model", b"key")
    assert content["install.sh"] == INSTALL.read_bytes()
    assert (modes["install.sh"], modes["bundle.json"]) == (0o755, 0o644)


def test_the_same_wheels_give_the_same_bytes_and_another_wheel_another_release(
    tmp_path: Path, no_network: Callable[[bytes], None]
) -> None:
    first, again = made(tmp_path, "a"), made(tmp_path, "b")
    assert first == again
    no_network(b"another wheel")
    other = made(tmp_path, "c")
    assert other[0] != first[0]
    assert other[1] != first[1]


@pytest.mark.parametrize("row", [*ROWS, PC], ids=lambda row: row.name)
def test_every_bundle_has_the_web_page_and_mqtt_and_names_each_package_once(row: Row) -> None:
    names = [name_of(line) for line in bundle_pins(row)]
    assert sorted(set(names)) == names
    # typing-extensions is for older Pythons only where nothing else asks for it.
    assert set(PURE_EXTRAS) - {"typing-extensions"} <= set(names)
    assert ("cryptography" in names) is not bool(row.only)


@pytest.mark.parametrize(
    ("machine", "found", "is_taken"),
    [
        ("aarch64", "3.11 aarch64 64", True),
        ("aarch64", "3.11 aarch64 32", False),
        ("aarch64", "3.13 aarch64 64", False),
        ("armv7l", "3.11 armv7l 32", True),
        ("armv7l", "3.11 armv8l 32", True),
        ("armv7l", "3.11 aarch64 32", True),
        ("armv7l", "3.11 aarch64 64", False),
        ("x86_64", "3.11 aarch64 64", False),
        ("x86_64", "3.11 x86_64 64", True),
    ],
)
def test_the_installer_takes_a_device_by_python_processor_and_bits(
    machine: str, found: str, is_taken: bool, tmp_path: Path
) -> None:
    facts = f'{{"python": "3.11", "machine": "{machine}", "release": "abc"}}'
    (tmp_path / "install.sh").write_bytes(INSTALL.read_bytes())
    (tmp_path / "bundle.json").write_text(facts)
    ready = tmp_path / "to" / "releases" / "abc" / ".ready"
    ready.parent.mkdir(parents=True)
    ready.touch()
    done = run_installer(tmp_path, found, {"EDGE_RUNTIME_ONLY_UNPACK": "1"})
    assert (done.returncode, done.stdout) == (0 if is_taken else 1, "")
    told = f"This bundle is for Python 3.11 on {machine} with {32 if machine == 'armv7l' else 64} bits, here are"
    assert is_taken or f"{told} Python, processor and bits {found}: make another bundle." in done.stderr


def test_the_installer_keeps_the_last_three_releases_and_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_bytes(INSTALL.read_bytes())
    (tmp_path / "bundle.json").write_text('{"python": "3.11", "machine": "aarch64", "release": "abc"}')
    releases = tmp_path / "to" / "releases"
    for age, name in enumerate(["d", "abc", "c", "b", "before", "a"]):
        (releases / name / "bin").mkdir(parents=True)
        (releases / name / ".ready").touch()
        program = releases / name / "bin" / "edge-runtime"
        program.write_text("#!/bin/sh\necho $1\n")
        program.chmod(0o755)
        os.utime(releases / name, (10_000 - age, 10_000 - age))
    (tmp_path / "to" / "current").symlink_to("releases/before")
    done = run_installer(tmp_path, "3.11 aarch64 64", {})
    assert (done.returncode, done.stdout) == (0, "doctor\n")
    assert os.readlink(tmp_path / "to" / "current") == "releases/abc"
    assert sorted(path.name for path in releases.iterdir()) == ["abc", "before", "c", "d"]


def run_installer(folder: Path, found: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs ``folder/install.sh`` where python3 says that it is ``found``."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python3").write_text(f"#!/bin/sh\necho {found}\n")
    (programs / "python3").chmod(0o755)
    return subprocess.run(
        ["sh", str(folder / "install.sh"), str(folder / "to")],
        capture_output=True,
        text=True,
        env={**os.environ, **environment, "PATH": f"{programs}:{os.environ['PATH']}"},
    )


def test_a_bundle_says_in_cyclonedx_what_is_in_it(tmp_path: Path, no_network: Callable[[bytes], None]) -> None:
    (tmp_path / "mine.tflite").write_bytes(b"model")
    made(tmp_path, "a", tmp_path / "mine.tflite")
    with tarfile.open(tmp_path / "dist" / "a.tar") as archive:
        content = {entry.name.split("/", 1)[1]: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
    text = content["sbom.cdx.json"].decode()
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None
    hashes = {each["hashes"][0]["content"] for each in json.loads(text)["components"]}
    held = [content[name] for name in content if name.startswith("wheels/")] + [b"model"]
    assert hashes == {hashlib.sha256(each).hexdigest() for each in held}


def test_a_model_or_key_that_is_not_there_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "typo"
    for flag, said in (("--model", "no model"), ("--key", "no public key")):
        monkeypatch.setattr("sys.argv", ["bundle", flag, str(missing)])
        assert bundle.main() == 66
        assert f"error: There is {said} {missing}; name the file, as in " in capsys.readouterr().err

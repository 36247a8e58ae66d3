"""What `make device-check` and `make bundle` decide without emulating anything."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.tools.device import check, emulator, root, trial
from tests.tools.device.bundle import bundle_pins
from tests.tools.device.device_table import Installed, table
from tests.tools.device.material import Material
from tests.tools.device.pins import pinned_lines, row_pins
from tests.tools.device.root import content_digest
from tests.tools.device.rows import PC, ROWS, Row, row_named
from tests.tools.device.trial import Trial

LOCK = """\
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:aa
numpy==2.4.6 ; python_full_version == '3.11.*' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
tqdm==4.70.1 \\
    --hash=sha256:ee
"""


def test_pins_are_those_that_hold_for_the_python_of_the_device() -> None:
    assert pinned_lines(LOCK, row_named("bookworm-arm64-litert")) == [
        "numpy==2.4.6 --hash=sha256:bb --hash=sha256:cc",
        "tqdm==4.70.1 --hash=sha256:ee",
    ]
    assert pinned_lines(LOCK, row_named("trixie-arm64-litert"))[0] == "numpy==2.5.5 --hash=sha256:dd"


@pytest.mark.parametrize("row", [*ROWS, PC], ids=lambda row: row.name)
def test_every_row_pins_its_interpreter_with_hashes(row: Row) -> None:
    pins = row_pins(row)
    package = {"litert": "ai-edge-litert==", "tflite": "tflite-runtime=="}[row.backend]
    assert [line for line in pins if line.startswith(package)]
    assert all("--hash=sha256:" in line for line in pins)
    assert [line for line in bundle_pins(row) if line.startswith("pip==")]
    assert all("--hash=sha256:" in line for line in bundle_pins(row))


def test_an_unknown_row_names_the_known_ones() -> None:
    with pytest.raises(SystemExit, match=r"There is no row 'pi', expected one of bookworm-arm64-litert, "):
        row_named("pi")


def test_the_table_says_which_trials_failed() -> None:
    trials = [
        Trial("a", "cortex-a53", (), "litert", 261, 1, 0, 1.0, 100.0, 4_600_000),
        Trial("a", "cortex-a72", ("doctor ended with 1",)),
    ]
    lines = table(trials, {"a": Installed(200.0, 50.0)}).splitlines()
    assert lines[1].split() == ["a", "cortex-a53", "yes", "261", "1", "0", "1.00", "100", "200", "(", "50.0)", "4.60"]
    assert lines[2].split()[2] == "NO"


def test_the_installer_refuses_another_kind_of_device(tmp_path: Path) -> None:
    script = Path(__file__).with_name("install.sh")
    (tmp_path / "install.sh").write_bytes(script.read_bytes())
    (tmp_path / "bundle.json").write_text('{"python": "3.4", "machine": "vax", "release": "abc"}')
    done = subprocess.run(["sh", str(tmp_path / "install.sh"), str(tmp_path / "to")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "This bundle is for Python 3.4 on vax with 64 bits, here are Python, processor and bits" in done.stderr
    assert not (tmp_path / "to").exists()


def test_a_machine_without_the_emulator_skips_the_check_with_the_reason_and_without_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(root, "TOOLS", {"no-such-emulator": "qemu-of-no-one"})
    monkeypatch.setattr(root.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["check", "--json", str(tmp_path / "found.json")])
    assert check.main() == 0
    reason = "needs qemu-of-no-one (Debian: apt-get install qemu-of-no-one arch-test)"
    assert capsys.readouterr().out == f"device-check skipped: {reason}\n"
    assert not (tmp_path / "found.json").exists()


@pytest.mark.parametrize(
    ("backend", "step", "num_other", "is_within"),
    [
        ("litert", 1, 1, True),
        ("litert", 2, 0, False),
        ("litert", 1, 2, False),
        ("tflite", 26, 3, True),
        ("tflite", 27, 0, False),
        ("tflite", 26, 4, False),
    ],
)
def test_outputs_further_from_this_machine_than_was_measured_are_a_failure(
    backend: str, step: int, num_other: int, is_within: bool
) -> None:
    here = np.zeros((trial.NUM_PICTURES, 10), np.uint8)
    here[:, 0], here[:num_other, 1] = 100, 100
    there = here.copy()
    there[:num_other, 1] += 1
    there[-1, 0] -= step
    labels = np.zeros(trial.NUM_PICTURES, np.int64)
    material = Material(Path(), Path(), Path(), "digest", {backend: here}, labels)
    found = {"inputs_sha256": "digest", "num_correct": trial.NUM_PICTURES}
    failures: list[str] = []
    assert trial._compare(material, found, there, backend, failures) == (step, num_other)
    told = f"outputs of {backend} are up to {step} steps and {num_other} labels of 300 from this machine's, expected at"
    assert [failure[: len(told)] for failure in failures] == ([] if is_within else [told])


@pytest.mark.parametrize(
    ("program", "told"), [("import time; time.sleep(60)", "stood still for"), ("while True: pass", "took more than")]
)
def test_a_program_that_stands_still_or_never_ends_is_killed(
    program: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "LOOK_S", 0.02)
    monkeypatch.setattr(emulator, "STALLED_LOOKS", 60)
    monkeypatch.setattr(emulator, "TIMEOUT_LOOKS", 100)
    process = subprocess.Popen([sys.executable, "-c", program])
    with pytest.raises(TimeoutError, match=told):
        emulator.wait_for(process)
    assert process.returncode == -9


def test_a_wheel_is_known_by_its_content_and_not_by_its_dates(tmp_path: Path) -> None:
    digests = []
    for name, year, content in (("a", 2020, b"1"), ("b", 2021, b"1"), ("c", 2021, b"2")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(zipfile.ZipInfo("edge_runtime/x.py", (year, 1, 1, 0, 0, 0)), content)
        digests.append(content_digest(tmp_path / name))
    assert digests[0] == digests[1] != digests[2]

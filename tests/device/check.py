"""``python -m tests.device.check``: the wheel on emulated ARM devices, against this machine. ``make device-check`` runs it.

    python -m tests.device.check
    python -m tests.device.check --rows bookworm-arm64-litert --cpus cortex-a72 --json build/device-check.json

Needs Debian's mmdebstrap and qemu-user, which it installs when it may; where it cannot, it says why and ends with 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from edge_runtime.interpreter import available_backends
from tests.device.emulator import Device, build_counter
from tests.device.pins import build_wheel
from tests.device.root import install_wheel, make_root, missing_tools, site_of
from tests.device.rows import ROWS, Row, row_named
from tests.device.trial import NUM_PICTURES, Trial, make_material, try_row

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "edge-runtime-devices"
ON_TOP = ("numpy", "numpy.libs", "cv2", "opencv_python_headless.libs")


@dataclasses.dataclass(frozen=True)
class Installed:
    """10^6 bytes on the device: all that pip installed, and that without NumPy and OpenCV."""

    all_mb: float
    on_top_mb: float


def main() -> int:
    """Prints the table; 0 when every trial passed or the tools are missing, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.device.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default=",".join(row.name for row in ROWS), help="which rows (default: all)")
    parser.add_argument("--cpus", help="only these processors, such as cortex-a72")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where roots are kept (default {CACHE})")
    parser.add_argument("--json", type=Path, help="also write the results here")
    flags = parser.parse_args()
    reason = missing_tools()
    if reason:
        print(f"device-check skipped: {reason}")
        return 0
    rows = [row_named(name) for name in flags.rows.split(",")]
    lacking = {row.backend for row in rows} - set(available_backends())
    if lacking:
        print(f"device-check skipped: this machine has no {', '.join(sorted(lacking))} to compare with")
        return 0
    with tempfile.TemporaryDirectory(prefix="device-check-") as folder:
        trials, installed = _all_trials(rows, flags.cpus.split(",") if flags.cpus else None, flags.cache, Path(folder))
    print(table(trials, installed))
    if flags.json:
        value = {
            "v": 1,
            "type": "device-check",
            "passed": not any(trial.failures for trial in trials),
            "installed": {name: dataclasses.asdict(size) for name, size in installed.items()},
            "trials": [dataclasses.asdict(trial) for trial in trials],
        }
        flags.json.parent.mkdir(parents=True, exist_ok=True)
        flags.json.write_text(json.dumps(value, indent=2) + "\n")
    return 1 if not trials or any(trial.failures for trial in trials) else 0


def _all_trials(
    rows: list[Row], cpus: list[str] | None, cache: Path, work: Path
) -> tuple[list[Trial], dict[str, Installed]]:
    wheel, counter = build_wheel(work), build_counter(work)
    material = make_material(work, available_backends())
    roots = {row.name: make_root(row, cache, work) for row in rows}
    plan = [(row, cpu) for row in rows for cpu in row.cpus if cpus is None or cpu in cpus]
    trials: list[Trial] = []
    installed: dict[str, Installed] = {}
    started_s = time.monotonic()
    for number, (row, cpu) in enumerate(plan):
        left = f", about {(time.monotonic() - started_s) / number * (len(plan) - number):.0f} s left" if number else ""
        print(f"[{number + 1}/{len(plan)}] {row.name} on {cpu}{left}", file=sys.stderr, flush=True)
        site, app = site_of(row, roots[row.name]), install_wheel(row, roots[row.name], wheel)
        installed[row.name] = Installed(_size_mb(site) + _size_mb(app), _size_mb(site, ON_TOP) + _size_mb(app))
        device = Device(row, roots[row.name], cpu, (app, site), work)
        try:
            trials.append(try_row(device, material, counter))
        except TimeoutError as error:
            trials.append(Trial(row.name, cpu, (str(error),)))
        finally:
            device.close()
        for failure in trials[-1].failures:
            print(f"  {failure}", file=sys.stderr, flush=True)
    return trials, installed


def table(trials: list[Trial], installed: dict[str, Installed]) -> str:
    """The results for people, in columns."""
    lines = [
        f"{'device':<23} {'processor':<11} works  right of {NUM_PICTURES}  largest step  other labels  import s  "
        "peak MB  installed MB (on top)  M instructions a frame"
    ]
    for trial in trials:
        size = installed[trial.row]
        count = "-" if trial.instructions_a_frame is None else f"{trial.instructions_a_frame / 1e6:.2f}"
        lines.append(
            f"{trial.row:<23} {trial.cpu:<11} {'NO' if trial.failures else 'yes':<5}  {trial.num_correct:>12}  "
            f"{trial.largest_step:>12}  {trial.num_other_label:>12}  {trial.import_s:>8.2f}  {trial.peak_mb:>7.0f}  "
            f"{size.all_mb:>12.0f} ({size.on_top_mb:>6.1f})  {count:>22}"
        )
    software = sorted({f"{trial.row}: {trial.kernels}" for trial in trials if trial.kernels})
    lines += ["", *software, "", "Import seconds are emulated ones, and peak memory includes the emulator (about 50 MB a process): "
              "compare rows, not devices.", "On top: without NumPy and OpenCV."]  # fmt: skip
    return "\n".join(lines)


def _size_mb(folder: Path, without: tuple[str, ...] = ()) -> float:
    """10^6 bytes of the files below ``folder``, without the named entries of it."""
    return (
        sum(
            path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file() and not path.is_symlink() and path.relative_to(folder).parts[0] not in without
        )
        / 1e6
    )


if __name__ == "__main__":
    sys.exit(main())

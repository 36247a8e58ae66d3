"""``python -m tests.tools.device.check``: tests the wheel on emulated ARM devices against this machine. ``make device-check`` runs it.

    python -m tests.tools.device.check
    python -m tests.tools.device.check --rows bookworm-arm64-litert --cpus cortex-a72 --json build/device-check.json

Needs Debian's mmdebstrap and qemu-user, which it installs when it may; where it cannot, it says why and ends with 0.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from edge_runtime.inference.interpreter import list_available_backends
from tests.tools.device.device_table import Installed, installed_size, table
from tests.tools.device.emulator import Device, build_counter
from tests.tools.device.loopback_camera import stream
from tests.tools.device.material import make_material
from tests.tools.device.pins import build_wheel
from tests.tools.device.root import install_wheel, make_roots, missing_tools, site_of
from tests.tools.device.rows import ROWS, Row, row_named
from tests.tools.device.trial import Trial, try_row

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "edge-runtime-devices"


def main() -> int:
    """Prints the table; 0 when every trial passed or the tools are missing, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.device.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", default=",".join(row.name for row in ROWS), help="which rows (default: all)")
    parser.add_argument("--cpus", help="only these processors, such as cortex-a72")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at the same time (default: all cores)"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where roots are kept (default {CACHE})")
    parser.add_argument("--json", type=Path, help="also write the results here")
    flags = parser.parse_args()
    started_s = time.monotonic()
    reason = missing_tools()
    if reason:
        print(f"device-check skipped: {reason}")
        return 0
    rows = [row_named(name) for name in flags.rows.split(",")]
    lacking = {row.backend for row in rows} - set(list_available_backends())
    if lacking:
        print(f"device-check skipped: this machine has no {', '.join(sorted(lacking))} to compare with")
        return 0
    with tempfile.TemporaryDirectory(prefix="device-check-") as folder:
        plan = [(row, cpu) for row in rows for cpu in row.cpus if flags.cpus is None or cpu in flags.cpus.split(",")]
        trials, installed, ready_s = _all_trials(plan, flags.jobs, flags.cache, Path(folder))
    took_s = time.monotonic() - started_s
    print(table(trials, installed))
    print(
        f"\n{len(trials)} trials in {took_s:.0f} s, {ready_s - started_s:.0f} s of them to make wheel and roots ready."
    )
    passed = bool(trials) and not any(trial.failures for trial in trials)
    if flags.json:
        value = {
            "v": 1,
            "type": "device-check",
            "passed": passed,
            "took_s": round(took_s, 1),
            "making_ready_s": round(ready_s - started_s, 1),
            "installed": {name: dataclasses.asdict(size) for name, size in installed.items()},
            "trials": [dataclasses.asdict(trial) for trial in trials],
        }
        flags.json.parent.mkdir(parents=True, exist_ok=True)
        flags.json.write_text(json.dumps(value, indent=2) + "\n")
    return 0 if passed else 1


def _all_trials(
    plan: list[tuple[Row, str]], jobs: int, cache: Path, work: Path
) -> tuple[list[Trial], dict[str, Installed], float]:
    """The trials of ``plan`` in its order, the sizes by row, and when everything was ready to begin (`time.monotonic`)."""
    wheel, counter = build_wheel(work), build_counter(work)
    material = make_material(work, list_available_backends())
    rows = list({row.name: row for row, _ in plan}.values())
    roots = make_roots(rows, cache, work)
    apps = {root: install_wheel(root, wheel) for root in roots.values()}
    installed = {row.name: installed_size(site_of(row, roots[row.name]), apps[roots[row.name]]) for row in rows}
    ready_s = time.monotonic()

    def one(row: Row, cpu: str, address: str) -> Trial:
        folder = work / f"{row.name}-{cpu}"
        folder.mkdir()
        root = roots[row.name]
        device = Device(row, root, cpu, (apps[root], site_of(row, root)), folder)
        try:
            return try_row(device, material, apps[root] / "edge_runtime" / "models", address, counter)
        except TimeoutError as error:
            return Trial(row.name, cpu, (str(error),), num_stalls=device.num_stalls)
        finally:
            device.close()

    with stream() as address, concurrent.futures.ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = [pool.submit(one, row, cpu, address) for row, cpu in plan]
        for number, future in enumerate(concurrent.futures.as_completed(futures), start=1):
            trial = future.result()
            left_s = (time.monotonic() - ready_s) / number * (len(plan) - number)
            left = f", about {left_s:.0f} s left" if left_s else ""
            print(f"[{number}/{len(plan)}] {trial.row} on {trial.cpu}{left}", file=sys.stderr, flush=True)
            for failure in trial.failures:
                print(f"  {failure}", file=sys.stderr, flush=True)
    return [future.result() for future in futures], installed, ready_s


if __name__ == "__main__":
    sys.exit(main())

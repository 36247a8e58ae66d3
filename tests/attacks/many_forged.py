"""Gives ``edge-runtime classify`` thousands of forged files with right hashes, and counts what came of them:

    python -m tests.attacks.many_forged --backend litert --count 20000

The command runs in one process for many files, which spares its start of half a second and nothing else: each file is
written, tried in its own guarded child, and classified with where that went well. The process that runs it is watched
from outside, so its death by a signal is counted, and the next file goes on in another one. ``--whole`` runs each file
as a command of its own. Needs Linux.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attacks import forged

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "samples" / "bird.jpg"
# Most bytes of a large model are weights, of which any will do; in the toy nearly all of them lead somewhere.
BASES = (*[forged.TOY] * 3, ROOT / "edge_runtime" / "models" / "resnet8.tflite")
# A new process after so many files, so that no growth of one is taken for what a file needs.
FILES_A_PROCESS = 250


def main() -> int:
    """Runs them; 1 when the parent died of a signal or ended otherwise than with 0 or 65."""
    parser = argparse.ArgumentParser(prog="tests.attacks.many_forged", description="Forged files, classified.")
    parser.add_argument("--backend", required=True, choices=("litert", "tflite"))
    parser.add_argument("--count", type=int, default=1000, help="files in all (default 1000)")
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first one, which is its seed (default 0)"
    )
    parser.add_argument("--whole", action="store_true", help="each as a whole command")
    parser.add_argument("--until", metavar="HH:MM", default="", help="stop at this time of day (UTC)")
    parser.add_argument("--be-worker", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # No keys but those of this run, which has none.
        names = ("EDGE_RUNTIME_STORE", "EDGE_RUNTIME_KEYS", "XDG_CONFIG_HOME")
        os.environ.update({name: f"{folder}/{name}" for name in names})
        Path(folder, "EDGE_RUNTIME_KEYS").mkdir()
        path = Path(folder) / "forged.tflite"
        if flags.be_worker:
            for number in range(flags.first, flags.first + flags.count):
                print(json.dumps(_classify_here(number, path, flags.backend)), file=sys.__stdout__, flush=True)
            return 0
        results = _whole(flags, path) if flags.whole else _in_workers(flags)
        return _count(results, flags.until)


def make_forged(number: int) -> bytes:
    """Forged file ``number``: mutants of one of BASES in turn, always the same."""
    content = BASES[number % len(BASES)].read_bytes()
    flatbuffer = content[: content.index(b"PK\x03\x04")]
    return forged.forge(next(forged.mutants(flatbuffer, 1, seed=number)), _contract(number % len(BASES)))


def _contract(base: int, known: dict[int, Any] = {}) -> Any:  # noqa: B006  parsed once
    from edge_runtime.model.model_file import read_model

    if base not in known:
        known[base] = read_model(BASES[base].read_bytes(), BASES[base].name).contract
    return known[base]


def _classify_here(number: int, path: Path, backend: str) -> dict[str, Any]:
    """What came of file ``number`` in this process: exit code, seconds of processor time and peak of memory in
    kB, of this process and its children.
    """
    from edge_runtime import cli

    path.write_bytes(make_forged(number))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    errors = io.StringIO()
    began_s, began_wall_s = _cpu_s(), time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = cli.main(["classify", "--backend", backend, "--model", str(path), str(SAMPLE)])
    took_s, wall_s = _cpu_s() - began_s, time.monotonic() - began_wall_s
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    children_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "number": number,
        "code": code,
        "s": took_s,
        "wall_s": wall_s,
        "kb": max(peak_kb, children_kb),
        "said": errors.getvalue()[:300],
    }


def _cpu_s() -> float:
    """What this process and its ended children computed: beside others, the time of day says nothing of a file."""
    return sum(os.times()[:4])


def _in_workers(flags: argparse.Namespace) -> Iterator[dict[str, Any]]:
    number, end = flags.first, flags.first + flags.count
    while number < end:
        count = min(FILES_A_PROCESS, end - number)
        command = [sys.executable, "-m", "tests.attacks.many_forged", "--be-worker", "--backend", flags.backend]
        command += ["--first", str(number), "--count", str(count)]
        after = number + count
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                yield json.loads(line)
                number += 1
        if worker.returncode:
            yield {"number": number, "code": worker.returncode, "s": 0.0, "wall_s": 0.0, "kb": 0, "said": ""}
            number += 1
        else:
            assert number == after


def _whole(flags: argparse.Namespace, path: Path) -> Iterator[dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "edge_runtime",
        "classify",
        "--backend",
        flags.backend,
        "--model",
        str(path),
        str(SAMPLE),
    ]
    for number in range(flags.first, flags.first + flags.count):
        path.write_bytes(make_forged(number))
        began_s = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took_s = usage.ru_utime + usage.ru_stime
        yield {
            "number": number,
            "code": process.returncode,
            "s": took_s,
            "wall_s": time.monotonic() - began_s,
            "kb": usage.ru_maxrss,
            "said": said[:300],
        }


def _count(results: Iterator[dict[str, Any]], until: str) -> int:
    codes: collections.Counter[int] = collections.Counter()
    times_s, wall_s, peak_kb, num_crashed, strange = [0.0], 0.0, 0, 0, []
    for result in results:
        codes[result["code"]] += 1
        times_s.append(result["s"])
        wall_s, peak_kb = max(wall_s, result["wall_s"]), max(peak_kb, result["kb"])
        num_crashed += "crashed the process" in result["said"]
        if result["code"] not in (0, 65) or "bug in edge-runtime" in result["said"] or "Traceback" in result["said"]:
            strange.append(result)
            print(f"STRANGE {result}", flush=True)
        if result["s"] > 2:
            print(f"SLOW {result}", flush=True)
        if sum(codes.values()) % 500 == 0:
            print(_summary(codes, times_s, wall_s, peak_kb, num_crashed), flush=True)
        if until and time.strftime("%H:%M", time.gmtime()) >= until:
            break
    print(_summary(codes, times_s, wall_s, peak_kb, num_crashed), flush=True)
    return 1 if strange else 0


def _summary(
    codes: collections.Counter[int], times_s: list[float], wall_s: float, peak_kb: int, num_crashed: int
) -> str:
    ordered = sorted(times_s)
    named = {signal.Signals(-code).name if code < 0 else str(code): count for code, count in sorted(codes.items())}
    return (
        f"{sum(codes.values())} files; exit codes {named}; {num_crashed} crashed the guarded child; processor seconds: median "
        f"{ordered[len(ordered) // 2]:.3f}, 99 % {ordered[len(ordered) * 99 // 100]:.3f}, most {ordered[-1]:.3f}; "
        f"most by the clock {wall_s:.3f}; most memory {peak_kb / 1024:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())

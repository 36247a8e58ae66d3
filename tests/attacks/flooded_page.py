"""Floods the live page of a run with connections while its capture process is killed, and counts labels:

    python -m tests.attacks.flooded_page --idle 2000 --reconnecting 200

Four times as long as ``--seconds``: quiet; the capture process is killed; flooded; flooded, and the capture process is
killed. The attackers are processes of their own, and polite (nice 10), so that they do not simply take the processor.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
FPS = 10
ATTACKER = "127.0.0.2"


def main() -> int:
    """Prints labels a second of each part, how much came on stderr and whether a viewer got in meanwhile."""
    parser = argparse.ArgumentParser(prog="tests.attacks.flooded_page", description=__doc__.split("\n")[0])
    parser.add_argument("--idle", type=int, default=2000, help="connections that say nothing (default 2000)")
    parser.add_argument("--reconnecting", type=int, default=200, help="those that come and go (default 200)")
    parser.add_argument("--seconds", type=float, default=15.0, help="for each part (default 15)")
    flags = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [sys.executable, "-m", "edge_runtime", "run", "--camera", f"synthetic:320x240@{FPS}", "--format", "jsonl"]
    command += ["--no-changes-only", "--web", f"127.0.0.1:{port}", "--max-age-ms", "2000"]
    with tempfile.TemporaryFile() as errors:
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        times: list[float] = []
        threading.Thread(target=_note_labels, args=(run, times), daemon=True).start()
        try:
            _measure(run, port, times, flags)
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(20)
        print(f"stderr: {os.fstat(errors.fileno()).st_size} bytes; exit code {run.returncode}")
    return 0


def _measure(run: subprocess.Popen[bytes], port: int, times: list[float], flags: argparse.Namespace) -> None:
    while not times:
        time.sleep(0.1)
    _count("quiet", times, flags.seconds)
    _kill_capture(run.pid)
    _count("quiet, capture process killed", times, flags.seconds)
    attackers = [multiprocessing.Process(target=_hold_idle, args=(port, flags.idle), daemon=True)]
    attackers += [multiprocessing.Process(target=_reconnect, args=(port, flags.reconnecting), daemon=True)]
    for each in attackers:
        each.start()
    time.sleep(3)
    _count("flooded", times, flags.seconds)
    _kill_capture(run.pid)
    _count("flooded, capture process killed", times, flags.seconds)
    print(f"a viewer got in {sum(_is_let_in(port) for _ in range(20))} of 20 times; "
          f"{len(os.listdir(f'/proc/{run.pid}/fd'))} descriptors are open")  # fmt: skip
    for each in attackers:
        each.kill()
        each.join()


def _note_labels(run: subprocess.Popen[bytes], times: list[float]) -> None:
    assert run.stdout is not None
    for line in run.stdout:
        if json.loads(line).get("type") == "prediction":
            times.append(time.monotonic())


def _count(what: str, times: list[float], seconds: float) -> None:
    began_s = time.monotonic()
    time.sleep(seconds)
    within = [each for each in times if each >= began_s]
    ends = [began_s, *within, time.monotonic()]
    longest_s = max(after - before for before, after in itertools.pairwise(ends))
    print(f"{what}: {len(within) / seconds:.2f} labels a second, longest gap {longest_s:.2f} s", flush=True)


def _kill_capture(pid: int) -> None:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    capture = [each for each in children if b"capture" in Path(f"/proc/{each}/cmdline").read_bytes()]
    assert capture, "the run has no capture process"
    os.kill(capture[0], signal.SIGKILL)


def _hold_idle(port: int, count: int) -> None:
    _be_attacker(count)
    held: list[socket.socket] = []
    while True:
        for _ in range(count - len(held)):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), 2, (ATTACKER, 0)))
                held[-1].setblocking(False)
        for each in list(held):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if each.recv(1) == b"":  # dropped: it comes back with the next round
                    each.close()
                    held.remove(each)
        time.sleep(1)


def _reconnect(port: int, count: int) -> None:
    _be_attacker(count)
    held: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", port), 2, (ATTACKER, 0)))
            held[-1].sendall(b"GET / HT")
        if len(held) >= count:
            held.pop(0).close()
        time.sleep(0.001)


def _be_attacker(count: int) -> None:
    os.nice(10)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 100, most), most))


def _is_let_in(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/state", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())

"""Runs in the virtual device, as root and from early on: does what the tests send by the serial line. The folder of the
host that the kernel's flag ``vm.shared`` names is ``/host``.

A line is ``{"name": ..., "command": ...}``, the answer ``{"name": ..., "code": ..., "out": ..., "err": ...}``. Commands run side by
side; whatever one leaves in the background goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tty
from pathlib import Path

LINE = "/dev/ttyS0"


def main() -> None:
    """Serves until the machine ends."""
    flags = dict(flag.partition("=")[::2] for flag in Path("/proc/cmdline").read_text().split())
    subprocess.run(["mount", "-t", "hostfs", "none", "/host", "-o", flags["vm.shared"]], check=True)
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    sending = threading.Lock()

    def send(value: dict[str, object]) -> None:
        content = json.dumps(value).encode() + b"\n"
        with sending:
            while content:
                content = content[os.write(line, content) :]

    def answer(asked: dict[str, str]) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", asked["command"]], stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        send({"name": asked["name"], "code": done.returncode, "out": out, "err": err})

    send({"name": "ready"})
    with os.fdopen(line, "rb", closefd=False) as lines:
        for content in lines:
            threading.Thread(target=answer, args=(json.loads(content),), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())

"""A virtual device with this package on it: its service, its store, and cameras that are plugged in and out."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from typing import Any

from tests.tools.vm.machine import Machine

LABEL_S = 240.0
PYTHON = "/opt/edge-runtime/current/bin/python"


@dataclass(frozen=True)
class Camera:
    """A simulated USB camera in a port of the device (see `usb_camera`)."""

    port: int

    @property
    def folder(self) -> str:
        """The folder in the device that says what it shows and what it did."""
        return f"/run/camera{self.port}"

    @property
    def serial(self) -> str:
        """Its serial number."""
        return f"serial{self.port}"


class Device(Machine):
    """A machine, and what the scenarios do with it."""

    def serve(self, *flags: str) -> None:
        """Makes the service run with ``flags``, as the documentation says, from this boot on."""
        run = f"edge-runtime service -- {shlex.join(flags)} > /etc/systemd/system/edge-runtime.service"
        self.check(f"{run} && systemctl daemon-reload && systemctl restart edge-runtime")

    def num_labels(self) -> int:
        """How many labels the service gave since it was started, as systemd shows it."""
        text = self.check("systemctl show -p StatusText --value edge-runtime").split()
        return int(text[0]) if text else 0

    def wait_for_labels(self, number: int = 1) -> int:
        """Waits until the service has given so many labels, and returns how many."""
        until_s = time.monotonic() + LABEL_S
        while (found := self.num_labels()) < number:
            if time.monotonic() > until_s:
                raise AssertionError(f"{found} labels, expected {number}\n{self.journal()}")
            time.sleep(0.5)
        return found

    def wait_for_line(self, text: str, since: str = "") -> str:
        """Waits until the service's journal has a line with ``text``, and returns the journal."""
        until_s = time.monotonic() + LABEL_S
        while text not in (journal := self.journal(since)):
            assert time.monotonic() < until_s, f"no {text!r} in:\n{journal}"
            time.sleep(0.5)
        return journal

    def journal(self, since: str = "") -> str:
        """What the service printed in this boot, after the cursor ``since``."""
        after = f"--after-cursor={shlex.quote(since)}" if since else ""
        return self.check(f"journalctl -b -o cat -u edge-runtime --no-pager {after}")

    def now(self) -> str:
        """A cursor that `journal` takes for ``since``."""
        return self.check("journalctl -b -n 0 --show-cursor --no-pager").rpartition("cursor: ")[2].strip()

    def store(self) -> dict[str, Any]:
        """What ``edge-runtime status`` says of the service's store; fails where it says that something is damaged."""
        value: dict[str, Any] = json.loads(self.check("edge-runtime status --format jsonl"))
        return value

    def run_lines(self, flags: str, timeout_s: float = LABEL_S) -> list[dict[str, Any]]:
        """The JSON lines of an ``edge-runtime run`` that must end well."""
        out = self.check(
            f"edge-runtime run --format jsonl {flags} 2>/run/said || {{ cat /run/said >&2; false; }}", timeout_s
        )
        return [json.loads(line) for line in out.splitlines()]

    def plug_in(self, picture: str, form: str = "YUYV", port: int = 0) -> Camera:
        """Plugs a USB camera into ``port`` that shows a file of /host; waits until its device is there."""
        camera = Camera(port)
        self.check(f"modprobe -a vhci-hcd uvcvideo && mkdir -p {camera.folder}")
        self.show(camera, picture)
        self.check(
            f"setsid {PYTHON} /host/usb_camera.py {camera.folder} --format {form} --port {port} </dev/null "
            f">{camera.folder}/said 2>&1 & echo $! >{camera.folder}/pid"
        )
        self._wait_for_nodes(camera, 2)
        return camera

    def _wait_for_nodes(self, camera: Camera, number: int) -> None:
        """Until the kernel and udev show so many device nodes of ``camera``: one for frames, one for their metadata."""
        count = f"ls -d /sys/bus/usb/devices/*/*/video4linux/* 2>/dev/null | xargs -r -n1 dirname | xargs -r -I% cat %/../../serial | grep -c '^{camera.serial}$'"  # fmt: skip
        self.check(
            f'for _ in $(seq 150); do [ "$({count})" = {number} ] && exec udevadm settle; sleep 0.2; done; '
            f"cat {camera.folder}/said >&2; dmesg | tail >&2; false"
        )

    def show(self, camera: Camera, picture: str, how: str = "well") -> None:
        """What the camera shows from its next frame on, and how well (see `usb_camera`)."""
        text = json.dumps({"picture": f"/host/{picture}", "how": how})
        self.check(f"echo {shlex.quote(text)} >{camera.folder}/new && mv {camera.folder}/new {camera.folder}/show.json")

    def pull_out(self, camera: Camera) -> None:
        """Pulls the plug; waits until its device is gone and its port is free."""
        self.check(f"kill -9 $(cat {camera.folder}/pid)")
        self._wait_for_nodes(camera, 0)
        port = f"grep -q 'hs *000{camera.port} 004' /sys/devices/platform/vhci_hcd.0/status"
        self.check(f"for _ in $(seq 150); do {port} && exit; sleep 0.2; done; cat /sys/devices/platform/vhci_hcd.0/status; false")  # fmt: skip


class LiveRun:
    """An ``edge-runtime run --format jsonl`` in the device, from the beginning of a ``with`` block to its end."""

    def __init__(self, device: Device, flags: str) -> None:
        self.device, self.flags, self.code = device, flags, -1

    def __enter__(self) -> LiveRun:
        self._name = self.device.send(
            f"rm -f /run/lines; setsid edge-runtime run --format jsonl {self.flags} >/run/lines 2>/run/said & "
            "echo $! >/run/live.pid; wait $!"
        )
        return self

    def lines(self) -> list[dict[str, Any]]:
        """All whole lines so far."""
        text = self.device.check("cat /run/lines 2>/dev/null || true")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_for(self, key: str, value: str, after: int = 0) -> int:
        """Waits for a line after the first ``after`` ones in which ``key`` is ``value``; its index."""
        until_s = time.monotonic() + LABEL_S
        while True:
            lines = self.lines()
            for index, line in enumerate(lines[after:], start=after):
                if line.get(key) == value:
                    return index
            assert time.monotonic() < until_s, f"no {key} {value} after line {after} of {lines[-20:]}"
            time.sleep(0.3)

    def __exit__(self, *_: object) -> None:
        self.device.run("kill -INT $(cat /run/live.pid)")
        self.code = self.device.answer_to(self._name).code

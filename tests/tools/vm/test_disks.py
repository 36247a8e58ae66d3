"""Disks that are full or read-only: labels continue, and what cannot be written is reported as such."""

from __future__ import annotations

import pytest

from tests.tools.vm.device import Device

pytestmark = pytest.mark.slow
FILL = "fallocate -l $(($(stat -f -c '%a * %S' / ) - 4096)) /fill || true; dd if=/dev/zero of=/fill2 bs=4k 2>/dev/null || true"


def test_a_full_disk_refuses_a_model_and_keeps_the_one_in_use(machine: Device) -> None:
    machine.wait_for_labels()
    machine.check(FILL)
    answer = machine.run("edge-runtime install --max-latency-ms 1e6 /host/small.tflite")
    assert answer.code == 1, answer
    assert "No space left on device" in answer.err
    assert machine.store()["current"] == "shipped"
    machine.check("systemctl restart edge-runtime")
    machine.wait_for_labels(5)
    machine.check("rm /fill /fill2; edge-runtime install --max-latency-ms 1e6 /host/small.tflite")
    assert machine.store()["current"] != "shipped"


def test_a_log_file_on_a_full_disk_is_told_at_once_and_labels_go_on(machine: Device) -> None:
    machine.check("systemctl stop edge-runtime")
    machine.check(FILL)
    answer = machine.run("edge-runtime run --camera 0 --frames 5 --format jsonl --log-file /var/log/labels.jsonl")
    assert answer.code == 0, answer
    lines = answer.out.splitlines()
    assert sum('"type":"prediction"' in line for line in lines) == 5
    assert "No space left on device" in answer.out + answer.err


def test_a_read_only_root_labels_and_says_why_it_takes_no_model(machine: Device) -> None:
    machine.wait_for_labels()
    machine.shut_down()
    machine.power_on("ro", "fstab=no")
    assert " ro," in machine.check("grep ' / ' /proc/mounts")
    machine.wait_for_labels(5)
    answer = machine.run("edge-runtime install --max-latency-ms 1e6 /host/small.tflite")
    assert answer.code == 1, answer
    assert "Read-only file system" in answer.err
    assert machine.store()["current"] == "shipped"

"""What the playbook assumes about the device package, checked against the package itself."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from pathlib import Path

import pytest

from edge_runtime.cli.run.systemd_unit import WATCHDOG_S, ServiceConfig, write_unit_text
from edge_runtime.model.signatures import ALL_USERS_KEYS, KEY_SUFFIX, make_keys, read_public_key
from edge_runtime.system.watchdog import Watchdog

FOLDER = Path(__file__).parents[3] / "docs" / "deploy"
PLAYBOOK = (FOLDER / "playbook.yml").read_text(encoding="utf-8")
HEALTH = (FOLDER / "health.yml").read_text(encoding="utf-8")


def test_the_playbook_looks_for_a_key_where_trust_puts_it(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="keys need the package cryptography")
    key = tmp_path / "a key.pub"
    key.write_bytes(make_keys()[1])
    (before, after), *more = re.findall(
        r"pipe', '(grep[^']*)' \+ \(key_file \| quote\) \+ '([^']*)'\)\[:16\]", PLAYBOOK
    )
    assert not more
    command = f"{before}{shlex.quote(str(key))}{after}"
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout[:16]
    assert found == read_public_key(key).key_id
    (trusted_file,) = re.findall(r"trusted_file: \"(\S+/)\{\{.*\}\}(\S+)\"", PLAYBOOK)
    assert trusted_file == (f"{ALL_USERS_KEYS}/", KEY_SUFFIX)


def test_the_health_check_reads_the_number_of_labels_that_the_service_tells(tmp_path: Path) -> None:
    told = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service_manager:
        service_manager.bind(str(tmp_path / "s"))
        service_manager.settimeout(5)
        Watchdog({"NOTIFY_SOCKET": str(tmp_path / "s")}).alive(1234)
        told = [service_manager.recv(100).decode() for _ in range(2)]
    assert told[0] == "READY=1"
    # systemd shows what follows STATUS= as StatusText.
    shown = told[1].replace("STATUS=", "StatusText=")
    patterns = set(re.findall(r"regex_search\('(StatusText[^']*)'", HEALTH))
    assert [re.findall(pattern, shown) for pattern in patterns] == [["1234"]]


def test_the_health_check_watches_longer_than_the_watchdog_of_the_unit_waits() -> None:
    patterns = {pattern.replace("\\\\", "\\") for pattern in re.findall(r"regex_search\('(Watchdog[^']*)'", PLAYBOOK)}
    assert [re.findall(pattern, write_unit_text(ServiceConfig(("/x",)))) for pattern in patterns] == [[str(WATCHDOG_S)]]
    assert PLAYBOOK.count("| first | int + 5") == 2

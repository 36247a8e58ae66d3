"""The fleet's commands, run by Ansible on this machine as if it were three devices, one of which does not answer."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "docs" / "deploy"
needs_ansible = pytest.mark.skipif(shutil.which("ansible-playbook") is None, reason="ansible-core is not on PATH")
# Nothing listens on port 1, so "door" answers as a device does that is off.
INVENTORY = f"""door ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh
left ansible_connection=local
right ansible_connection=local
[all:vars]
ansible_python_interpreter={sys.executable}
"""


def play(folder: Path, playbook: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    inventory = folder / "inventory.ini"
    inventory.write_text(INVENTORY)
    command = ["ansible-playbook", "-i", str(inventory), str(playbook), "-e", "ansible_become=false", *flags]
    environment = {
        **os.environ,
        "PWD": str(folder),
        "ANSIBLE_TIMEOUT": "5",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@needs_ansible
def test_without_its_canary_no_device_is_changed(tmp_path: Path) -> None:
    (tmp_path / "deploy.yml").write_text(
        f"- import_playbook: {DEPLOY / 'reach.yml'}\n"
        "- hosts: all\n  gather_facts: false\n  serial: [1]\n  tasks:\n"
        "    - command: touch changed-{{ inventory_hostname }}\n"
    )
    refused = play(tmp_path, tmp_path / "deploy.yml")
    assert refused.returncode != 0
    assert "No answer from door; nothing was changed on any device" in refused.stdout + refused.stderr
    assert list(tmp_path.glob("changed-*")) == []
    assert play(tmp_path, tmp_path / "deploy.yml", "--limit", "all:!door").returncode == 0
    assert sorted(path.name for path in tmp_path.glob("changed-*")) == ["changed-left", "changed-right"]


@pytest.mark.parametrize("name", ["playbook.yml", "rollback.yml"])
def test_what_changes_devices_asks_first_whether_all_answer(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert text.index("import_playbook: reach.yml") < text.index("hosts: all")


@pytest.mark.slow
@needs_ansible
def test_status_names_the_device_that_is_off(tmp_path: Path) -> None:
    program = tmp_path / "releases" / "0.1-litert" / "bin" / "edge-runtime"
    program.parent.mkdir(parents=True)
    store = {"name": "mugs", "current": "0123456789abcdef", "probation": None, "signed_by": None}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(store)}'\n")
    program.chmod(0o755)
    (tmp_path / "current").symlink_to("releases/0.1-litert")
    played = play(tmp_path, DEPLOY / "status.yml", "-e", "answers=answers.json", "-e", f"base={tmp_path}")
    assert (tmp_path / "answers.json").exists(), played.stdout
    table = subprocess.run(
        [sys.executable, str(DEPLOY / "fleet_table.py"), str(tmp_path / "answers.json")], capture_output=True, text=True
    )
    head, left, right, door = table.stdout.splitlines()
    assert head.split()[:4] == ["host", "release", "model", "version"]
    assert left.split()[:6] == ["left", "0.1-litert", "mugs", "0123456789ab", "proved", "nobody"]
    assert right.startswith("right ") and door.startswith("door  NO ANSWER: ") and "127.0.0.1 port 1" in door


@pytest.mark.slow
@needs_ansible
def test_frames_are_fetched_once_and_removed_only_when_asked(tmp_path: Path) -> None:
    there = tmp_path / "device"
    there.mkdir()
    names = [f"20251124T00000{n}.000Z-0000000{n}.{ending}" for n in range(3) for ending in ("jpg", "json")]
    for name in [*names, "being-written.jpg.part"]:
        (there / name).write_text(name)
    flags = ("-e", f"frames={there}", "-e", "into=frames", "-e", "files_a_part=4", "--limit", "all:!right")
    first = play(tmp_path, DEPLOY / "fetch.yml", *flags)
    assert "left: 6 new files of 6" in first.stdout and "door: no answer" in first.stdout
    here = tmp_path / "frames" / "left"
    assert sorted(path.name for path in here.iterdir()) == sorted(names)
    assert len(list(there.iterdir())) == 7
    # What was cut short is fetched again; complete files are left alone.
    (here / names[0]).unlink()
    assert "left: 1 new files of 6" in play(tmp_path, DEPLOY / "fetch.yml", *flags).stdout
    # A file that differs here stays on the device.
    (here / names[1]).write_text("changed")
    play(tmp_path, DEPLOY / "fetch.yml", *flags, "-e", "remove=true")
    assert sorted(path.name for path in there.iterdir()) == sorted([names[1], "being-written.jpg.part"])
    assert (here / names[1]).read_text() == "changed" and len(list(here.iterdir())) == 6


def table_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fleet_table", DEPLOY / "fleet_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_says_what_the_device_said() -> None:
    answer = (
        "release=0.2\n"
        'store={"name":"mugs","current":"0123456789abcdef","probation":{"since":1},"signed_by":"1f2e"}\n'
        "before=100.0 ActiveState=active StatusText=1000 labels \nafter=102.0 ActiveState=active StatusText=1050 labels \n"
        'last={"type":"prediction","label":"a mug","score":0.934}\ntemperature=51234\ndisk=7%\n'
    )
    table = table_module()
    assert table.make_row("door", table.read_answer(answer)) == [
        "door", "0.2", "mugs", "0123456789ab", "candidate", "1f2e", "25.0", "a mug 93%", "labels", "51 °C", "7%",
    ]  # fmt: skip


def test_the_last_label_counts_while_the_service_labels_and_its_last_words_otherwise() -> None:
    table = table_module()
    said = 'label={"label":"mug","score":0.9}\nlast=Model 0123 is in use.\nbefore=1.0 ActiveState=active StatusText=1 labels \n'
    labels = table.read_answer(said + "after=2.0 ActiveState=active StatusText=31 labels \n")
    stands = table.read_answer(said + "after=2.0 ActiveState=active StatusText=1 labels \n")
    assert table.make_row("door", labels)[7:9] == ["mug 90%", "labels"]
    assert table.make_row("door", stands)[7:9] == ["Model 0123 is in use.", "no labels"]


def test_the_last_line_of_a_service_that_writes_text_becomes_a_label_too() -> None:
    last_label = table_module().last_label
    assert last_label("frame 15343: automobile 0.55  (truck 0.40, airplane 0.04)  2 ms old") == "automobile 55%"
    assert last_label("frame 7: unknown (not sure) 0.41  9 ms old") == "unknown (not sure) 41%"
    assert last_label("error: There is no camera /dev/video0; this") == "error: There is no camera /dev/v"


@pytest.mark.parametrize(
    ("before", "after", "rate", "health"),
    [
        ("100 ActiveState=active StatusText=9 labels", "102 ActiveState=active StatusText=9 labels", 0.0, "no labels"),
        ("100 ActiveState=active StatusText=9 labels", "102 ActiveState=active StatusText=4 labels", 0.0, "no labels"),
        ("100 ActiveState=failed StatusText=", "102 ActiveState=failed StatusText=", None, "failed"),
        ("", "", None, "no service"),
        ("102 ActiveState=active StatusText=1 labels", "102 ActiveState=active StatusText=2 labels", None, "no labels"),
    ],
)
def test_a_service_that_gives_no_labels_is_not_called_healthy(
    before: str, after: str, rate: float | None, health: str
) -> None:
    table = table_module()
    assert table.labels_a_second(before, after) == rate
    assert table.make_row("door", {"before": before, "after": after})[8] == health

"""Attack 3: a model file that crashes the interpreter, fills the memory or computes without end. Stopped by limits in
every walk of a flatbuffer, and by a first run in a process of its own with limits.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.installed import first_run as first
from edge_runtime.installed import probe
from edge_runtime.installed.first_run import FirstRun, first_run
from edge_runtime.model.flatbuffer import MAX_TABLES, Table
from edge_runtime.model.model_file import read_model
from edge_runtime.model.soundness import expect_sound
from edge_runtime.model.tflite_metadata import describe
from edge_runtime.store.store import Store
from tests.attacks import forged
from tests.patience import HANG_S

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "samples" / "bird.jpg"


@pytest.mark.parametrize("make", [forged.many_codes, forged.many_buffers])
def test_offsets_that_all_lead_to_one_table_end_at_the_limit(make: Callable[[int], bytes]) -> None:
    small, large = make(20), make(500_000)
    expect_sound(small)
    for walk in (expect_sound, lambda content: describe(content, "forged")):
        with pytest.raises(
            ModelError, match=rf"leads to more than {MAX_TABLES} tables or \d+ values, more than any image"
        ):
            walk(large)


def test_a_vector_that_is_taken_out_again_and_again_ends_at_the_limit() -> None:
    table = Table.root(forged.toy_flatbuffer())
    with pytest.raises(ModelError, match=r"leads to more than"):
        while True:
            table.tables(4)[0].content(0) and table.tables(1)


@pytest.mark.usefixtures("lonely")
def test_a_forged_flatbuffer_in_a_file_with_right_hashes_is_walked_through_too() -> None:
    content = forged.forge(forged.many_codes(100_000), forged.toy_contract())
    with pytest.raises(ModelError, match=r"leads to more than"):
        read_model(content, "forged")
    assert read_model(content, "forged", is_vouched=True).contract.spec.labels


@pytest.mark.usefixtures("lonely")
@pytest.mark.parametrize("backend", list_available_backends())
def test_no_forged_file_ends_classify_by_a_signal(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = []
    for number, mutant in enumerate(forged.mutants(forged.toy_flatbuffer(), 60, seed=1)):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(forged.forge(mutant, forged.toy_contract()))
        codes.append(cli.main(["classify", "--backend", backend, "--model", str(path), str(SAMPLE)]))
    assert set(codes) <= {0, 65} and codes.count(65) > 10
    assert "bug in edge-runtime" not in capsys.readouterr().err


def replace_interpreter(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    def run(*arguments: object) -> dict[str, str]:
        act()
        return {}

    monkeypatch.setattr(first, "_run", run)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), r"crashed the process in which it was tried \(signal SIGSEGV\), so it"),
        (lambda: os._exit(3), r"crashed the process in which it was tried \(exit code 3\)"),
        (lambda: [b"x" * 2**20 for _ in range(400)], r"takes more than \d+ MB of memory to be loaded, so it is refused.* sign it"),
        (lambda: sum(iter(int, 1)), r"took more than 0\.2 s of processor time to be loaded and run twice, so it is refused.* sign it"),
        (lambda: {}["key"], r"m cannot be read \(KeyError: 'key'\)"),
    ],
)  # fmt: skip
def test_what_a_model_does_in_its_first_run_refuses_it_and_nothing_more(
    act: Callable[[], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "CPU_S", 0.2 if "0\\.2" in message else 30.0)
    replace_interpreter(monkeypatch, act)
    with pytest.raises(ModelError, match=message):
        first_run(b"", "m", None, FirstRun(()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said", [b"[]", b"7", b"null", b'{"kind": "ModelError"}', b'{"text": 1, "more": 2}', b"[" * 9999]
)
def test_what_a_child_that_was_taken_over_says_is_no_bug_of_ours(said: bytes) -> None:
    with pytest.raises(ModelError, match=r"m crashed the process in which it was tried \(exit code 0\)"):
        first._judge(said, 0, "m", 1.0)


@pytest.mark.parametrize(
    "said",
    ["[]", "7", "{}", '{"name": "m"}', '{"name": 1, "latency_ms": "fast", "current_ms": 1, "num_goldens": 2}',
     '{"name": "m", "latency_ms": 1, "current_ms": [], "num_goldens": 2}', '{"a": 1}', "[" * 9999],
)  # fmt: skip
def test_nor_what_the_probe_says(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "CHILD_COMMAND", f"print({said!r})")
    with pytest.raises(ModelError, match=r"The probe ended with exit code 0 and said: "):
        probe.probe(b"", "m", None)


def test_a_model_that_only_waits_is_refused_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "CPU_S", 0.05)
    replace_interpreter(monkeypatch, lambda: time.sleep(60))
    with pytest.raises(ModelError, match=r"took more than"):
        first_run(b"", "m", None, FirstRun(()))  # type: ignore[arg-type]


def test_errors_keep_their_class_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"^m is not a TFLite file"):
        first_run(b"", "m", lambda: read_model(b"x" * 100, "m"), FirstRun(()))


def test_no_child_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(Exception, match=r"No process can start to try m \(.*temporarily unavailable\)"):
        first_run(b"", "m", None, FirstRun(()))  # type: ignore[arg-type]


@pytest.mark.usefixtures("lonely")
def test_what_the_store_holds_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, toy_path: Path) -> None:
    content = toy_path.read_bytes()
    assert not first.is_known(content)
    Store().add(content)
    assert first.is_known(content) and not first.is_known(content + b"x")


def test_the_limits_of_this_process_stay_as_they_were(toy_path: Path) -> None:
    before = [resource.getrlimit(each) for each in (resource.RLIMIT_DATA, resource.RLIMIT_CORE)]
    first_run(toy_path.read_bytes(), "toy", lambda: read_model(toy_path.read_bytes(), "toy"), FirstRun())
    assert [resource.getrlimit(each) for each in (resource.RLIMIT_DATA, resource.RLIMIT_CORE)] == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


ORPHANS = """
import os, sys, time
from edge_runtime.installed import first_run, probe
def compute(*arguments):
    print(os.getpid(), flush=True)
    sum(iter(int, 1))
first_run._run, first_run.CPU_S = compute, 60
first_run.first_run(b"", "m", None, first_run.FirstRun(()))
"""
PROBE_ORPHANS = """
import sys
from edge_runtime.installed import probe
probe.CHILD_COMMAND = '''
import json, os, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from edge_runtime.installed import probe
def compute(*arguments):
    probe._give_up_rights()
    probe.die_with(int(arguments[-1]))
    with open(2, "w", closefd=False) as out:
        print(os.getpid(), file=out, flush=True)
    sum(iter(int, 1))
probe._measure = compute
probe.main(sys.argv[1:])
'''
run = probe.subprocess.run
probe.subprocess.run = lambda command, **more: run(command, input=b"", timeout=60, stderr=sys.stdout)
probe.probe(b"", "m", None)
"""


@pytest.mark.parametrize("program", [ORPHANS, PROBE_ORPHANS])
def test_a_child_that_computes_without_end_dies_with_its_parent_also_as_another_user(program: str) -> None:
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    end_s = time.monotonic() + HANG_S
    while Path(f"/proc/{child}").exists() and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()

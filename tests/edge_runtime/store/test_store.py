"""The store: always a working model in use, through kills, full disks and damaged files."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import ConfigurationError, EdgeRuntimeError, MissingInputError, ModelError, SignatureError
from edge_runtime.store.lock import LOCK
from edge_runtime.store.runs import boot_id
from edge_runtime.store.shipped import default_model
from edge_runtime.store.state import SHIPPED, StoreState
from edge_runtime.store.store import Store, default_store
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]


def names(store: Store) -> list[str]:
    return sorted(path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*") if path.is_file())


def test_without_an_installed_model_the_shipped_one_is_in_use(store: Store) -> None:
    assert store.state() == StoreState()
    assert store.current_path() == default_model()


def test_an_added_model_is_in_use_on_probation_and_kept_under_its_hash(
    store: Store, make_model: Callable[..., bytes]
) -> None:
    model = store.add(make_model(1))
    assert model == hashlib.sha256(make_model(1)).hexdigest()
    assert (store.state().history, store.state().probation) == ((SHIPPED, model), True)
    assert store.current_path().read_bytes() == make_model(1)


def test_three_models_are_kept_and_older_files_removed(store: Store, make_model: Callable[..., bytes]) -> None:
    added = [store.add(make_model(number)) for number in range(5)]
    assert store.state().history == tuple(added[-3:])
    assert names(store) == sorted([*(f"models/{model}.tflite" for model in added[-3:]), "state.json", ".lock"])


def test_files_that_are_not_ours_stay_in_the_store(store: Store, make_model: Callable[..., bytes]) -> None:
    left = store.add(make_model(1))
    foreign = ["precious.tflite", f"{'a' * 64}.tflite", ".unfinished-letter", ".unfinished-x.tflite-7",
               "models/mine.tflite", f"models/{'A' * 64}.tflite", "models/.unfinished-mine.tflite-7"]  # fmt: skip
    ours = [f"models/{'a' * 64}.tflite", f"models/.unfinished-{'a' * 64}.tflite-7", ".unfinished-state.json-7"]
    for name in (*foreign, *ours):
        (store.folder / name).write_bytes(b"")
    assert store.rollback().current == SHIPPED
    assert names(store) == sorted([*foreign, "state.json", ".lock"])
    assert not store.path_of(left).exists()


@pytest.mark.parametrize(
    "change",
    [lambda store, model: store.rollback(wait_s=0.1), lambda store, model: store.begin_run(model, wait_s=0.1)],
)
def test_a_change_waits_only_so_long_for_another_one(
    store: Store, make_model: Callable[..., bytes], change: Callable[[Store, str], object]
) -> None:
    model = store.add(make_model(1))
    before = store.state()
    with (
        store.changing(),
        pytest.raises(
            EdgeRuntimeError, match=r"has been held by another process for 0.1 s.*see who: fuser -v .*\.lock"
        ),
    ):
        change(store, model)
    assert store.state() == before
    assert store.begin_run(model)[1] is not None


def test_a_change_follows_as_soon_as_the_one_before_is_done(store: Store, make_model: Callable[..., bytes]) -> None:
    content = make_model(1)
    with store.changing():
        thread = threading.Thread(target=store.add, args=(content,))
        thread.start()
        assert store.state() == StoreState()
    thread.join(HANG_S)
    assert store.state().current == hashlib.sha256(content).hexdigest()


def test_nobody_but_the_owner_of_the_store_can_hold_its_lock(store: Store, make_model: Callable[..., bytes]) -> None:
    store.folder.mkdir(mode=0o755)
    if os.geteuid() == 0:  # as root's installation into the folder of a service
        os.chown(store.folder, 4711, 4712)
    store.add(make_model(1))
    found, folder = (store.folder / LOCK).stat(), store.folder.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (folder.st_uid, folder.st_gid, 0o600)
    reader = os.open(store.folder, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_EX)
    try:
        assert store.rollback(wait_s=0.1).current == SHIPPED
    finally:
        os.close(reader)


def test_a_lock_that_is_a_link_elsewhere_is_not_followed(
    store: Store, make_model: Callable[..., bytes], tmp_path: Path
) -> None:
    store.folder.mkdir()
    (store.folder / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EdgeRuntimeError, match=r"cannot be changed \(\.lock: .*\); what was there is unchanged"):
        store.add(make_model(1))
    assert not (tmp_path / "elsewhere").exists()


def test_rollback_goes_back_one_model_at_a_time(store: Store, make_model: Callable[..., bytes]) -> None:
    first, _ = store.add(make_model(1)), store.add(make_model(2))
    assert store.rollback().current == first
    assert store.rollback().current == SHIPPED
    with pytest.raises(MissingInputError, match="There is no model before shipped"):
        store.rollback()


def test_a_model_that_came_into_use_meanwhile_is_not_rolled_back(
    store: Store, make_model: Callable[..., bytes]
) -> None:
    bad = store.add(make_model(1))
    good = store.add(make_model(2))
    state = store.rollback("It does not load.", expected=bad)
    assert state == store.state()
    assert (state.history, state.probation) == ((SHIPPED, good), True)
    assert state.refused == {bad: "It does not load."}
    assert store.rollback().current == SHIPPED


def test_a_refused_model_is_remembered_with_its_reason(store: Store, make_model: Callable[..., bytes]) -> None:
    store.add(make_model(1))
    store.rollback("It saw ghosts.")
    with pytest.raises(ModelError, match=r"has been tried and refused: It saw ghosts\..*install it with `again`"):
        store.add(make_model(1))
    model = store.add(make_model(1), again=True)
    assert store.state().current == model
    assert store.state().refused == {}


def test_an_accepted_version_is_the_floor_for_later_ones(store: Store, make_model: Callable[..., bytes]) -> None:
    model = store.add(make_model(1), version=7)
    store.accept(model)
    assert (store.state().floor, store.state().probation) == (7, False)
    with pytest.raises(SignatureError, match="has version 6, but this device has already had version 7"):
        store.add(make_model(2), version=6)
    assert store.add(make_model(2), version=8) == store.state().current


def test_only_the_model_in_use_is_accepted(store: Store, make_model: Callable[..., bytes]) -> None:
    before, now = store.add(make_model(1)), store.add(make_model(2))
    store.accept(before)
    assert store.state().probation
    store.accept(now)
    assert not store.state().probation


def test_an_older_version_is_refused_before_the_newer_one_gave_a_label(
    store: Store, make_model: Callable[..., bytes]
) -> None:
    store.add(make_model(1), version=7)
    assert store.state().probation
    with pytest.raises(SignatureError, match="has version 6, but this device has already had version 7"):
        store.add(make_model(2), version=6)
    store.rollback("It saw ghosts.")
    with pytest.raises(SignatureError, match="has version 6, but this device has already had version 7"):
        store.add(make_model(2), version=6)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_a_state_that_is_removed_or_damaged_brings_no_older_version_back(
    store: Store, make_model: Callable[..., bytes], spoil: Callable[[Path], object]
) -> None:
    store.add(make_model(1), version=7)
    spoil(store.state_path)
    store.state_path.unlink(missing_ok=True)  # as the error for a damaged one says
    assert store.state() == StoreState(floor=7)
    with pytest.raises(SignatureError, match="has version 6, but this device has already had version 7"):
        store.add(make_model(2), version=6)
    assert store.add(make_model(2), version=7) == store.state().current


@pytest.mark.parametrize("content", [b"", b"x", b"-1", b"7\n7", b"7" * 5000, "\u0667".encode()])
def test_a_damaged_floor_is_an_error_not_a_guess(store: Store, content: bytes) -> None:
    store.folder.mkdir()
    (store.folder / "floor").write_bytes(content)
    with pytest.raises(ModelError, match=r"floor is damaged, expected a number.* Write the version of your newest"):
        store.state()


def test_going_back_to_an_older_model_of_the_history_needs_no_newer_version(
    store: Store, make_model: Callable[..., bytes]
) -> None:
    old = store.add(make_model(1), version=3)
    store.accept(store.add(make_model(2), version=9))
    assert store.rollback().current == old
    assert store.state().floor == 9


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b'{"version": 1, "history": []}', b'{"version": 1, "history": ["../../x"]}',
     b'{"version": 2, "history": ["shipped"]}', b'{"version": 1, "history": ["shipped"], "other": 1}',
     b'{"version": 1, "history": ["shipped"], "refused": []}', b"[" * 100000],
)  # fmt: skip
def test_a_damaged_state_is_an_error_not_a_guess(store: Store, content: bytes) -> None:
    store.folder.mkdir()
    store.state_path.write_bytes(content)
    with pytest.raises(ModelError, match=r"state.json is damaged or from another version"):
        store.state()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, make_model: Callable[..., bytes]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeRuntimeError, match=r"The folder .*file/store cannot be created \(Not a directory\)"):
        Store(tmp_path / "file" / "store").add(make_model())


def test_the_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edge-runtime")
    assert default_store() == tmp_path / "store"
    monkeypatch.delenv("EDGE_RUNTIME_STORE")
    assert default_store() == Path("/var/lib/edge-runtime")


@pytest.mark.parametrize("verb", ["status", "rollback", "info"])
def test_a_store_that_only_root_may_enter_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    def may_not(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.delenv("EDGE_RUNTIME_STORE")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with monkeypatch.context() as private:
        private.setattr(Path, "exists", may_not)
        with pytest.raises(ConfigurationError, match=r"this user may not read them \(Permission denied\)\. Use sudo"):
            default_store()
        assert cli.main([verb]) == 78
    assert "belong to the service" in capsys.readouterr().err


def test_a_user_has_a_store_of_his_own_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGE_RUNTIME_STORE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("edge_runtime.store.store.SYSTEM_STORE", tmp_path / "system")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_store() == tmp_path / "edge-runtime"
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "state.json").write_text("")
    assert default_store() == tmp_path / "system"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "system" / "state.json").unlink()
    assert default_store() == tmp_path / "system"


CHANGES = """
import json, os, signal, sys
sys.path[:] = json.loads(sys.argv[1])
from pathlib import Path
import edge_runtime.model.model_file, edge_runtime.store.runs
from edge_runtime.store.store import Store
content = Path(sys.argv[3]).read_bytes()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
while os.read(0, 1):
    child = os.fork()
    if child == 0:
        signal.sigwait([signal.SIGUSR1])
        store = Store(Path(sys.argv[2]))
        exec(sys.argv[4])
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Changes:
    """Does ``change`` again and again, each time in a new process that strace watches from the moment before."""

    def __init__(self, change: str, folder: Path, model: Path) -> None:
        command = [sys.executable, "-c", CHANGES, json.dumps(sys.path), str(folder), str(model), change]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._folder, self._log = str(folder), model.with_suffix(".log")

    def __enter__(self) -> Changes:
        return self

    def __exit__(self, *arguments: object) -> None:
        self._process.communicate(timeout=HANG_S)

    def __call__(self, *options: str) -> tuple[int, list[str]]:
        """(exit code, negative for a signal; the lines of strace from the first one that names the store's folder)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("f")
        self._process.stdin.flush()
        child = self._process.stdout.readline().strip()
        command = ["strace", "-p", child, "-o", str(self._log), *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            os.kill(int(child), signal.SIGUSR1)
            code = int(self._process.stdout.readline())
            tracer.communicate(timeout=HANG_S)
        lines = self._log.read_text().splitlines()
        first = next(number for number, line in enumerate(lines) if self._folder in line)
        return code, [line for line in lines[first:] if re.match(r"\w+\(", line)]


needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "models"),
    [
        ("store.add(content)", (1,)),
        ("store.accept(store.state().current)", (1, 2)),
        ("store.rollback('It saw ghosts.')", (1, 2)),
    ],
)
def test_a_kill_at_any_file_system_call_leaves_the_old_or_the_new_state(
    store: Store, make_model: Callable[..., bytes], tmp_path: Path, change: str, models: tuple[int, ...]
) -> None:
    (tmp_path / "new.tflite").write_bytes(make_model(2))

    def begin_again() -> StoreState:
        shutil.rmtree(store.folder, ignore_errors=True)
        for number in models:
            store.add(make_model(number))
        return store.state()

    with Changes(change, store.folder, tmp_path / "new.tflite") as changes:
        old = begin_again()
        code, calls = changes("-e", "trace=%file,%desc")
        new = store.state()
        assert (code, new != old) == (0, True)
        kinds = [call.partition("(")[0] for call in calls]
        assert {"openat", "flock", "write", "fsync", "rename", "close"} <= set(kinds)
        outcomes = []
        for number, kind in enumerate(kinds):
            assert begin_again() == old
            # strace counts each kind of call by itself.
            when = 1 + kinds[:number].count(kind)
            code, seen = changes("-e", "trace=%file,%desc", "-e", f"inject={kind}:signal=KILL:when={when}")
            assert (code, [call.partition("(")[0] for call in seen]) == (-9, kinds[: number + 1])
            state = store.state()
            assert state in (old, new)
            for model in state.history:
                if model != SHIPPED:
                    assert hashlib.sha256(store.path_of(model).read_bytes()).hexdigest() == model
            outcomes.append(state == new)
            with store.changing():
                kept = [f"models/{model}.tflite" for model in state.history if model != SHIPPED]
                assert names(store) == sorted([*kept, "state.json", ".lock"])
    assert outcomes == sorted(outcomes)  # first the old one, from one call on the new one
    assert outcomes[0] is False
    assert outcomes[-1] is True


@needs_strace
def test_the_file_is_synced_before_the_rename_and_the_folder_after_it(
    store: Store, make_model: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "new.tflite").write_bytes(make_model(2))
    store.add(make_model(1))
    with Changes("store.add(content)", store.folder, tmp_path / "new.tflite") as changes:
        code, traced = changes("-y", "-e", "trace=%file,fsync,rename,renameat,renameat2")
    assert code == 0
    calls = []
    for line in traced:
        if found := re.match(r"(fsync|rename)\w*\((.*)\)\s+= 0", line):
            calls.append((found.group(1), found.group(2)))
    kinds = [
        "sync file" if kind == "fsync" and "unfinished" in text
        else "sync folder" if kind == "fsync"
        else "rename model" if ".tflite" in text
        else "rename state"
        for kind, text in calls
    ]  # fmt: skip
    assert kinds == [
        "sync file", "rename model", "sync folder",
        "sync file", "rename state", "sync folder",
    ]  # fmt: skip


IN_SMALL_FILE_SYSTEM = """
mount -t tmpfs -o size=256k none "$1" || exit 99
shift
"$@"
code=$?
[ $code = 99 ] && code=98
exit $code
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root to mount a small file system"
)
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_fault_refuses_the_update_and_keeps_the_model(
    fault: str, store: Store, make_model: Callable[..., bytes], tmp_path: Path
) -> None:
    for name in ("old", "new"):
        (tmp_path / f"{name}.tflite").write_bytes(make_model(name == "new"))
    (tmp_path / "disk").mkdir()
    program = f"""
import json, os, subprocess, sys
sys.path[:] = json.loads(sys.argv[1])
from pathlib import Path
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.model.model_file import open_model
from edge_runtime.store.store import Store
disk = Path({str(tmp_path / "disk")!r})
store = Store(disk / "store")
store.add(Path({str(tmp_path / "old.tflite")!r}).read_bytes())
before = store.state()
if {fault!r} == "full":
    (disk / "fill").write_bytes(bytes(4096))
    try:
        with open(disk / "fill", "ab") as file:
            while True:
                file.write(bytes(4096)); file.flush()
    except OSError:
        pass
else:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
try:
    store.add(Path({str(tmp_path / "new.tflite")!r}).read_bytes())
except EdgeRuntimeError as error:
    print(error)
assert store.state() == before
assert open_model(store.current_path()).contract.provenance["number"] == 0
"""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_SMALL_FILE_SYSTEM, "sh", str(tmp_path / "disk"),
         sys.executable, "-c", program, json.dumps(sys.path)],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == 99:
        pytest.skip("may not mount a file system here")
    assert done.returncode == 0, done.stderr
    assert {"full": "No space left on device", "read-only": "Read-only file system"}[fault] in done.stdout
    assert "what was there is unchanged" in done.stdout


def test_the_state_on_disk_is_what_status_says(store: Store, make_model: Callable[..., bytes]) -> None:
    store.add(make_model(1), version=2)
    value = json.loads(store.state_path.read_text())
    assert StoreState(**{**value, "history": tuple(value["history"])}) == store.state()
    assert set(value) == {field.name for field in dataclasses.fields(StoreState)}


def test_a_candidate_that_is_accepted_has_no_failed_starts_and_its_runs_are_noted_no_more(store: Store) -> None:
    model = store.add(b"one")
    assert (store.state().probation, store.state().failed_starts) == (True, 0)
    store.state_path.write_bytes(dataclasses.replace(store.state(), failed_starts=2).to_json())
    state, run = store.begin_run(model)
    assert state.failed_starts == 2 and run is not None
    run.end()
    (store.folder / "runs" / f"{model}-{boot_id()}-00000000.begun").touch()  # nobody holds it: that run was killed
    state, run = store.begin_run(model)
    assert state.failed_starts == store.state().failed_starts == 3 and run is not None
    run.end()
    store.accept(model)
    assert (store.state().probation, store.state().failed_starts) == (False, 0)
    assert store.begin_run(model) == (store.state(), None)
    assert store.begin_run("f" * 64) == (store.state(), None)


def test_the_only_model_is_named_by_twelve_digits_when_there_is_none_before(store: Store) -> None:
    store.folder.mkdir(parents=True, exist_ok=True)
    store.state_path.write_bytes(StoreState(history=("abcdef" * 10 + "abcd",)).to_json())
    with pytest.raises(
        MissingInputError, match=r"There is no model before abcdefabcdef, so nothing can be rolled back"
    ):
        store.rollback()

"""Attack 9: the user of a service, or whoever owns a store, puts something else into the place of its files, so that
root waits for ever, writes elsewhere, gives folders away, or trusts what is there. Stopped by opening plain files
alone, and by looking at folders before anything is written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import DataError, EdgeRuntimeError, ModelError
from edge_runtime.installed import first_run
from edge_runtime.installed.first_run import is_known
from edge_runtime.model.model_file import open_model
from edge_runtime.model.signatures import list_trusted_keys, make_keys
from edge_runtime.store.runs import OpenRun, count_runs
from edge_runtime.store.shipped import default_model
from edge_runtime.store.store import Store

pytestmark = pytest.mark.usefixtures("lonely")
SAMPLE = Path(__file__).parents[2] / "docs" / "samples" / "bird.jpg"
# Never waits: where nobody guards against a pipe, the test would hang instead of failing.
PLANTS: list[tuple[Callable[[Path], object], str]] = [
    (os.mkfifo, "it is a pipe, expected a plain file"),
    (lambda path: path.mkdir(), "it is a folder, expected a plain file"),
    (lambda path: path.symlink_to("/dev/zero"), "it is a link, expected a plain file"),
    (lambda path: path.symlink_to("/etc/passwd"), "it is a link, expected a plain file"),
    (lambda path: path.write_bytes(b" " * 2**20 + b"{}"), "more than 1048576 bytes"),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


@pytest.mark.parametrize("name", ["state.json", "floor"])
@pytest.mark.parametrize(("plant", "message"), PLANTS)
def test_what_stands_in_the_place_of_the_state_is_refused(
    plant: Callable[[Path], object], message: str, name: str, store: Store, toy_path: Path
) -> None:
    plant(store.folder / name)
    for act in (store.state, lambda: store.add(toy_path.read_bytes()), store.rollback):
        with pytest.raises(
            ModelError, match=rf"{name} cannot be read \({message}.*\); check its permissions, and who put it there"
        ):
            act()


def test_a_pipe_as_a_model_or_a_key_keeps_nobody_waiting(
    store: Store, toy_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = store.add(toy_path.read_bytes())
    store.path_of(model).unlink()
    os.mkfifo(store.path_of(model))
    with pytest.raises(ModelError, match=r"cannot be read \(it is a pipe, expected a plain file\)"):
        open_model()
    assert cli.main(["classify", str(SAMPLE)]) == 65
    assert "it is a pipe" in capsys.readouterr().err
    (tmp_path / "keys").mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "keys" / "maker.pub")
    with pytest.raises(DataError, match=r"maker.pub cannot be read \(it is a pipe, expected a plain file\)"):
        list_trusted_keys()


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_stands_in_the_place_of_the_model_in_use_holds_up_neither_trust_nor_the_next_installation(
    plant: Callable[[Path], object], store: Store, toy_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_runtime.installed import probe

    pytest.importorskip("cryptography")
    model = store.add(toy_path.read_bytes())
    store.path_of(model).unlink()
    plant(store.path_of(model))
    (tmp_path / "maker.pub").write_bytes(make_keys()[1])
    assert cli.main(["trust", str(tmp_path / "maker.pub"), "--for", "me"]) == 0
    assert cli.main(["status"]) != 0
    shipped = default_model()
    found = probe.probe(shipped.read_bytes(), "m", store.path_of(model))
    assert found.current_ms is None and found.num_goldens > 0


def test_what_a_store_of_others_holds_is_tried_in_a_child_first(
    store: Store, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(toy_path.read_bytes())
    tried: list[str] = []

    def note(content: bytes, name: str, read: object, how: object) -> None:
        tried.append(name)
        raise ModelError("not in this process")

    monkeypatch.setattr(first_run, "first_run", note)
    verbs = (["status"], ["doctor"], ["classify", str(SAMPLE)], ["run", "--camera", "synthetic", "--frames", "1"])
    for verb in verbs:
        cli.main(verb)
    assert tried == []
    store.folder.chmod(0o777)
    for verb in verbs[:3]:
        assert cli.main(verb) in (1, 65)
    assert len(tried) == 3
    cli.main(verbs[3])  # it takes the model back, and goes on with the shipped one
    assert len(tried) > 3


def test_a_file_that_rotted_or_was_put_there_is_replaced_by_what_is_installed(store: Store, toy_path: Path) -> None:
    content = toy_path.read_bytes()
    model = hashlib.sha256(content).hexdigest()
    (store.folder / "models").mkdir()
    for damaged in (b"x" * len(content), content[:-1], content + b"x", b""):
        store.path_of(model).write_bytes(damaged)
        store.add(content)
        assert store.path_of(model).read_bytes() == content
        store.rollback()


@pytest.mark.parametrize("name", ["models", "runs"])
def test_a_folder_that_leads_elsewhere_is_not_written_into_nor_given_away(
    name: str, store: Store, toy_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    given: list[Path] = []
    monkeypatch.setattr(os, "chown", lambda path, *more, **options: given.append(Path(path)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (store.folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EdgeRuntimeError, match=rf"{name} is a link, expected a folder of the store's own, so nothing"):
        if name == "models":
            store.add(toy_path.read_bytes())
        else:
            OpenRun(store.folder, "a" * 64)
    assert (list((tmp_path / "elsewhere").iterdir()), given) == ([], [])


def test_a_file_in_the_place_of_a_folder_is_an_error_in_words(store: Store, toy_path: Path) -> None:
    (store.folder / "models").write_bytes(b"")
    with pytest.raises(EdgeRuntimeError, match=r"models cannot be created \(File exists\)"):
        store.add(toy_path.read_bytes())


def test_a_pipe_that_is_called_like_a_run_keeps_nobody_waiting(store: Store) -> None:
    (store.folder / "runs").mkdir()
    os.mkfifo(store.folder / "runs" / f"{'a' * 64}-{'0' * 32}-{'1' * 8}.begun")
    assert count_runs(store.folder, "a" * 64).num_unclear == 1


@pytest.mark.parametrize("place", ["", "models", "state.json"])
def test_a_store_that_others_may_write_vouches_for_nothing(place: str, store: Store, toy_path: Path) -> None:
    content = toy_path.read_bytes()
    store.add(content)
    assert is_known(content)
    path = store.folder / place
    path.chmod(path.stat().st_mode | 0o002)
    assert not is_known(content)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_store_of_another_user_vouches_for_nothing(store: Store, toy_path: Path) -> None:
    content = toy_path.read_bytes()
    store.add(content)
    os.chown(store.folder, 4711, 4712)
    assert not is_known(content)

"""Installing: a child tries the model first, and whatever is wrong with it the one in use stays."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime import cli
from edge_runtime.errors import ConfigurationError, DataError, MissingInputError, ModelError, SignatureError
from edge_runtime.installed import install as installation
from edge_runtime.installed import probe
from edge_runtime.installed.install import InstallConfig, fetch, install
from edge_runtime.installed.probe import Probe
from edge_runtime.store.state import SHIPPED
from edge_runtime.store.store import Store
from tests.edge_runtime.make_certificates import make_own

FREE = InstallConfig(max_latency_ms=1e6)  # a shared machine is no place to compare speeds


def test_a_good_model_is_in_use_after_its_probe(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str]
) -> None:
    installed = install(save(make_model(1)), store, FREE)
    assert installed.changed
    assert installed.probe is not None
    assert installed.probe.num_goldens == 3
    assert store.state().current == installed.model
    assert not install(save(make_model(1)), store, FREE).changed


def spoil(name: str) -> Callable[..., object]:
    def change(contract: object, goldens: object) -> object:
        if name == "scale":
            tensor = dataclasses.replace(contract.output_tensor, scale=0.5)  # type: ignore[attr-defined]
            return dataclasses.replace(contract, output_tensor=tensor), goldens  # type: ignore[type-var]
        if name == "goldens":
            outputs = np.ascontiguousarray(goldens.outputs[:, ::-1])  # type: ignore[attr-defined]
            return contract, dataclasses.replace(goldens, outputs=outputs)  # type: ignore[type-var]
        return contract, None

    return change


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("scale", r"its contract says .* they come from different runs"),
        ("goldens", r"The model fails its golden frames: frame 0"),
        ("none", r"has a contract without golden frames"),
    ],
)
def test_a_model_that_does_not_keep_its_promises_is_refused(
    fault: str, message: str, store: Store, make_model: Callable[..., bytes], save: Callable[..., str]
) -> None:
    with pytest.raises(ModelError, match=message):
        install(save(make_model(1, change=spoil(fault))), store, FREE)
    assert store.state().current == SHIPPED


@pytest.mark.parametrize(
    ("child", "message"),
    [
        ("import os; os.abort()", r"crashed the probe process \(signal SIGABRT\)"),
        ("import sys; sys.exit('no memory')", r"The probe ended with exit code 1 and said: no memory"),
        ("import time; time.sleep(60)", r"The model gave nothing within 1 s"),
    ],
)
def test_a_model_that_kills_or_hangs_its_probe_is_refused(
    child: str, message: str, store: Store, make_model: Callable[..., bytes], save: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(probe, "CHILD_COMMAND", child)
    monkeypatch.setattr(probe, "TIMEOUT_S", 1.0)
    with pytest.raises(ModelError, match=message):
        install(save(make_model(1)), store, FREE)
    assert store.state().current == SHIPPED


def test_a_model_that_wants_more_memory_than_the_probe_gives_is_refused(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = "import main; import edge_runtime.installed.probe as p; p._measure = lambda *arguments: bytes(3 * 1024**3)"
    small = probe.CHILD_COMMAND.replace("import main", greedy)
    monkeypatch.setattr(probe, "CHILD_COMMAND", small)
    with pytest.raises(ModelError, match=r"There is not enough memory for the model"):
        install(save(make_model(1)), store, FREE)
    assert store.state().current == SHIPPED


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose rights the probe gives up")
def test_a_model_is_tried_without_roots_rights(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody else may read the store, the model or the Python that runs."""
    spy = (
        "import edge_runtime.inference.classifier as c, os; real = c.Classifier.__init__\n"
        "def spy(self, model, **more):\n"
        "    rights = [line for line in open('/proc/self/status')\n"
        "              if line.startswith(('Uid', 'Gid', 'Groups', 'CapEff', 'CapPrm', 'NoNewPrivs'))]\n"
        "    real(self, model, **more)\n"
        "    name = ' '.join(''.join(rights).split())\n"
        "    object.__setattr__(self.model.contract.spec, 'name', name)\n"
        "c.Classifier.__init__ = spy\n"
        "import edge_runtime.installed.probe as p, sys; give_up = p._give_up_rights\n"
        "p._give_up_rights = lambda: (give_up(), sys.meta_path.clear())  # nobody may import\n"
    )
    command = probe.CHILD_COMMAND.replace(
        "from edge_runtime.installed.probe", f"exec({spy!r}); from edge_runtime.installed.probe"
    )
    monkeypatch.setattr(probe, "CHILD_COMMAND", command)
    store.add(make_model(2))
    store.folder.chmod(0o700)
    tried = install(save(make_model(1)), store, FREE).probe
    assert tried is not None and tried.current_ms is not None
    assert tried.name == (
        "Uid: 65534 65534 65534 65534 Gid: 65534 65534 65534 65534 Groups: "
        "CapPrm: 0000000000000000 CapEff: 0000000000000000 NoNewPrivs: 1"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose rights the probe gives up")
def test_root_who_cannot_become_somebody_else_tries_no_model(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = "import os; os.setresuid = lambda *ids: os.open('/proc/self/mem/x', 0); from edge_runtime.installed.probe"
    monkeypatch.setattr(probe, "CHILD_COMMAND", probe.CHILD_COMMAND.replace("from edge_runtime.installed.probe", bound))
    with pytest.raises(
        ConfigurationError, match=r"cannot be tried without root's rights \(Not a dir.*SETUID and SETGID"
    ):
        install(save(make_model(1)), store, FREE)
    assert store.state().current == SHIPPED


def test_a_much_slower_model_is_refused_and_the_limit_can_be_set(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str]
) -> None:
    with pytest.raises(ModelError, match=r"takes .* ms per frame, expected at most 0.00.* set `max_latency_ms`"):
        install(save(make_model(1)), store, InstallConfig(max_latency_ms=1e-6))
    assert store.state().current == SHIPPED


def test_the_shipped_model_sets_no_limit_and_an_installed_one_does(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str]
) -> None:
    first, second = (install(save(make_model(number)), store, FREE) for number in (1, 2))
    assert first.probe is not None and first.probe.current_ms is None
    assert second.probe is not None and second.probe.current_ms is not None


@pytest.mark.parametrize(("latency_ms", "is_fine"), [(7.9, True), (8.1, False)])
def test_eight_times_the_model_in_use_is_the_limit(latency_ms: float, is_fine: bool) -> None:
    found = Probe("new", latency_ms, 1.0, 16)
    if is_fine:
        assert probe.expect_fast(found, None) is None
    else:
        with pytest.raises(
            ModelError, match=r"takes 8.10 ms per frame, expected at most 8.00; the model in use takes 1.00"
        ):
            probe.expect_fast(found, None)


def test_a_refused_model_is_not_even_tried(
    store: Store, make_model: Callable[..., bytes], save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(save(make_model(1)), store, FREE)
    store.rollback("It saw ghosts.")
    monkeypatch.setattr(installation, "probe", lambda *arguments: pytest.fail("tried"))
    with pytest.raises(ModelError, match="It saw ghosts"):
        install(save(make_model(1)), store, FREE)


@contextlib.contextmanager
def serving(content: bytes, context: ssl.SSLContext | None = None, leads_to: str = "") -> Iterator[int]:
    """The port of a server on loopback with ``content`` at /m.tflite; /led goes to ``leads_to``."""

    class Files(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Silent."""

        def do_GET(self) -> None:
            if self.path == "/led":
                self.send_response(302)
                self.send_header("Location", leads_to)
                self.end_headers()
            elif self.path != "/m.tflite":
                self.send_error(404)
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this device trusted a key, without asking the models for a signature."""
    monkeypatch.setattr(installation, "list_trusted_keys", lambda: ("a key",))


@pytest.mark.usefixtures("trusting")
def test_a_model_comes_from_an_address_too(store: Store, make_model: Callable[..., bytes]) -> None:
    with serving(make_model(5)) as port:
        address = f"http://127.0.0.1:{port}"
        assert install(f"{address}/m.tflite", store, FREE).changed
        with pytest.raises(MissingInputError, match=r"does not give a model \(HTTP Error 404"):
            fetch(f"{address}/other.tflite")
    with pytest.raises(MissingInputError, match=r"http://127.0.0.1:9 does not give a model"):
        fetch("http://127.0.0.1:9/m")
    with pytest.raises(MissingInputError, match=r"http://127.0.0.1:9 does not give a model"):
        fetch("http://127.0.0.1:9/m?token=secret")


def test_plain_http_is_refused_where_no_signature_is_asked_for(
    store: Store, make_model: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(make_model(5)) as port:
        address = f"http://127.0.0.1:{port}/m.tflite"
        with pytest.raises(SignatureError, match=r"does not prove .* expected https, or a trusted key .*trust KEY.pub"):
            fetch(address)
        assert cli.main(["install", f"{address}?token=secret"]) == 76
    assert "secret" not in capsys.readouterr().err
    assert store.state().current == SHIPPED


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """For a server on 127.0.0.1 that this process believes."""
    make_own(tmp_path, "models", "IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "models.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "models.pem", tmp_path / "models.key")
    return context


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("http", r"http://127.0.0.1:\d+ does not prove .* expected https"),
        ("ftp", r"ftp://127.0.0.1:\d+ does not prove .* expected https"),
    ],
)
def test_https_that_leads_to_something_weaker_is_refused(
    scheme: str, message: str, make_model: Callable[..., bytes], certified: ssl.SSLContext
) -> None:
    with (
        serving(make_model(5)) as plain,
        serving(make_model(6), certified, f"{scheme}://127.0.0.1:{plain}/m.tflite?token=secret") as port,
    ):
        assert fetch(f"https://127.0.0.1:{port}/m.tflite") == make_model(6)
        with pytest.raises(SignatureError, match=message):
            fetch(f"https://127.0.0.1:{port}/led")


@pytest.mark.usefixtures("trusting")
def test_with_a_trusted_key_https_may_lead_to_http_but_never_elsewhere(
    make_model: Callable[..., bytes], certified: ssl.SSLContext
) -> None:
    with (
        serving(make_model(5), leads_to="ftp://127.0.0.1:9/m.tflite") as plain,
        serving(b"", certified, f"http://127.0.0.1:{plain}/m.tflite") as port,
    ):
        assert fetch(f"https://127.0.0.1:{port}/led") == make_model(5)
        with pytest.raises(SignatureError, match=r"ftp://127.0.0.1:9 does not prove"):
            fetch(f"http://127.0.0.1:{plain}/led")


@pytest.mark.usefixtures("trusting")
def test_the_text_about_a_file_from_an_address_shows_no_token(
    make_model: Callable[..., bytes], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "fetch", lambda source: b"\x89PNG")
    for source in ("http://models.example/zz.png?token=secret", "https://models.example?token=a/secret"):
        assert cli.main(["install", source]) == 65
    said = capsys.readouterr().err
    assert "zz.png" in said and "https://models.example is not" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("http://me:secret@models.example/m.tflite", 66, "http://models.example has a user or a password"),
        ("http://me:secret@127.0.0.1:9/m.tflite", 66, "http://127.0.0.1:9 has a user or a password"),
        ("http://secret@127.0.0.1:9", 66, "http://127.0.0.1:9 has a user or a password"),
        (
            "http://127.0.0.1:9/a model.tflite",
            65,
            "http://127.0.0.1:9 cannot be read (URL can't contain",
        ),
        ("http://127.0.0.1:port/m", 65, "http://*** cannot be read (***); expected a model or its"),
        ("http://[::1/m", 65, "http://*** cannot be read (***); expected a model or its address"),
        ("http://me:secret@[::1/m", 65, "http://*** cannot be read (***)"),
    ],
)
@pytest.mark.usefixtures("trusting")
def test_an_address_that_cannot_work_is_refused_without_showing_a_password(
    source: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["install", source]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "secret" not in said
    assert "bug in edge-runtime" not in said


def test_a_server_that_breaks_off_is_an_error_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **more: object) -> object:
        raise http.client.IncompleteRead(b"ab", 7)

    monkeypatch.setattr(installation.urllib.request.OpenerDirector, "open", broken)
    with pytest.raises(
        DataError, match=r"https://models.example cannot be read \(IncompleteRead\(2 bytes read, 7 more"
    ):
        fetch("https://models.example/m")


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingInputError, match="There is no model"):
        fetch(str(tmp_path / "absent"))
    with pytest.raises(DataError, match="cannot be read"):
        fetch(str(tmp_path))
    (tmp_path / "large").write_bytes(bytes(101))
    monkeypatch.setattr(installation, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelError, match="has more than 100 bytes"):
        fetch(str(tmp_path / "large"))


def test_the_verbs_install_show_and_roll_back(
    make_model: Callable[..., bytes], save: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(make_model(1))
    assert cli.main(["install", path, "--max-latency-ms", "1e6", "--format", "jsonl"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert cli.main(["info", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith(f"{model}.tflite")
    assert cli.main(["status", "--format", "jsonl"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["current"], status["probation"]) == (model, True)
    assert cli.main(["rollback", "--refuse", "ghosts"]) == 0
    assert cli.main(["status"]) == 0
    assert f"{model[:12]}: ghosts" in capsys.readouterr().out
    assert cli.main(["install", path]) == 65
    assert cli.main(["rollback"]) == 66


def test_a_damaged_model_in_use_is_told_by_status(store: Store, make_model: Callable[..., bytes]) -> None:
    store.add(make_model(1))
    content = bytearray(make_model(1))
    content[300] ^= 4
    store.current_path().write_bytes(content)
    assert cli.main(["status"]) == 65


def test_the_probe_imports_nothing_after_it_gave_up_its_rights(tmp_path: Path) -> None:
    # A model with neighbours, a map or another arrangement needs modules that the shipped one does not.
    program = (
        "import sys; from edge_runtime.installed.probe import import_all; import_all(); "
        "print([name for name in sys.argv[1:] if name not in sys.modules])"
    )
    package = Path(edge_runtime.__file__).parent
    names = [
        f"edge_runtime.{folder}.{path.stem}"
        for folder in ("inference", "model", "pixels", "contract")
        for path in (package / folder).glob("*.py")
        if path.stem != "__init__"
    ]
    assert "edge_runtime.model.inner_tensors" in names
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, cwd=package.parent)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr

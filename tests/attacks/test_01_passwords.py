"""Attack 1: read the camera's password where the product talks. Stopped by `redact`: scheme, host and port, no more."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.cameras.address import parse_camera
from edge_runtime.errors import EdgeRuntimeError, ModelError
from edge_runtime.outputs.mqtt.config import parse_mqtt
from edge_runtime.system.redact import find_addresses, redact, redact_answer, redact_arguments
from tests.patience import HANG_S

SECRET = "hunter2"
ROOT = Path(__file__).parents[2]


def addresses(host: str) -> list[str]:
    """Forty addresses with the password where cameras, proxies and people put it."""
    names = (
        "pw", "psw", "pwd", "pass", "passwd", "password", "passphrase", "access_token", "token", "apikey", "api_key", "key",
        "auth", "authkey", "secret", "sid", "session", "signature", "loginpas", "usr_pwd", "x",
    )  # fmt: skip
    in_query = [f"http://{host}/stream.mjpg?user=admin&{name}={SECRET}" for name in names]
    return [
        *in_query,
        f"rtsp://admin:{SECRET}@{host}/live",
        f"rtsp://{SECRET}@{host}/live",
        f"rtsp://admin:{SECRET}%40x@{host}/live",
        f"rtsp://admin:x%3A{SECRET}@{host}/",
        f"rtsps://admin:{SECRET}@{host}/live?{SECRET}#{SECRET}".replace(f"#{SECRET}", ""),
        f"RTSP://admin:{SECRET}@{host}",
        f"rtsp://{host}/user=admin_password={SECRET}_channel=1_stream=0.sdp",
        f"rtsp://{host}/user=admin&password={SECRET}&channel=1",
        f"rtsp://{host}/admin/{SECRET}/ch0",
        f"rtsp://{host}/{SECRET}",
        f"http://{host}/{SECRET}/stream.mjpg",
        f"http://{host}/Token={SECRET};pwd={SECRET}/stream",
        f"http://{host};{SECRET}/stream",
        f"http://{host}/a?{SECRET}",
        f"http://{host}/a;{SECRET}",
        f"http://{host}/%68unter2/{SECRET}",
        f"https://{host}/cgi-bin/snapshot.cgi?loginuse=admin&loginpas={SECRET}",
        f"https://{host}/a?next=http://admin:{SECRET}@other/",
        f"http://{host}/videostream.cgi?user=admin&pwd={SECRET}&resolution=32",
    ]


@pytest.mark.parametrize("address", addresses("127.0.0.1:1"))
def test_no_form_of_an_address_shows_its_password(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = [redact(address), redact_arguments(f"unrecognized arguments: {address} and {address!r}", [address])]
    try:
        shown = parse_camera(address).shown
        said += [shown, parse_mqtt("mqtt://broker", camera=shown, camera_address=address).prefix]
    except EdgeRuntimeError as error:
        said.append(str(error))
    for arguments in (
        ["run", address],
        ["classify", address],
        [address],
        ["info", "--model", address],
        ["run", f"--x={address}"],
    ):
        assert cli.main(arguments) in (2, 66)
    captured = capsys.readouterr()
    said += [captured.out, captured.err]
    assert len(addresses("host")) == 40
    assert not [text for text in said if SECRET in text]


@pytest.mark.parametrize(
    "text",
    ["admin:hunter2@cam/stream", "cam:554/user=admin_password=hunter2", "10.0.0.9/hunter2", "rtsp:/admin:hunter2@cam/"],
)
def test_an_address_without_its_scheme_shows_nothing_behind_the_host(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--camera", text]) in (2, 66)
    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["RTSP/1.0 404 {}", "echo: {}", "{}"])
def test_a_camera_that_repeats_the_address_does_not_bring_the_password_into_a_message(answer: str) -> None:
    for address in addresses("cam:1"):
        with contextlib.suppress(ValueError):
            assert SECRET not in redact_answer(answer.format(address), address)


def test_an_answer_about_an_address_that_is_none_is_not_shown() -> None:
    assert redact_answer("anything", "http://[::1/m") == "***"


def test_addresses_are_found_behind_flags_and_alone() -> None:
    assert find_addresses(["--camera=rtsp://a/b", "http://c/d", "photo.jpg"]) == ["rtsp://a/b", "http://c/d"]


@contextlib.contextmanager
def echoing_camera() -> Iterator[int]:
    """A server that answers every request with the request itself, as a reason for refusing it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    request = connection.recv(65536).splitlines()[0]
                    connection.sendall(b"HTTP/1.0 404 " + request + b"\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_run_shows_no_password_on_stderr_in_json_or_in_the_process_list(toy_path: Path) -> None:
    with echoing_camera() as port:
        address = f"http://127.0.0.1:{port}/user=admin_password={SECRET}_channel=1"
        command = [sys.executable, "-m", "edge_runtime", "run", "--model", str(toy_path), "--format", "jsonl"]
        with subprocess.Popen(
            [*command, f"--camera={address}", "--give-up-s", "8"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as run:
            assert run.stdout is not None
            first = run.stdout.readline()
            listed = Path(f"/proc/{run.pid}/cmdline").read_bytes()
            output, errors = run.communicate(timeout=HANG_S)
    said = (first + output + errors).decode()
    assert run.returncode == 69
    assert SECRET not in said and "404 GET ***" in said
    assert SECRET.encode() not in listed and f"http://127.0.0.1:{port}".encode() in listed
    assert json.loads(first)["v"] == 1
    assert re.search(rf"http://127\.0\.0\.1:{port}[ \"]", said)


def test_the_address_of_a_backbone_is_shown_without_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.installed.teach import backbone
    from edge_runtime.store.store import Store

    shown: list[str] = []

    def refuse(content: bytes, name: str) -> None:
        shown.append(name)
        raise ModelError("no")

    monkeypatch.setattr(backbone, "fetch", lambda source: b"")
    monkeypatch.setattr(backbone, "require_trusted", refuse)
    for address in (f"https://host/m.tflite?token={SECRET}", f"https://host/{SECRET}"):
        with pytest.raises(ModelError):
            backbone.install_backbone(address, Store())
    assert shown == ["m.tflite", "https://host"]

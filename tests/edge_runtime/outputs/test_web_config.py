"""Where the page listens and whom it answers: loopback unless there is a token, and only to names of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigurationError, MissingInputError, UsageError
from edge_runtime.outputs.web.config import WebConfig, parse_web, parse_web_address, read_token

TOKEN = "3f1c9a7be2d84c0f9a6b5d2e7c1f8a40"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("127.0.0.1", 8080)),
        ("9000", ("127.0.0.1", 9000)),
        (":9000", ("127.0.0.1", 9000)),
        ("0.0.0.0", ("0.0.0.0", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("::1", ("::1", 8080)),
        ("[::1]:81", ("::1", 81)),
        ("door.local", ("door.local", 8080)),
        ("door.local:99", ("door.local", 99)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert parse_web_address(text) == expected


@pytest.mark.parametrize("text", ["http://x", "a b", "door:port", "[::1", "door:1:2"])
def test_malformed_addresses_are_usage_errors(text: str) -> None:
    with pytest.raises(UsageError, match="expected HOST, PORT or HOST:PORT"):
        parse_web_address(text)


def test_a_port_out_of_range_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="`web` has the port 70000, expected 0 to 65535"):
        parse_web_address("70000")
    with pytest.raises(UsageError, match=r"`web` has the port 9+, expected 0 to 65535"):
        parse_web_address("9" * 5000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.9", "door.local"])
def test_an_address_that_others_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"without a token.*`web_token_file`") as caught:
        WebConfig(host)
    assert caught.value.exit_code == 78
    assert WebConfig(host, token=TOKEN).token == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_loopback_needs_none(host: str) -> None:
    assert WebConfig(host).is_loopback


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8080", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("attacker.example", False),
        ("127.0.0.1.attacker.example", False),
        ("localhost@attacker.example", False),
        ("192.168.1.9", False),
        ("", False),
        ("localhost:port", False),
    ],
)
def test_the_loopback_page_answers_to_loopback_names_only(header: str, allowed: bool) -> None:
    assert WebConfig().allows_host(header) is allowed


def test_other_addresses_answer_to_bare_ip_addresses_and_their_own_names() -> None:
    config = WebConfig("0.0.0.0", token=TOKEN, extra_hosts=("door.example",))
    own = socket.gethostname()
    assert all(config.allows_host(name) for name in ("192.168.1.9:8080", own, "door.example", "DOOR.example."))
    assert not config.allows_host("attacker.example")
    assert config.url == f"http://{own}:8080/"


def test_a_good_token_file_is_read_without_its_line_break(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    assert parse_web("0.0.0.0", str(path), ["door"]).token == TOKEN


@pytest.mark.parametrize("text", ["", "secret", "a" * 40, "3f1c9a7be2d84c0f 9a6b5d2e7c1f8a40", "0123456789abcdef01234"])
def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(ConfigurationError, match=rf"has {len(text)} characters, expected at least 22 random ones"):
        read_token(str(tmp_path / "token"))


def test_a_missing_and_an_unreadable_token_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"There is no token file.*openssl rand"):
        read_token(str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_token(str(tmp_path))


def test_a_token_file_that_everyone_can_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o644)
    assert read_token(str(path)) == TOKEN
    assert "can be read by every user" in caplog.text

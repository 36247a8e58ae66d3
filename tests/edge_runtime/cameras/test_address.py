"""What --camera may say, what it is taken for, and that no password is ever shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.lock import lock_camera
from edge_runtime.cameras.password import PASSWORD_VARIABLE, add_password
from edge_runtime.errors import AlreadyRunningError, ConfigurationError, MissingInputError, UsageError
from edge_runtime.system.redact import redact


@pytest.mark.parametrize(
    ("text", "kind", "value", "live"),
    [
        (0, "device", "0", True),
        ("2", "device", "2", True),
        ("/dev/video2", "device", "/dev/video2", True),
        ("/dev/camera-front", "device", "/dev/camera-front", True),
        ("/dev//../dev/video2", "device", "/dev/video2", True),
        ("v4l2:/dev/video2", "device", "/dev/video2", True),
        ("/dev/v4l/by-id/usb-cam", "device", "/dev/v4l/by-id/usb-cam", True),
        ("csi", "csi", "", True),
        ("synthetic", "synthetic", "", True),
        ("synthetic:640x480@15", "synthetic", "640x480@15", True),
        ("http://cam/stream.mjpg", "http", "http://cam/stream.mjpg", True),
        ("HTTPS://cam/", "http", "https://cam/", True),
        ("rtsp://cam:554/live", "rtsp", "rtsp://cam:554/live", True),
    ],
)
def test_addresses_are_recognised(text: str | int, kind: str, value: str, live: bool) -> None:
    address = parse_camera(text)
    assert (address.kind, address.value, address.live) == (kind, value, live)


def test_files_and_folders_are_recognised_and_are_not_live(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    assert parse_camera(clip) == CameraAddress("video", str(clip))
    assert parse_camera(tmp_path) == CameraAddress("folder", str(tmp_path))
    assert not parse_camera(tmp_path).live


@pytest.mark.parametrize(
    "text",
    ["", "none.mp4", "camera", "/nowhere/at/all", "9" * 5000, "x" * 5000, "~nobody-of-this-name/a", "a\0b", "\ud800"],
)
def test_what_is_not_there_is_named(text: str) -> None:
    with pytest.raises(
        MissingInputError, match=r"There is no camera, video file or folder '.*'; expected one of 0 \| "
    ):
        parse_camera(text)


@pytest.mark.parametrize(
    "text", ["ftp://host/x", "file:///etc/passwd", "http://", "http:///x", "http://host:port/", "concat://a"]
)
def test_other_schemes_and_addresses_without_a_host_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not usable, expected http, https, rtsp or rtsps and a host"):
        parse_camera(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://cam:0/", "a port of 1 to 65535 if any"),
        ("http://cam:65536/", "a port of 1 to 65535 if any"),
        ("http://my cam/", "no blank and no line break"),
        ("http://cam/x\r\nHost: other", "no blank and no line break"),
        ("v4l2:///dev/video0", "a camera of this machine is named by its path alone, such as /dev/video0"),
        ("onvif://10.0.0.9", "the address of the stream itself is in the camera's manual"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=rf"is not usable, expected http.*{hint}"):
        parse_camera(text)


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(UsageError, match=r"The camera index is -1, expected 0 or more"):
        parse_camera(-1)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.9:554/live?token=abc", "rtsp://10.0.0.9:554"),
        ("http://user@cam/", "http://cam"),
        ("http://cam/stream", "http://cam"),
        ("http://admin:secret@[::1]:80/", "http://[::1]:80"),
        ("http://admin:secret@host:bad/", "http://***"),
        ("video.mp4", "video.mp4"),
        ("rtsp://cam/user=admin&password=hunter2&channel=1", "rtsp://cam"),
        ("http://cam/Token=a;pwd=b/stream", "http://cam"),
    ],
)
def test_passwords_and_tokens_are_hidden(address: str, shown: str) -> None:
    assert redact(address) == shown


@pytest.mark.parametrize("address", ["rtsp://admin:12/34@host/s", "rtsp://admin:12#34@host/s", "http://a:1?2#3@host/"])
def test_a_password_that_would_end_the_host_early_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(UsageError, match=r"://\*\*\* has @ or # after its host, expected %40 and %23 .* %2F") as caught:
        parse_camera(address)
    assert "34" not in str(caught.value) and "3@" not in str(caught.value)


def test_an_address_with_one_slash_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match=r"begins with rtsp: alone, expected rtsp://") as caught:
        parse_camera("rtsp:/user:secret@host/")
    assert "secret" not in str(caught.value)


def test_a_password_comes_from_a_file_or_the_environment_and_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("p@ss/w#rd\n")
    file = str(tmp_path / "password")
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    whole = "rtsp://admin:p%40ss%2Fw%23rd@cam:554/live?x=1"
    assert add_password("rtsp://admin@cam:554/live?x=1", file) == whole
    assert parse_camera(whole).shown == "rtsp://cam:554"
    assert add_password("rtsp://admin@cam/", None) == "rtsp://admin@cam/"
    monkeypatch.setenv(PASSWORD_VARIABLE, "x y")
    assert add_password("http://admin@[::1]/s", None) == "http://admin:x%20y@[::1]/s"
    assert add_password("0", None) == "0"


@pytest.mark.parametrize(
    ("camera", "words"),
    [("rtsp://cam/", "has no user"), ("rtsp://a:b@cam/", "has one already"), ("synthetic", "has no user")],
)
def test_a_password_that_belongs_to_nobody_is_refused(camera: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    with pytest.raises(
        ConfigurationError, match=rf"the address .* {words}; expected a form like rtsp://user@host/path"
    ):
        add_password(camera, str(tmp_path / "password"))


def test_a_password_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"There is no password file .*none; check `camera_password_file`"):
        add_password("rtsp://a@cam/", str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"password file .*binary cannot be read .*expected one line"):
        add_password("rtsp://a@cam/", str(tmp_path / "binary"))


def test_a_device_index_is_shown_as_its_path() -> None:
    assert parse_camera(3).shown == "/dev/video3"
    assert parse_camera("csi").shown == "csi"
    assert parse_camera("rtsp://a:b@host/").shown == "rtsp://host"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("192.168.1.10:81/stream", "http://192.168.1.10:81"),
        ("192.168.1.10", "http://192.168.1.10"),
        ("cam.lan/video", "http://cam.lan"),
        ("esp32:81", "http://esp32:81"),
        ("//10.0.0.1/x", "http://10.0.0.1"),
        ("[fe80::1]:81/stream", "http://[fe80::1]:81"),
        ("10.0.0.5:554/h264?user=admin&password=secret", "rtsp://10.0.0.5:554"),
        ("cam:8554/x", "rtsp://cam:8554"),
    ],
)
def test_an_address_without_its_scheme_is_given_the_hint(text: str, hint: str) -> None:
    with pytest.raises(MissingInputError, match=re.escape(f"begins with http:// or rtsp://, such as {hint}.")):
        parse_camera(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rtsp:10.0.0.1", "rtsp: alone"),
        ("http//10.0.0.1/x", "http// alone"),
        ("HTTPS:/cam", "HTTPS: alone, expected https://"),
    ],
)
def test_a_scheme_that_is_not_whole_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=rf"begins with {words}"):
        parse_camera(text)


def test_a_device_without_its_folder_is_understood_and_a_file_with_a_scheme_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parse_camera("video2") == CameraAddress("device", "/dev/video2")
    with pytest.raises(
        UsageError, match=r"expected http, https, rtsp or rtsps and a host; a file is named by its path"
    ):
        parse_camera(f"file://{tmp_path}/clip.mp4")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "video2").mkdir()
    assert parse_camera("video2").kind == "folder", "what is there comes first"


def test_a_scheme_may_be_written_in_capitals() -> None:
    assert parse_camera("HTTPS://cam/Stream").value == "https://cam/Stream"
    assert parse_camera("Rtsp://cam/a").kind == "rtsp"


@pytest.mark.usefixtures("machine_cameras")
def test_the_pi_camera_is_one_camera_by_either_program() -> None:
    with (
        lock_camera(CameraAddress("csi", "")),
        pytest.raises(AlreadyRunningError, match=r"Another edge-runtime holds the camera picamera2"),
        lock_camera(CameraAddress("picamera2", "")),
    ):
        pass

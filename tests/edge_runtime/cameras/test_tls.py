"""Cameras with certificates: each is checked by one rule, whoever reads the stream, and a refusal says what is wrong.

The servers are real, and so is the FFmpeg inside OpenCV.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from edge_runtime import cli
from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.opening import open_camera
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.opencv.stream import StreamCamera
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.errors import CameraError, ConfigurationError, MissingInputError
from tests.edge_runtime.make_certificates import make_authority, make_own, make_signed, openssl

JPEG = cv2.imencode(".jpg", draw_wave_image(48, 64))[1].tobytes()
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(JPEG), JPEG)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n" + PART
DIGEST = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="cam", nonce="1", qop="auth"\r\nContent-Length: 0\r\n\r\n'


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities (ca, other) and what the first signed: good, elsewhere, expired; own signed itself."""
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder)
    make_authority(folder, "other")
    make_own(folder, "own", "IP:127.0.0.1")
    make_signed(folder, "good", "IP:127.0.0.1")
    make_signed(folder, "elsewhere", "DNS:door.example,IP:10.0.0.9")
    make_signed(folder, "expired", "IP:127.0.0.1", days=-1)
    openssl(folder, "x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der")
    return folder


Answer = Callable[[bytes], bytes]
Serve = Callable[[str, Answer], tuple[int, list[bytes]]]


@pytest.fixture
def serve(certificates: Path) -> Iterator[Serve]:
    """Starts a TLS server with a certificate of the folder; gives its port and the requests that it hears.

    A connection is kept open while ``answer`` gives something.
    """
    stack = contextlib.ExitStack()

    def start(certificate: str, answer: Answer) -> tuple[int, list[bytes]]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{certificate}.pem", certificates / f"{certificate}.key")
        listener, heard = stack.enter_context(socket.create_server(("127.0.0.1", 0))), []
        listener.settimeout(10)

        def talk(plain: socket.socket) -> None:
            with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
                connection.settimeout(10)
                while request := connection.recv(65536):
                    heard.append(request)
                    content = answer(request)
                    connection.sendall(content)
                    while content.startswith(STREAM[:16]):
                        connection.sendall(PART)

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        return listener.getsockname()[1], heard

    with stack:
        yield start


def not_found(request: bytes) -> bytes:
    return b"%b 404 Not Found\r\nCSeq: 1\r\nContent-Length: 0\r\n\r\n" % request.split()[2][:8]


def authority(certificates: Path, name: str) -> CameraOptions:
    return CameraOptions(camera_ca=str(certificates / name))


@pytest.mark.parametrize(
    ("certificate", "given"), [("good", "ca.pem"), ("good", "ca.der"), ("good", "good.pem"), ("own", "own.pem")]
)
def test_a_camera_is_believed_by_its_authority_or_by_its_own_certificate(
    certificates: Path, serve: Serve, certificate: str, given: str
) -> None:
    port, heard = serve(certificate, lambda request: STREAM)
    address = parse_camera(f"https://me:secret@127.0.0.1:{port}/video")
    with open_source(address, None, authority(certificates, given)) as camera:
        frame = camera.read(5.0)
    assert frame is not None and frame.pixels.shape == (48, 64, 3)
    assert heard[0].startswith(b"GET /video HTTP/1.0\r\n")


@pytest.mark.parametrize("scheme", ["https", "rtsps"])
@pytest.mark.parametrize(
    ("certificate", "given", "message"),
    [
        (
            "good",
            "other.pem",
            r"has a certificate that none in .*other.pem vouches for \(unable to get local issuer cert",
        ),
        ("own", "ca.pem", r"has a certificate that none in .*ca.pem vouches for \(self.signed certificate\)"),
        ("expired", "ca.pem", r"has a certificate that has expired; this machine says it is 20\d\d-\d\d-\d\d: set its"),
        (
            "elsewhere",
            "ca.pem",
            r"has a certificate for door.example, 10.0.0.9, expected one for 127.0.0.1; use the name",
        ),
        (
            "good",
            None,
            r"has a certificate that no authority known here has signed \(unable to get local issuer certificate\); give the",
        ),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said_and_nothing_is_asked_of_that_camera(
    certificates: Path, serve: Serve, scheme: str, certificate: str, given: str | None, message: str
) -> None:
    port, heard = serve(certificate, not_found)
    options = authority(certificates, given) if given else CameraOptions()
    with pytest.raises(CameraError, match=rf"{scheme}://127.0.0.1:{port} {message}"):
        open_source(parse_camera(f"{scheme}://me:secret@127.0.0.1:{port}/video"), None, options)
    assert heard == []


@pytest.mark.parametrize(("scheme", "method"), [("https", b"GET /a/b?c"), ("rtsps", b"OPTIONS rtsp://127.0.0.1")])
def test_ffmpeg_reads_only_what_was_checked(certificates: Path, serve: Serve, scheme: str, method: bytes) -> None:
    port, heard = serve("good", not_found)
    address = CameraAddress({"https": "http"}.get(scheme, "rtsp"), f"{scheme}://127.0.0.1:{port}/a/b?c")
    with pytest.raises(CameraError, match=rf"^{scheme}://127.0.0.1:{port} "):
        StreamCamera(address, str(certificates / "ca.pem"))
    assert heard[0].startswith(method)
    if scheme == "https":
        assert b"Host: 127.0.0.1:%d\r\n" % port in heard[0], "the camera hears its own name"


def test_a_digest_camera_over_tls_is_read_by_ffmpeg_through_the_same_check(certificates: Path, serve: Serve) -> None:
    port, heard = serve("good", lambda request: STREAM if b"Authorization: Digest" in request else DIGEST)
    address = parse_camera(f"https://me:secret@127.0.0.1:{port}/video")
    with open_source(address, None, authority(certificates, "ca.pem")) as camera:
        assert isinstance(camera, StreamCamera)
        frame = camera.read(5.0)
    assert frame is not None and frame.pixels.shape == (48, 64, 3)
    assert b'username="me"' in heard[-1]


def test_a_camera_may_not_send_us_from_tls_to_plain_http(certificates: Path, serve: Serve) -> None:
    port, _ = serve("good", lambda request: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/secret\r\n\r\n")
    with pytest.raises(
        CameraError, match=r"redirects us to http://127.0.0.1:9, expected https; check the camera's settings"
    ):
        open_source(parse_camera(f"https://127.0.0.1:{port}/"), None, authority(certificates, "ca.pem"))


@pytest.mark.parametrize("scheme", ["https", "rtsps"])
def test_a_port_without_tls_is_named_as_such(scheme: str, certificates: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(CameraError, match=r"does not speak TLS there; check the port, or use the scheme without s"):
            open_source(
                parse_camera(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"),
                None,
                authority(certificates, "ca.pem"),
            )
        thread.join(5)


def test_a_file_that_is_no_certificate_is_named_before_anything_is_opened(
    certificates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MissingInputError, match=r"There is no certificate file .*none.pem; check `camera_ca`"):
        authority(tmp_path, "none.pem")
    with pytest.raises(ConfigurationError, match=r"cannot be read \(Is a directory\); check `camera_ca`"):
        CameraOptions(camera_ca=str(tmp_path))
    with pytest.raises(
        ConfigurationError, match=r"good.key holds a private key, expected the certificate of the camera"
    ):
        authority(certificates, "good.key")
    for content, found in (
        (b"", "nothing"),
        (b"\x89PNG\r\n", r"no certificate, it begins with b'\\x89PNG"),
        (b"-----BEGIN C", "no c"),
    ):
        (tmp_path / "x.pem").write_bytes(content)
        with pytest.raises(ConfigurationError, match=rf"x.pem holds {found}"):
            authority(tmp_path, "x.pem")
    for verb in (["run"], ["collect", "--label", "mug", "--out", str(tmp_path)]):
        assert cli.main([*verb, "--camera", "https://127.0.0.1/", "--camera-ca", "none.pem"]) == 66
        assert "There is no certificate file none.pem; check --camera-ca." in capsys.readouterr().err


@pytest.mark.parametrize("camera", ["http://127.0.0.1/", "rtsp://127.0.0.1/", "0", "synthetic"])
def test_an_authority_for_a_camera_without_certificate_is_refused(certificates: Path, camera: str) -> None:
    with pytest.raises(ConfigurationError, match=r"`camera_ca` is for https:// and rtsps://, but the camera is "):
        open_camera(camera, options=authority(certificates, "ca.pem"))

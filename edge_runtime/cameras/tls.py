"""Encrypted connections to network cameras: which certificates are trusted, and in words why one is not.

Streams that FFmpeg reads are checked here, too: it never checks a host's name, and some versions check nothing at all.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import CameraError, ConfigurationError, MissingInputError
from edge_runtime.system.clock import format_today

if TYPE_CHECKING:
    import ssl

# OpenSSL's numbers for the reasons (X509_V_ERR_* in its x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_IP = 9, 10, 62, 64
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)


def make_context(camera_ca: str | None) -> ssl.SSLContext:
    """A context that checks a camera's certificate and its name against only the certificates in the file ``camera_ca``
    (PEM, or one in DER), or against the system's authorities if it is None.

    Raises:
        MissingInputError: there is no such file.
        ConfigurationError: it cannot be read or holds no certificate.
    """
    import ssl  # imported late for start-up time: most cameras do not need it

    if camera_ca is None:
        return ssl.create_default_context()
    try:
        content = Path(camera_ca).expanduser().read_bytes()
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no certificate file {camera_ca}; check `camera_ca`.") from error
    except OSError as error:
        raise ConfigurationError(
            f"The certificate file {camera_ca} cannot be read ({error.strerror}); check `camera_ca`."
        ) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The camera's own certificate is enough, even if an authority signed it that is not in the file.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=content.decode("ascii") if b"-----BEGIN" in content else content)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"The file {camera_ca} holds {_name_content(content)}, expected the certificate of the camera or of the "
            "authority that signed it (PEM or DER); check `camera_ca`."
        ) from error
    return context


def connect_securely(host: str, port: int, name: str, timeout_s: float, camera_ca: str | None) -> ssl.SSLSocket:
    """An encrypted connection to ``host``, with its certificate checked as `make_context` says.

    Raises:
        CameraError: it cannot be reached, or its certificate is not trusted; the message calls the camera ``name``.
        MissingInputError, ConfigurationError: as `make_context`.
    """
    import ssl

    context = make_context(camera_ca)
    try:
        return _shake_hands(context, host, port, timeout_s)
    except ssl.SSLCertVerificationError as error:
        context.check_hostname = False
        raise CameraError(f"{name} {_explain(error, context, host, port, timeout_s, camera_ca)}.") from error
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
            raise CameraError(
                f"{name} does not speak TLS there; check the port, or use the scheme without s at its end."
            ) from error
        raise CameraError(f"{name} refuses TLS ({error.reason or error}); update the camera.") from error
    except TimeoutError as error:
        raise CameraError(f"{name} did not answer within {timeout_s:g} s; check address, power and network.") from error
    except OSError as error:
        raise CameraError(f"{name} cannot be reached: {error.strerror or error}; check address and network.") from error


def _shake_hands(context: ssl.SSLContext, host: str, port: int, timeout_s: float) -> ssl.SSLSocket:
    connection = socket.create_connection((host, port), timeout_s)
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except BaseException:  # nobody else holds this socket, so it must be closed here
        connection.close()
        raise


def _explain(
    error: ssl.SSLCertVerificationError,
    nameless: ssl.SSLContext,
    host: str,
    port: int,
    timeout_s: float,
    camera_ca: str | None,
) -> str:
    """Why the certificate is not trusted, with a remedy, as the end of a sentence; ``nameless`` checks no name."""
    if error.verify_code in (_OTHER_HOST, _OTHER_IP):
        return (
            f"has a certificate for {_list_names(nameless, host, port, timeout_s)}, expected one for {host}; use the "
            "name in its certificate as the address, or have the camera make a certificate for this one"
        )
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        what = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return (
            f"has a certificate that {what}; this machine says it is {format_today()}: set its clock, or renew the "
            "certificate"
        )
    if error.verify_code not in _UNKNOWN_AUTHORITY:
        return f"has a certificate that is not trusted ({error.verify_message}); have the camera make another"
    if camera_ca is None:
        return (
            f"has a certificate that no authority known here has signed ({error.verify_message}); give the camera's "
            "own, or its authority's, as `camera_ca`"
        )
    return (
        f"has a certificate that none in {camera_ca} vouches for ({error.verify_message}); check `camera_ca`, or "
        "whether this is the right camera"
    )


def _list_names(nameless: ssl.SSLContext, host: str, port: int, timeout_s: float) -> str:
    """The names in the certificate, which must be valid in every other way."""
    try:
        with _shake_hands(nameless, host, port, timeout_s) as connection:
            certificate = connection.getpeercert() or {}
    except OSError:
        return "another name"
    alternatives = [str(pair[1]) for pair in certificate.get("subjectAltName", ())]
    return ", ".join(alternatives[:5]) or "no name at all (it has no subjectAltName)"


def _name_content(content: bytes) -> str:
    if b"PRIVATE KEY-----" in content:
        return "a private key"
    return f"no certificate, it begins with {content[:12]!r}" if content else "nothing"

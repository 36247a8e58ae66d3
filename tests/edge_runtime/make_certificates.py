"""Certificates for servers on loopback, by the ``openssl`` command: ``NAME.pem`` and ``NAME.key`` in a folder.

``names`` are subject alternative names as OpenSSL writes them: ``IP:127.0.0.1``, ``DNS:localhost``.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_NEW_KEY = ("-newkey", "rsa:2048", "-nodes")


def make_authority(folder: Path, name: str = "ca") -> None:
    """One that signs others with `make_signed`; clients that look closely want its key usage."""
    _make_own(folder, name, "keyUsage=critical,keyCertSign,cRLSign")


def make_own(folder: Path, name: str, names: str) -> None:
    """One that signed itself."""
    _make_own(folder, name, f"subjectAltName={names}")


def make_signed(folder: Path, name: str, names: str, days: int = 30, authority: str = "ca") -> None:
    """One that ``authority`` in ``folder`` signed, valid for ``days`` from now; below 0 it has expired."""
    openssl(folder, "req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    signing = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-extfile", f"{name}.ext")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing, "-days", str(days))


def openssl(folder: Path, *arguments: str) -> None:
    """Runs ``openssl`` in ``folder``; skips the test where it is not installed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _make_own(folder: Path, name: str, extension: str) -> None:
    paths = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl(folder, "req", "-x509", *_NEW_KEY, *paths, "-days", "30", "-subj", f"/CN={name}", "-addext", extension)

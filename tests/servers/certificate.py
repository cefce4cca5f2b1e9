"""A self-signed certificate for loopback."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """PEM files: the certificate, which clients trust as their CA bundle, and with its key, for servers."""

    ca_bundle: Path
    with_key: Path


def existing(folder: Path) -> Certificate:
    return Certificate(folder / "crt.pem", folder / "tls.pem")


def create(folder: Path) -> Certificate:
    """Make one in `folder`."""
    certificate, key = existing(folder), folder / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]
    command += ["-addext", names, "-keyout", str(key), "-out", str(certificate.ca_bundle)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    certificate.with_key.write_bytes(key.read_bytes() + certificate.ca_bundle.read_bytes())
    return certificate

"""A certificate for loopback, and the authority that signed it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """PEM files: the authority, which clients trust, and the certificate with its key, for servers."""

    ca_bundle: Path
    with_key: Path


def existing(folder: Path) -> Certificate:
    return Certificate(folder / "crt.pem", folder / "tls.pem")


def create(folder: Path) -> Certificate:
    """Make an authority and its certificate for loopback: delta-rs refuses one that is its own authority."""
    made = existing(folder)
    key, request, leaf = folder / "key.pem", folder / "leaf.csr", folder / "leaf.pem"
    ca_key, extensions = folder / "ca-key.pem", folder / "leaf.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout"]
    authority = ["-x509", *new_key, str(ca_key), "-out", str(made.ca_bundle), "-days", "30", "-subj", "/CN=tests"]
    signing = ["-CA", str(made.ca_bundle), "-CAkey", str(ca_key), "-CAcreateserial", "-days", "30"]
    _openssl("req", *authority)
    _openssl("req", *new_key, str(key), "-out", str(request), "-subj", "/CN=localhost")
    _openssl("x509", "-req", "-in", str(request), *signing, "-extfile", str(extensions), "-out", str(leaf))
    made.with_key.write_bytes(key.read_bytes() + leaf.read_bytes())
    return made


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, text=True)

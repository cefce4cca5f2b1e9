"""What a test needs to know about a running S3 server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Server:
    """A running server, all of it on 127.0.0.1. Clients need path-style addresses."""

    kind: Literal["rgw", "moto"]
    http: str
    https: str | None
    ca_bundle: Path | None
    access_key: str
    secret_key: str
    region: str
    folder: Path | None = None

"""The lake that the tests of serving share, and requests as a browser sends them."""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from PIL import Image
from tests.integration.buckets import Bucket, upload_folder
from tests.lakes import LakeMaker

from imagelake.client.lake import Lake

REF = "pets@draft"
IMAGES = 105
ZIPPED = "zipped.png"
CAT = {"category": "cat", "bbox": [1, 1, 3, 2]}
DOG = {"category": "dog", "bbox": [0, 0, 8, 6]}


def picture(n: int) -> bytes:
    """A PNG unlike the others."""
    out = io.BytesIO()
    Image.new("RGB", (8, 6), (n, n, 7)).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A request as a browser sends it: without credentials."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def served(bucket: Bucket, made: LakeMaker) -> Lake:
    upload_folder(bucket.storage("lake"), made.root)
    return Lake(bucket.storage("lake"))

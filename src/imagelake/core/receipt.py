"""The receipt in a folder of exported rejections: which of them the folder answers once it is delivered again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

NAME = "meta.imagelake"
"""The receipt's file name, in the top folder of an upload; a name that no reader of a format takes for its own."""

SHEET = "rejections.csv"
"""The list of the same rejections for people, beside the receipt."""

MAX_BYTES = 256 << 20
"""Three million ids; a larger receipt is not read."""

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Receipt:
    """The upload whose rejections were exported, and their ids."""

    upload_id: str
    rejections: tuple[str, ...]


def to_bytes(upload_id: str, rejections: Iterable[str]) -> bytes:
    """The receipt as a file."""
    return json.dumps({"upload_id": upload_id, "rejections": list(rejections)}, indent=0).encode()


def from_bytes(data: bytes) -> Receipt | None:
    """The receipt in a file; None when it is none, for anybody may call a file so."""
    try:
        document = json.loads(data)
        upload_id, ids = document["upload_id"], document["rejections"]
        sound = _is_hash(upload_id) and isinstance(ids, list) and all(map(_is_hash, ids))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Receipt(upload_id, tuple(ids)) if sound else None


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None

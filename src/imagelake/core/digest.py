"""Row hashes, set digests and version digests (`d1:`), the same in Spark workers and in the client.

A row is encoded as a domain line followed by its non-null fields in fixed order, each as field number (1 byte),
payload length (4 bytes, little-endian) and payload: strings as NFC UTF-8, integers as 8 bytes little-endian,
floats as IEEE-754 binary64 little-endian with -0 written as 0, JSON with sorted keys. The row hash is the sha256 of
that; the digest of a set is the sum of its row hashes modulo 2^256 and their count, so order does not matter and
two digests can be added. Places, source ids, uploads, runs, times and flags are left out: the same content
delivered as zip or folder, to a disk or a bucket, has one digest.
"""

from __future__ import annotations

import hashlib
import json
import struct
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MODULUS = 1 << 256
PREFIX = "d1:"
ANNOTATION_DOMAIN = b"imagelake/d1/annotation\n"

_HEAD = struct.Struct("<BI")
_INT = struct.Struct("<q")


def nfc(text: str) -> str:
    """The text in Unicode normal form C; ASCII needs no work."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def canonical_json(value: Mapping[str, Any]) -> str | None:
    """The mapping as JSON with sorted keys and no spaces; None for an empty one, which says the same as absent."""
    if not value:
        return None
    return nfc(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def field(number: int, payload: bytes) -> bytes:
    """A field: its number, the length of its payload, and the payload."""
    return _HEAD.pack(number, len(payload)) + payload


def text_field(number: int, value: str | None) -> bytes:
    """A text as a field; nothing for null."""
    return b"" if value is None else field(number, nfc(value).encode("utf-8", "surrogatepass"))


def _texts(number: int, values: Sequence[str] | None) -> bytes:
    if values is None:
        return b""
    return field(number, b"".join(text_field(0, v) for v in sorted(values)))


def integer_field(number: int, value: int | None) -> bytes:
    """A whole number as a field; nothing for null."""
    return b"" if value is None else field(number, _INT.pack(value))


def floats(values: Sequence[float]) -> bytes:
    """Binary64 little-endian, -0 as 0: adding 0.0 turns -0.0 into 0.0 and leaves every other number as it is."""
    return struct.pack(f"<{len(values)}d", *(v + 0.0 for v in values))


def floats_field(number: int, values: Sequence[float] | None) -> bytes:
    """Numbers as a field; nothing for null."""
    return b"" if values is None else field(number, floats(values))


def _parts(number: int, parts: Sequence[Sequence[float]] | None) -> bytes:
    if parts is None:
        return b""
    return field(number, b"".join(struct.pack("<I", len(p)) + floats(p) for p in parts))


def json_field(number: int, text: str | None) -> bytes:
    """A JSON object as a field, with sorted keys; nothing for null and for an empty one."""
    return b"" if text is None else text_field(number, canonical_json(json.loads(text)))


def _box(box: Mapping[str, float] | None) -> tuple[float, ...] | None:
    return None if box is None else (box["x"], box["y"], box["w"], box["h"])


def geometry_bytes(row: Mapping[str, Any]) -> bytes:
    """The canonical geometry of an annotation: its box, polygons, mask and keypoints."""
    return b"".join(
        (
            floats_field(4, _box(row["bbox"])),
            _parts(5, row["polygons"]),
            floats_field(6, row["rle_size"]),
            text_field(7, row["rle_counts"]),
            floats_field(8, row["keypoints"]),
        )
    )


def image_hash(row: Mapping[str, Any]) -> bytes:
    """The row hash (32 bytes) of an image, from the columns of silver.images."""
    return hashlib.sha256(
        b"".join(
            (
                b"imagelake/d1/image\n",
                text_field(1, row["image_key"]),
                text_field(2, row["content_hash"]),
                integer_field(3, row["width"]),
                integer_field(4, row["height"]),
                integer_field(5, row["orientation"]),
                _texts(6, row["labelled"]),
                json_field(7, row["attributes"]),
            )
        )
    ).digest()


def annotation_hash(row: Mapping[str, Any]) -> bytes:
    """The row hash (32 bytes) of an annotation, from the columns of silver.annotations."""
    return hashlib.sha256(
        b"".join(
            (
                ANNOTATION_DOMAIN,
                text_field(1, row["image_key"]),
                text_field(2, row["kind"]),
                text_field(3, row["category"]),
                geometry_bytes(row),
                integer_field(9, int(bool(row["is_crowd"]))),
                json_field(10, row["attributes"]),
            )
        )
    ).digest()


def category_hash(row: Mapping[str, Any]) -> bytes:
    """The row hash (32 bytes) of a category, from the columns of silver.categories."""
    return hashlib.sha256(
        b"".join(
            (
                b"imagelake/d1/category\n",
                text_field(1, row["name"]),
                text_field(2, row["supercategory"]),
                integer_field(3, row["train_index"]),
            )
        )
    ).digest()


def split_hash(row: Mapping[str, Any]) -> bytes:
    """The row hash (32 bytes) of an image's place in a split, from the columns of gold.split_log."""
    return hashlib.sha256(
        b"imagelake/d1/split\n" + text_field(1, row["image_key"]) + text_field(2, row["split"])
    ).digest()


@dataclass(frozen=True)
class SetDigest:
    """The digest of a set of rows: the sum of their hashes modulo 2^256, and how many there are."""

    total: int = 0
    count: int = 0

    def __add__(self, other: SetDigest) -> SetDigest:
        return SetDigest((self.total + other.total) % MODULUS, self.count + other.count)

    def __sub__(self, other: SetDigest) -> SetDigest:
        return SetDigest((self.total - other.total) % MODULUS, self.count - other.count)

    def to_bytes(self) -> bytes:
        """Forty bytes: sum and count, little-endian."""
        return self.total.to_bytes(32, "little") + self.count.to_bytes(8, "little")


def set_digest(hashes: Iterable[bytes]) -> SetDigest:
    """The digest of the rows with these hashes."""
    total = count = 0
    for value in hashes:
        total += int.from_bytes(value, "little")
        count += 1
    return SetDigest(total % MODULUS, count)


def content_digest(images: SetDigest, annotations: SetDigest, categories: SetDigest) -> str:
    """The digest of a version's content, `d1:` and 64 hex digits."""
    data = b"imagelake/d1/content\n" + images.to_bytes() + annotations.to_bytes() + categories.to_bytes()
    return PREFIX + hashlib.sha256(data).hexdigest()


def version_digest(content: str, splits: SetDigest) -> str:
    """The digest of a version: its content and which image lies in which split."""
    data = b"imagelake/d1/version\n" + content.encode() + b"\n" + splits.to_bytes()
    return PREFIX + hashlib.sha256(data).hexdigest()

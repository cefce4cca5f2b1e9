"""The digests `d1:` of the contract: sums of row hashes over images, annotations, categories, splits."""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterable, Mapping

from tests.model.draft import Annotation, Draft, Row


def content_digest(draft: Draft) -> str:
    """The digest of what a version holds."""
    images = Counter(_hash("image", _image(key, row)) for key, row in draft.images.items())
    labels = Counter(
        _hash("annotation", _annotation(key, kind, row))
        for (key, kind), rows in draft.labels.items()
        for row in rows.elements()
    )
    categories = Counter(_hash("category", _category(name, *row)) for name, row in draft.categories.items())
    data = b"imagelake/d1/content\n" + b"".join(_set(rows) for rows in (images, labels, categories))
    return "d1:" + hashlib.sha256(data).hexdigest()


def version_digest(draft: Draft, splits: Mapping[str, str]) -> str:
    """The digest of a version: content, and which image lies in which split."""
    rows = Counter(_hash("split", _text(1, key) + _text(2, split)) for key, split in splits.items())
    data = b"imagelake/d1/version\n" + content_digest(draft).encode() + b"\n" + _set(rows)
    return "d1:" + hashlib.sha256(data).hexdigest()


def _hash(entity: str, fields: bytes) -> bytes:
    return hashlib.sha256(f"imagelake/d1/{entity}\n".encode() + fields).digest()


def _set(rows: Counter[bytes]) -> bytes:
    total = sum(int.from_bytes(row, "little") * count for row, count in rows.items()) % (1 << 256)
    return total.to_bytes(32, "little") + rows.total().to_bytes(8, "little")


def _field(number: int, data: bytes) -> bytes:
    return struct.pack("<BI", number, len(data)) + data


def _text(number: int, text: str | None) -> bytes:
    return b"" if text is None else _field(number, text.encode())


def _integer(number: int, value: int | None) -> bytes:
    return b"" if value is None else _field(number, struct.pack("<q", value))


def _floats(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack("<d", v + 0.0) for v in values)


def _image(key: str, row: Row) -> bytes:
    size = _integer(3, row.width) + _integer(4, row.height) + _integer(5, row.orientation)
    labelled = _field(6, b"".join(_text(0, kind) for kind in sorted(row.labelled)))
    attributes = json.dumps(dict(row.attributes), sort_keys=True, separators=(",", ":")) if row.attributes else None
    return _text(1, key) + _text(2, row.content) + size + labelled + _text(7, attributes)


def _annotation(key: str, kind: str, row: Annotation) -> bytes:
    box = b"" if row.box is None else _field(4, _floats(row.box))
    points = row.polygon
    polygon = b"" if points is None else _field(5, struct.pack("<I", len(points)) + _floats(points))
    crowd = _integer(9, 0)
    return _text(1, key) + _text(2, kind) + _text(3, row.category) + box + polygon + crowd


def _category(name: str, parent: str | None, place: int | None) -> bytes:
    return _text(1, name) + _text(2, parent) + _integer(3, place)

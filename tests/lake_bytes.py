"""Bytes of images as a lake keeps them: one zip, or objects; and the rows that say where."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from lake_tables import Row


def keep(root: Path, contents: Sequence[bytes], codec: str) -> list[Row]:
    """Keep bytes as one zip (codec stored or deflate) or as objects (codec object); their rows of bronze.blobs."""
    if codec == "object":
        return [_object(root, data) for data in contents]
    buffer, method = io.BytesIO(), zipfile.ZIP_DEFLATED if codec == "deflate" else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for i, data in enumerate(contents):
            archive.writestr(f"{i}.bin", data)
    packed = buffer.getvalue()
    path = f"blobs/zip/{hashlib.sha256(packed).hexdigest()}.zip"
    _put(root / path, packed)
    rows = []
    for data, info in zip(contents, zipfile.ZipFile(buffer).infolist(), strict=True):
        name_length, extra_length = struct.unpack_from("<HH", packed, info.header_offset + 26)
        start = info.header_offset + 30 + name_length + extra_length
        rows.append(_row(data, path, start, info.compress_size, codec))
    return rows


def _object(root: Path, data: bytes) -> Row:
    sha = hashlib.sha256(data).hexdigest()
    path = f"blobs/obj/{sha[:2]}/{sha}"
    _put(root / path, data)
    return _row(data, path, 0, len(data), "stored")


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _row(data: bytes, uri: str, offset: int, length: int, codec: str) -> Row:
    row: Row = {"content_hash": hashlib.sha256(data).hexdigest(), "uri": uri, "offset": offset, "length": length}
    return row | {"size": len(data), "codec": codec, "crc32": zlib.crc32(data), "state": "live"}

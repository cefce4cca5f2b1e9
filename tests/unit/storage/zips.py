"""Zips written field by field, to say what no archiver would."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagelake.config.settings import IngestSettings
from imagelake.errors import UploadRejected
from imagelake.storage.local import LocalStorage
from imagelake.storage.zip.member import read_member
from imagelake.uploads.archive import read_archive

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True)
class Part:
    """A member; None means the true value. `body`: the bytes in the archive, `local_*`: what the local header says."""

    name: str | bytes
    data: bytes = b"x"
    method: int = 0
    flags: int = 0
    host: int = 3
    mode: int = 0
    attributes: int | None = None
    disk: int = 0
    crc: int | None = None
    size: int | None = None
    compressed: int | None = None
    offset: int | None = None
    body: bytes | None = None
    extra: bytes = b""
    local_extra: bytes = b""
    local_name: bytes | None = None
    local_method: int | None = None
    local_sizes: tuple[int, int, int] | None = None
    local_signature: bytes = b"PK\x03\x04"
    after: bytes = b""

    def raw_name(self) -> bytes:
        return self.name.encode() if isinstance(self.name, str) else self.name

    def raw_flags(self) -> int:
        return self.flags | (0x800 if isinstance(self.name, str) and not self.name.isascii() else 0)

    def raw_body(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.method != 8:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()

    def declared(self) -> tuple[int, int, int]:
        body = self.raw_body()
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        compressed = len(body) if self.compressed is None else self.compressed
        return crc, compressed, len(self.data) if self.size is None else self.size

    def local(self) -> bytes:
        name = self.raw_name() if self.local_name is None else self.local_name
        method = self.method if self.local_method is None else self.local_method
        crc, compressed, size = self.declared() if self.local_sizes is None else self.local_sizes
        lengths = (len(name), len(self.local_extra))
        head = struct.pack("<5H3I2H", 20, self.raw_flags(), method, 0, 33, crc, compressed, size, *lengths)
        return self.local_signature + head + name + self.local_extra + self.raw_body() + self.after

    def central(self, offset: int) -> bytes:
        name = self.raw_name()
        attributes = self.mode << 16 if self.attributes is None else self.attributes
        fixed = struct.pack("<2B5H", 20, self.host, 20, self.raw_flags(), self.method, 0, 33)
        sizes = struct.pack("<3I3H", *self.declared(), len(name), len(self.extra), 0)
        place = struct.pack("<2H2I", self.disk, 0, attributes, offset if self.offset is None else self.offset)
        return b"PK\x01\x02" + fixed + sizes + place + name + self.extra


def unicode_path(
    name: str | bytes, raw: bytes, version: int = 1, crc: int | None = None, size: int | None = None
) -> bytes:
    """A Unicode path field about a header's name; `size` is what the field says of its length."""
    text = name.encode() if isinstance(name, str) else name
    content = struct.pack("<BI", version, zlib.crc32(raw) if crc is None else crc) + text
    return struct.pack("<2H", 0x7075, len(content) if size is None else size) + content


def named(name: str | bytes, raw: bytes, host: int = 0, flags: int = 0, data: bytes = b"x") -> Part:
    """A member with the field in both headers, as 7-Zip and Info-ZIP write it."""
    extra = unicode_path(name, raw)
    return Part(raw, data, host=host, flags=flags, extra=extra, local_extra=extra)


def end_record(count: int, size: int, offset: int, comment: bytes = b"", disk: int = 0) -> bytes:
    return b"PK\x05\x06" + struct.pack("<4H2IH", disk, 0, count, count, size, offset, len(comment)) + comment


def end64(count: int, size: int, offset: int, at: int, record_size: int = 44) -> bytes:
    record = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", record_size, 45, 45, 0, 0, count, count, size, offset)
    return record + b"PK\x06\x07" + struct.pack("<IQI", 0, at, 1)


def body_of(parts: Sequence[Part], prefix: bytes = b"") -> tuple[bytes, bytes]:
    """Members and directory."""
    data, directory = bytearray(prefix), bytearray()
    for part in parts:
        directory += part.central(len(data))
        data += part.local()
    return bytes(data), bytes(directory)


def build(*parts: Part, comment: bytes = b"", prefix: bytes = b"", count: int | None = None) -> bytes:
    data, directory = body_of(parts, prefix)
    entries = len(parts) if count is None else count
    return data + directory + end_record(entries, len(directory), len(data), comment)


def build64(
    *parts: Part, short: tuple[int, int, int] = (MAX16, MAX32, MAX32), shift: int = 0, record_size: int = 44
) -> bytes:
    """With a zip64 end record; `short` is what the old record says, `shift` moves the place the locator names."""
    data, directory = body_of(parts)
    at = len(data) + len(directory)
    wide = end64(len(parts), len(directory), len(data), at + shift, record_size)
    return data + directory + wide + end_record(*short)


def overlap_bomb(count: int = 60, kernel: int = 1 << 20) -> bytes:
    """Each deflate stream quotes the next local header and goes on with that member's stream (Fifield, 2019)."""
    last = Part("z", bytes(kernel), method=8)
    data, stream, size, header = last.local(), len(last.raw_body()), kernel, 31
    entries = [(last.name, stream, size, len(data))]
    for number in range(count - 1):
        block = b"\x00" + struct.pack("<2H", header, header ^ MAX16)
        stream, size = stream + header + len(block), size + header
        name = f"{number:03d}"
        part = Part(name, method=8, crc=0, size=size, compressed=stream, body=block)
        data, header = part.local() + data, 30 + len(name)
        entries.append((name, stream, size, len(data)))
    directory = b"".join(
        Part(name, method=8, crc=0, size=size, compressed=stream).central(len(data) - behind)
        for name, stream, size, behind in reversed(entries)
    )
    return data + directory + end_record(count, len(directory), len(data))


def contents(folder: Path, *parts: Part) -> dict[str, bytes]:
    """The members of an archive of these parts, as an upload's reader gives them, by path."""
    (folder / "up.zip").write_bytes(build(*parts))
    storage = LocalStorage(folder)
    entries = read_archive(storage, "up.zip", IngestSettings()).entries
    return {e.path: read_member(storage, "up.zip", e) for e in entries}


def rejection(folder: Path, *parts: Part) -> UploadRejected:
    """The refusal of an archive of these parts."""
    with pytest.raises(UploadRejected) as caught:
        contents(folder, *parts)
    return caught.value

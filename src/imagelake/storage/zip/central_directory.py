"""The entries of a zip's central directory. PKWARE APPNOTE 6.3.10: 4.3.12 (fields), 4.4 (meanings), 4.5.3 (zip64)."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from imagelake.errors import UploadRejected
from imagelake.storage.zip.end_records import MAX16, MAX32
from imagelake.storage.zip.member_names import member_name
from imagelake.uploads.file_names import check_path, shown

Codec = Literal["stored", "deflate"]

LOCAL_HEADER_SIZE = 30
FLAG_DESCRIPTOR = 1 << 3

CENTRAL = struct.Struct("<4s2B5H3I5H2I")
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_LENGTHS, _LENGTHS_AT = struct.Struct("<3H"), 28  # of name, extra fields and comment, which follow the fixed part
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_UNSUPPORTED = 1 << 5  # compressed patched data
CODECS: dict[int, Codec] = {0: "stored", 8: "deflate"}
_REPARSE_POINT = 0x400  # a Windows link


class Record(NamedTuple):
    """A directory entry; `least_end` is where header and data end at the earliest.

    `raw_name`: the header's own name where a Unicode path field gave another path.
    """

    path: str
    offset: int
    least_end: int
    compressed: int
    size: int
    crc32: int
    codec: Codec
    raw_name: bytes | None


def entry_count(data: memoryview, declared: int, modulus: int) -> int:
    """The number of entries of a central directory that declares it modulo `modulus`.

    UploadRejected (`archive.entry_count`) unless headers fill the directory exactly and their number is congruent. A
    directory without room for another number than the declared one is not looked at: `records` does.
    """
    if len(data) < (declared + modulus) * CENTRAL.size:
        return declared
    at = count = 0
    while data[at : at + 4] == _CENTRAL_SIGNATURE and at + CENTRAL.size <= len(data):
        at += CENTRAL.size + sum(_LENGTHS.unpack_from(data, at + _LENGTHS_AT))
        count += 1
    if at != len(data) or count % modulus != declared:
        raise _count_mismatch(declared)
    return count


def records(data: memoryview, count: int) -> Iterator[Record]:
    """The `count` entries of a central directory; UploadRejected for the first that breaks a rule."""
    at = 0
    for _ in range(count):
        if at + CENTRAL.size > len(data) or data[at : at + 4] != _CENTRAL_SIGNATURE:
            raise _count_mismatch(count)
        fields = CENTRAL.unpack_from(data, at)
        name_size, extra_size, comment_size = fields[11:14]
        name_end = at + CENTRAL.size + name_size
        at = name_end + extra_size + comment_size
        if at > len(data):
            raise _count_mismatch(count)
        yield _record(
            fields, bytes(data[name_end - name_size : name_end]), bytes(data[name_end : name_end + extra_size])
        )
    if at != len(data):
        raise _count_mismatch(count)


def _count_mismatch(count: int) -> UploadRejected:
    return UploadRejected(f"the directory does not hold the {count} entries it declares", rule="archive.entry_count")


def _record(fields: tuple[int, ...], name: bytes, extra: bytes) -> Record:
    _, _, host, _, flags, method, _, _, crc, compressed, size, _, _, _, disk, _, attributes, offset = fields
    path, raw_name = member_name(name, flags, host, extra)
    check_path(path, "archive")
    _check_kind(path, flags, method, attributes)
    if compressed == MAX32 or size == MAX32 or offset == MAX32 or disk == MAX16:
        size, compressed, offset, disk = wide_fields(extra, (size, compressed, offset, disk))
    if disk:
        raise UploadRejected("the archive is one part of several", rule="archive.multi_disk")
    codec = CODECS[method]
    if codec == "stored" and compressed != size:
        raise UploadRejected(f"{shown(path)} is stored in {compressed} bytes but declares {size}", rule="archive.sizes")
    if path[-1] == "/" and size:
        raise UploadRejected(f"directory {shown(path)} holds {size} bytes", rule="archive.name_invalid")
    least_end = offset + LOCAL_HEADER_SIZE + len(name) + compressed
    return Record(path, offset, least_end, compressed, size, crc, codec, raw_name)


def _check_kind(path: str, flags: int, method: int, attributes: int) -> None:
    if flags & _ENCRYPTED:
        raise UploadRejected(
            f"{shown(path)} is encrypted", hint="upload the archive without a password", rule="archive.encrypted"
        )
    if method not in CODECS or flags & _UNSUPPORTED:
        raise UploadRejected(
            f"{shown(path)} is compressed with method {method}; stored (0) and deflate (8) are allowed",
            rule="archive.method",
        )
    kind = stat.S_IFMT(attributes >> 16)
    if kind in (0, stat.S_IFREG) and not attributes & _REPARSE_POINT:
        return
    if kind == stat.S_IFLNK or attributes & _REPARSE_POINT:
        raise UploadRejected(f"{shown(path)} is a link", hint="upload the files themselves", rule="archive.symlink")
    if kind != stat.S_IFDIR:
        raise UploadRejected(f"{shown(path)} is a device, pipe or socket", rule="archive.device")
    if not path.endswith("/"):
        raise UploadRejected(f"{shown(path)} is a directory but is not named like one", rule="archive.name_invalid")


def wide_fields(extra: bytes, short: Sequence[int]) -> list[int]:
    """The values of size, compressed size, header offset and disk, taken from the zip64 field where they are all ones.

    That field holds the values that are all ones, in this order; some writers list the others too, then they must
    agree (APPNOTE 4.5.3).
    """
    field = _zip64_field(extra)
    values, at = list(short), 0
    full = len(field) in (24, 28)
    for i, value in enumerate(short):
        width = 4 if i == 3 else 8
        saturated = value == (MAX16 if i == 3 else MAX32)
        if not saturated and not (full and at + width <= len(field)):
            continue
        wide = int.from_bytes(field[at : at + width], "little")
        if at + width > len(field) or (not saturated and wide != value):
            raise UploadRejected("the archive contradicts itself: zip64 sizes", rule="archive.zip64_inconsistent")
        values[i], at = wide, at + width
    if at != len(field):
        raise UploadRejected("the archive contradicts itself: zip64 sizes", rule="archive.zip64_inconsistent")
    return values


def _zip64_field(extra: bytes) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            return extra[at + 4 : at + 4 + size]
        at += 4 + size
    return b""

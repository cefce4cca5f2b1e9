"""Reading one member of an archive, checked against the central directory while it is read."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from isal.isal_zlib import crc32

from imagelake.errors import IntegrityError, UploadRejected
from imagelake.storage.base import Storage
from imagelake.storage.zip.central_directory import (
    CODECS,
    FLAG_DESCRIPTOR,
    LOCAL_HEADER_SIZE,
    wide_fields,
)
from imagelake.storage.zip.codec import CHUNK, Buffer, crc_mismatch, decode, decode_all
from imagelake.storage.zip.end_records import MAX32
from imagelake.storage.zip.index import Entry
from imagelake.storage.zip.member_names import local_name_agrees
from imagelake.uploads.file_names import shown

HEADER_ROOM = LOCAL_HEADER_SIZE + 2 * 0xFFFF
"""A local header with its name and extra fields is no longer than this, in bytes."""

_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1


def data_offset(header: Buffer, entry: Entry) -> int:
    """The first byte of a member's data, from its local header (PKWARE APPNOTE 6.3.10, section 4.3.7).

    `header` begins at `entry.header_offset`. UploadRejected (`file.corrupt`) when name, method or sizes are not
    those of the central directory, or the data would run into what follows.
    """
    if len(header) < LOCAL_HEADER_SIZE or header[:4] != _LOCAL_SIGNATURE:
        raise _contradiction("there is no local header where the directory says")
    _, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = _LOCAL.unpack_from(header)
    name_end = LOCAL_HEADER_SIZE + name_size
    begin = name_end + extra_size
    if entry.header_offset + begin + entry.compressed > entry.end or len(header) < begin:
        raise _contradiction("its data runs into the next member")
    if flags & _ENCRYPTED or CODECS.get(method) != entry.codec:
        raise _contradiction(f"its local header says method {method}, flags {flags:#06x}")
    name = bytes(header[LOCAL_HEADER_SIZE:name_end])
    extra = bytes(header[name_end:begin])
    if not local_name_agrees(name, flags, extra, entry.path, entry.raw_name):
        raise _contradiction("its local header has another name")
    if MAX32 in (compressed, size):
        size, compressed = wide_fields(extra, (size, compressed))
    if (compressed, size, crc) != (entry.compressed, entry.size, entry.crc32):
        _check_late((compressed, size, crc), entry, flags)
    return entry.header_offset + int(begin)


def read_member(storage: Storage, path: str, entry: Entry, limit: int | None = None) -> bytes:
    """A member's bytes, or the first `limit` of them. UploadRejected (`file.…`) when they are not as declared.

    What lies beyond `limit` in a large member is neither read nor checked.
    """
    if entry.end - entry.header_offset > CHUNK:
        with open_member(storage, path, entry) as stream:
            return stream.read() if limit is None else stream.read(limit)
    with _about(entry):
        raw = memoryview(storage.read(path, entry.header_offset, entry.end - entry.header_offset))
        begin = data_offset(raw, entry) - entry.header_offset
        data = bytes(decode_all(raw[begin : begin + entry.compressed], entry.codec, entry.size))
        actual_crc32 = crc32(data)
        if actual_crc32 != entry.crc32:
            raise crc_mismatch(actual_crc32, entry.crc32)
    return data if limit is None else data[:limit]


def open_member(storage: Storage, path: str, entry: Entry) -> BinaryIO:
    """A stream over a member in bounded memory; reading raises UploadRejected (`file.…`) when it is not as declared."""
    return cast(BinaryIO, io.BufferedReader(_MemberStream(storage.open(path), entry), CHUNK))


class _MemberStream(io.RawIOBase):
    """The decoded bytes of a member, front to back."""

    def __init__(self, file: BinaryIO, entry: Entry) -> None:
        super().__init__()
        self._file = file
        self._entry = entry
        self._pieces = self._decoded()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            with _about(self._entry):
                piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

    def _decoded(self) -> Iterator[Buffer]:
        entry = self._entry
        self._file.seek(entry.header_offset)
        begin = data_offset(self._file.read(min(HEADER_ROOM, entry.end - entry.header_offset)), entry)
        self._file.seek(begin)
        crc = 0
        for piece in decode(_chunks(self._file, entry.compressed), entry.codec, entry.size):
            crc = crc32(piece, crc)
            yield piece
        if crc != entry.crc32:
            raise crc_mismatch(crc, entry.crc32)


def _chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        chunk = file.read(min(CHUNK, length))
        if not chunk:
            raise IntegrityError(f"the archive ended {length} bytes early: it changed while it was read")
        length -= len(chunk)
        yield chunk


def _check_late(header_values: tuple[int, int, int], entry: Entry, flags: int) -> None:
    # with a data descriptor the local header may hold zeros: the values follow the data
    late = (0, MAX32) if flags & FLAG_DESCRIPTOR else ()
    for value, declared in zip(header_values, (entry.compressed, entry.size, entry.crc32), strict=True):
        if value != declared and value not in late:
            raise _contradiction(f"its local header says {value} where the directory says {declared}")


@contextmanager
def _about(entry: Entry) -> Iterator[None]:
    try:
        yield
    except UploadRejected as error:
        raise UploadRejected(f"{shown(entry.path)}: {error.message}", hint=error.hint, rule=error.rule) from None


def _contradiction(what: str) -> UploadRejected:
    return UploadRejected(f"the archive contradicts its directory: {what}", rule="file.corrupt")

"""The end of a zip: where its central directory is. PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16.

Zip readers disagree on archives whose end records contradict each other; those are refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from imagelake.errors import UploadRejected
from imagelake.storage.base import Storage

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_END64_SIGNATURE = b"PK\x06\x06"
_END64_REST = _END64.size - 12  # the record's own size field counts what follows it

MAX_COMMENT = 0xFFFF
MAX16 = 0xFFFF
MAX32 = 0xFFFFFFFF


@dataclass(frozen=True)
class Directory:
    """The central directory: first byte, size in bytes, number of entries; and the archive's comment.

    `entries` is the number modulo `modulus`: the macOS Finder writes no zip64 for more than 65,535 entries.
    """

    offset: int
    size: int
    entries: int
    modulus: int
    comment: bytes


def read_end(storage: Storage, path: str, length: int) -> Directory:
    """Where the central directory of a zip of `length` bytes is, from its last records only."""
    start = max(0, length - MAX_COMMENT - _END.size - _LOCATOR.size)
    tail = storage.read(path, start, length - start)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or at + _END.size > len(tail):
        raise _no_end(storage.read(path, 0, min(4, length)), at >= 0)
    _, disk, first_disk, here, entries, size, offset, comment_size = _END.unpack_from(tail, at)
    _check_comment(tail, at, comment_size)
    comment = tail[at + _END.size :]
    end = start + at
    locator = tail[max(0, at - _LOCATOR.size) : at]
    if locator.startswith(_LOCATOR_SIGNATURE):
        directory = _read_end64(storage, path, end, locator)
        _check_agrees((here, entries, size, offset), directory)
        return replace(directory, comment=comment)
    if disk or first_disk or here != entries:
        raise UploadRejected("the archive is one part of several", rule="archive.multi_disk")
    _check_place(offset, size, end)
    return Directory(offset, size, entries, MAX16 + 1, comment)


def _no_end(head: bytes, cut: bool) -> UploadRejected:
    if cut or head[:2] == b"PK":
        return UploadRejected(
            "the archive ends too early: its end record is missing", hint="upload it again", rule="archive.truncated"
        )
    return UploadRejected("not a zip archive", hint="upload a .zip file or a folder", rule="archive.not_a_zip")


def _check_comment(tail: bytes, at: int, comment_size: int) -> None:
    surplus = len(tail) - at - _END.size - comment_size
    if surplus > 0:
        raise UploadRejected(f"{surplus} bytes follow the end of the archive", rule="archive.trailing_data")
    if surplus < 0:
        raise UploadRejected("the archive ends within its comment", hint="upload it again", rule="archive.truncated")
    earlier = tail.rfind(_END_SIGNATURE, 0, at + 3)
    while earlier >= 0:
        size = int.from_bytes(tail[earlier + _END.size - 2 : earlier + _END.size], "little")
        if earlier + _END.size + size == len(tail):
            raise UploadRejected("the archive has two end records", rule="archive.two_ends")
        earlier = tail.rfind(_END_SIGNATURE, 0, earlier + 3)


def _read_end64(storage: Storage, path: str, end: int, locator: bytes) -> Directory:
    _, disk, place, disks = _LOCATOR.unpack(locator)
    if disk or disks > 1:
        raise UploadRejected("the archive is one part of several", rule="archive.multi_disk")
    if place + _END64.size != end - _LOCATOR.size:
        raise _inconsistent("its zip64 end record is not where the locator says")
    record = storage.read(path, place, _END64.size)
    signature, rest, _, _, this, first, here, entries, size, offset = _END64.unpack(record)
    if signature != _END64_SIGNATURE or rest != _END64_REST:
        raise _inconsistent("its zip64 end record is damaged")
    if this or first or here != entries:
        raise UploadRejected("the archive is one part of several", rule="archive.multi_disk")
    _check_place(offset, size, place)
    return Directory(offset, size, entries, 1 << 64, b"")


def _check_agrees(short: tuple[int, int, int, int], directory: Directory) -> None:
    here, entries, size, offset = short
    agree = (
        here in (MAX16, directory.entries)
        and entries in (MAX16, directory.entries)
        and size in (MAX32, directory.size)
        and offset in (MAX32, directory.offset)
    )
    if not agree:
        raise _inconsistent("its end record and its zip64 end record disagree")


def _inconsistent(what: str) -> UploadRejected:
    return UploadRejected(f"the archive contradicts itself: {what}", rule="archive.zip64_inconsistent")


def _check_place(offset: int, size: int, end: int) -> None:
    surplus = end - offset - size
    if surplus > 0 and surplus % (MAX32 + 1) == 0:
        raise UploadRejected(
            "the archive is larger than 4 GiB and says so nowhere: its offsets cannot be trusted",
            hint="the macOS Finder makes such zips; make it with zip -r in the Terminal, or upload the folder",
            rule="archive.prepended_data",
        )
    if surplus > 0:
        raise UploadRejected(
            f"{surplus} bytes do not belong to the archive: data precedes it",
            hint="upload a plain zip, not a self-extracting program",
            rule="archive.prepended_data",
        )
    if surplus < 0:
        raise UploadRejected(
            "the archive is not whole: its directory lies beyond its end",
            hint="upload it again",
            rule="archive.truncated",
        )

"""The names of a zip's members. PKWARE APPNOTE 6.3.10: 4.6.9 (Unicode path), appendix D (UTF-8 flag).

A name is read only where its encoding is certain: a wrong guess would become the key of another picture.
"""

from __future__ import annotations

import struct

from isal.isal_zlib import crc32

from imagelake.core.digest import nfc
from imagelake.errors import UploadRejected
from imagelake.uploads.file_names import shown

FLAG_UTF8 = 1 << 11
UNIX, MACOS = 3, 19
"""Systems that wrote an archive (section 4.4.2); their archivers write UTF-8 without the flag."""

_UNICODE_PATH = 0x7075
_UNICODE_PATH_BYTES = b"up"  # its id as it stands in an extra field
_UNICODE_PATH_VERSION = 1
_UNICODE_PATH_HEAD = struct.Struct("<BI")  # version, CRC-32 of the header's name

_UTF8_HINT = (
    "make the zip with an archiver that writes names as UTF-8 (7-Zip 21.02 or later, zip on Linux or macOS), "
    "or unpack it on the machine it comes from and upload the folder"
)


def member_name(raw: bytes, flags: int, system: int, extra: bytes) -> tuple[str, bytes | None]:
    """A member's name as NFC text, and the header's bytes where a Unicode path field gives another name than they do.

    UploadRejected (`archive.name_invalid`) for a name that cannot be read with certainty, or for two names.
    """
    path = unicode_path(raw, extra)
    if path is None:
        return header_name(raw, flags, system), None
    if flags & FLAG_UTF8 and header_name(raw, flags, system) != path:
        raise _invalid(f"member {shown(path)} is called {raw[:120]!r} in UTF-8 as well: it has two names")
    if raw.endswith(b"/") != path.endswith("/"):
        raise _invalid(f"member {shown(path)} is called {raw[:120]!r} as well: only one of them is a directory")
    return path, None if raw == path.encode() else raw


def header_name(raw: bytes, flags: int, system: int) -> str:
    """The header's own name as NFC text: ASCII, or UTF-8 where it is flagged or usual on the writer's system.

    Archivers of Unix and macOS (Finder) write UTF-8 without the flag; others write the code page of their machine,
    which the archive does not name. UploadRejected (`archive.name_invalid`) for anything else.
    """
    if raw.isascii():
        return raw.decode("ascii")
    if flags & FLAG_UTF8 or system in (UNIX, MACOS):
        try:
            return nfc(raw.decode("utf-8"))
        except UnicodeDecodeError:
            raise _invalid(f"member name {raw[:120]!r} is not UTF-8", _UTF8_HINT) from None
    raise _invalid(
        f"member name {raw[:120]!r} is in a code page that the archive does not name: it is not marked as UTF-8",
        _UTF8_HINT,
    )


def unicode_path(raw: bytes, extra: bytes) -> str | None:
    """The name in the Unicode path field as NFC text; None without a field, or when it is not about this header's name.

    A field of another version or with another CRC-32 is ignored, as the specification says. UploadRejected
    (`archive.name_invalid`) for two fields, a field that is cut off, or one that is not UTF-8.
    """
    if _UNICODE_PATH_BYTES not in extra:
        return None
    fields = _unicode_path_fields(raw, extra)
    if not fields or len(fields[0]) < _UNICODE_PATH_HEAD.size:
        return None
    version, crc = _UNICODE_PATH_HEAD.unpack_from(fields[0])
    if version != _UNICODE_PATH_VERSION or crc != crc32(raw):
        return None
    name = fields[0][_UNICODE_PATH_HEAD.size :]
    try:
        return nfc(name.decode("utf-8"))
    except UnicodeDecodeError:
        raise _invalid(f"the Unicode path {name[:120]!r} of member {raw[:120]!r} is not UTF-8") from None


def local_name_agrees(raw: bytes, flags: int, extra: bytes, path: str, raw_name: bytes | None) -> bool:
    """Whether a local header calls its member `path`, by its name, flag and Unicode path field.

    `raw_name` are the bytes of the directory's header where a field gave the path; then the local ones are the same.
    """
    if raw == path.encode() and _UNICODE_PATH_BYTES not in extra:
        return True
    try:
        if unicode_path(raw, extra) not in (None, path):
            return False
        if raw_name is not None and not flags & FLAG_UTF8:
            return raw == raw_name
        # the local header does not say on which system it was written; only UTF-8 is read without the flag
        return header_name(raw, flags, UNIX) == path
    except UploadRejected:
        return False


def _unicode_path_fields(raw: bytes, extra: bytes) -> list[bytes]:
    fields, at = [], 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == _UNICODE_PATH:
            fields.append(extra[at + 4 : at + 4 + size])
            if len(fields[-1]) < size:
                raise _invalid(f"the Unicode path field of member {raw[:120]!r} is cut off")
        at += 4 + size
    if len(fields) > 1:
        raise _invalid(f"member {raw[:120]!r} has {len(fields)} Unicode path fields; one is allowed")
    return fields


def _invalid(message: str, hint: str | None = None) -> UploadRejected:
    return UploadRejected(message, hint=hint, rule="archive.name_invalid")

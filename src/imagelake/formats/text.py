"""Text of documents: UTF-8, and UTF-16 where a byte order mark says so; no code page is ever guessed."""

from __future__ import annotations

import codecs

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_utf16(data: bytes) -> bool:
    """Whether a byte order mark says UTF-16, as PowerShell's `>` and Out-File write it."""
    return data.startswith(_UTF16)


def utf8(data: bytes) -> bytes:
    """UTF-16 with a byte order mark as UTF-8; everything else as it is, also UTF-16 that is none."""
    if not is_utf16(data):
        return data
    try:
        return data.decode("utf-16").encode("utf-8")
    except UnicodeError:
        return data


def head_utf8(head: bytes) -> bytes:
    """The same of the beginning of a file, which may end within a character."""
    if not is_utf16(head):
        return head
    return head[: len(head) // 2 * 2].decode("utf-16", "ignore").encode("utf-8", "ignore")

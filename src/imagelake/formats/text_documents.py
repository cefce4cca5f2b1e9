"""Text of documents: UTF-8, and UTF-16 where a byte order mark says so; no code page is ever guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from io import StringIO

from imagelake.formats.small_documents import Unreadable

_UTF8_BOM = codecs.BOM_UTF8
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_BOM = codecs.BOM_UTF32_LE
"""Begins like UTF-16."""

_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")


def decoded(path: str, data: bytes, *, is_cut: bool = False) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark; Unreadable for any other encoding.

    is_cut: `data` is the beginning of the file only, and may end within a character.
    """
    is_wide = is_utf16(data) and not data.startswith(_UTF32_BOM)
    encoding = "utf-16" if is_wide else "utf-8"
    bom = 0 if is_wide or not data.startswith(_UTF8_BOM) else len(_UTF8_BOM)
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(data[bom:], not is_cut)
    except UnicodeDecodeError as problem:
        name, at = ("UTF-16", problem.start) if is_wide else ("UTF-8", bom + problem.start)
        value = f"byte 0x{data[at]:02X} at {at}" if at < len(data) else "cut off"
        raise Unreadable("document.not_utf8", f"{path} is not {name} ({value}); save it as UTF-8") from None


def lines(text: str) -> Iterator[tuple[int, str]]:
    r"""The lines that are not blank, without white space around them, with their numbers from 1; `\r` ends one too."""
    for place, line in enumerate(StringIO(text, newline=None), start=1):
        stripped = line.strip()
        if stripped:
            yield place, stripped


def columns(line: str) -> list[str]:
    """The columns of a row: between white space, commas or semicolons; one between two commas may be empty."""
    if "," in line or ";" in line:
        return _SEPARATOR.split(line.rstrip(",; \t"))
    return line.split()


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

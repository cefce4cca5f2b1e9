"""Text of label files: decoded where the encoding is certain, cut into lines and columns, refused by name else."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from io import StringIO

from imagelake.formats.small_documents import Unreadable

_UTF8_BOM = codecs.BOM_UTF8
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_BOM = codecs.BOM_UTF32_LE
"""Begins like UTF-16."""

_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")


def decoded(path: str, data: bytes, *, is_cut: bool = False) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark; Unreadable for any other encoding.

    is_cut: `data` is the beginning of the file only, and may end within a character.
    """
    is_utf16 = data.startswith(_UTF16_BOMS) and not data.startswith(_UTF32_BOM)
    encoding = "utf-16" if is_utf16 else "utf-8"
    bom = 0 if is_utf16 or not data.startswith(_UTF8_BOM) else len(_UTF8_BOM)
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(data[bom:], not is_cut)
    except UnicodeDecodeError as problem:
        name, at = ("UTF-16", problem.start) if is_utf16 else ("UTF-8", bom + problem.start)
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

"""File names inside documents: what a stranger may call an image of the same upload."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagelake.digest import nfc

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_SHOWN = 120


@dataclass(frozen=True)
class FileName:
    """A name with `/`, NFC, without empty and `.` parts; `backslash` says it was written with `\\`."""

    file: str
    backslash: bool


def file_name(written: str) -> FileName:
    """The name as written in a document, tidied; ValueError when it leaves the upload or cannot be a path.

    Absolute paths, drives, URLs, `..` and control characters are refused: a name must not reach outside.
    """
    shown = repr(written if len(written) <= _SHOWN else written[: _SHOWN - 1] + "…")
    name = written.strip().replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if _CONTROL.search(name):
        raise ValueError(f"file name {shown} holds a control character")
    if name.startswith("/") or _SCHEME.match(name) or ".." in parts:
        raise ValueError(f"file name {shown} leaves the upload; give a path relative to it, without '..'")
    if not parts:
        raise ValueError(f"file name {shown} names no file")
    return FileName(nfc("/".join(parts)), "\\" in written)

"""Names inside documents: what a stranger may call an image of the same upload, and a category."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagelake.core.digest import nfc

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:")
"""Of at least two letters: one letter before a colon is a drive."""

_DRIVES = re.compile(r"^(?:[A-Za-z]:\s*)+")
_SHARE_PARTS = 2
_DROPPED = ("", ".")
_SHOWN = 120


@dataclass(frozen=True)
class FileName:
    r"""A name with `/`, NFC, without empty and `.` parts, and without its root.

    `backslash` says that it was written with `\`, `absolute` that it had a root: `/`, `C:` or `\\host\share`. An
    absolute name is the path of the image on another machine.
    """

    file: str
    backslash: bool
    absolute: bool


def file_name(written: str) -> FileName:
    """The name as written in a document, normalised; ValueError when it leaves the upload or cannot be a path.

    URLs, `..` and control characters are refused: a name must not reach outside.
    """
    shown = repr(written if len(written) <= _SHOWN else written[: _SHOWN - 1] + "…")
    text = nfc(written).strip()
    name = text.replace("\\", "/")
    if _CONTROL.search(name):
        raise ValueError(f"file name {shown} holds a control character")
    parts, rooted = _parts(name)
    if text.startswith("\\\\"):
        parts, _ = _parts("/".join(parts[min(_SHARE_PARTS, len(parts) - 1) :]))
    file = "/".join(parts)
    if not file:
        raise ValueError(f"file name {shown} names no file")
    if ".." in parts or _SCHEME.match(file):
        raise ValueError(f"file name {shown} leaves the upload; give a path in it, without '..', and no URL")
    return FileName(file, "\\" in written, rooted)


def category_name(written: str) -> str:
    """A category's name as it is compared and stored: NFC, without white space around it; empty when it has none."""
    return nfc(written).strip()


def _parts(name: str) -> tuple[list[str], bool]:
    """The parts of a name with `/`, and whether it had a root, which is left out.

    The first and the last part lose the white space around the name, so that the result is the same when it is
    normalised again. Each part is looked at once: names may be megabytes long.
    """
    parts = name.split("/")
    rooted = len(parts) > 1 and not parts[0].strip()
    first, last = 0, len(parts)
    while first < last:
        part = parts[first].strip()
        rest = _DRIVES.sub("", part)
        rooted = rooted or rest != part
        if rest not in _DROPPED:
            parts[first] = _DRIVES.sub("", parts[first].lstrip())
            break
        first += 1
    while first < last and parts[last - 1].strip() in _DROPPED:
        last -= 1
    if first < last:
        parts[last - 1] = parts[last - 1].rstrip()
    return [part for part in parts[first:last] if part not in _DROPPED], rooted

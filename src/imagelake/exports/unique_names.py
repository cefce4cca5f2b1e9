"""File names that every disk can hold side by side, made from image keys.

A key is any path of a zip from a case-sensitive disk. Windows and macOS take `A.jpg` and `a.jpg` for one file, Windows
refuses some characters and names, and layouts that find a label by its image's stem take `a.jpg` and `a.png` for one.
A name that is in nobody's way stays as it is; each of those that collide gets the beginning of its key's sha256.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count

from imagelake.core.digest import nfc

_FORBIDDEN = re.compile('[<>:"|?*\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_AT_END = re.compile(r"[ .]+$")
"""Windows drops them."""

_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_MOST_BYTES = 180
"""Of a part of a path; most disks take 255, and temporary names and suffixes need some."""

_DIGITS = (8, 16, 32, 64)


def paths(proposals: Sequence[str], keys: Sequence[str]) -> list[str]:
    """A path for each key, no two of which are one file on any disk. proposals: the paths they would like."""
    return _distinct(proposals, keys, _folded)


def stems(proposals: Sequence[str], keys: Sequence[str]) -> list[str]:
    """As `paths`, distinct also without their suffixes, for layouts where the label of an image has its stem."""
    return _distinct(proposals, keys, _folded_stem)


def split_folders(splits: Iterable[str | None], without: str) -> dict[str | None, str]:
    """A folder for each split; `without` is that of images without a split."""
    named = sorted({split for split in splits if split is not None})
    folders = paths([without, *(split.replace("/", "_") for split in named)], ["", *named])
    return {None: folders[0], **dict(zip(named, folders[1:], strict=True))}


def flat(key: str) -> str:
    """A key as one name, for layouts without folders below that of the images."""
    return key.replace("/", "__")


def class_names(classes: Sequence[str | None]) -> list[str]:
    """Names by training index. An index of no category gets a name too: numbers of classes must have no gap."""
    return [_unused(index, classes) if name is None else name for index, name in enumerate(classes)]


def stem(path: str) -> str:
    """A path without the suffix of its last part."""
    base = path.rfind("/") + 1
    dot = path.rfind(".", base + 1)
    return path if dot < 0 else path[:dot]


def portable(path: str) -> str:
    """A path whose parts every disk can hold; most are so already."""
    return "/".join(map(_portable_part, nfc(path).split("/")))


def _portable_part(part: str) -> str:
    part = _FORBIDDEN.sub("_", part)
    part = _AT_END.sub(lambda match: "_" * len(match[0]), part) or "_"
    if _DEVICE.fullmatch(part):
        part = f"_{part}"
    if len(part) <= _MOST_BYTES // 4 or len(part.encode()) <= _MOST_BYTES:
        return part
    suffix = part[len(stem(part)) :] if len(part) - len(stem(part)) <= _DIGITS[0] else ""
    head = part.encode()[: _MOST_BYTES - len(suffix.encode())].decode("utf-8", "ignore")
    return nfc(head) + suffix


def _unused(index: int, classes: Sequence[str | None]) -> str:
    name = f"unused_{index}"
    while name in classes:
        name += "_"
    return name


def _distinct(proposals: Sequence[str], keys: Sequence[str], identity: Callable[[str], str]) -> list[str]:
    names = [portable(path) for path in proposals]
    identities = [identity(name) for name in names]
    counts = Counter(identities)
    folders = _folders(names, identity)
    is_free = [counts[own] == 1 and own not in folders for own in identities]
    used = {own for own, free in zip(identities, is_free, strict=True) if free} | folders
    for place in sorted((n for n, free in enumerate(is_free) if not free), key=lambda n: keys[n]):
        names[place] = next(name for name in _marked(names[place], keys[place]) if identity(name) not in used)
        used.add(identity(names[place]))
    return names


def _folders(names: Sequence[str], identity: Callable[[str], str]) -> set[str]:
    """The identities of files that would stand where a folder stands: `a.jpg` beside `a.jpg/b.jpg`."""
    folders: set[str] = set()
    for folder in {name.rpartition("/")[0] for name in names}:
        while folder:
            if identity is _folded or stem(folder) != folder:
                folders.add(identity(folder))
            folder = folder.rpartition("/")[0]
    return folders


def _marked(name: str, key: str) -> Iterator[str]:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    base = stem(name)
    for mark in chain((digest[:digits] for digits in _DIGITS), (f"{digest}-{n}" for n in count(2))):
        yield f"{base}-{mark}{name[len(base) :]}"


def _folded(path: str) -> str:
    """What a disk that does not tell upper from lower case takes a path for."""
    return path.lower() if path.isascii() else nfc(nfc(path).casefold())


def _folded_stem(path: str) -> str:
    return _folded(stem(path))

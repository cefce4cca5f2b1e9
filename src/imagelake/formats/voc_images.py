"""Which image a VOC document means: by its filename element, or by its own stem where the upload says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape
from pathlib import PurePosixPath

from imagelake.formats.names import FileName, file_name
from imagelake.formats.small_documents import stem
from imagelake.formats.voc_xml import decode_head
from imagelake.keys import KeyParts, is_image_name, take_apart

ANNOTATION_FOLDERS = frozenset(("annotations", "annotation", "xml", "xmls"))

_FILENAME = re.compile(r"<filename>\s*([^<]*?)\s*</filename>")
_WINDOWS_ROOT = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)")


class Images:
    """The images of a tree by stem and by name."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.names: set[str] = set()
        self._by_stem: dict[str, list[str]] = {}
        for path in paths:
            if is_image_name(path):
                self.names.add(PurePosixPath(path).name)
                self._by_stem.setdefault(stem(path), []).append(path)

    def mate(self, document: str) -> str | None:
        """The image with the document's stem that shares most folders with it; None when none or several do."""
        split = placed(document).split
        candidates = [
            path
            for path in self._by_stem.get(stem(document), ())
            if split is None or take_apart(path).split in (split, None)
        ]
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        grades = [_nearness(document, path) for path in candidates]
        best = max(grades)
        return candidates[grades.index(best)] if grades.count(best) == 1 else None


def placed(document: str) -> KeyParts:
    """A document's path taken apart as an image's would be, without its annotation folders."""
    *folders, name = document.split("/")
    return take_apart("/".join([*(f for f in folders if f.lower() not in ANNOTATION_FOLDERS), name]))


def written_name(text: str) -> FileName | None:
    """A filename element tidied; None when it names no image file, ValueError when it leaves the upload.

    Of an absolute Windows path the last part counts: annotation tools write where the image lay on that machine.
    """
    if not text.strip():
        return None
    if _WINDOWS_ROOT.match(text):
        name = FileName(file_name(re.split(r"[\\/]", text)[-1]).file, backslash=True)
    else:
        name = file_name(text)
    return name if is_image_name(name.file) else None


def filenames_hold(heads: Sequence[tuple[str, bytes]], images: Images) -> bool:
    """Whether filename elements that differ from their document's stem are to be believed.

    heads: path and beginning of some documents. They are when one of them names an image of the upload; else the
    images were renamed after labelling, and the document's stem tells.
    """
    for path, head in heads:
        found = _FILENAME.search(decode_head(head))
        name = PurePosixPath(unescape(found.group(1)).replace("\\", "/")).name if found else ""
        if stem(name) != stem(path) and name in images.names:
            return True
    return False


def _nearness(document: str, image: str) -> tuple[bool, int]:
    folders, others = PurePosixPath(document).parent, PurePosixPath(image).parent
    return folders == others, len(set(folders.parts) & set(others.parts))

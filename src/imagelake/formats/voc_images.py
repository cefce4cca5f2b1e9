"""Which image a VOC document means: by its filename element, or by its own stem where the upload says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape
from pathlib import PurePosixPath

from imagelake.formats.names import FileName, file_name
from imagelake.formats.small_documents import stem
from imagelake.formats.voc_xml import decode_head
from imagelake.keys import KeyParts, is_image_name, is_role_folder, take_apart

ANNOTATION_FOLDERS = frozenset(("annotations", "annotation", "xml", "xmls"))

_NAMESAKES = 100
"""Where more images have one stem, only folders tell them apart: comparing each with each would take too long."""

_FILENAME = re.compile(r"<filename>\s*([^<]*?)\s*</filename>")
_WINDOWS_ROOT = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)")


class Images:
    """The images of a tree by name, by stem, and by what folders and stem say together."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.names: set[str] = set()
        self._by_stem: dict[str, list[str]] = {}
        self._by_place: dict[str, list[str]] = {}
        for path in paths:
            if is_image_name(path):
                self.names.add(path[path.rfind("/") + 1 :])
                self._by_stem.setdefault(stem(path), []).append(path)
                self._by_place.setdefault(_without_suffix(placed(path).key), []).append(path)

    def mate(self, document: str) -> str | None:
        """The image that lies where the document does, else the one with its stem that shares most folders with it.

        None when there is none, or several fit equally well.
        """
        own = placed(document)
        beside = _of_split(own.split, self._by_place.get(_without_suffix(own.key), ()))
        if len(beside) == 1:
            return beside[0]
        candidates = _of_split(own.split, self._by_stem.get(stem(document), ()))
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        grades = [_nearness(document, path) for path in candidates]
        best = max(grades)
        return candidates[grades.index(best)] if grades.count(best) == 1 else None


def placed(path: str) -> KeyParts:
    """The path of a document or an image taken apart, without the folders that tell the two from each other."""
    *folders, name = path.split("/")
    telling = (f for f in folders if f.lower() not in ANNOTATION_FOLDERS and not is_role_folder(f))
    return take_apart("/".join([*telling, name]))


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


def _of_split(split: str | None, paths: Sequence[str]) -> list[str]:
    """The paths that do not lie in another split; none when they are too many to tell apart."""
    if len(paths) > _NAMESAKES:
        return []
    return [path for path in paths if split is None or placed(path).split in (split, None)]


def _without_suffix(key: str) -> str:
    return key[: len(key) - len(key.rpartition("/")[2])] + stem(key)


def _nearness(document: str, image: str) -> tuple[bool, int]:
    folders, others = PurePosixPath(document).parent, PurePosixPath(image).parent
    return folders == others, len(set(folders.parts) & set(others.parts))

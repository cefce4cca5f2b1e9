"""Which image a VOC document means: by its filename element, or by its own stem where the upload says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import PurePosixPath

from imagelake.core.upload_paths import KeyParts, is_dataset_image, is_image_name, is_role_folder, take_apart
from imagelake.formats.names import FileName, file_name
from imagelake.formats.small_documents import stem
from imagelake.formats.voc.xml import decode_head

ANNOTATION_FOLDERS = frozenset(("annotations", "annotation", "xml", "xmls"))

_NAMESAKES = 100
"""Where more images have one stem, only folders tell them apart: comparing each with each would take too long."""

_FILENAME = re.compile(r"<filename>\s*([^<]*?)\s*</filename>")


@dataclass(frozen=True)
class _Image:
    """The path of an image, where it lies as `_place` says, and its split."""

    path: str
    place: str
    split: str | None


class VocImages:
    """The images of a tree by name, by stem, and by what folders and stem say together. Masks are no images."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.names: set[str] = set()
        self._by_stem: dict[str, list[_Image]] = {}
        self._by_place: dict[str, list[_Image]] = {}
        for path in paths:
            if is_dataset_image(path):
                parts = placed(path)
                image = _Image(path, _place(parts.key), parts.split)
                self.names.add(path[path.rfind("/") + 1 :])
                self._by_stem.setdefault(stem(path), []).append(image)
                self._by_place.setdefault(image.place, []).append(image)

    def mates(self, documents: Sequence[str]) -> dict[str, str | None]:
        """The image of each document: the one that lies where the document does, else the nearest with its stem.

        None when there is none, when several fit equally well, and when the nearest lies where another document does.
        """
        beside = {document: self._beside(document) for document in documents}
        claimed = frozenset(beside.values())
        nearest = {document: self._nearest(document) for document, image in beside.items() if image is None}
        return {**beside, **{document: image for document, image in nearest.items() if image not in claimed}}

    def _beside(self, document: str) -> str | None:
        own = placed(document)
        images = _of_split(own.split, self._by_place.get(_place(own.key), ()))
        return images[0].path if len(images) == 1 else None

    def _nearest(self, document: str) -> str | None:
        """The image with the document's stem that shares most folders with it.

        `JPEGImages/cam1/1.jpg` is not that of `Annotations/cam2/1.xml`. Of a document that lies in no folder for
        annotations, the folder may be one under another name: there any folder of the image will do.
        """
        own = placed(document)
        place, is_told_apart = _place(own.key), in_annotation_folder(document)
        namesakes = _of_split(own.split, self._by_stem.get(stem(document), ()))
        images = [i.path for i in namesakes if not is_told_apart or _one_ends_other(place, i.place)]
        if len(images) < 2:
            return images[0] if images else None
        grades = [_nearness(document, path) for path in images]
        best = max(grades)
        return images[grades.index(best)] if grades.count(best) == 1 else None


def placed(path: str) -> KeyParts:
    """The path of a document or an image taken apart, without the folders that tell the two from each other."""
    *folders, name = path.split("/")
    telling = (f for f in folders if f.lower() not in ANNOTATION_FOLDERS and not is_role_folder(f))
    return take_apart("/".join([*telling, name]))


def written_name(text: str) -> FileName | None:
    """A filename element normalised; None when it names no image file, ValueError when it leaves the upload."""
    if not text.strip():
        return None
    name = file_name(text)
    return name if is_image_name(name.file) else None


def in_annotation_folder(path: str) -> bool:
    """Whether a file lies somewhere in a folder for annotations."""
    return any(folder.lower() in ANNOTATION_FOLDERS for folder in path.split("/")[:-1])


def ends_alike(one: str, other: str) -> bool:
    """Whether one of two paths is the end of the other in whole parts, suffixes and telling folders left out."""
    return _one_ends_other(_place(placed(one).key), _place(placed(other).key))


def filenames_hold(heads: Mapping[str, bytes], images: VocImages) -> bool:
    """Whether filename elements that differ from their document's stem are to be believed.

    heads: the beginning of some documents by path. They are when one of them names an image of the upload; else the
    images were renamed after labelling, and the document's stem tells.
    """
    for path, head in heads.items():
        match = _FILENAME.search(decode_head(head))
        name = PurePosixPath(unescape(match.group(1)).replace("\\", "/")).name if match else ""
        if stem(name) != stem(path) and name in images.names:
            return True
    return False


def _of_split(split: str | None, images: Sequence[_Image]) -> list[_Image]:
    """The images that do not lie in another split; none when they are too many to tell apart."""
    if len(images) > _NAMESAKES:
        return []
    return [image for image in images if split is None or image.split in (split, None)]


def _place(key: str) -> str:
    """A key without its suffix, with a slash before it."""
    return "/" + key[: len(key) - len(key.rpartition("/")[2])] + stem(key)


def _one_ends_other(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _nearness(document: str, image: str) -> tuple[bool, int]:
    folders, others = PurePosixPath(document).parent, PurePosixPath(image).parent
    return folders == others, len(set(folders.parts) & set(others.parts))

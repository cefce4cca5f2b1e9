"""Mask images that panoptic COCO documents name (cocodataset.org, data format): they are no images of the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from imagelake.core.upload_paths import is_image_name
from imagelake.formats.coco import values
from imagelake.formats.coco.split import Outline
from imagelake.formats.names import file_name
from imagelake.formats.small_documents import stem


@dataclass(frozen=True)
class MaskNames:
    """The file names of the masks and of the images in a document; not `complete` when only its beginning was read."""

    masks: frozenset[str]
    images: frozenset[str]
    complete: bool


def mask_names(outline: Outline) -> MaskNames:
    """The names in a panoptic document."""
    annotations = outline.members.get("annotations")
    return MaskNames(
        masks=frozenset(_names(outline, "annotations")),
        images=frozenset(_names(outline, "images")),
        complete=annotations is None or annotations.complete,
    )


def mask_paths(document: str, names: MaskNames, paths: Sequence[str]) -> set[str]:
    """The paths of the masks of a document: in a folder called like its stem, else beside it or at another place.

    A mask with the name of an image is only looked for in that folder. All images in that folder count as masks when
    the names are not complete.
    """
    own = stem(document)
    in_folder = {f"{own}/{name}" for name in names.masks}
    ends = _by_end(paths, in_folder | names.masks)
    masks: set[str] = set()
    folders: set[str] = set()
    for name in names.masks:
        inside = ends.get(f"{own}/{name}", [])
        masks.update(inside or _elsewhere(document, name, names, ends))
        folders.update(path.rpartition("/")[0] for path in inside)
    if not names.complete:
        masks.update(path for path in paths if path.rpartition("/")[0] in folders and is_image_name(path))
    return masks


def _elsewhere(document: str, name: str, names: MaskNames, ends: dict[str, list[str]]) -> list[str]:
    """The mask beside the document, or the only one whose path ends with the name."""
    candidates = [] if name in names.images else ends.get(name, [])
    folder = document.rpartition("/")[0]
    beside = f"{folder}/{name}" if folder else name
    if beside in candidates:
        return [beside]
    return candidates if len(candidates) == 1 else []


def _by_end(paths: Iterable[str], ends: set[str]) -> dict[str, list[str]]:
    """The image paths by those of the ends that they have: whole components."""
    by_end: dict[str, list[str]] = {}
    for path in filter(is_image_name, paths):
        for end in _ends(path):
            if end in ends:
                by_end.setdefault(end, []).append(path)
    return by_end


def _ends(path: str) -> Iterator[str]:
    yield path
    slash = path.find("/")
    while slash >= 0:
        yield path[slash + 1 :]
        slash = path.find("/", slash + 1)


def _names(outline: Outline, section: str) -> Iterator[str]:
    value = outline.members.get(section)
    if value is None or value.kind != "list":
        return
    for data in value.items():
        name = _name(data)
        if name is not None:
            yield name


def _name(data: bytes) -> str | None:
    """The file name of an item; None when it has none that can be a path."""
    try:
        item: Any = values.decode(data)
        written = item.get("file_name") if isinstance(item, dict) else None
        return file_name(written).file if isinstance(written, str) else None
    except ValueError:
        return None

"""Split lists of a VOC upload: those of ImageSets, for the images of their own kit, else any others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from imagelake.core.upload_paths import split_name
from imagelake.formats.base import Tree, Unit
from imagelake.formats.lists.find import ImagePlaces, list_members, list_unit, split_lists, wording_of
from imagelake.formats.lists.members import Wording, is_sum, malformed, without_sums
from imagelake.formats.names import file_name
from imagelake.formats.paths import ancestors, folder_of
from imagelake.formats.records import ImageRecord, Issue
from imagelake.formats.small_documents import stem

_SET_LIST = re.compile(
    r"(?:(?P<kit>.*)/)?imagesets/(?:(?P<task>main|segmentation|layout|action)/)?[^/]+\.txt", re.IGNORECASE
)
_TASKS = (None, "main", "segmentation", "layout", "action")
"""Folders of split lists; those of the first that there is count, for the others list some of the images."""


def voc_lists(tree: Tree) -> tuple[str, ...]:
    """The split lists of an upload that count: those in ImageSets, else texts called like a split that name images."""
    return _set_lists(tree.paths) or split_lists(tree, ImagePlaces(tree.paths))


def voc_list_units(format_name: str, tree: Tree, paths: Sequence[str]) -> Iterator[Unit]:
    """A unit for each list."""
    images = ImagePlaces(tree.paths)
    kits = {kit: images.within(kit) for kit in map(_kit, paths) if kit}
    for path in paths:
        kit = _kit(path)
        if kit and kits[kit]:
            wording = _wording_in(kit, tree, path, kits[kit])
        else:
            wording = wording_of(tree, path, images, ancestors(folder_of(path))) or Wording()
        yield list_unit(format_name, path, wording)


def voc_list_members(path: str, context: Mapping[str, Any], data: bytes) -> Iterator[ImageRecord | Issue]:
    """An image for each line of a list: in ImageSets a stem, whatever it looks like, or a file name."""
    is_in_image_sets = _SET_LIST.fullmatch(path) is not None
    for record in list_members(path, context, data):
        yield _set_member(record) if is_in_image_sets and isinstance(record, ImageRecord) else record


def _set_member(record: ImageRecord) -> ImageRecord | Issue:
    """A member of a list in ImageSets: a name that never leads out of its folder, and whose suffix may be no suffix."""
    try:
        name = file_name(record.ref)
    except ValueError as problem:
        return malformed(record.document, record.ref, record.locator, problem)
    return replace(record, by_stem=True, absolute=name.absolute and record.file == name.file)


def _set_lists(paths: Sequence[str]) -> tuple[str, ...]:
    """The lists of whole splits: cat_train.txt is that of one class, trainval.txt may be the sum of two."""
    tasks: dict[str, int] = {}
    best: dict[str, int] = {}
    for path in paths:
        place = _SET_LIST.fullmatch(path)
        if place is not None and (split_name(stem(path)) or is_sum(path)):
            kit, task = place["kit"] or "", place["task"]
            tasks[path] = max(1, _TASKS.index(task and task.lower()))
            best[kit] = min(tasks[path], best.get(kit, tasks[path]))
    return without_sums(path for path, task in tasks.items() if task == best[_kit(path) or ""])


def _wording_in(kit: str, tree: Tree, path: str, images: ImagePlaces) -> Wording:
    """How a list in ImageSets names the images of its kit when several kits share image names.

    Where none of them is in the upload, names are those of images that are missing in the kit's usual folder.
    """
    bases = ancestors(folder_of(path))
    wording = wording_of(tree, path, images, bases[: bases.index(kit) + 1])
    return wording or Wording({"": images.usual_home(kit) or kit})


def _kit(path: str) -> str | None:
    """The development kit of a list in ImageSets: the folder that holds them; None for a list elsewhere."""
    place = _SET_LIST.fullmatch(path)
    return None if place is None else place["kit"] or ""

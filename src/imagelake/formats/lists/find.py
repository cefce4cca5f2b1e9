"""Which texts of an upload are lists of its images that are named for a split, and which images they mean."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from imagelake.core.digest import nfc
from imagelake.core.upload_paths import is_dataset_image, is_image_name, is_role_folder
from imagelake.formats.base import Tree, Unit, read_or_none
from imagelake.formats.lists.members import Wording, base_of, folders_meant, list_split, members, without_sums
from imagelake.formats.paths import ancestors, folder_of, in_label_folder, plain_path
from imagelake.formats.records import ImageRecord, Issue
from imagelake.formats.small_documents import HEAD, Unreadable, number
from imagelake.formats.text_documents import columns, decoded, lines

_NAMESAKES = 100
"""So many images of one name are looked at for one with the suffix of a list's."""

_MOST_PARTS, _MOST_HOMES = 64, 8
"""Names in more folders are no names of images; of more role folders in each other none is meant."""

_LONG_HEAD = 64 << 10
"""Bytes that are looked at where the first do not tell: a part of a data set may come with the whole of its lists."""

_MOST_NAMES = 500
"""So many names tell how a list calls its images."""

_BUDGET = 4_000_000
"""Folders in which names are looked up, in all, until the texts that are left are no lists."""

_LEAST_COST = 100
"""What opening a file counts for."""


@dataclass(frozen=True)
class _TextSample:
    """The beginning of a text: the names in it that are those of images, whether it is a table, what looking cost."""

    names: Sequence[str]
    is_table: bool
    cost: int


class ImagePlaces:
    """Where the images of a tree lie, for the names that lists call them by. Masks are no images.

    paths: sorted. Most uploads have no lists: nothing is worked out before it is asked for.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths

    def home(self, base: str, rest: str) -> str | None:
        """The folder that holds an image, with or without its suffix: `base`, a role folder in it, its only one."""
        for folder in (base, *self._homes.get(base, [])[:_MOST_HOMES]):
            if self._holds(_joined(folder, rest)):
                return folder
        return None

    def usual_home(self, base: str) -> str | None:
        """The folder below another that holds its images by the name of it, or as the only one."""
        return next(iter(self._homes.get(base, [])), None)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._files)

    def within(self, folder: str) -> ImagePlaces:
        """Those of the images that lie below a folder."""
        first, after = (bisect_left(self._paths, f"{folder}{end}") for end in ("/", "0"))  # "0" comes next after "/"
        return ImagePlaces(self._paths[first:after])

    def is_beside(self, text: str) -> bool:
        """Whether a text lies beside an image of its stem: it is that image's own, whatever it is called."""
        return text.rpartition(".")[0] in self._bare

    def are_named(self, name: str, bases: Sequence[str]) -> bool:
        """Whether a name is that of an image from one of the folders `bases`, or the end of an image's path."""
        if not name or name.count("/") >= _MOST_PARTS:
            return False
        return self._ends_a_path(nfc(name)) or bool(base_of(name, bases, self.home))

    def _holds(self, path: str) -> bool:
        return path in self._files or path in self._bare

    def _ends_a_path(self, name: str) -> bool:
        if any(True for _ in self._ending_in(name)):
            return True
        bare, _, suffix = name.rpartition(".")
        if not is_image_name(name):
            return False
        return any(f"{path}.{suffix}" in self._files for path in islice(self._ending_in(bare), _NAMESAKES))

    def _ending_in(self, name: str) -> Iterator[str]:
        """The paths without suffix of which a name is the end, in whole parts."""
        end = f"/{name}"[::-1]
        for place in range(bisect_left(self._ends, end), len(self._ends)):
            if not self._ends[place].startswith(end):
                break
            yield self._ends[place][-2::-1]

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(path for path in self._paths if is_dataset_image(path))

    @cached_property
    def _bare(self) -> frozenset[str]:
        return frozenset(path.rpartition(".")[0] for path in self._files)

    @cached_property
    def _ends(self) -> list[str]:
        """The paths without suffix, read from their ends, so that those with one end lie together."""
        return sorted(f"/{path}"[::-1] for path in self._bare)

    @cached_property
    def _folders(self) -> dict[str, str | None]:
        """The folders with images at any depth, each with the only folder below it that they lie in, if it is one."""
        only: dict[str, str | None] = {}
        for own in sorted({folder_of(path) for path in self._files}):
            for folder in ancestors(own):
                only[folder] = own if folder not in only else None
        return only

    @cached_property
    def _homes(self) -> dict[str, list[str]]:
        """The folders that go without saying in names below a folder: role folders in it, and its only one."""
        homes: dict[str, list[str]] = {}
        for folder in sorted(self._folders):
            base = folder
            while base and is_role_folder(base.rpartition("/")[2]):
                base = folder_of(base)
                homes.setdefault(base, []).append(folder)
        for base, folder_below in self._folders.items():
            if folder_below is not None and folder_below != base:
                homes.setdefault(base, []).append(folder_below)
        return homes


def split_lists(tree: Tree, images: ImagePlaces) -> tuple[str, ...]:
    """The texts that are called like a split and have a line that names an image, in order of path.

    Label files are none. The beginnings are looked at, as long as that costs no more than _BUDGET.
    """
    texts = [path for path in tree.paths if path.lower().endswith(".txt") and list_split(path) is not None]
    left = _BUDGET
    lists: list[str] = []
    for path in texts:
        if left > 0 and not in_label_folder(path) and not images.is_beside(path):
            look = _look(tree, path, images, ancestors(folder_of(path)))
            left -= look.cost
            if look.names:
                lists.append(path)
    return without_sums(lists)


def wording_of(tree: Tree, path: str, images: ImagePlaces, bases: Sequence[str]) -> Wording | None:
    """How a list calls the images, by the beginning of it; None where no name in that is one of theirs.

    bases: as `folders_meant` has them. Role folders at the top are left out of what names mean, as of keys.
    """
    look = _look(tree, path, images, bases)
    folders = folders_meant(look.names[:_MOST_NAMES], bases, images.home)
    below = {prefix: "" if all(map(is_role_folder, f.split("/"))) else f for prefix, f in folders.items()}
    return Wording(below, look.is_table) if look.names else None


def list_unit(format_name: str, path: str, wording: Wording) -> Unit:
    """The work on a list: its split, and how it calls its images."""
    context = {"split": list_split(path), "folders": wording.folders, "is_table": wording.is_table}
    return Unit(format_name, (path,), json.dumps(context))


def list_members(path: str, context: Mapping[str, Any], data: bytes) -> Iterator[ImageRecord | Issue]:
    """An image for each line of a list, an issue for one that names none. context: that of its `list_unit`."""
    yield from members(path, context["split"], Wording(context["folders"], context["is_table"]), data)


def _look(tree: Tree, path: str, images: ImagePlaces, bases: Sequence[str]) -> _TextSample:
    """The first bytes of a text, or more where none of them is the name of an image; nothing of a damaged one."""
    cost = _LEAST_COST
    for length in (HEAD, _LONG_HEAD)[: 1 + (tree.size(path) > HEAD)]:
        head = read_or_none(tree, path, length) or b""
        text = _readable(path, head if len(head) < length else _whole_lines(head))
        for wording in (Wording(), Wording(is_table=True))[: 1 + _is_table(text)]:
            names = [plain_path(wording.name(line)) for _, line in lines(text)]
            cost += len(names) * len(bases)
            in_upload = [name for name in names if images.are_named(name, bases)]
            if in_upload:
                return _TextSample(in_upload, wording.is_table, cost)
    return _TextSample((), False, cost)


def _is_table(text: str) -> bool:
    """Whether the lines are rows of a name and as many numbers each, and all names differ."""
    rows = [columns(line) for _, line in lines(text)]
    widths, firsts = {len(row) for row in rows}, {row[0] for row in rows}
    if len(widths) != 1 or 1 in widths or len(firsts) < len(rows):
        return False
    return all(number(column) is not None for row in rows for column in row[1:])


def _whole_lines(head: bytes) -> bytes:
    """The beginning of a text without the line that it may end in; all of it where there is but one."""
    return head[: head.rfind(b"\n") + 1] or head


def _readable(path: str, data: bytes) -> str:
    """The text of a list as far as it is one: its members are read strictly, and a list that is no text is refused."""
    try:
        return decoded(path, data, is_cut=True)
    except Unreadable:
        return data.decode("utf-8", "ignore")


def _joined(folder: str, rest: str) -> str:
    return f"{folder}/{rest}" if folder else rest

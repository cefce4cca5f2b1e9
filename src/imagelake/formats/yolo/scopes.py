"""Which class list serves which label files: the nearest one up the tree, never that of another export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imagelake.formats.base import Tree, read_or_none
from imagelake.formats.paths import ancestors, folder_of
from imagelake.formats.small_documents import Unreadable
from imagelake.formats.yolo.images import home
from imagelake.formats.yolo.names import MAX_BYTES, DeclaredClasses, classes, grade


@dataclass(frozen=True)
class ClassList:
    """A document that may declare classes; `classes` is None when it cannot be read."""

    path: str
    classes: DeclaredClasses | None

    @property
    def folder(self) -> str:
        """The folder it lies in."""
        return folder_of(self.path)


def class_lists(tree: Tree, paths: Iterable[str]) -> list[ClassList]:
    """The class lists of the documents; damaged ones are left out and reported elsewhere."""
    return [ClassList(path, declared) for path in paths for declared in _declared(tree, path)]


class Scopes:
    """The class lists of an upload, and which of them serve the label files of a folder."""

    def __init__(self, lists: Sequence[ClassList], covers: Mapping[str, frozenset[str]], homes: Iterable[str]) -> None:
        """covers: the folders each document names as a split; homes: the exports that have label files or images."""
        self._named = [c for c in lists if c.classes is None or (c.classes.names and not c.classes.is_count)]
        self._counts = [c for c in lists if c.classes is not None and c.classes.is_count]
        self._covers = covers
        self._homes = frozenset(homes)
        self._sources: dict[tuple[str, str], tuple[ClassList, ...]] = {}

    def of(self, document: str, image: str) -> tuple[ClassList, ...]:
        """The list for a label file and its image: none, one, or several that contradict each other."""
        place = (folder_of(document), folder_of(image))
        if place not in self._sources:
            self._sources[place] = self._chosen(self._named, *place) or self._chosen(self._counts, *place)
        return self._sources[place]

    def _chosen(self, lists: Sequence[ClassList], folder: str, image_folder: str) -> tuple[ClassList, ...]:
        """The best of the nearest lists; an unreadable one only where no other of them can be read."""
        nearest = self._nearest(lists, folder, image_folder)
        covering = [c for c in nearest if self._is_covered(c, image_folder)]
        best = covering or nearest
        best = [c for c in best if c.classes is not None] or best
        best = [c for c in best if grade(c.path) == min(grade(c.path) for c in best)]
        names = [c.classes.names if c.classes else {} for c in best]
        return tuple(best[:1] if all(other == names[0] for other in names) else best)

    def _nearest(self, lists: Sequence[ClassList], folder: str, image_folder: str) -> list[ClassList]:
        """The lists up the tree that are nearest; else those of the same export, those that name it, those apart."""
        levels: dict[str, int] = {}
        for start in (folder, image_folder):
            for level, ancestor in enumerate(ancestors(start)):
                levels[ancestor] = min(level, levels.get(ancestor, level))
        above = [c for c in lists if c.folder in levels]
        if above:
            nearest = min(levels[c.folder] for c in above)
            return [c for c in above if levels[c.folder] == nearest]
        same = [c for c in lists if home(c.folder) == home(folder)]
        naming = [c for c in lists if self._is_covered(c, image_folder)]
        return same or naming or [c for c in lists if self._stands_apart(c)]

    def _is_covered(self, declared: ClassList, image_folder: str) -> bool:
        """Whether a document names the folder of an image, or one above it, as a split."""
        covered = self._covers.get(declared.path, frozenset())
        return any(folder in covered for folder in ancestors(image_folder))

    def _stands_apart(self, declared: ClassList) -> bool:
        """Whether neither label files nor images lie in the export of a list, so that it is that of another one."""
        own = home(declared.folder)
        return not any(other == own or other.startswith(own + "/") for other in self._homes)


def _declared(tree: Tree, path: str) -> Iterable[DeclaredClasses | None]:
    """What a document declares, None when it is unusable; nothing when it is damaged."""
    if tree.size(path) > MAX_BYTES:
        return (None,)
    data = read_or_none(tree, path)
    if data is None:
        return ()
    try:
        return (classes(path, data),)
    except Unreadable:
        return (None,)

"""Splits of a YOLO data set: the folders and lists of data.yaml and obj.data, and lists of images named for a split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from imagelake.core.digest import nfc
from imagelake.core.upload_paths import is_role_folder, split_name, take_apart
from imagelake.formats.base import Tree, read_or_none
from imagelake.formats.lists.members import Wording, folders_meant, list_split, members, without_sums
from imagelake.formats.paths import ancestors, folder_of, plain_path
from imagelake.formats.records import ImageRecord
from imagelake.formats.small_documents import HEAD, MAX_BYTES, Unreadable, stem
from imagelake.formats.text_documents import decoded, lines
from imagelake.formats.yolo.images import YoloImages
from imagelake.formats.yolo.names import DeclaredClasses, SplitEntry


@dataclass(frozen=True)
class SplitSources:
    """What documents say of splits.

    `folders`: the split of the images below a folder; `lists`: the split each list file is of; `covers`: the folders
    that a document speaks of; `seen`: short texts for the report.
    """

    folders: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    covers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    seen: tuple[str, ...] = ()


def splits(declared: Mapping[str, DeclaredClasses], images: YoloImages, lists: Iterable[str]) -> SplitSources:
    """The splits of an upload. declared: what documents declare, by path; lists: files that hold names of images."""
    files = frozenset(without_sums(lists))
    by_place: dict[str, set[str]] = {}
    covers: dict[str, frozenset[str]] = {}
    seen: list[str] = []
    places = _Places(images.folders), _Places(files)
    for path, document in declared.items():
        hits: dict[str, set[str]] = {}
        bases = _Bases(folder_of(path), folder_of(path) in images.folders)
        for word, entries in document.splits.items():
            hits[word] = {hit for entry in entries for of in places for hit in of.named(bases, entry)}
            for hit in hits[word]:
                by_place.setdefault(hit, set()).add(word)
        covers[path] = frozenset(hit for own in hits.values() for hit in own)
        seen += _seen(path, hits)
    named = {path: split for path in files if path not in by_place and (split := list_split(path)) is not None}
    if named:
        seen.append(f"splits from {', '.join(sorted(named))}")
    sure = {place: min(words) for place, words in by_place.items() if len(words) == 1}
    shared = sorted(place or "the top folder" for place, words in by_place.items() if len(words) > 1)
    seen += [f"no split from {place}: it is named for several" for place in shared]
    folders = {place: split for place, split in sure.items() if place not in files}
    listed = {place: split for place, split in sure.items() if place in files}
    return SplitSources(folders, {**named, **listed}, covers, tuple(seen))


def listed_images(tree: Tree, images: YoloImages, lists: Iterable[str]) -> frozenset[str]:
    """The images that lists name, without their suffixes; a list that cannot be read names none."""
    named: set[str] = set()
    for path in lists:
        data = read_or_none(tree, path) if tree.size(path) <= MAX_BYTES else None
        if data is not None:
            records = members(path, "", wording(tree, path, images), data)
            named.update(images.bare(record.file) for record in records if isinstance(record, ImageRecord))
    return frozenset(named)


def split_of(path: str, folders: Mapping[str, str]) -> str | None:
    """The split of an image: the one its folders name, else the one a document gives to the nearest of them."""
    return take_apart(path).split or folder_split(path, folders)


def folder_split(path: str, folders: Mapping[str, str]) -> str | None:
    """The split a document gives to the nearest folder of an image, that is named in `folders`."""
    if not folders:
        return None
    return next((folders[folder] for folder in ancestors(folder_of(path)) if folder in folders), None)


def wording(tree: Tree, path: str, images: YoloImages) -> Wording:
    """How a list calls the images of the upload, by the beginning of it."""
    head = read_or_none(tree, path, HEAD) or b""
    try:
        text = decoded(path, head, is_cut=True)
    except Unreadable:
        return Wording()

    def home(base: str, rest: str) -> str | None:
        return base if images.holds(f"{base}/{rest}" if base else rest) else None

    names = (plain_path(Wording().name(line)) for _, line in lines(text))
    return Wording(folders_meant(names, ancestors(folder_of(path)), home))


def _seen(path: str, hits: Mapping[str, set[str]]) -> Iterator[str]:
    """Describe the splits a document declares, in words."""
    present = [split for split, places in hits.items() if places]
    absent = [split for split, places in hits.items() if not places]
    if present:
        yield f"splits from {path}: {', '.join(present)}"
    if absent:
        yield f"{path} names places for {', '.join(absent)} that are not in the upload"


class _Bases:
    """The folders a document's entries may start from.

    `upward`: its own folder and those above it; `whole`: those below which any folder may be meant, which are none
    above a folder that holds images: there other exports lie.
    """

    def __init__(self, folder: str, holds_images: bool) -> None:
        self.upward = ancestors(folder.lower())
        self.whole = self.upward[:1] if holds_images else self.upward


class _Places:
    """Paths of a tree, folders or files, looked up by what a document of another machine calls them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._exact = {path.lower(): path for path in paths}
        self._by_last: dict[str, list[str]] = {}
        for path in self._exact:
            self._by_last.setdefault(path.rpartition("/")[2], []).append(path)

    def named(self, bases: _Bases, entry: SplitEntry) -> Sequence[str]:
        """The places an entry of a document means: as much of it as fits, in or below the nearest folder."""
        for end in _ends(entry):
            exact = (f"{base}/{end}" if base else end for base in bases.upward)
            place = next((self._exact[path] for path in exact if path in self._exact), None)
            if place is not None:
                return [place]
            tails = [path for path in self._by_last.get(end.rpartition("/")[2], ()) if path.endswith("/" + end)]
            for base in bases.whole:
                below = [self._exact[path] for path in tails if not base or path.startswith(base + "/")]
                if below:
                    return below
        return []


def _ends(entry: SplitEntry) -> Iterator[str]:
    """The ends of an entry in whole parts, the longest first, as they may be called in another place.

    One that has lost the word for the split is none, nor is one of which nothing but `images` is left.
    """
    root = [part for part in nfc(entry.root).lower().split("/") if part]
    parts = [*root, *nfc(entry.path).lower().split("/")]
    is_split = [split_name(stem(part)) is not None for part in parts]
    for start in range(len(parts)):
        is_telling = start <= len(root) or not all(map(is_role_folder, parts[start:]))
        if is_telling and (not any(is_split[:start]) or any(is_split[start:])):
            yield "/".join(parts[start:])

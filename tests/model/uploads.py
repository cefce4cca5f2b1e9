"""What is delivered, abstractly: files by path, and what their documents say. The model's words for an upload.

An upload is a mapping of paths to Image, Document, Lines or Other. `records` turns its documents into listed images
with their labels; `image_keys` gives every image file its key. Nothing here knows a zip or a JSON text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import dropwhile
from posixpath import basename
from typing import Literal, NamedTuple

Points = tuple[float, ...]
Size = tuple[int, int]
Attributes = tuple[tuple[str, str], ...]

SPLITS = {"train": "train training", "val": "val valid validation dev", "test": "test testing eval evaluation"}
ROLE_FOLDERS = {"images", "image", "imgs", "img", "jpegimages", "photos", "pictures"}
ANNOTATION_FOLDERS = {"annotations", "annotation", "xml", "xmls"}
DOCUMENT_FOLDERS = {*ANNOTATION_FOLDERS, *ROLE_FOLDERS, "labels", "label"}
META = {"license", "licence", "readme", "notice", "citation", "changelog", "meta"}
MASK_FOLDERS = {"segmentationclass", "segmentationobject"}


@dataclass(frozen=True)
class Image:
    """An image file: its content hash, raw size, EXIF orientation, and the rule its bytes break, if any."""

    content: str
    width: int
    height: int
    orientation: int = 1
    problem: str | None = None


@dataclass(frozen=True)
class Label:
    """An annotation: box x, y, w, h or polygon points in pixels of the declared space; None is a number that is none.

    `entry` is the place of its image in the document, None names an image that the document does not list;
    `category` None is one that the document does not declare.
    """

    entry: int | None
    kind: Literal["box", "polygon", "class"]
    category: str | None
    shape: Points | None


@dataclass(frozen=True)
class Entry:
    """An image that a document lists: name as written, declared size, attributes."""

    name: str
    size: Size | None = None
    attributes: Attributes = ()


@dataclass(frozen=True)
class Document:
    """What a document lists, in one of three forms; a broken one cannot be read, and lists nothing.

    coco: any number of images; categories are (name, supercategory) in their order. voc: one image and its boxes. save:
    all labels of some `kinds` of one image, named by its key, from a labelling tool.
    """

    entries: tuple[Entry, ...] = ()
    labels: tuple[Label, ...] = ()
    categories: tuple[tuple[str, str | None], ...] = ()
    broken: bool = False
    form: Literal["coco", "voc", "save"] = "coco"
    kinds: tuple[str, ...] = ()

    def labels_of(self, entry: int | None) -> tuple[tuple[str, Label], ...]:
        """The labels of one of its images, or of images that it does not list, with their locators."""
        return tuple((f"annotations[{n}]", label) for n, label in enumerate(self.labels) if label.entry == entry)


@dataclass(frozen=True)
class Lines:
    """A split list (ImageSets/Main/train.txt): stems or names of images."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Other:
    """Any other file, with the rule its bytes break, if any."""

    text: str = ""
    problem: str | None = None


File = Image | Document | Lines | Other


@dataclass(frozen=True)
class Upload:
    """One delivery: its files by path as delivered, where it came from, its mode, and whether --again was said."""

    files: tuple[tuple[str, File], ...]
    source: str
    mode: str = "append"
    again: bool = False

    @property
    def identity(self) -> frozenset[tuple[str, File]]:
        """What the upload id is made of: paths and contents."""
        return frozenset(self.members().items())

    def members(self) -> dict[str, File]:
        """Files in order of path, without the one folder that all lie in, or all images with their split folders.

        Papers may lie anywhere; no split or role folder is such a folder.
        """
        heads = {path.partition("/")[0] for path, _ in self.files if "/" in path}
        beside = [file for path, file in self.files if "/" not in path and not is_paper(path, file)]
        holds_splits = any(split_of(path.split("/")[1]) for path, _ in self.files if path.count("/") > 1)
        allowed = holds_splits and not any(isinstance(file, Image) for file in beside)
        head = heads.pop() if len(heads) == 1 and (allowed or not beside) else ""
        wrapper = f"{head}/" if head and not split_of(head) and head.lower() not in ROLE_FOLDERS else ""
        return {path.removeprefix(wrapper): file for path, file in sorted(self.files)}


@dataclass(frozen=True)
class Record:
    """An image that a document lists, and its labels with locators; a mere member of a split list has no kinds."""

    document: str
    position: int
    name: str
    kinds: frozenset[str]
    split: str | None = None
    size: Size | None = None
    attributes: Attributes = ()
    by_stem: bool = False
    form: str = "coco"
    labels: tuple[tuple[str, Label], ...] = ()

    @property
    def absolute(self) -> bool:
        """Whether the name is a path of another machine."""
        return bool(re.match(r"^(/|\\|[A-Za-z]:[\\/])", self.name))

    @property
    def file(self) -> str:
        """The name as a relative path: its root cut, `/`, NFC."""
        name = re.sub(r"^[A-Za-z]:", "", self.name).replace("\\", "/") if self.absolute else self.name
        return unicodedata.normalize("NFC", "/".join(p for p in name.split("/") if p not in ("", ".")))

    @property
    def names(self) -> list[str]:
        """The paths that the name may be, from the folder of its document first; none for another machine's."""
        dropped = ANNOTATION_FOLDERS | ROLE_FOLDERS if self.form == "voc" else set()
        folders = [f for f in self.document.split("/")[:-1] if f.lower() not in dropped]
        return [] if self.absolute else ["/".join([*folders, self.file]), self.file]

    @property
    def draft_keys(self) -> list[str]:
        """The keys that the name can mean in the draft, most specific first; a save names its image by key."""
        paths = [(name, take_apart(name)) for name in self.names if self.form != "save"]
        return [key for name, parts in paths for key in (name, parts.split_key, parts.short)] or self.names[1:]

    @property
    def waits_for(self) -> str:
        """The image it waits for while nobody has it: its name with the folders that say which one is meant."""
        folders = [] if self.absolute or self.form != "coco" else self.document.split("/")[:-1]
        telling = [f for f in folders if f.lower() not in DOCUMENT_FOLDERS]
        return take_apart("/".join([*telling, self.file])).split_key


class Parts(NamedTuple):
    """A path taken apart: the key without split and role folders, the key with its split folder, the split; and what
    of the key lies below the split folder."""

    short: str
    split_key: str
    split: str | None
    inner: str


def split_of(word: str) -> str | None:
    """train2017 is train, valid is val; None for any other word."""
    match = re.match(r"^([a-z]+)(?:[-_]?(?:19|20)\d\d)?$", word.lower())
    return next((split for split, words in SPLITS.items() if match and match[1] in words.split()), None)


def take_apart(path: str) -> Parts:
    """The first split folder, and role folders beside it or at the beginning, are no part of a key."""
    *folders, name = path.split("/")
    place = next((n for n, folder in enumerate(folders) if split_of(folder)), len(folders))
    above, kept = _outside_roles(folders[:place]), folders[place : place + 1]
    above = _outside_roles(above[::-1])[::-1] if kept else above
    below = folders[place + 1 :]
    below = below[1:] if len(below) > 1 and below[0].lower() == kept[0].lower() else below
    inner = [*_outside_roles(below), name]
    short, split_key = "/".join([*above, *inner]), "/".join([*above, *kept, *inner])
    return Parts(short, split_key, split_of(kept[0]) if kept else None, "/".join(inner) if kept else short)


def _outside_roles(folders: list[str]) -> list[str]:
    return list(dropwhile(lambda folder: folder.lower() in ROLE_FOLDERS, folders))


def lies_in(path: str, folders: Collection[str]) -> bool:
    """Whether a path leads through one of these folders."""
    return any(folder.lower() in folders for folder in path.split("/")[:-1])


def damage(file: File) -> str | None:
    """The rule that the bytes of a file break."""
    broken = "document.invalid_json" if isinstance(file, Document) and file.broken else None
    return broken or getattr(file, "problem", None)


def is_ignored(path: str, file: File) -> bool:
    """Whether nothing of a file counts: of a mask, and of a text of no name that stands for the upload itself."""
    if isinstance(file, Image):
        return lies_in(path, MASK_FOLDERS)
    return isinstance(file, Other) and not file.problem and not is_paper(path, file)


def is_paper(path: str, file: File) -> bool:
    """Whether a text stands for the upload itself: README, LICENSE, …"""
    return isinstance(file, Other) and basename(path).lower().partition(".")[0] in META


def image_keys(paths: Iterable[str], draft: Collection[str]) -> dict[str, str]:
    """The key of each image file: the shortest name no other one may have, or the longer one that the draft has."""
    names = {path: (*take_apart(path)[:2], path) for path in paths}
    bearers = Counter(name for candidates in names.values() for name in set(candidates))
    keys = {}
    for path, (short, *longer) in names.items():
        usable = [name for name in (short, *longer) if name == path or bearers[name] == 1]
        there = [name for name in reversed(usable) if name != short and name in draft]
        keys[path] = (there or usable)[0]
    return keys


def records(members: Mapping[str, File]) -> list[Record]:
    """What the documents list, in order of path and place; class folders where there is no document.

    Every listed image is labelled for all kinds that its document holds, refused labels too; for box if none.
    """
    result: list[Record] = []
    lists = any(isinstance(f, Lines) for f in members.values())
    for path, file in members.items():
        if isinstance(file, Lines):
            split = split_of(basename(path).partition(".")[0])
            lines = enumerate(dict.fromkeys(file.lines))
            result += [Record(path, n, line, frozenset(), split, by_stem="." not in line) for n, line in lines]
        elif isinstance(file, Document):
            kinds = frozenset(file.kinds or {label.kind for label in file.labels} or {"box"})
            split = document_split(path) if file.form == "coco" else None if lists else take_apart(path).split
            for n, e in enumerate(file.entries):
                said = (e.name, kinds, split, e.size, e.attributes)
                result.append(Record(path, n, *said, form=file.form, labels=file.labels_of(n)))
    images = [p for p, f in members.items() if isinstance(f, Image)]
    return result if any(isinstance(f, Document) for f in members.values()) else result + class_folders(images)


def document_split(path: str) -> str | None:
    """The split that a document's folders, or else the words of its name, stand for; None when they name several."""
    *folders, name = path.split("/")
    for words in (folders, re.findall(r"[A-Za-z0-9]+", name.rpartition(".")[0])):
        splits = {split_of(word) for word in words} - {None}
        if splits:
            return splits.pop() if len(splits) == 1 else None
    return None


def class_folders(paths: list[str]) -> list[Record]:
    """Images in folders, two at least, are of the class of their folder, below the split folder if there is one.

    One stray image may lie in none (one of a hundred), and all images of a split: they have no label.
    """
    names = {path: take_apart(path) for path in paths}
    classes = {p: n.inner.rpartition("/")[0] or n.short.rpartition("/")[0] for p, n in names.items()}
    classed = [path for path in paths if classes[path]]
    strays = [p for p in paths if not classes[p] and names[p].split in {None, *(names[c].split for c in classed)}]
    if len(classed) < 2 or len(strays) > max(1, len(classed) // 100):
        return []
    labels = {path: ((path, Label(n, "class", classes[path], ())),) for n, path in enumerate(paths) if classes[path]}
    kinds = {path: frozenset({"class"} if path in labels else ()) for path in paths}
    return [Record("", n, p, kinds[p], names[p].split, labels=labels.get(p, ())) for n, p in enumerate(paths)]

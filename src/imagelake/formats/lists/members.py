"""Lists of images named for a split (train.txt, val_list.txt): which split one is of, and the images its lines name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from imagelake.core.digest import nfc
from imagelake.core.upload_paths import is_image_name, split_name
from imagelake.core.wording import listed
from imagelake.formats.names import file_name
from imagelake.formats.paths import SUFFIXES, folder_of, plain_path
from imagelake.formats.records import ImageRecord, Issue
from imagelake.formats.small_documents import MAX_RAW, Unreadable, stem, unreadable_issue
from imagelake.formats.text_documents import columns, decoded, lines

_LIST_WORDS = re.compile(r"^(?:autosplit|list|split)[-_ ]|[-_ ]?(?:list|images|imgs|files)$", re.IGNORECASE)
_SUM = re.compile(r"train[-_]?val(?:[-_]?(?:19|20)\d\d)?$", re.IGNORECASE)
_MEMBER = re.compile(rf"(.*?(?:{SUFFIXES}))[\s,;]+\S.*", re.IGNORECASE)
"""A line of a list with more after the image's name: a class, a label file."""

_ROOTED = re.compile(r"\s*(?:/|~|[A-Za-z]:[\\/]|\\\\)")

Home = Callable[[str, str], str | None]
"""The folder that holds an image: of a folder of the upload and a name below it; None when there is no such image."""


@dataclass(frozen=True)
class Wording:
    """How a list calls its images.

    `folders`: what names begin with, and the folder of the upload that stands for it; `is_table`: names without suffix
    are the first of several columns.
    """

    folders: Mapping[str, str] = field(default_factory=dict)
    is_table: bool = False

    def name(self, line: str) -> str:
        """The name in a line, without what stands after it."""
        if is_image_name(line):
            return line
        longer = _MEMBER.fullmatch(line)
        if longer is not None:
            return longer.group(1)
        return columns(line)[0] if self.is_table else line


def list_split(path: str) -> str | None:
    """The split a list file is named for: `train.txt`, `val_list.txt`, `test2017.txt`; None for another name.

    A list of all that is not for testing, `trainval.txt`, is one of images to train with.
    """
    word = _LIST_WORDS.sub("", stem(path))
    return "train" if is_sum(path) else split_name(word)


def is_sum(path: str) -> bool:
    """Whether a list is named for training and validation at once."""
    return _SUM.match(_LIST_WORDS.sub("", stem(path))) is not None


def without_sums(paths: Iterable[str]) -> tuple[str, ...]:
    """The lists without those that only sum up others in their folder: trainval.txt beside train.txt or val.txt."""
    lists = tuple(paths)
    parts = {folder_of(path) for path in lists if not is_sum(path) and list_split(path) in ("train", "val")}
    return tuple(path for path in lists if not (is_sum(path) and folder_of(path) in parts))


def seen_lists(paths: Sequence[str]) -> tuple[str, ...]:
    """The sentence of a report that names the lists splits come from; none when there are none."""
    return (f"splits from {listed(sorted(paths))}",) if paths else ()


def folders_meant(names: Iterable[str], bases: Sequence[str], home: Home) -> dict[str, str]:
    """Maps the leading folders of names in a list to folders of the upload: `data/obj` may be `export/obj`.

    names: some names of the list, by `plain_path`; bases: the folders that names may start from, the likeliest first.
    A name that fits nowhere leaves its beginning out.
    """
    prefixes: dict[str, str] = {}
    for name in names:
        if not any(_begins(name, prefix) for prefix in prefixes):
            prefixes.update(base_of(name, bases, home))
    return prefixes


def base_of(name: str, bases: Sequence[str], home: Home) -> dict[str, str]:
    """The folders a name begins with, and the folder of the upload that has the rest of it; the first base counts."""
    parts = nfc(name).split("/")
    for base in bases:
        for count in range(len(parts)):
            folder = home(base, "/".join(parts[count:]))
            if folder is not None:
                return {"/".join(name.split("/")[:count]): folder}
    return {}


def members(path: str, split: str, wording: Wording, data: bytes) -> Iterator[ImageRecord | Issue]:
    """An image for each line of a list, an issue for one that names none; repeated lines count once."""
    try:
        text = decoded(path, data)
    except Unreadable as problem:
        yield unreadable_issue(path, data, problem)
        return
    seen: set[str] = set()
    for place, line in lines(text):
        written = wording.name(line)
        if written not in seen:
            seen.add(written)
            yield _member(path, split, wording.folders, written, f"line {place}")


def malformed(path: str, written: str, locator: str, problem: ValueError) -> Issue:
    """The issue of a line that cannot be the name of an image."""
    rule = "split.member_malformed"
    return Issue(path, "image", locator, rule, str(problem), written[:MAX_RAW], image_ref=written)


def _member(path: str, split: str, replaced: Mapping[str, str], written: str, locator: str) -> ImageRecord | Issue:
    plain = plain_path(written)
    prefix = next((p for p in sorted(replaced, key=len, reverse=True) if _begins(plain, p)), None)
    is_here = prefix is not None
    if prefix is not None:
        plain = "/".join(part for part in (replaced[prefix], plain[len(prefix) :].lstrip("/")) if part)
    try:
        name = file_name(plain)
    except ValueError as problem:
        return malformed(path, written, locator, problem)
    return ImageRecord(
        document=path,
        ref=written,
        file=name.file,
        locator=locator,
        by_stem=not is_image_name(name.file),
        absolute=not is_here and _ROOTED.match(written) is not None,
        split=split,
        warnings=("image.backslash",) if "\\" in written else (),
    )


def _begins(name: str, prefix: str) -> bool:
    return not prefix or name.startswith(prefix + "/")

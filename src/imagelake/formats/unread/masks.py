"""Segmentation masks that lie in an upload as pictures: `masks/1.png` of `images/1.jpg`, `a_mask.gif` of `a.jpg`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

from imagelake.core.upload_paths import is_dataset_image, is_role_folder, split_name
from imagelake.formats.base import Unread
from imagelake.formats.small_documents import stem

MASKS = "segmentation masks"

CountKey = TypeVar("CountKey")

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_a-zA-Z]+")
_MASK_WORDS = frozenset(
    (
        *("mask", "masks", "label", "labels", "annotation", "annotations", "annot", "annots"),
        *("gt", "groundtruth", "segmentation", "segmentations", "seg", "trimap", "trimaps"),
    )
)
_MASK_ADJECTIVES = frozenset(
    ("machine", "human", "binary", "color", "colour", "instance", "semantic", "fine", "coarse")
)
_OTHERWISE = frozenset(("no", "not", "non", "with", "without", "un"))
"""With these the word is what is on the pictures: `no_mask`, `with_mask`."""

_FILE_KINDS = frozenset(("jpeg", "jpg", "png", "tif", "tiff", "gif", "bmp"))
_GLUED = re.compile(rf"([a-z]+?)({'|'.join(sorted(_MASK_WORDS, key=len, reverse=True))})")
_END = re.compile(
    r"(?:[-_. ]{1,3}(mask|label|labelids|labeltrainids|instanceids|color|gt|gtfine|gtcoarse|groundtruth|seg"
    r"|segmentation|annotation|trimap|l)s?)+(?:[-_ ]?\d+)?$"
)
_START = re.compile(r"^(?:mask|gt|label|seg)[-_ ]{1,3}")
_CITYSCAPES = "leftimg8bit"
_IMAGE_END = re.compile(rf"[-_. ]{{1,3}}(?:image|img|sat|rgb|{_CITYSCAPES})$")
_SURE_ENDS = frozenset(("mask", "segmentation", "groundtruth"))
"""Ends that tell a mask beside its picture: `shoe_label.jpg` may be the picture of a label."""

_WHY = "masks that are pictures are not supported yet"
_MAYBE = "may be masks, which are not supported yet; taken as pictures"


@dataclass(frozen=True)
class _MaskFolder:
    """A folder: its `key` is what is left of its names without those of roles and masks; `masks` counts the latter.

    `has_role`: its own name says that images lie in it, and nothing more.
    """

    path: str
    key: tuple[str, ...] = ()
    depth: int = 0
    masks: int = 0
    has_role: bool = False

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]


@dataclass(frozen=True)
class _Picture:
    """A picture: its path, its folder, and its stem in small letters."""

    path: str
    folder: _MaskFolder
    stem: str

    @property
    def suffix(self) -> str:
        return self.path.rpartition(".")[2].lower()


class _Images:
    """The pictures that masks may be of: for each place and stem the least count of folders that are named for masks.

    Only what lies where a mask folder looks for them is noted.
    """

    def __init__(self, pictures: Iterable[_Picture], folders: Iterable[_MaskFolder]) -> None:
        masks = [folder for folder in folders if folder.masks]
        keys = {folder.key for folder in masks}
        parents = {folder.parent for folder in masks}
        self._near: dict[tuple[tuple[str, ...], int, str], int] = {}
        self._far: dict[tuple[tuple[str, ...], str], int] = {}
        self._parallel: dict[tuple[tuple[str, ...], int], int] = {}
        self._beside: dict[tuple[str, str], bool] = {}
        for picture in pictures:
            folder = picture.folder
            is_beside = bool(folder.path) and not folder.masks and folder.parent in parents
            stems = _image_stems(picture.stem) if folder.key in keys or is_beside else ()
            for own in stems if is_beside else ():
                place = (folder.parent, own)
                self._beside[place] = folder.has_role or self._beside.get(place, False)
            for own in stems if folder.key in keys else ():
                _note(self._near, (folder.key, folder.depth, own), folder.masks)
                _note(self._far, (folder.key, own), folder.masks)
                _note(self._parallel, (folder.key, folder.depth), folder.masks)

    def certainty(self, picture: _Picture) -> bool | None:
        """Whether a picture in a mask folder certainly is a mask; None when it seems to be none."""
        folder, stems = picture.folder, _mask_stems(picture.stem)
        least = folder.masks
        if any(self._near.get((folder.key, folder.depth, own), least) < least for own in stems):
            return True
        beside = [self._beside[folder.parent, own] for own in stems[1:] if (folder.parent, own) in self._beside]
        if beside:
            return any(beside)
        is_far = any(self._far.get((folder.key, own), least) < least for own in stems)
        is_parallel = self._parallel.get((folder.key, folder.depth), least) < least
        return False if is_far or is_parallel else None


def masks(paths: Collection[str]) -> Iterator[Unread]:
    """Those of the paths that are pictures of masks: certain ones lie parallel to images of the same name.

    Less certain are those that are named otherwise than the images their folder is parallel to, and `a_mask.png`
    beside `a.png`, which may be a picture of a mask that is worn. Each path is looked at a few times.
    """
    if not any(map(_may_have_masks, {path.rpartition("/")[0] for path in paths})) and not any(
        map(_has_sure_end, paths)
    ):
        return
    pictures = [
        _Picture(path, _folder(path.rpartition("/")[0]), stem(path).lower()) for path in paths if is_dataset_image(path)
    ]
    images = _Images(pictures, {picture.folder for picture in pictures})
    beside = _beside_their_pictures(pictures)
    for picture in pictures:
        is_certain = images.certainty(picture) if picture.folder.masks else None
        if is_certain is None:
            is_certain = beside.get(picture.path)
        if is_certain is not None:
            yield Unread(picture.path, MASKS, _WHY if is_certain else _MAYBE, is_certain)


def _may_have_masks(folder: str) -> bool:
    return _folder(folder).masks > 0


def _has_sure_end(path: str) -> bool:
    """Whether a path may be one of those that `_beside_their_pictures` looks for."""
    name = path.lower()
    return any(end in name for end in _SURE_ENDS)


def _beside_their_pictures(pictures: Sequence[_Picture]) -> dict[str, bool]:
    """The pictures like `a_mask.png` with an `a.jpg` in their folder, by path: certain ones have another suffix."""
    ends = ((picture, _END.search(picture.stem)) for picture in pictures)
    pairs = {
        picture: (picture.folder.path, picture.stem[: end.start()])
        for picture, end in ends
        if end is not None and end[1] in _SURE_ENDS
    }
    places = frozenset(pairs.values())
    suffixes = {
        (picture.folder.path, own): picture.suffix
        for picture in (pictures if places else ())
        for own in _image_stems(picture.stem)
        if (picture.folder.path, own) in places
    }
    return {picture.path: suffixes[place] != picture.suffix for picture, place in pairs.items() if place in suffixes}


@lru_cache(maxsize=4096)
def _folder(path: str) -> _MaskFolder:
    if not path:
        return _MaskFolder(path)
    words = [_words(part) for part in path.split("/")]
    key = tuple(left for own, _ in words if (left := " ".join(own)))
    return _MaskFolder(path, key, len(words), sum(is_mask for _, is_mask in words), words[-1] == ((), False))


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[tuple[str, ...], bool]:
    """The words of a folder's name without those that say images or masks, and whether it is named for masks."""
    if is_role_folder(name) or name.lower() == _CITYSCAPES:
        return (), False
    words = [word for token in _WORD.findall(name) for word in _cut(token.lower())]
    if not _OTHERWISE.isdisjoint(words):
        return tuple(words), False
    is_truth = ("ground", "truth") in pairwise(words)
    is_mask = is_truth or not _MASK_WORDS.isdisjoint(words)
    empty = _MASK_WORDS | _FILE_KINDS | (_MASK_ADJECTIVES if is_mask else frozenset())
    empty |= frozenset(("ground", "truth")) if is_truth else frozenset()
    return tuple(word for word in words if word not in empty and not is_role_folder(word)), is_mask


def _cut(word: str) -> tuple[str, ...]:
    """A word, or the two of `trainannot`."""
    glued = _GLUED.fullmatch(word)
    return (glued[1], glued[2]) if glued and split_name(glued[1]) is not None else (word,)


def _image_stems(name: str) -> tuple[str, ...]:
    """The stem of an image, and without the word for its kind: `100_sat`, `100`."""
    bare = _IMAGE_END.sub("", name)
    return (name,) if bare == name else (name, bare)


def _mask_stems(name: str) -> tuple[str, ...]:
    """The stem of a mask, and without the word for masks: `a_mask`, `a`."""
    bare = _START.sub("", _END.sub("", name))
    return (name,) if bare == name else (name, bare)


def _note(counts: dict[CountKey, int], place: CountKey, count: int) -> None:
    counts[place] = min(count, counts.get(place, count))

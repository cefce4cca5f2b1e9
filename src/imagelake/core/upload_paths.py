"""Paths inside uploads: wrapper folder, junk, split folder, role folder, image key, dataset id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import dropwhile
from types import MappingProxyType

from imagelake.core.digest import nfc
from imagelake.errors import UsageError

DATASET_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}\Z")  # a newline may stand before $

_JPEG, _TIFF, _HEIF = ("image/jpeg",), ("image/tiff",), ("image/heic", "image/heif")
_PBM, _PGM, _PPM = "image/x-portable-bitmap", "image/x-portable-graymap", "image/x-portable-pixmap"
_JP2, _CODESTREAM = ("image/jp2", "image/jpx"), ("image/j2c",)

SUFFIX_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), _JPEG),
        ".png": ("image/png",),
        ".bmp": ("image/bmp",),
        ".gif": ("image/gif",),
        **dict.fromkeys((".tif", ".tiff"), _TIFF),
        ".webp": ("image/webp",),
        ".avif": ("image/avif",),
        **dict.fromkeys((".heic", ".heif", ".hif"), _HEIF),
        **dict.fromkeys((".jp2", ".jpx", ".jpf"), _JP2),
        **dict.fromkeys((".j2k", ".j2c", ".jpc"), _CODESTREAM),
        ".pbm": (_PBM,),
        ".pgm": (_PGM,),
        ".ppm": (_PPM,),
        ".pnm": (_PBM, _PGM, _PPM),
    }
)
"""The suffixes of image files, each with the media types that a file so named may hold, the usual one first."""

IMAGE_SUFFIXES = frozenset(SUFFIX_TYPES)

IMAGE_TYPES = frozenset(kind for kinds in SUFFIX_TYPES.values() for kind in kinds)
"""The media types of images that can be read; HEIC and HEIF with an extra only (imagelake.core.heif)."""

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_SPLIT_FOLDER = re.compile(r"^([a-z]+)(?:[-_]?(?:19|20)\d\d)?$")
_NUMBERED = re.compile(r"(train|training|val|valid|validation|test|testing)\d")
_BETWEEN_WORDS = re.compile(r"[-_. ]+")
_SAYS_NOTHING = re.compile(
    r"sets?|data|datasets?|images?|imgs?|pictures?|photos?|jpegimages|splits?|(?:un)?labell?ed|\d\d?|(?:19|20)\d\d"
)
_PAPERS = frozenset(
    ("license", "licence", "licenses", "readme", "notice", "citation", "changelog", "authors", "credits", "disclaimer")
)
_ROLE_FOLDERS = frozenset(("images", "image", "imgs", "img", "jpegimages", "photos", "pictures"))
_MASK_FOLDERS = frozenset(("segmentationclass", "segmentationobject"))
_JUNK_NAMES = frozenset((".ds_store", "thumbs.db", "desktop.ini", "icon\r", ".gitkeep", ".gitignore", ".gitattributes"))
_JUNK_FOLDERS = frozenset(
    (
        "__macosx",
        "__pycache__",
        "@eadir",  # Synology's previews; its bin is #recycle, QNAP's @recycle
        "#recycle",
        "@recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    )
)


@dataclass(frozen=True)
class KeyParts:
    """An image's path taken apart: its key, its key with the split folder kept, the split it lies in.

    `inner` is the part of the key below the split folder, all of it where there is none.
    """

    key: str
    split_key: str
    split: str | None
    inner: str


def check_dataset_id(name: str) -> str:
    """The name itself, when it is a valid dataset id; UsageError otherwise."""
    if not DATASET_ID.match(name):
        raise UsageError(
            f"{name!r} is not a dataset id",
            hint="use 1 to 63 of a-z, 0-9, - and _, starting with a letter or digit",
        )
    return name


def split_name(word: str) -> str | None:
    """The split a folder or document word stands for: train2017 is train, valid is val; None if it is none."""
    match = _SPLIT_FOLDER.match(word.lower())
    return _SPLITS.get(match.group(1)) if match else None


@lru_cache(maxsize=4096)
def folder_split(name: str) -> str | None:
    """The split a folder stands for: a split word by itself, or set apart from words that say nothing else.

    `train2017`, `test1`, `training_set`, `test images`, `images-val` and `01_train` are splits; `train_cats` and
    `train_val` are none.
    """
    words = [_without_number(word) for word in _BETWEEN_WORDS.split(name.lower()) if word]
    splits = {split for word in words if (split := split_name(word)) is not None}
    others = [word for word in words if split_name(word) is None]
    return splits.pop() if len(splits) == 1 and all(map(_SAYS_NOTHING.fullmatch, others)) else None


def _without_number(word: str) -> str:
    numbered = _NUMBERED.fullmatch(word)
    return numbered[1] if numbered else word


def is_paper(path: str) -> bool:
    """True for a text that goes with an upload and says nothing to a program: README, LICENSE, CHANGELOG, …"""
    return not is_image_name(path) and path.rpartition("/")[2].lower().partition(".")[0] in _PAPERS


def is_junk(path: str) -> bool:
    """True for what systems and tools leave behind: .DS_Store, ._*, Thumbs.db, and all in hidden or system folders."""
    *folders, last = path.split("/")
    name = last.lower()
    if not name or name in _JUNK_NAMES or name.startswith("._") or last == "__MACOSX":
        return True
    return any(map(_is_junk_folder, folders))


def _is_junk_folder(name: str) -> bool:
    """Hidden folders hold stale copies, previews and histories: .ipynb_checkpoints, .thumbnails, .git, .Trashes."""
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _JUNK_FOLDERS


def is_image_name(path: str) -> bool:
    """True when the suffix is one of an image format."""
    name = path.rpartition("/")[2]  # not by pathlib, which takes a second for a hundred thousand paths
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES


def is_mask_path(path: str) -> bool:
    """True when a folder of the path holds segmentation masks: SegmentationClass or SegmentationObject, in any case."""
    return any(folder.lower() in _MASK_FOLDERS for folder in path.split("/")[:-1])


def is_dataset_image(path: str) -> bool:
    """True when the path is that of an image file and lies in no mask folder: masks are no images of a dataset."""
    return is_image_name(path) and not is_mask_path(path)


def is_role_folder(name: str) -> bool:
    """True when a folder's name says that images lie in it, and nothing about them."""
    return name.lower() in _ROLE_FOLDERS


def wrapper_folder(paths: Sequence[str]) -> str:
    """The folder that all files lie in, with a slash at its end; empty when there is none.

    Papers (README, LICENSE) may lie beside it, and all but images where it holds split folders (`data.yaml` beside
    `ds/train/`). Split, role and mask folders are no wrappers: they say something about the images. A wrapper may hold
    another one, of its own name or with such a folder in it (`d/d/`, `x/d/train/`).
    """
    chain = _single_folders(paths)
    depth = min(1, len(chain))
    for place in range(1, len(chain)):
        is_repeated = depth == place and chain[place].lower() == chain[place - 1].lower()
        if is_repeated or any(map(_tells, _folders_in(paths, chain[: place + 1]))):
            depth = place + 1
    if not depth:
        return ""
    wrapper = "".join(f"{folder}/" for folder in chain[:depth])
    beside = {path for path in paths if not path.startswith(wrapper)}
    is_twice = bool(beside) and any(path.removeprefix(wrapper) in beside for path in paths if path.startswith(wrapper))
    return "" if is_twice else wrapper  # a paper may lie beside the folder and in it


def take_apart(path: str) -> KeyParts:
    """Key and split of an image at this path (wrapper folder already stripped).

    The first folder that stands for a split, and the role folders beside it or at the beginning, are left out of the
    key: `train/images/a.jpg`, `images/train/a.jpg` and `JPEGImages/a.jpg` all have the key `a.jpg`. So is a folder of
    the same name in the split folder, with more folders in it, as some archives are made: `train/train/cats/a.jpg`.
    """
    # not by pathlib, which takes five times as long
    *folders, name = (part for part in nfc(path).split("/") if part not in ("", "."))
    place = next((n for n, folder in enumerate(folders) if folder_split(folder)), None)
    if place is None:
        key = "/".join([*_without_roles(folders), name])
        return KeyParts(key, key, None, key)
    above = _without_roles(folders[:place])
    above = _without_roles(above[::-1])[::-1]
    below = folders[place + 1 :]
    if len(below) > 1 and below[0].lower() == folders[place].lower():
        del below[0]  # the last folder may be a class: pictures of trains
    inner = [*_without_roles(below), name]
    key, split_key = "/".join([*above, *inner]), "/".join([*above, folders[place], *inner])
    return KeyParts(key, split_key, folder_split(folders[place]), "/".join(inner))


def _without_roles(folders: Sequence[str]) -> list[str]:
    """The folders from the first one that is no role folder."""
    return list(dropwhile(is_role_folder, folders))


def _single_folders(paths: Sequence[str]) -> list[str]:
    """The folder everything lies in, the one everything lies in there, and so on, up to one that tells something."""
    chain: list[str] = []
    while folder := _single_folder(paths, chain):
        chain.append(folder)
    return chain


def _single_folder(paths: Sequence[str], above: Sequence[str]) -> str:
    """The only folder in another one, beside files that may lie there; empty where there is none."""
    folders = _folders_in(paths, above)
    if len(folders) != 1 or any(map(_tells, folders)):
        return ""
    (folder,) = folders
    top = "".join(f"{name}/" for name in above)
    files = [path for path in paths if path.startswith(top) and "/" not in path[len(top) :]]
    others = [path for path in files if not is_paper(path)]
    if any(map(is_image_name, others)):
        return ""
    holds_splits = others and any(map(folder_split, _folders_in(paths, [*above, folder])))
    return folder if not others or holds_splits else ""


def _folders_in(paths: Sequence[str], above: Sequence[str]) -> frozenset[str]:
    """The folders that lie in the folder of these names, one in the other."""
    top = "".join(f"{name}/" for name in above)
    inside = (path[len(top) :] for path in paths if path.startswith(top))
    return frozenset(path.partition("/")[0] for path in inside if "/" in path)


def _tells(folder: str) -> bool:
    """Whether a folder's name says something about the images in it."""
    return folder_split(folder) is not None or folder.lower() in _ROLE_FOLDERS | _MASK_FOLDERS

"""Paths inside uploads: wrapper folder, junk, split folder, role folder, image key, dataset id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from imagelake.digest import nfc
from imagelake.errors import UsageError

DATASET_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")

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
"""The media types of images that can be read; HEIC and HEIF with an extra only (imagelake.heif)."""

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
    """An image's path taken apart: its key, its key with the split folder kept, the split it lies in."""

    key: str
    split_key: str
    split: str | None


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
    found = _SPLIT_FOLDER.match(word.lower())
    return _SPLITS.get(found.group(1)) if found else None


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


def wrapper_folder(paths: Iterable[str]) -> str:
    """The single folder that all files lie in, with a slash at its end; empty when there is none.

    Split, role and mask folders are no wrappers: they say something about the images.
    """
    first: str | None = None
    for path in paths:
        head, slash, _ = path.partition("/")
        if not slash or (first is not None and head != first):
            return ""
        first = head
    if first is None or split_name(first) is not None or first.lower() in _ROLE_FOLDERS | _MASK_FOLDERS:
        return ""
    return first + "/"


def take_apart(path: str) -> KeyParts:
    """Key and split of an image at this path (wrapper folder already stripped).

    Leading split folders (at most one) and role folders are left out of the key:
    `train/images/a.jpg`, `images/train/a.jpg` and `JPEGImages/a.jpg` all have the key `a.jpg`.
    """
    parts = list(PurePosixPath(nfc(path)).parts)
    split: str | None = None
    split_part: list[str] = []
    while len(parts) > 1:
        named = split_name(parts[0])
        if named is not None and split is None:
            split, split_part = named, [parts[0]]
        elif parts[0].lower() not in _ROLE_FOLDERS:
            break
        parts = parts[1:]
    key = "/".join(parts)
    return KeyParts(key=key, split_key="/".join(split_part + parts), split=split)

"""Where the saves of a labelling tool are: `labels/<dataset>/<key hash>/<time>-<id>.json`, one small object a save.

A save is complete by existing. Of the saves in one folder the one with the largest name counts: the names hold the
store's time in microseconds, always beyond every name that was there before. Saves of one image are cumulative, so
that the newest alone says everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

ROOT = "labels"

MAGIC = "imagelake_labels"
"""The first member of a save; its value is the number of the schema."""

SCHEMA = 1

MOST_BYTES = 8 << 20
"""A larger save is neither written nor read."""

LAST_TIME = 10**20 - 1
"""The last time a name can hold, three million years from now."""

NAME = re.compile(r"\d{20}-[0-9a-f]{1,64}\.json", re.ASCII)
FOLDER = re.compile(r"[0-9a-f]{32}", re.ASCII)


def dataset_folder(dataset: str) -> str:
    """The folder of a dataset's saves."""
    return f"{ROOT}/{dataset}"


def folder_of(dataset: str, image_key: str) -> str:
    """The folder of an image's saves."""
    return f"{dataset_folder(dataset)}/{key_hash(image_key)}"


def key_hash(image_key: str) -> str:
    """What stands for an image key in a path: keys may be long, and hold what paths may not."""
    return hashlib.sha256(image_key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def save_name(time: int, random_id: str) -> str:
    """The name of a save made at that time, in microseconds since 1970."""
    return f"{time:020d}-{random_id}.json"


def time_of(name: str) -> int:
    """The time in a save's name."""
    return int(name[:20])


def by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """The names of saves by folder, oldest first; what is not named like a save in such a folder is left out.

    A path without a folder counts as well, under an empty folder: uploads lose the folder all their files lie in.
    """
    names_by_folder: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if NAME.fullmatch(name) and (not folder or FOLDER.fullmatch(folder.rpartition("/")[2])):
            names_by_folder.setdefault(folder, []).append(name)
    for names in names_by_folder.values():
        names.sort()
    return names_by_folder

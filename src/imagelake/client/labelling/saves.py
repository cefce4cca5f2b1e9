"""The saves of labels: read, and written so that of several on one state exactly one stands."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from imagelake.client.labelling.label_check import KINDS, Entry, Refusal, checked
from imagelake.errors import IntegrityError, LakeFormatError, NotFound, UsageError
from imagelake.storage import label_paths
from imagelake.storage.base import Storage

_MOST_KEPT = 20_000
_THREADS = 16
_PATIENCE = 0.5  # seconds that a later save has to withdraw before ours


@dataclass(frozen=True)
class Save:
    """One save: the image and the size it was labelled in, who and when, the kinds it replaces and their annotations.

    `carried` are the kinds it took over from the waiting save before it.
    """

    image_key: str
    width: int
    height: int
    by: str
    at: str
    base: str
    kinds: tuple[str, ...]
    entries: tuple[Entry, ...]
    carried: tuple[str, ...] = ()

    def fits(self, width: int, height: int) -> bool:
        """Whether it was made for an image of this size: the build refuses it otherwise."""
        return (self.width, self.height) == (width, height)

    def to_bytes(self) -> bytes:
        """The save as it is kept. UsageError when that is too large."""
        document = {
            label_paths.MAGIC: label_paths.SCHEMA,
            "image_key": self.image_key,
            "width": self.width,
            "height": self.height,
            "by": self.by,
            "base": self.base,
            "at": self.at,
            "kinds": list(self.kinds),
            "carried": list(self.carried),
            "annotations": list(self.entries),
        }
        data = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        if len(data) > label_paths.MOST_BYTES:
            raise UsageError(f"labels of {len(data)} bytes; up to {label_paths.MOST_BYTES} are kept for one image")
        return data


@dataclass(frozen=True)
class Folder:
    """The saves of an image as they are now: their names, oldest first, and the store's time in microseconds."""

    path: str
    names: tuple[str, ...]
    now: int

    @property
    def at(self) -> str:
        """That time as ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.now / 1e6, timezone.utc).isoformat()

    def next_time(self) -> int:
        """A time for the next save: now, and beyond every save that is there."""
        return max(self.now, label_paths.time_of(self.names[-1]) + 1) if self.names else self.now


class Saves:
    """The saves of a lake. None of them ever changes, so each is read once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._read: dict[str, Save | None] = {}

    def waiting(self, dataset: str) -> dict[str, Folder]:
        """The waiting saves of a dataset by folder, with one listing."""
        stats, now = self._storage.list_with_time(label_paths.dataset_folder(dataset))
        grouped = label_paths.by_folder(stat.path for stat in stats)
        return {path: Folder(path, tuple(names), now) for path, names in grouped.items()}

    def folder(self, path: str) -> Folder:
        """The waiting saves of one image."""
        stats, now = self._storage.list_with_time(path)
        return Folder(path, tuple(label_paths.by_folder(stat.path for stat in stats).get(path, ())), now)

    def newest(self, folders: Iterable[Folder]) -> dict[str, Save]:
        """The save of each folder that counts, by folder; those not seen before are read at the same time."""
        occupied = [folder for folder in folders if folder.names]
        fresh = [f for f in occupied if f"{f.path}/{f.names[-1]}" not in self._read]
        if len(fresh) > 1:
            with ThreadPoolExecutor(min(_THREADS, len(fresh))) as pool:
                list(pool.map(self._newest, fresh))
        saves = ((folder.path, self._newest(folder)) for folder in occupied)
        return {path: save for path, save in saves if save is not None}

    def put(self, folder: Folder, save: Save, name: str) -> bool:
        """Write a save beside those of `folder`. False, and nothing is left, when another came between.

        Whoever lists the folder after writing sees every save that was complete before: so of two that were made on
        one state, at least one sees the other. The later one gives way at once, the earlier one waits for that; it
        gives way too when the later one stays, because that one may have been finished before ours began.
        """
        path = f"{folder.path}/{name}"
        self._storage.put(path, save.to_bytes())
        if self._stands(folder, name):
            self._read[path] = save
            return True
        self._storage.delete(path)
        return False

    def _stands(self, before: Folder, name: str) -> bool:
        patience = time.monotonic() + _PATIENCE
        while others := set(self.folder(before.path).names) - {name, *before.names}:
            if min(others) < name or time.monotonic() > patience:
                return False
            pause(0)
        return True

    def _newest(self, folder: Folder) -> Save | None:
        """The newest save that is still there; None when there is none, or nobody can read it."""
        for name in reversed(folder.names):
            path = f"{folder.path}/{name}"
            if path in self._read:
                return self._read[path]
            try:
                data = self._storage.read(path)
            except NotFound:
                continue  # withdrawn, or taken by an ingest since the listing
            if len(self._read) >= _MOST_KEPT:
                self._read.clear()
            self._read[path] = save = decode(data, path)
            return save
        return None


def pause(attempt: int) -> None:
    """Give others a moment, longer after every attempt."""
    time.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311


def new_name(folder: Folder) -> str:
    """A name for the next save of a folder, which nobody else chooses."""
    time = folder.next_time()
    if time > label_paths.LAST_TIME:
        newest = f"{folder.path}/{folder.names[-1]}"
        raise IntegrityError(f"{newest} is of a time after which there is no other", hint="no tool of ours wrote it")
    return label_paths.save_name(time, secrets.token_hex(8))


def decode(data: bytes, path: str) -> Save | None:
    """The save in these bytes; None when they are none. Annotations the build would not take are left out.

    LakeFormatError for a save of a newer imagelake: what it replaces is unknown.
    """
    if len(data) > label_paths.MOST_BYTES:
        return None
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or type(document.get(label_paths.MAGIC)) is not int:
            return None
        if document[label_paths.MAGIC] > label_paths.SCHEMA:
            raise LakeFormatError(f"{path} was written by a newer imagelake", hint="install a newer imagelake")
        save = _save(document)
    except (ValueError, RecursionError, KeyError, TypeError, OverflowError):
        return None
    return save if label_paths.key_hash(save.image_key) == path.split("/")[-2] else None


def _save(document: Mapping[str, Any]) -> Save:
    """The save in a document; any error of Python when it is not built as one."""
    kinds = tuple(sorted(set(document["kinds"])))
    size = document["width"], document["height"]
    if not kinds or not set(kinds) <= set(KINDS) or not all(type(side) is int and side > 0 for side in size):
        raise ValueError("not built as a save")
    entries = tuple(entry for entry in (_entry(e, size, kinds) for e in document["annotations"]) if entry is not None)
    key, by, at, base = (str(document[name]) for name in ("image_key", "by", "at", "base"))
    return Save(key, *size, by, at, base, kinds, entries)


def _entry(value: Any, size: tuple[int, int], kinds: tuple[str, ...]) -> Entry | None:
    try:
        return checked(value, size, kinds)
    except Refusal:
        return None

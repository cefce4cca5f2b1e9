"""`get REF DEST`: a folder that is there whole or not at all.

It is made beside its place under a name that comes from what it will hold, so that the same command takes up what an
interrupted one left; its record is written last, then the folder is renamed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from imagelake.errors import Conflict, ImagelakeError, UsageError
from imagelake.exports.base import ExportContent, Format
from imagelake.exports.folder import ExportFolder, Progress
from imagelake.storage.base import TEMP_PREFIX

RECORD = "export.imagelake"
"""The file in an exported folder that says what it holds: a name that no reader of a format takes for its own."""

_LAYOUT = 1
"""Rises when a format writes other files than before: a folder of an older program is then not taken for the same."""


@dataclass(frozen=True)
class Exported:
    """A folder and what it holds.

    `is_new` is False when it was there already. `losses` count what the format cannot hold, `unlabelled` the images
    left out because nobody labelled them.
    """

    ref: str
    format: str
    folder: str
    images: int
    annotations: int
    unlabelled: int
    losses: Mapping[str, int]
    notes: tuple[str, ...]
    is_new: bool = True

    def as_json(self) -> dict[str, Any]:
        """{"ref", "format", "folder", "images", "annotations", "unlabelled", "losses", "notes", "is_new"}."""
        return {
            "ref": self.ref,
            "format": self.format,
            "folder": self.folder,
            "images": self.images,
            "annotations": self.annotations,
            "unlabelled": self.unlabelled,
            "losses": dict(self.losses),
            "notes": list(self.notes),
            "is_new": self.is_new,
        }


def export(content: ExportContent, layout: Format, target: Path, progress: Progress) -> Exported:
    """Lay a selection out in a new folder; nothing happens when the folder holds it already.

    UsageError when the folder holds something else, Conflict while another process is making it.
    """
    target = target.expanduser().absolute()
    identity = _identity(content, layout)
    record = _record_of(target)
    if record is not None and record.get("identity") == identity:
        return _exported(record, target, is_new=False)
    _check_free(target)
    with _folder_beside(target, identity) as root:
        folder = ExportFolder(root, progress)
        layout.write(content, folder)
        record = {"identity": identity, "record": _LAYOUT, **_summary(content, layout, folder)}
        folder.write(RECORD, (json.dumps(record, indent=2, ensure_ascii=True) + "\n").encode())
        _sync(root)
        _rename(root, target)
    return _exported(record, target, is_new=True)


def _identity(content: ExportContent, layout: Format) -> str:
    """What makes two exports the same: the samples, which a version's digest names, the format, its options and layout.

    A draft has no digest: its row hashes stand for it.
    """
    parts = [content.ref, layout.name, str(_LAYOUT), json.dumps(content.about.title), json.dumps(content.about.licence)]
    parts += _options(layout)
    if content.samples.whole is not None:
        samples = content.samples
        parts += [str(samples.rows.to_pylist()), str(samples.boxes.rows.to_pylist()), str(content.categories)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _options(layout: Format) -> list[str]:
    """What a format was made with: one that has options is a dataclass of them."""
    if not is_dataclass(layout):
        return []
    return [f"{field.name}={getattr(layout, field.name)!r}" for field in fields(layout)]


def _summary(content: ExportContent, layout: Format, folder: ExportFolder) -> dict[str, Any]:
    samples = content.samples
    left_out = 0 if layout.has_unlabelled else samples.unlabelled
    return {
        "ref": content.ref,
        "format": layout.name,
        "images": len(samples),
        "annotations": samples.boxes.rows.num_rows,
        "unlabelled": left_out,
        "losses": dict(sorted(folder.losses.items())),
        "notes": folder.notes,
    }


def _exported(record: Mapping[str, Any], target: Path, is_new: bool) -> Exported:
    return Exported(
        ref=record["ref"],
        format=record["format"],
        folder=str(target),
        images=record["images"],
        annotations=record["annotations"],
        unlabelled=record["unlabelled"],
        losses=record["losses"],
        notes=tuple(record["notes"]),
        is_new=is_new,
    )


def _record_of(target: Path) -> dict[str, Any] | None:
    """The record of an exported folder; None when it has none, or another program's file has its name."""
    try:
        record = json.loads((target / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("record") == _LAYOUT else None


def _check_free(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"{target} is not a folder", hint="name a new folder")
    if target.is_dir() and any(target.iterdir()):
        what = "another export" if (target / RECORD).exists() else "files"
        raise UsageError(f"{target} holds {what}", hint="name a new folder, or remove this one")


@contextmanager
def _folder_beside(target: Path, identity: str) -> Iterator[Path]:
    """The folder to fill, this process' alone for as long as the block runs. It stays when the block fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    root = target.with_name(f"{TEMP_PREFIX}{identity[:16]}-{target.name}"[:200])
    lock = root.with_name(f"{root.name}.lock"[:250])
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        root.mkdir(exist_ok=True)
        yield root
        lock.unlink(missing_ok=True)
    except BlockingIOError:
        raise Conflict(f"another process is writing {target}", hint="wait for it, or name another folder") from None
    finally:
        os.close(descriptor)


def _sync(root: Path) -> None:
    """Make every file survive a power cut before the folder gets its name."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.sync()
    finally:
        os.close(descriptor)


def _rename(root: Path, target: Path) -> None:
    try:
        root.rename(target)  # over an empty folder too
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise ImagelakeError(f"{target} cannot be written: {error.strerror}") from None
        raise Conflict(f"{target} was filled by somebody else meanwhile", hint="name a new folder") from None

"""The mark that makes a place a lake: `imagelake.json` {format, lake_id, created, needs}."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from imagelake.core.upload_paths import is_junk
from imagelake.errors import ConfigError, IntegrityError, LakeFormatError, NotFound
from imagelake.storage import open_storage
from imagelake.storage.base import Storage

if TYPE_CHECKING:
    from imagelake.config.settings import S3Settings

MARKER = "imagelake.json"
LAKE_FORMAT = 1
NEEDS = "0.1.0"
"""The first imagelake that reads LAKE_FORMAT; written into the mark, so that older programs can name it."""

_UNREADABLE = "%[]\\*"

_USER_FOLDERS = ("landing", "datasets")


@dataclass(frozen=True)
class Lake:
    """A marked root: its storage, its id (32 hex digits), its format, when it was created (ISO 8601)."""

    storage: Storage
    lake_id: str
    format: int
    created: str


def open_lake(uri: str, s3: S3Settings | None = None) -> Lake:
    """The lake at a root. NotFound when there is none, LakeFormatError when it is too new for this program."""
    storage = open_storage(uri, s3)
    try:
        mark = storage.read(MARKER)
    except NotFound:
        raise NotFound(
            f"there is no lake at {storage.root}",
            hint="ingest or run an upload with --lake to create one, or name the right root with --lake",
        ) from None
    return _parse(storage, mark)


def create_lake(uri: str, clock: Callable[[], datetime], s3: S3Settings | None = None) -> Lake:
    """A new lake at an empty root, or the one that is there: several processes may create it at once.

    Uploads dropped under landing/ and settings under datasets/ may be there before the lake is. ConfigError names
    anything else that is.
    """
    storage = open_storage(uri, s3)
    if storage.stat(MARKER) is not None:
        return open_lake(uri, s3)
    _check_root(storage)
    other = stranger(storage)
    if other is not None and storage.stat(MARKER) is None:
        raise ConfigError(
            f"{storage.root} is not empty and not a lake: it holds {other}",
            hint="name an empty or absent folder with --lake",
        )
    storage.check_writers()
    mark = {"format": LAKE_FORMAT, "lake_id": uuid.uuid4().hex, "created": clock().isoformat(), "needs": NEEDS}
    if storage.put(MARKER, json.dumps(mark, indent=1).encode() + b"\n", if_absent=True):
        storage.flush()
    return open_lake(uri, s3)


def _check_root(storage: Storage) -> None:
    """Readers of Delta tables take some characters of a path for patterns or escapes: no lake is made there."""
    root = unquote(storage.root) if storage.root.startswith("file:") else storage.root
    odd = sorted(set(root) & set(_UNREADABLE))
    if odd:
        raise ConfigError(
            f"{root} holds {' '.join(odd)}, which not every reader of Delta tables can open",
            hint="name a folder without % [ ] \\ and * with --lake",
        )


def stranger(storage: Storage) -> str | None:
    """A file that keeps a lake from being created here; None when nothing does."""
    return next((s.path for s in storage.list() if not _may_precede(s.path)), None)


def _may_precede(path: str) -> bool:
    return path == MARKER or path.partition("/")[0] in _USER_FOLDERS or is_junk(path)


def _parse(storage: Storage, mark: bytes) -> Lake:
    where = storage.uri(MARKER)
    try:
        data: Any = json.loads(mark)
        number = data["format"]
        lake = Lake(storage, str(data["lake_id"]), int(number), str(data["created"]))
    except (ValueError, KeyError, TypeError):
        raise IntegrityError(
            f"{where} is damaged: it must be JSON with format, lake_id and created",
            hint="restore it from a backup or from a copy of the lake",
        ) from None
    if lake.format > LAKE_FORMAT:
        needs = data.get("needs")
        version = f"imagelake {needs} or newer" if needs else f"an imagelake that reads lake format {lake.format}"
        raise LakeFormatError(
            f"{where}: lake format {lake.format} is newer than {LAKE_FORMAT}, the newest this imagelake reads",
            hint=f"install {version}",
        )
    return lake

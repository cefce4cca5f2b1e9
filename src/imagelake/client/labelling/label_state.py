"""Which images a reference names, with their labels: what was made of the tables, and the saves that wait."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS, LOGS
from imagelake.client.labelling.label_index import Index
from imagelake.client.labelling.saves import Folder, Save
from imagelake.client.labelling.warm import Look, Warm
from imagelake.client.refs import Ref
from imagelake.client.sql_text import Row
from imagelake.storage.label_paths import folder_of
from imagelake.tables import gold, silver

_DRAFT = (*DRAFTS.values(), gold.VERSIONS, gold.SPLIT_LOG)
_VERSION = (gold.VERSIONS, *LOGS.values(), gold.CLOSINGS)


def index_of(warm: Warm, ref: Ref) -> Index | None:
    """The images of a version or draft as they are now; None for a draft that is empty."""
    if ref.is_draft and ref.digest is None:
        index = warm.piece(f"{ref.dataset}@draft", _DRAFT, ref.dataset, lambda look: _draft_index(look, ref.dataset))
    else:
        target = warm.piece(f"{ref.dataset} versions", (gold.VERSIONS, gold.ALIASES), ref.dataset, _Refs).target(ref)
        index = warm.piece(target.name, _VERSION, target.dataset, lambda look: Index(look, target))
    if index is None:
        catalog.require_dataset(Tables(warm.storage), ref.dataset)
    return index


def newest_saves(warm: Warm, dataset: str, rows: Sequence[Row], folders: Mapping[str, Folder]) -> dict[str, Save]:
    """By image key the save that counts, for those of the images that have one the build will take."""
    own = {folder_of(dataset, row["image_key"]): row for row in rows} if folders else {}
    newest = warm.saves.newest(folders[path] for path in own if path in folders)
    fitting = {path: save for path, save in newest.items() if save.fits(own[path]["width"], own[path]["height"])}
    return {own[path]["image_key"]: save for path, save in fitting.items()}


class _Refs:
    """What references of one dataset name, as long as nothing is published."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._targets: dict[str, Target] = {}

    def target(self, ref: Ref) -> Target:
        with self._lock:
            resolved = self._targets.get(str(ref))
            if resolved is None:
                resolved = catalog.resolve(self._look, ref)
                catalog.require_readable(resolved)
                self._targets[str(ref)] = resolved
            return resolved


def _draft_index(look: Look, dataset: str) -> Index | None:
    if not look.files(silver.IMAGES, dataset):
        return None
    return Index(look, Target(dataset, None, catalog.history(look, dataset)))

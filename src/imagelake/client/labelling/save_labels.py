"""Saving labels from a labelling tool: one small object a save, refused when somebody else was faster.

A save waits under labels/ until the next ingest folds it into the draft. Until then pages show it already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagelake.client.data.sample import Annotation
from imagelake.client.delta.tables import Tables
from imagelake.client.labelling import label_rows, saves
from imagelake.client.labelling.label_check import KINDS, Entry, Refusal, checked, text
from imagelake.client.labelling.label_state import index_of, newest_saves
from imagelake.client.labelling.saves import Folder, Save
from imagelake.client.labelling.warm import Warm
from imagelake.client.refs import Ref
from imagelake.client.sql_text import Row
from imagelake.errors import Conflict, NotFound, UsageError
from imagelake.storage.label_paths import folder_of
from imagelake.tables import bronze

_MOST_ANNOTATIONS = 10_000
_TRIES = 5


@dataclass(frozen=True)
class Labels:
    """What a tool sends: an image's annotations of these kinds, by whom, and the etag of the labels they came from."""

    annotations: Sequence[Annotation | Mapping[str, Any]]
    by: str
    base: str
    kinds: Sequence[str] = ("box",)


@dataclass(frozen=True)
class _State:
    """An image as it is now: its row, its effective labels, its waiting saves, and the one of them that counts."""

    row: Row
    rows: list[Row]
    labelled: tuple[str, ...]
    folder: Folder
    save: Save | None

    @property
    def size(self) -> tuple[int, int]:
        """Raw width and height."""
        return self.row["width"], self.row["height"]

    @property
    def etag(self) -> str:
        """That of the labels."""
        return label_rows.etag_of(self.rows, self.labelled)


def save(warm: Warm, ref: Ref, key: str, labels: Labels) -> str:
    """Keep the labels of an image of the draft; the etag they have now. Conflict when their base is outdated."""
    if not ref.is_draft:
        raise UsageError(f"{ref} takes no labels", hint=f"only a draft does: {ref.dataset}@draft")
    kinds = _kinds(labels.kinds)
    by, base = _text(labels.by, "by"), _text(labels.base, "base")
    for attempt in range(_TRIES):
        state = _state(warm, ref, key)
        entries = _checked(labels.annotations, state.size, kinds)
        if state.etag != base:
            raise _conflict(warm, ref, key, state)
        name = saves.new_name(state.folder)
        width, height = state.size
        fresh = Save(key, width, height, by, state.folder.at, base, kinds, entries)
        fresh = _cumulative(fresh, state.save)
        if warm.saves.put(state.folder, fresh, name):
            return label_rows.etag_of(*label_rows.effective(state.rows, state.labelled, fresh))
        saves.pause(attempt)
    raise Conflict(f"others are saving labels of {key} at this moment", hint="get the image again, and save anew")


def _state(warm: Warm, ref: Ref, key: str) -> _State:
    folder = warm.saves.folder(folder_of(ref.dataset, key))  # before the tables: see label_pages.page
    index = index_of(warm, ref)
    row = None if index is None else index.image(key)
    if index is None or row is None:
        raise NotFound(
            f"{ref.dataset}@draft has no image {key!r}", hint="an image takes labels once it is in the draft"
        )
    saved = newest_saves(warm, ref.dataset, [row], {folder.path: folder}).get(key)
    rows, labelled = label_rows.effective(index.annotations([key])[key], row["labelled"] or (), saved)
    return _State(row, rows, labelled, folder, saved)


def _cumulative(fresh: Save, before: Save | None) -> Save:
    """The save with the other kinds of the waiting one before it: of several in a folder only the newest is built."""
    carried = tuple(kind for kind in before.kinds if kind not in fresh.kinds) if before else ()
    if before is None or not carried:
        return fresh
    entries = tuple(entry for entry in before.entries if entry["kind"] in carried)
    kinds = tuple(sorted((*fresh.kinds, *carried)))
    return replace(fresh, kinds=kinds, entries=(*fresh.entries, *entries), carried=carried)


def _kinds(requested: Sequence[str]) -> tuple[str, ...]:
    kinds = (requested,) if isinstance(requested, str) else tuple(requested)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise UsageError(f"kinds {', '.join(map(repr, unknown)) or 'are empty'}", hint=f"known: {', '.join(KINDS)}")
    return tuple(sorted(set(kinds)))


def _checked(
    annotations: Sequence[Annotation | Mapping[str, Any]], size: tuple[int, int], kinds: Sequence[str]
) -> tuple[Entry, ...]:
    if len(annotations) > _MOST_ANNOTATIONS:
        raise UsageError(f"{len(annotations)} annotations; up to {_MOST_ANNOTATIONS} are kept for one image")
    entries = []
    for place, annotation in enumerate(annotations):
        try:
            entries.append(checked(annotation, size, kinds))
        except Refusal as error:
            raise UsageError(f"annotations[{place}]: {error}") from None
    return tuple(entries)


def _text(value: str, name: str) -> str:
    try:
        return text(value, name)
    except Refusal as error:
        raise UsageError(str(error)) from None


def _conflict(warm: Warm, ref: Ref, key: str, state: _State) -> Conflict:
    """Says who changed the labels last: a save that waits, or the delivery that brought them into the draft."""
    who = f"{state.save.by} saved them at {state.save.at}" if state.save else _delivery(warm, ref, state)
    return Conflict(
        f"the labels of {key} have changed: {who}", hint="get the image again, and save on the etag it has now"
    )


def _delivery(warm: Warm, ref: Ref, state: _State) -> str:
    number = max(row["delivery"] or 0 for row in (state.row, *state.rows))
    newest = f'WHERE sequence = {number} ORDER BY "at" DESC LIMIT 1'
    for row in Tables(warm.storage).rows(bronze.UPLOADS, ("sequence", "note", "at"), ref.dataset, newest):
        note = f" ({row['note']})" if row["note"] else ""
        return f"delivery {number}{note} brought them at {row['at'].isoformat()}"
    return f"delivery {number} brought them"

"""What a dataset's earlier uploads say of a new one: the same again, and whether anything has happened since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from imagelake.bronze import locations
from imagelake.bronze.request import IngestRequest
from imagelake.bronze.upload_outcome import Prepared
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.formats import reader
from imagelake.quality.rules import RULES_VERSION
from imagelake.runs.context import Context, Counts, RunReport
from imagelake.tables import bronze, upload_rows
from imagelake.tables.upload_rows import DONE, LANDED

_BLANK: dict[str, Any] = dict.fromkeys(bronze.UPLOADS.names)
_SEEN = (LANDED, "failed", *DONE)
"""States of an upload whose bytes bronze has: it need not be read again. Rejected ones are always tried anew."""

Row = Mapping[str, Any]


@dataclass
class Past:
    """The earlier uploads of a dataset, those of the same batch last.

    `resumable` are sequences that wait for a build since an earlier run: that run was cut short, and this one goes
    on with it. `blobs` are the rows of bronze.blobs that the batch is about to add.
    """

    rows: list[Row]
    resumable: set[int]
    blobs: list[pa.Table] = field(default_factory=list)

    @classmethod
    def of(cls, ctx: Context, dataset: str) -> Past:
        """As the tables have it now."""
        rows: list[Row] = list(upload_rows.newest(ctx.tables, dataset))
        return cls(rows, {row["sequence"] for row in rows if row["state"] == LANDED})

    def add(self, row: Row) -> None:
        """An upload of the same batch, which will come right after the others."""
        last = self.rows[-1]["sequence"] if self.rows else 0
        self.rows.append({**_BLANK, **row, "sequence": last + 1})

    def find(self, request: IngestRequest, **columns: str | None) -> Row | None:
        """The newest upload of that mode and format with these columns; one to resume before all others."""
        same = [row for row in self.rows if _is_same(row, request, columns)]
        waiting = [row for row in same if row["sequence"] in self.resumable]
        return waiting[0] if waiting else same[-1] if same else None

    def answer(
        self, ctx: Context, request: IngestRequest, earlier: Row, origin: Mapping[str, str | None]
    ) -> RunReport | Prepared:
        """The upload again, from `origin`: resumed, unchanged, or delivered for a build to decide.

        It is unchanged where nothing has happened since. No byte of it is read again. With --again it is applied over
        what newer uploads put under its keys.
        """
        seen = {**earlier, **origin}
        browse = load_dataset_settings(ctx.storage, request.dataset).browse
        objects = locations.make_objects_again(ctx, request.dataset, seen["attempt_id"]) if browse else None
        if seen["sequence"] in self.resumable and not request.again:
            self.resumable.discard(seen["sequence"])
            return replace(_resumed(seen), objects=objects)
        if self._is_done(request, seen):
            return replace(_done(seen), objects=objects)
        if not request.again and self._is_current(ctx, seen):
            return replace(report_unchanged(seen), objects=objects)
        mode = "update" if request.again and request.mode == "append" else request.mode
        asked = {"mode": mode, "note": request.note, "again": request.again, "dropped_at": request.dropped_at}
        blank = ("supersedes", "confirms", "settings", "problem", "problem_rule", "images", "annotations", "rejections")
        return Prepared({**seen, **dict.fromkeys(blank), **asked, "state": LANDED}, objects=objects)

    def _is_done(self, request: IngestRequest, seen: Row) -> bool:
        """Whether a run that was cut short has built what this marker stands for, and only not moved it away."""
        there = [row["sequence"] for row in self.rows if row["source"] == seen["source"]]
        newest = bool(there) and there[-1] == seen["sequence"] and seen["state"] in DONE
        return newest and request.dropped_at is not None and bool(seen["dropped_at"] == request.dropped_at)

    def _is_current(self, ctx: Context, seen: Row) -> bool:
        """Whether the draft is what this upload left: nothing was built since, and rules and reader are the same."""
        since = [row for row in self.rows if row["sequence"] > seen["sequence"] and row["state"] in (LANDED, "built")]
        return seen["state"] in DONE and not since and build_conditions(ctx, seen) == stored_conditions(seen)


def build_conditions(ctx: Context, row: Row) -> tuple[Any, ...]:
    """What a build of the upload would depend on beside the draft: settings, versions of rules and reader."""
    settings = load_dataset_settings(ctx.storage, row["dataset"]).model_dump_json()
    return settings, RULES_VERSION, reader(row["format"]).version


def stored_conditions(row: Row) -> tuple[Any, ...]:
    """The same as they were when the upload was built; nulls in rows of older programs."""
    return row["settings"], row["rules_version"], row["reader_version"]


def report_unchanged(row: Row) -> RunReport:
    """The report of an upload that changes nothing, with the counts it had."""
    files, images, annotations = (_counts(row[entity]).as_unchanged() for entity in ("files", "images", "annotations"))
    report = replace(_report(row, "unchanged"), files=files, images=images, annotations=annotations)
    return replace(report, warnings=json.loads(row["warnings"] or "{}"))


def _is_same(row: Row, request: IngestRequest, columns: Mapping[str, str | None]) -> bool:
    fits = all(row[name] == value for name, value in columns.items())
    return (
        fits
        and upload_rows.covers(row["mode"], request.mode)
        and row["state"] in _SEEN
        and row["requested_format"] == request.format
    )


def _resumed(row: Row) -> RunReport:
    return replace(_report(row, LANDED), files=_counts(row["files"]))


def _done(row: Row) -> RunReport:
    """What became of an upload in the run that built it."""
    files, images, annotations = (Counts(**row[entity]) for entity in ("files", "images", "annotations"))
    status = "accepted" if row["state"] == "built" else row["state"]
    report = replace(_report(row, status), files=files, images=images, annotations=annotations)
    return replace(report, rejections=row["rejections"] or 0, warnings=json.loads(row["warnings"] or "{}"))


def _report(row: Row, status: str) -> RunReport:
    return RunReport(
        row["dataset"],
        status,
        upload_id=row["upload_id"],
        format=row["format"],
        mode=row["mode"],
        sequence=row["sequence"],
    )


def _counts(stored: Mapping[str, int] | None) -> Counts:
    return Counts(**stored) if stored else Counts()

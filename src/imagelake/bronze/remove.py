"""remove: take images out of the draft, as a delivery of its own."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

from pyspark.sql import functions as F

from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import NotFound
from imagelake.runs.context import Context, Counts, RunReport
from imagelake.tables import bronze, silver, upload_rows

_MOST_NAMED = 10


def run(
    ctx: Context, dataset: str, image_keys: Collection[str], note: str | None = None, *, ignore_missing: bool = False
) -> RunReport:
    """Under the dataset's lease, land the removal of these images; `unchanged` when none is left to remove.

    NotFound names the keys that the draft does not have; with `ignore_missing` they are skipped, and counted by the
    warning `remove.missing`.
    """
    check_dataset_id(dataset)
    present = _in_draft(ctx, dataset, image_keys)
    missing = sorted(set(image_keys) - set(present))
    if missing and not ignore_missing:
        raise NotFound(
            f"{_share(missing, image_keys)} not in the draft of {dataset}: {_named(missing)}",
            hint=f"imagelake show {dataset}@draft; or skip them with --ignore-missing",
        )
    report = RunReport(dataset, "unchanged", mode="remove")
    if missing:
        notice = f"{_share(missing, image_keys)} not in the draft and were skipped"
        report = replace(report, notices=(notice,), warnings={"remove.missing": len(missing)})
    if not present:
        notices = (*report.notices, "no image of the draft is selected: nothing is removed")
        return replace(report, notices=notices)
    row = _deliver(ctx, dataset, present, note)
    return replace(
        report, status="landed", upload_id=row["upload_id"], files=Counts(**row["files"]), sequence=row["sequence"]
    )


def _in_draft(ctx: Context, dataset: str, image_keys: Collection[str]) -> list[str]:
    """Those of the keys that the draft has, sorted."""
    if not image_keys:
        return []
    keys = ctx.spark.createDataFrame([(key,) for key in image_keys], "image_key string").distinct()
    draft = ctx.tables.read(silver.IMAGES, dataset).select("image_key")
    return sorted(row["image_key"] for row in draft.join(F.broadcast(keys), "image_key").collect())


def _deliver(ctx: Context, dataset: str, image_keys: Sequence[str], note: str | None) -> dict[str, Any]:
    """The removal of these keys as a delivery, as it was written."""
    attempt_id = uuid.uuid4().hex
    base = {"dataset": dataset, "attempt_id": attempt_id, "role": "removed"}
    ctx.reached("remove:files")
    ctx.tables.append_rows(bronze.FILES, [{**base, "path": key} for key in image_keys])
    ctx.reached("remove:upload")
    delivery = {
        "dataset": dataset,
        "upload_id": hashlib.sha256("\n".join(["remove", attempt_id, *image_keys]).encode()).hexdigest(),
        "state": "landed",
        "attempt_id": attempt_id,
        "mode": "remove",
        "detection": json.dumps({}),
        "source": "remove",
        "files": asdict(Counts(read=1, accepted=1)),
        "note": note,
    }
    (row,) = upload_rows.deliver(ctx, [delivery])
    return row


def _share(missing: Sequence[str], image_keys: Collection[str]) -> str:
    total = len(set(image_keys))
    return f"{len(missing):,} of {total:,} {'key is' if len(missing) == 1 == total else 'keys are'}"


def _named(keys: Sequence[str]) -> str:
    """Up to ten of the keys, and how many more there are."""
    named = ", ".join(repr(key) for key in keys[:_MOST_NAMED])
    return f"{named} and {len(keys) - _MOST_NAMED:,} more" if len(keys) > _MOST_NAMED else named

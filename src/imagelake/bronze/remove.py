"""remove: take images out of the draft, as a delivery of its own."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict

from pyspark.sql import functions as F

from imagelake.context import Context, Counts, RunReport
from imagelake.keys import check_dataset_id
from imagelake.tables import bronze, deliveries, silver
from imagelake.writer import writing


def run(ctx: Context, dataset: str, image_keys: Sequence[str], note: str | None = None) -> RunReport:
    """Land the removal of these images; keys the draft does not have are left out, and none at all is `unchanged`."""
    check_dataset_id(dataset)
    with writing(ctx, dataset):
        wanted = ctx.spark.createDataFrame([(key,) for key in image_keys], "image_key string")
        draft = ctx.tables.read(silver.IMAGES, dataset).select("image_key")
        keys = sorted(row["image_key"] for row in draft.join(F.broadcast(wanted.distinct()), "image_key").collect())
        if not keys:
            return RunReport(dataset, "unchanged", mode="remove")
        attempt_id = uuid.uuid4().hex
        base = {"dataset": dataset, "attempt_id": attempt_id, "role": "removed"}
        ctx.reached("remove:files")
        ctx.tables.append(bronze.FILES, ctx.tables.frame(bronze.FILES, [{**base, "path": key} for key in keys]))
        ctx.reached("remove:upload")
        delivery = {
            "dataset": dataset,
            "upload_id": hashlib.sha256("\n".join(["remove", attempt_id, *keys]).encode()).hexdigest(),
            "state": "landed",
            "attempt_id": attempt_id,
            "mode": "remove",
            "detection": json.dumps({}),
            "source": "remove",
            "files": asdict(Counts(read=1, accepted=1)),
            "note": note,
        }
        (row,) = deliveries.deliver(ctx, [delivery])
    return RunReport(
        dataset,
        "landed",
        upload_id=row["upload_id"],
        mode="remove",
        files=Counts(read=1, accepted=1),
        sequence=row["sequence"],
    )

"""Work on many rows, which Spark does, and work on few, which this process does, write the same versions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.spark import helpers
from tests.spark.drafts import coco, open_rules

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.gold.drafts import changed, draft, whole_draft
from imagelake.runs import pipeline
from imagelake.silver import draft_source
from imagelake.silver.upload import silver_upload
from imagelake.tables import gold
from imagelake.tables.delta import store

PICTURES = {f"{name}.jpg": helpers.picture(seed) for seed, name in enumerate("abcd")}
UPLOADS = (
    ({**PICTURES, "labels.json": coco({"a.jpg": [5, 20], "b.jpg": [6, -1], "c.jpg": None, "none.jpg": [3]})}, "append"),
    ({"b.jpg": helpers.picture(9), "e.jpg": PICTURES["a.jpg"], "labels.json": coco({"b.jpg": [7]})}, "update"),
    ({"labels.json": coco({"a.jpg": [20], "e.jpg": [4]}, category="dog")}, "append"),
    ({**PICTURES, "labels.json": coco({"a.jpg": [5], "d.jpg": [8]})}, "replace"),
)


def versions(spark, folder, name, uploads) -> list[tuple[Any, ...]]:
    """Digest, changes, statistics and verdict of each version, and what is refused in the end."""
    ctx = helpers.context(spark, folder / name)
    for number, (files, mode) in enumerate(uploads):
        path = helpers.write_zip(folder / f"{number}.zip", files)
        pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(path), mode=mode))
    lake = imagelake.open(ctx.settings.lake)
    rows = sorted(ctx.tables.collect(gold.VERSIONS, "pets"), key=lambda row: row["sequence"])
    assert [lake.verify(f"pets@v{row['number']}").problems for row in rows] == [()] * len(uploads)
    names = ("digest", "changes", "class_stats", "split_stats", "set_digests")
    of_versions = [(*(row[name] for name in names), json.loads(row["quality"])) for row in rows]
    return [*of_versions, (sorted(open_rules(ctx).items()),)]


@pytest.mark.parametrize("many", [2, pytest.param(len(UPLOADS), marks=pytest.mark.nightly)])
def test_spark_and_this_process_write_the_same_versions(spark, tmp_path, monkeypatch, many):
    few = versions(spark, tmp_path, "few", UPLOADS[:many])
    for module in (changed, draft_source, store, silver_upload):
        monkeypatch.setattr(module, "FEW_ROWS", -1)
    for module in (draft, draft_source):
        monkeypatch.setattr(module, "FEW_DRAFT_ROWS", -1)
    monkeypatch.setattr(whole_draft, "MANY_ROWS", -1)
    for one, other in zip(versions(spark, tmp_path, "many", UPLOADS[:many]), few, strict=True):
        assert one == other

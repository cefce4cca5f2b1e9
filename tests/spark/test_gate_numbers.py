"""The gate's numbers in ops.quality are those of an SQL that knows nothing of the program: DuckDB on the files."""

from __future__ import annotations

import duckdb
import pytest
from deltalake import DeltaTable
from tests.spark import handmade, helpers
from tests.spark.drafts import coco

from imagelake.runs import pipeline
from imagelake.tables import bronze, gold, ops, silver

SETTINGS = b"""
gate:
  min_images: 3
  max_new_classes: 5
  max_vanished_classes: 5
  rules:
    annotation.box_clipped: {max_count: 0, max_share: 0.9}
    annotation.box_degenerate: {max_count: 100}
    image.unlisted: {max_share: 0.01}
"""

NUMBERS = """
WITH open AS (SELECT * FROM rejections WHERE closed_at IS NULL),
    defects AS (SELECT * FROM open WHERE rule NOT IN ('image.file_missing', 'annotation.image_unknown')),
    flags AS (SELECT unnest(flags) AS rule FROM images UNION ALL SELECT unnest(flags) FROM annotations
        UNION ALL SELECT rule FROM open),
    n AS (SELECT
        (SELECT count(*) FROM images) AS images, (SELECT count(*) FROM annotations) AS annotations,
        (SELECT count(*) FROM open) AS rejected,
        (SELECT count(*) FROM defects WHERE entity = 'image') AS bad_images,
        (SELECT count(*) FROM defects WHERE entity = 'annotation') AS bad_annotations,
        (SELECT count(*) FROM images ANTI JOIN annotations USING (image_key)) AS bare),
    classes AS (SELECT DISTINCT category FROM annotations),
    parent AS (SELECT key AS category FROM versions, json_each(class_stats) WHERE number = 1
        AND (value ->> 'annotations')::INT > 0)
SELECT 'images', images FROM n
UNION ALL SELECT 'rejected_share', rejected / (images + annotations + rejected) FROM n
UNION ALL SELECT 'rejected_images_share', bad_images / (images + bad_images) FROM n
UNION ALL SELECT 'rejected_annotations_share', bad_annotations / (annotations + bad_annotations) FROM n
UNION ALL SELECT 'unannotated_images_share', bare / images FROM n
UNION ALL SELECT 'new_classes', count(*) FROM classes ANTI JOIN parent USING (category)
UNION ALL SELECT 'vanished_classes', count(*) FROM parent ANTI JOIN classes USING (category)
UNION ALL SELECT 'rule:annotation.box_clipped', count(*) FROM flags WHERE rule = 'annotation.box_clipped'
UNION ALL SELECT 'rule_share:annotation.box_clipped', (SELECT count(*) FROM flags WHERE rule = 'annotation.box_clipped')
    / (images + annotations + rejected) FROM n
UNION ALL SELECT 'rule:annotation.box_degenerate', count(*) FROM flags WHERE rule = 'annotation.box_degenerate'
UNION ALL SELECT 'rule_share:image.unlisted', (SELECT count(*) FROM flags WHERE rule = 'image.unlisted')
    / (images + annotations + rejected) FROM n
UNION ALL SELECT 'rejected_upload_share:' || u.upload_id,
    (SELECT count(*) FROM defects d WHERE d.upload_id = u.upload_id AND entity = 'annotation')
    / greatest(u.annotations.read, 1)
    FROM uploads u WHERE state = 'built' AND u.sequence > (SELECT max(last_sequence) FROM versions)
"""


def numbers(lake):
    con = duckdb.connect()
    for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.REJECTIONS, bronze.UPLOADS, gold.VERSIONS):
        files = [uri.removeprefix("file://") for uri in DeltaTable(str(lake / spec.path)).file_uris()]
        con.execute(f"CREATE TABLE {spec.name.partition('.')[2]} AS SELECT * FROM read_parquet({files!r})")
    return dict(con.execute(NUMBERS).fetchall())


@pytest.mark.nightly
def test_the_numbers_of_the_gate_are_those_of_an_independent_sql(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")

    def deliver(number, xs, category, pictures=(), **options):
        names = dict.fromkeys([*xs, *pictures])
        files = {name: helpers.picture(100 * number + n) for n, name in enumerate(names) if name != "missing.jpg"}
        files["labels.json"] = coco(xs, width=10, category=category)
        helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / f"{number}.zip", files), **options)

    deliver(1, {"a.jpg": [5, -5], "b.jpg": 60, "c.jpg": 1}, "cat")
    deliver(2, {"d.jpg": 2}, "cow")
    assert handmade.released(ctx, "pets", force=True, note="first").version == "pets@v1"
    ctx.storage.put("datasets/pets.yaml", SETTINGS)
    deliver(3, {"d.jpg": [3, -7]}, "dog", mode="update")
    deliver(4, {"e.jpg": [62, 4, -9], "f.jpg": None, "missing.jpg": [7, 8]}, "emu", ["g.jpg", "h.jpg"])
    files = {"x.jpg": b"no picture", "y.jpg": helpers.picture(900), "labels.json": coco({"y.jpg": [-1, -2]})}
    helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / "5.zip", files))
    verdict = pipeline.gate_draft(helpers.again(ctx), "pets")
    kept = [row for row in ctx.tables.collect(ops.QUALITY, "pets") if row["publish_id"] is None]
    measured = {row["measure"]: row["value"] for row in kept if row["setting"] and row["severity"] == "reject"}
    expected = numbers(tmp_path / "lake")
    assert measured == pytest.approx(expected, abs=1e-12)
    assert {row["verdict"] for row in kept} == {"refused"}
    assert verdict.word == "refused"
    assert [name for name, value in expected.items() if not value] == []

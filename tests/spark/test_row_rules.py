"""Rules on rows: what severities make of a broken one, and what no severity lets through."""

from __future__ import annotations

import random

from pyspark.sql import functions as F

from imagelake.boxes import clip
from imagelake.dataset_settings import DatasetSettings
from imagelake.quality.apply import REJECT, with_problems
from imagelake.quality.catalogue import RULES
from imagelake.quality.rules import ANNOTATION_RULES
from imagelake.quality.severities import severities

WIDTH, HEIGHT = 40, 30

ROW = (
    "n int, kind string, bbox struct<x:double,y:double,w:double,h:double>, width int, height int, unit boolean, "
    "polygons array<array<double>>, rle_size array<int>, area double, flags array<string>"
)


def overrides(**changes):
    return severities(DatasetSettings.model_validate({"severities": changes}))


def boxes():
    """Corners and sides around all edges of the image, and far beyond; every sign of a side."""
    chosen = random.Random(7)
    places = (-1e6, -500.0, -40.0, -10.0, -1e-9, 0.0, 0.5, 10.0, 29.9, 30.0, 39.999, 40.0, 45.0, 1e6)
    sides = (-1e6, -20.0, -1e-9, 0.0, 1e-9, 0.5, 10.0, 30.0, 40.0, 55.0, 1e6)
    return [tuple(chosen.choice(choices) for choices in (places, places, sides, sides)) for _ in range(3000)]


def test_no_severity_lets_a_box_through_that_is_cut_to_nothing_or_less(spark):
    uploaded = boxes()
    rows = [(n, "box", box, WIDTH, HEIGHT, False, None, None, None, []) for n, box in enumerate(uploaded)]
    lenient = overrides(**{rule.id: "off" for rule in RULES if "off" in rule.choices})
    frame = spark.createDataFrame(rows, ROW).withColumn(REJECT, F.lit(None).cast("struct<rule:string,message:string>"))
    judged = (
        with_problems(frame, ANNOTATION_RULES, lenient).select("n", F.col(f"{REJECT}.rule").alias("rule")).collect()
    )
    accepted = [row["n"] for row in judged if row["rule"] is None]
    assert len(accepted) > 200
    assert [uploaded[n] for n in accepted if min(clip(uploaded[n], WIDTH, HEIGHT)[2:]) <= 0] == []
    refused = {row["rule"] for row in judged if row["rule"] is not None}
    assert refused == {"annotation.box_degenerate", "annotation.box_outside"}

"""Rules on rows: what severities make of a broken one, and what no severity lets through."""

from __future__ import annotations

import random

from pyspark.sql import functions as F

from imagelake.boxes import clip
from imagelake.dataset_settings import DatasetSettings
from imagelake.quality.apply import REJECT, with_problems
from imagelake.quality.catalogue import RULES
from imagelake.quality.rules import ANNOTATION_RULES, IMAGE_RULES
from imagelake.quality.severities import severities

WIDTH, HEIGHT = 40, 30

PROBLEM = "struct<rule:string,message:string>"
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
    frame = spark.createDataFrame(rows, ROW).withColumn(REJECT, F.lit(None).cast(PROBLEM))
    judged = (
        with_problems(frame, ANNOTATION_RULES, lenient).select("n", F.col(f"{REJECT}.rule").alias("rule")).collect()
    )
    accepted = [row["n"] for row in judged if row["rule"] is None]
    assert len(accepted) > 200
    assert [uploaded[n] for n in accepted if min(clip(uploaded[n], WIDTH, HEIGHT)[2:]) <= 0] == []
    refused = {row["rule"] for row in judged if row["rule"] is not None}
    assert refused == {"annotation.box_degenerate", "annotation.box_outside"}


IMAGE = {
    "path": "a.jpg",
    "media_type": "image/jpeg",
    "width": 640,
    "height": 480,
    "mode": "RGB",
    "orientation": 1,
    "frames": 1,
    "bit_depth": 8,
    "brightness_p5": 0.1,
    "brightness_p99": 0.9,
    "contrast": 0.2,
    "entropy": 7.0,
    "sharpness": 50.0,
}
"""An image that breaks no rule."""

IMAGE_TYPES = (
    "path string, media_type string, width int, height int, mode string, orientation int, frames int, bit_depth int, "
    "brightness_p5 double, brightness_p99 double, contrast double, entropy double, sharpness double, "
    "flags array<string>"
)
UNMEASURED = dict.fromkeys(("bit_depth", "brightness_p5", "brightness_p99", "contrast", "entropy", "sharpness"))

BROKEN = {
    "image.small": ({"width": 9, "height": 9}, {"width": 10, "height": 10}),
    "image.suffix": ({"path": "a.png"}, {"path": "a.JPEG"}),
    "image.mode": ({"mode": "RGBA"}, {"mode": "L"}),
    "image.rotated": ({"orientation": 6}, {"orientation": 1}),
    "image.bit_depth": ({"bit_depth": 9}, {"bit_depth": 1}),
    "image.first_frame": ({"frames": 2}, {"frames": 1}),
    "image.dark": ({"brightness_p99": 0.31}, {"brightness_p99": 0.32}),
    "image.bright": ({"brightness_p5": 0.96}, {"brightness_p5": 0.95}),
    "image.blurry": ({"sharpness": 15.2}, {"sharpness": 15.4}),
    "image.low_information": ({"entropy": 1.3}, {"entropy": 1.4}),
    "image.odd_aspect": ({"width": 300, "height": 858}, {"width": 300, "height": 857}),
    "image.name_not_ascii": ({"path": "Füße.jpg"}, {"path": "fuesse.jpg"}),
}
"""For each rule on images what breaks it, and what just does not."""


def flagged(spark, changes, effective):
    """The flags and the rule that refuses, of the good image with each of these changes."""
    rows = [{**IMAGE, **change, "flags": []} for change in changes]
    frame = spark.createDataFrame(rows, IMAGE_TYPES).withColumn(REJECT, F.lit(None).cast(PROBLEM))
    judged = with_problems(frame, IMAGE_RULES, effective).select("flags", f"{REJECT}.*").collect()
    return [(row["flags"], row["rule"], row["message"]) for row in judged]


def test_each_rule_on_images_has_a_row_that_breaks_it_and_one_that_does_not(spark):
    assert BROKEN.keys() == {rule.id for rule in IMAGE_RULES}
    good = [{}, UNMEASURED, *(passing for _, passing in BROKEN.values())]
    assert [flags for flags, _, _ in flagged(spark, good, overrides())] == [[]] * len(good)
    refusing = overrides(**dict.fromkeys(BROKEN, "reject"))
    off = overrides(**dict.fromkeys(BROKEN, "off"))
    broken = [failing for failing, _ in BROKEN.values()]
    refused = flagged(spark, broken, refusing)
    assert [([], rule) for rule in BROKEN] == [(flags, rule) for flags, rule, _ in refused]
    assert all(message for _, _, message in refused)
    assert flagged(spark, broken, off) == [([], None, None)] * len(broken)
    warned = [
        flags for flags, rule, _ in flagged(spark, broken, overrides(**dict.fromkeys(BROKEN, "warn"))) if not rule
    ]
    assert warned == [[rule] for rule in BROKEN]


def test_a_blank_picture_has_little_information_and_is_not_called_blurry(spark):
    blank = {"contrast": 0.002, "entropy": 0.5, "sharpness": 0.0}
    assert flagged(spark, [blank], overrides(**dict.fromkeys(BROKEN, "warn")))[0][0] == ["image.low_information"]

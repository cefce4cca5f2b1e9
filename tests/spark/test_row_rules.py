"""Rules on rows: what severities make of a broken one, and what no severity lets through."""

from __future__ import annotations

import random

from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.geometry.boxes import clip
from imagelake.quality.apply import REJECT, with_problems
from imagelake.quality.catalogue import RULES
from imagelake.quality.rules import ANNOTATION_RULES, DUPLICATE_RULE, IMAGE_RULES
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


LABEL = {
    "kind": "box", "bbox": (10.0, 10.0, 8.0, 6.0), "width": WIDTH, "height": HEIGHT, "unit": False, "decimals": None,
    "polygons": None, "rle_size": None, "area": 48.0, "orientation": 1, "space": "raw", "_ordinal": 1,
}  # fmt: skip
"""An annotation that breaks no rule."""

LABEL_TYPES = (
    "kind string, bbox struct<x:double,y:double,w:double,h:double>, width int, height int, unit boolean, decimals int, "
    "polygons array<array<double>>, rle_size array<int>, area double, orientation int, space string, _ordinal int, "
    "flags array<string>"
)

BROKEN_LABELS = {
    "annotation.bbox_missing": ({"bbox": None}, {"bbox": None, "kind": "class"}),
    "annotation.polygon_out_of_bounds": ({"polygons": [[0.0, 401.0]]}, {"polygons": [[0.0, 400.0]]}),
    "annotation.box_degenerate": ({"bbox": (1.0, 1.0, 0.0, 4.0)}, {"bbox": (1.0, 1.0, 1.0, 4.0), "area": 4.0}),
    "annotation.box_out_of_bounds": ({"bbox": (-401.0, 1.0, 409.0, 6.0)}, {}),
    "annotation.box_outside": ({"bbox": (40.0, 1.0, 8.0, 6.0)}, {"bbox": (32.0, 1.0, 8.0, 6.0)}),
    "annotation.rle_size": ({"rle_size": [WIDTH, HEIGHT]}, {"rle_size": [HEIGHT, WIDTH]}),
    "annotation.box_clipped": ({"bbox": (32.1, 1.0, 8.0, 6.0)}, {"bbox": (32.0, 1.0, 8.0, 6.0)}),
    "annotation.box_overhang": ({"bbox": (33.1, 1.0, 8.0, 6.0)}, {"bbox": (32.0, 1.0, 8.0, 6.0)}),
    "annotation.box_space_assumed": (
        {"orientation": 6, "space": "assumed"}, {"orientation": 6, "space": "oriented"},
    ),
    "annotation.box_tiny": ({"bbox": (5.0, 5.0, 0.9, 6.0), "area": 5.4}, {"bbox": (5.0, 5.0, 1.0, 6.0), "area": 6.0}),
    "annotation.box_normalised": (
        {"bbox": (0.1, 0.1, 0.5, 0.5), "area": 0.2}, {"bbox": (0.1, 0.1, 0.5, 0.5), "area": 0.2, "unit": True},
    ),
    "annotation.area_above_box": ({"area": 50.0}, {"area": 49.0}),
    "annotation.area_recomputed": ({"area": 0.0}, {"area": 0.1}),
    "annotation.duplicate": ({"_ordinal": 2}, {}),
}  # fmt: skip
"""For each rule on annotations what breaks it, and what just does not."""

TINY = {"annotation.box_normalised"}
"""A box within 0 to 1 is thinner than a pixel too, whether that is meant or not."""


def test_each_rule_on_annotations_has_a_row_that_breaks_it_and_one_that_does_not(spark):
    rules = (*ANNOTATION_RULES, DUPLICATE_RULE)
    assert BROKEN_LABELS.keys() == {rule.id for rule in rules}

    def broken(changes, effective):
        rows = [{**LABEL, **change, "flags": []} for change in changes]
        frame = spark.createDataFrame(rows, LABEL_TYPES).withColumn(REJECT, F.lit(None).cast(PROBLEM))
        judged = with_problems(frame, rules, effective).select("flags", F.col(f"{REJECT}.rule").alias("rule"))
        return [{*row["flags"], *filter(None, [row["rule"]])} for row in judged.collect()]

    failing, passing = zip(*BROKEN_LABELS.values(), strict=True)
    for rule, of_failing, of_passing in zip(
        BROKEN_LABELS, broken(failing, overrides()), broken(passing, overrides()), strict=True
    ):
        assert rule in of_failing, rule
        assert of_passing <= ({"annotation.box_tiny"} if rule in TINY else set()), rule

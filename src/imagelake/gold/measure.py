"""What the gate judges of a draft and its splits, counted in one query."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.gold.plan import Content, Uploads
from imagelake.gold.statistics import class_labels, split_labels, statistics_of
from imagelake.quality.catalogue import WAITING
from imagelake.quality.measures import Measures, UploadRows
from imagelake.quality.statistics import DEVIATIONS, QUARTILE_FACTOR
from imagelake.tables.frames import tally

_OPEN, _OF_ENTITY, _OF_UPLOAD, _OF_RULE = "open", "rejected ", "upload ", "rule "
"""Labels of the query; all but the first end in an entity, an upload id or a rule."""

_ODD_SIZE, _SIZE_OUTLIER, _CROWDED, _ANNOTATED = "odd size", "size outlier", "crowded", "annotated"

_ROUNDING = 1e-6
"""A mean of equal values may differ from them in its last bits."""


def measure(
    content: Content, splits: DataFrame, rejections: DataFrame, uploads: Uploads, parent: Mapping[str, Any] | None
) -> Measures:
    """What the gate judges, but for what near-duplicates there are and what shares the splits should have.

    splits: image_key and split of all images; rejections: the open rows of silver.rejections; parent: the row of the
    version before, None for a first one.
    """
    n = tally(
        content.images.select(F.explode(_labelled(F.lit("image")))),
        content.annotations.select(F.explode(_labelled(F.lit("annotation")))),
        _of_rejections(rejections),
        *class_labels(content),
        *split_labels(splits, content.annotations),
        _odd_sizes(content.images),
        _size_outliers(content.annotations),
        *_numbers_of_annotations(content),
    )
    counted = statistics_of(n)
    statistics = replace(
        counted,
        size_outliers=n.get(_SIZE_OUTLIER, 0),
        crowded_images=n.get(_CROWDED, 0),
        odd_sizes=n.get(_ODD_SIZE, 0),
    )
    return Measures(
        n.get("image", 0),
        n.get("annotation", 0),
        n.get(_OPEN, 0),
        n.get(_OF_ENTITY + "image", 0),
        n.get(_OF_ENTITY + "annotation", 0),
        tuple(_rows_of(upload, n) for upload in {row["upload_id"]: row for row in uploads.built}.values()),
        n.get(_ANNOTATED, 0),
        {label.removeprefix(_OF_RULE): count for label, count in n.items() if label.startswith(_OF_RULE)},
        {name: of_class.annotations for name, of_class in counted.classes.items() if of_class.annotations},
        None if parent is None else _classes_of(parent),
        statistics,
    )


def _rows_of(upload: Mapping[str, Any], n: Mapping[str, int]) -> UploadRows:
    upload_id = upload["upload_id"]
    return UploadRows(upload_id, upload["source"], upload["annotations"]["read"], n.get(_OF_UPLOAD + upload_id, 0))


def _classes_of(version: Mapping[str, Any]) -> dict[str, int]:
    """Annotations by class, as its row in gold.versions has them."""
    counts = json.loads(version["class_stats"] or "{}")
    return {name: of_class["annotations"] for name, of_class in counts.items()}


def _labelled(label: Column) -> Column:
    """A row's label and one for each of its flags."""
    flags = F.coalesce("flags", F.array().cast("array<string>"))
    return F.concat(F.array(label), F.transform(flags, lambda flag: F.concat(F.lit(_OF_RULE), flag)))


def _of_rejections(rejections: DataFrame) -> DataFrame:
    """A label for each and one for its rule; those that do not wait for an image have one for entity and upload too."""
    defect = ~F.col("rule").isin(*WAITING)
    of_entity = F.when(defect, F.concat(F.lit(_OF_ENTITY), "entity"))
    of_upload = F.when(defect & (F.col("entity") == "annotation"), F.concat(F.lit(_OF_UPLOAD), "upload_id"))
    of_rule = F.concat(F.lit(_OF_RULE), "rule")
    return rejections.select(F.explode(F.array(F.lit(_OPEN), of_rule, of_entity, of_upload)))


def _odd_sizes(images: DataFrame) -> DataFrame:
    """A label for each image whose size lies far outside the quartiles, which are interpolated."""
    sizes = images.select(F.sqrt(F.col("width").cast("double") * F.col("height")).alias("value"))
    quartiles = sizes.agg(F.percentile("value", [0.25, 0.75]).alias("q"))
    room = F.lit(QUARTILE_FACTOR) * (F.col("q")[1] - F.col("q")[0])
    usual = quartiles.select((F.col("q")[0] - room).alias("low"), (F.col("q")[1] + room).alias("high"))
    return sizes.crossJoin(F.broadcast(usual)).where(_is_outside("value")).select(F.lit(_ODD_SIZE))


def _size_outliers(annotations: DataFrame) -> DataFrame:
    """A label for each box one of whose sides is far from the mean of its class."""
    boxes = annotations.where("bbox IS NOT NULL").select(
        F.coalesce("category", F.lit("")).alias("class"), F.col("bbox.w").alias("w"), F.col("bbox.h").alias("h")
    )
    usual = boxes.groupBy("class").agg(
        *(end.alias(f"{name}_{side}") for side in "wh" for name, end in zip(("low", "high"), _ends(side), strict=True))
    )
    is_outlier = _is_outside("w", "_w") | _is_outside("h", "_h")
    return boxes.join(F.broadcast(usual), "class").where(is_outlier).select(F.lit(_SIZE_OUTLIER))


def _numbers_of_annotations(content: Content) -> tuple[DataFrame, DataFrame]:
    """A label for each image with annotations, and for each labelled image with an unusual number of them."""
    counts = content.annotations.groupBy("image_key").agg(F.count("*").alias("n"))
    labelled = content.images.where(F.size("labelled") > 0).select("image_key").join(counts, "image_key", "left")
    numbers = labelled.select(F.coalesce("n", F.lit(0)).cast("double").alias("value"))
    low, high = _ends("value")
    usual = numbers.agg(low.alias("low"), high.alias("high"))
    crowded = numbers.crossJoin(F.broadcast(usual)).where(_is_outside("value")).select(F.lit(_CROWDED))
    return counts.select(F.lit(_ANNOTATED)), crowded


def _ends(column: str) -> tuple[Column, Column]:
    """The ends of what is usual: DEVIATIONS below and above the mean."""
    room = F.lit(DEVIATIONS) * F.stddev_pop(column)
    return F.avg(column) - room, F.avg(column) + room


def _is_outside(value: str, suffix: str = "") -> Column:
    below = F.col(value) < F.col(f"low{suffix}") - _ROUNDING
    return below | (F.col(value) > F.col(f"high{suffix}") + _ROUNDING)

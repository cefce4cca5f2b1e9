"""Counts a version row carries: by class and by split."""

from __future__ import annotations

import json

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def class_stats(categories: DataFrame, annotations: DataFrame) -> str:
    """JSON: category name to its number of images and annotations, zero where nothing is labelled so."""
    counts = annotations.groupBy("category").agg(
        F.count_distinct("image_key").alias("images"), F.count("*").alias("annotations")
    )
    found = {row["category"]: (row["images"], row["annotations"]) for row in counts.collect()}
    names = [row["name"] for row in categories.select("name").collect()]
    return _table({name: found.get(name, (0, 0)) for name in names})


def split_stats(splits: DataFrame, annotations: DataFrame) -> str:
    """JSON: split name to its number of images and annotations."""
    boxes = annotations.groupBy("image_key").agg(F.count("*").alias("n"))
    counts = splits.join(boxes, "image_key", "left").groupBy("split")
    rows = counts.agg(F.count("*").alias("images"), F.coalesce(F.sum("n"), F.lit(0)).alias("annotations")).collect()
    return _table({row["split"]: (row["images"], row["annotations"]) for row in rows})


def _table(counts: dict[str, tuple[int, int]]) -> str:
    return json.dumps({k: {"images": n, "annotations": m} for k, (n, m) in sorted(counts.items())}, ensure_ascii=False)

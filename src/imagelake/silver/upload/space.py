"""In which space a document's coordinates are: decided from declared, raw and oriented image sizes."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.geometry.orientation import EXCHANGING

SAME, RAW, ORIENTED, ASSUMED, SWAPPED, MISMATCH = "same", "raw", "oriented", "assumed", "swapped", "mismatch"


def with_space(resolved: DataFrame, sizes: DataFrame) -> DataFrame:
    """Image records with `space` and the raw size of their image.

    same: orientation 1, so raw and oriented are one; raw, oriented: the declared size is that one and not the other;
    assumed: nothing declared, or both sizes are equal, and raw is taken; swapped: the declared sides are
    exchanged although nothing turns the image; mismatch: anything else. sizes: image_key, width, height, orientation.
    """
    raw = sizes.select(
        "image_key",
        F.col("width").alias("_width"),
        F.col("height").alias("_height"),
        F.col("orientation").alias("_orientation"),
    )
    return resolved.join(raw, "image_key", "left").withColumn("space", _space())


def _space() -> Column:
    width, height, orientation = F.col("_width"), F.col("_height"), F.col("_orientation")
    undeclared = F.coalesce("width", F.lit(0)).isin(0) | F.coalesce("height", F.lit(0)).isin(0)
    as_raw = (F.col("width") == width) & (F.col("height") == height)
    as_turned = (F.col("width") == height) & (F.col("height") == width)
    turns = orientation >= EXCHANGING
    return (
        F.when(width.isNull(), ASSUMED)
        .when(undeclared, F.when(orientation == 1, SAME).otherwise(ASSUMED))
        .when(as_raw & (orientation == 1), SAME)
        .when(as_raw & as_turned, ASSUMED)
        .when(as_raw & turns, RAW)
        .when(as_raw, ASSUMED)
        .when(as_turned & turns, ORIENTED)
        .when(as_turned, SWAPPED)
        .otherwise(MISMATCH)
    )

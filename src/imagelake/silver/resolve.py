"""Which image a document means: by relative path, then by the end of the path, then by a unique base name.

Candidates are the upload's own images, and the draft's images whose keys the upload does not bring. Two records of
one document never share a candidate unless both name it equally well, which is a defect of the document.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.storage.labels import NAME as SAVE_NAME

FOUND, MISSING, AMBIGUOUS, DUPLICATE = "found", "missing", "ambiguous", "duplicate"

_SAVE = rf"(^|/){SAVE_NAME.pattern}$"

_BESIDE, _SAME, _ENDS, _INSIDE, _NAME = range(5)


def resolve(records: DataFrame, candidates: DataFrame) -> DataFrame:
    """Image records with `image_key` and `status` (found, missing, ambiguous or duplicate).

    records: doc, ref, file, by_stem, document, split, kinds, …; candidates: path, image_key, split.
    """
    wanted = records.withColumn("_name", _name(F.col("file"))).withColumn(
        "_stem", F.when(F.col("by_stem"), _name(F.col("file"))).otherwise(_stem(_name(F.col("file"))))
    )
    offered = candidates.select(
        F.col("path").alias("_path"),
        F.col("image_key").alias("_key"),
        F.col("split").alias("_split"),
        _stem(_name(F.col("path"))).alias("_stem"),
    )
    pairs = wanted.join(offered, "_stem", "inner").where(F.col("by_stem") | (_name(F.col("_path")) == F.col("_name")))
    # a labelling save names its image by key: no other will do, however alike its path
    pairs = pairs.where(~F.col("document").rlike(_SAVE) | (F.col("_key") == F.col("file")))
    best = _unshared(_best(pairs.withColumn("_rank", _rank())))
    return (
        records.join(best, ["doc", "ref", "position"], "left")
        .withColumn("status", F.coalesce("status", F.lit(MISSING)))
        .withColumn("image_key", F.when(F.col("status") == FOUND, F.col("image_key")))
    )


def _best(pairs: DataFrame) -> DataFrame:
    """One row a record: its best candidate, and whether that was the only one as good."""
    other_split = F.when(F.col("split").isNull() | F.col("split").eqNullSafe(F.col("_split")), 0).otherwise(1)
    grade = F.struct(F.col("_rank"), other_split.alias("other_split"))
    by_record = Window.partitionBy("doc", "ref", "position")
    return (
        pairs.withColumn("_grade", grade)
        .withColumn("_best", F.min("_grade").over(by_record))
        .where(F.col("_grade") == F.col("_best"))
        .groupBy("doc", "ref", "position")
        .agg(
            F.first("_rank").alias("_rank"),
            F.first("kinds").alias("_kinds"),
            F.min("_key").alias("image_key"),
            F.count_distinct("_key").alias("_candidates"),
        )
    )


def _unshared(best: DataFrame) -> DataFrame:
    """Status by record, once records that want the same image in one document have been told apart."""
    labels = F.size("_kinds") > 0
    rival = Window.partitionBy("doc", "image_key", labels)
    claims = best.withColumn("_first", F.min("_rank").over(rival)).withColumn(
        "_equal", F.sum(F.when(F.col("_rank") == F.col("_first"), 1).otherwise(0)).over(rival)
    )
    status = (
        F.when(F.col("_candidates") > 1, AMBIGUOUS)
        .when(F.col("_rank") > F.col("_first"), MISSING)
        .when(labels & (F.col("_equal") > 1), DUPLICATE)
        .otherwise(FOUND)
    )
    return claims.select("doc", "ref", "position", "image_key", status.alias("status"))


def _rank() -> Column:
    path = F.when(F.col("by_stem"), _stem(F.col("_path"))).otherwise(F.col("_path"))
    key = F.when(F.col("by_stem"), _stem(F.col("_key"))).otherwise(F.col("_key"))
    folder = F.regexp_extract("document", r"^(.*/)[^/]*$", 1)
    return (
        F.when(path == F.concat(folder, "file"), _BESIDE)
        .when(path == F.col("file"), _SAME)
        .when(path.endswith(F.concat(F.lit("/"), F.col("file"))), _ENDS)
        .when(F.col("file").endswith(F.concat(F.lit("/"), key)) | (F.col("file") == key), _INSIDE)
        .otherwise(_NAME)
    )


def _name(path: Column) -> Column:
    return F.element_at(F.split(path, "/"), -1)


def _stem(path: Column) -> Column:
    return F.regexp_replace(path, r"\.[^./]*$", "")

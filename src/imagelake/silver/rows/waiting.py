"""Labels that came before their image: open rejections whose record is tried again when an image arrives.

Each such row says all that is needed to read it: the record with its image's name, and the name it waits for. It
fits an image by exact key only, for the image is of another upload. Of several uploads that spoke of one image and kind
the newest counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.quality.catalogue import WAITING
from imagelake.silver.image_frames import Row, map_rows
from imagelake.silver.rows.match_images import DUPLICATE, FOUND, draft_names
from imagelake.silver.upload.parsed_records import DDL
from imagelake.tables.frames import checkpointed, distinct_values, is_empty, local_rows

_LABEL = ("doc", "ref", "kind")
_NARROW = ("rejection_id", "document", "file", "by_stem", "absolute")


@dataclass(frozen=True)
class Entering:
    """What enters with an upload's images: `records`, and all rejections that end.

    Each annotation has an image record of its own; `listed` are those that a document had as image records. More end
    than enter: those whose labels the upload or a newer one brings too. `said` are the image records of these as well:
    what they say of the image itself holds where nothing newer says it.
    """

    records: DataFrame
    said: DataFrame
    ended: DataFrame


def entering(open_rejections: DataFrame, arrived: DataFrame, units: DataFrame) -> Entering | None:
    """The waiting records whose image is among `arrived` (image_key); None when there are none.

    units: image_key, kind that the upload labels itself: its labels are newer.
    """
    rows = _records(open_rejections)
    if rows.isEmpty():
        return None
    located = rows.join(_located(rows, arrived), "rejection_id")
    located = checkpointed(_claimed(located))
    if located.isEmpty():
        return None
    one = located.where(F.col("status") == FOUND)
    newest = _newest(_without_units(one, units))
    twice = located.where(F.col("status") == DUPLICATE).withColumn("image_key", F.lit(None).cast("string"))
    entering_rows = newest.unionByName(twice.select(*newest.columns))
    images = entering_rows.withColumn("listed", F.col("type") == "image").withColumn("type", F.lit("image"))
    none = F.lit(None).cast("array<string>")
    annotations = entering_rows.where("type = 'annotation'").withColumn("kinds", none)
    records = images.unionByName(annotations, allowMissingColumns=True)
    return Entering(records, one.where("type = 'image'"), located.select("rejection_id"))


def with_waiting_kinds(matched: DataFrame, labels: DataFrame, records: DataFrame) -> DataFrame:
    """Image records with `waiting_kinds`: those they wait with. All labels of a kind refused already make no negative.

    matched: image records with kinds; labels: annotation records; records: the others, with what the readers refused.
    """
    refused = records.where("type = 'issue' AND entity = 'annotation' AND kind IS NOT NULL").select(*_LABEL)
    none = is_empty(refused) if local_rows(records) is None else "issue" not in distinct_values(records, "type")
    if none:
        return matched.withColumn("waiting_kinds", F.col("kinds"))
    alone = refused.join(labels.select(*_LABEL), [*_LABEL], "left_anti")
    kinds = alone.groupBy("doc", "ref").agg(F.collect_set("kind").alias("_refused"))
    joined = matched.join(kinds, ["doc", "ref"], "left")
    return joined.withColumn("waiting_kinds", _except("kinds", F.col("_refused"))).drop("_refused")


def _claimed(located: DataFrame) -> DataFrame:
    """Status by row: of several names of one document that mean one image the more exact one counts, else none."""
    document = Window.partitionBy("_delivery", "document", "image_key")
    first = located.withColumn("_first", F.min("place").over(document))
    names = F.size(F.collect_set(F.when(F.col("place") == F.col("_first"), F.col("ref"))).over(document))
    counted = first.withColumn("_names", names)
    twice = (F.col("place") > F.col("_first")) | (F.col("_names") > 1)
    return counted.withColumn("status", F.when(twice, DUPLICATE).otherwise(FOUND)).drop("place", "_first", "_names")


def _records(open_rejections: DataFrame) -> DataFrame:
    waits = F.col("closed_at").isNull() & F.col("rule").isin(*WAITING) & F.col("record").isNotNull()
    rows = open_rejections.where(waits).select(
        "rejection_id",
        F.col("image_key").alias("waits_for"),
        F.col("upload_id").alias("_upload_id"),
        F.col("delivery").alias("_delivery"),
        F.from_json("record", DDL).alias("r"),
    )
    kinds = F.when(F.col("type") == "annotation", F.array("kind")).otherwise(F.col("kinds"))
    return (
        rows.select("*", "r.*")
        .drop("r")
        .withColumns(
            {
                "kinds": kinds,
                "ref": F.coalesce("ref", F.lit("")),
                "doc": F.concat(F.lit("waiting|"), "rejection_id"),
                "_scope": F.lit("waiting"),
                "status": F.lit(FOUND),
                "by_name": F.lit(False),
            }
        )
    )


def _located(rows: DataFrame, arrived: DataFrame) -> DataFrame:
    """rejection_id, image_key, place: the first name of a record that is the key of an image, and of one only."""
    named = map_rows(rows.select(*_NARROW), "names array<string>", _names)
    asked = named.select("rejection_id", "by_stem", F.posexplode("names").alias("place", "name"))
    plain = arrived.select(F.col("image_key").alias("name"), "image_key", F.lit(False).alias("by_stem"))
    stem = F.regexp_replace("image_key", r"\.[^./]*$", "")
    bare = arrived.select(stem.alias("name"), "image_key", F.lit(True).alias("by_stem"))
    first = Window.partitionBy("rejection_id")
    return (
        asked.join(plain.unionByName(bare), ["name", "by_stem"])
        .withColumn("_first", F.min("place").over(first))
        .where(F.col("place") == F.col("_first"))
        .groupBy("rejection_id")
        .agg(
            F.min("image_key").alias("image_key"),
            F.min("place").alias("place"),
            F.count_distinct("image_key").alias("_images"),
        )
        .where("_images = 1")
        .drop("_images")
    )


def _without_units(located: DataFrame, units: DataFrame) -> DataFrame:
    uploaded_kinds = units.groupBy("image_key").agg(F.collect_set("kind").alias("_units"))
    left = located.join(uploaded_kinds, "image_key", "left").withColumn("kinds", _except("kinds", F.col("_units")))
    return left.where(F.size("kinds") > 0).drop("_units")


def _newest(rows: DataFrame) -> DataFrame:
    """Per image and kind, the newest upload's names among those that waited for the image."""
    by_kind = rows.select("image_key", "waits_for", "_delivery", F.explode("kinds").alias("kind"))
    names = by_kind.groupBy("image_key", "kind", "waits_for").agg(F.max("_delivery").alias("_last"))
    unit = Window.partitionBy("image_key", "kind")
    best = names.withColumn("_newest", F.max("_last").over(unit)).where(F.col("_last") == F.col("_newest"))
    kinds = best.groupBy("image_key", "waits_for").agg(F.collect_set("kind").alias("_best"))
    chosen = rows.join(kinds, ["image_key", "waits_for"]).withColumn("kinds", F.array_intersect("kinds", "_best"))
    return chosen.where(F.size("kinds") > 0).drop("_best")


def _except(kinds: str, other_kinds: Column) -> Column:
    return F.array_except(kinds, F.coalesce(other_kinds, F.array().cast("array<string>")))


def _names(row: Row) -> Row:
    return {"names": [] if row["absolute"] else draft_names(row)}

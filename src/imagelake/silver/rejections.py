"""Everything refused, as rows of silver.rejections, and which open ones a delivery closes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.quality.apply import REJECT
from imagelake.silver.delivery import Delivery
from imagelake.silver.frames import Row, map_rows
from imagelake.silver.records import DDL, WAITING, as_json
from imagelake.silver.resolve import AMBIGUOUS, DUPLICATE, MISSING
from imagelake.tables import silver

_NAMES = ("entity", "image_key", "kind", "path", "locator", "rule", "message", "raw", "record")


def of_files(rejected: DataFrame) -> DataFrame:
    """Rejected image files."""
    raw = F.to_json(F.struct("path", "content_hash", "media_type", "length"))
    return _shape(rejected, entity=F.lit("image"), path=F.col("path"), raw=raw, locator=F.lit("file"))


def of_image_records(resolved: DataFrame) -> DataFrame:
    """Listed images that were not found, or not unambiguously; members of mere split lists are no images."""
    bad = resolved.where((F.col("status") != "found") & (F.size("kinds") > 0))
    rule = (
        F.when(F.col("status") == MISSING, "image.file_missing")
        .when(F.col("status") == AMBIGUOUS, "image.ambiguous")
        .when(F.col("status") == DUPLICATE, "image.duplicate_file_name")
    )
    message = (
        F.when(F.col("status") == MISSING, F.concat(F.col("file"), F.lit(" is neither in the upload nor in the draft")))
        .when(F.col("status") == AMBIGUOUS, F.concat(F.lit("several images fit "), F.col("file")))
        .otherwise(F.concat(F.lit("the document lists "), F.col("file"), F.lit(" under several ids")))
    )
    with_reject = bad.withColumn(REJECT, F.struct(rule.alias("rule"), message.alias("message")))
    waiting = map_rows(with_reject, "record string", _record)
    return _shape(waiting, entity=F.lit("image"), path=F.col("document"), kind=F.lit(None))


def of_annotations(rejected: DataFrame) -> DataFrame:
    """Rejected annotation records."""
    return _shape(rejected, entity=F.lit("annotation"), path=F.col("document"))


def of_issues(issues: DataFrame, resolved: DataFrame) -> DataFrame:
    """What the readers could not turn into records."""
    keys = resolved.select("doc", "ref", "image_key").dropDuplicates(["doc", "ref"])
    frame = issues.drop("image_key").join(keys, ["doc", "ref"], "left")
    with_reject = frame.withColumn(REJECT, F.struct("rule", "message"))
    return _shape(with_reject, entity=F.col("entity"), path=F.col("document"))


def stamped(delivery: Delivery, found: DataFrame, now: datetime) -> DataFrame:
    """Rows of silver.rejections. The id leaves upload and time out: the same defect again is the same row."""
    parts = [F.coalesce(F.col(c), F.lit("")) for c in ("entity", "path", "locator", "rule", "raw")]
    none = F.lit(None)
    columns = {
        "dataset": F.lit(delivery.dataset),
        "rejection_id": F.sha2(F.concat_ws("\u0000", *parts), 256),
        "severity": F.lit("reject"),
        "upload_id": F.lit(delivery.upload_id),
        "delivery": F.lit(delivery.sequence),
        "opened_at": F.lit(now),
        "closed_at": none.cast("timestamp"),
        "closed_by": none.cast("string"),
    }
    return found.withColumns(columns).select(*silver.REJECTIONS.names).dropDuplicates(["rejection_id"])


@dataclass(frozen=True)
class Taken:
    """What a delivery brought and when: units (image_key, kind), accepted images, files."""

    units: DataFrame
    images: DataFrame
    files: DataFrame
    at: datetime


def after(delivery: Delivery, before: DataFrame, refused: DataFrame, taken: Taken) -> DataFrame:
    """Open rejections stay unless what they name has now been taken, or delivered anew without that defect."""
    still_open = before.where("closed_at IS NULL")
    again = still_open.join(refused.select("rejection_id"), "rejection_id", "left_semi")
    others = before.join(refused.select("rejection_id"), "rejection_id", "left_anti")
    units = taken.units.withColumn("_unit", F.lit(True))
    keys = taken.images.select("image_key", F.lit(True).alias("_image")).dropDuplicates(["image_key"])
    paths = taken.files.select("path", F.lit(True).alias("_path"))
    joined = (
        others.join(units, ["image_key", "kind"], "left").join(keys, "image_key", "left").join(paths, "path", "left")
    )
    named = (
        F.when(F.col("rule").isin(*WAITING), F.lit(True))  # their records were tried again, and not refused
        .when(F.col("image_key").isNull(), F.col("_path").isNotNull())
        .when(F.col("entity") == "annotation", F.col("_unit").isNotNull())
        .otherwise(F.col("_image").isNotNull() | F.col("_path").isNotNull())
    )
    ends = (named | F.lit(delivery.mode == "replace")) & F.col("closed_at").isNull()
    closed = joined.withColumns(
        {
            "closed_at": F.when(ends, F.lit(taken.at)).otherwise(F.col("closed_at")),
            "closed_by": F.when(ends, F.lit(delivery.upload_id)).otherwise(F.col("closed_by")),
        }
    )
    fresh = refused.join(again.select("rejection_id"), "rejection_id", "left_anti")
    names = before.columns
    return closed.select(*names).unionByName(again.select(*names)).unionByName(fresh.select(*names))


def waiting_records(open_rejections: DataFrame) -> DataFrame:
    """The records that wait for an image, as the readers once yielded them."""
    kept = open_rejections.where(
        F.col("closed_at").isNull() & F.col("rule").isin(*WAITING) & F.col("record").isNotNull()
    )
    parsed = kept.select(F.from_json("record", DDL).alias("r"), F.col("delivery").alias("_from"))
    return parsed.select("r.*", F.concat(F.lit("waiting:"), F.col("_from")).alias("_scope"))


def _record(row: Row) -> Row:
    return {"record": as_json(row) if row[REJECT]["rule"] in WAITING else None}


def _shape(frame: DataFrame, **columns: Column) -> DataFrame:
    """COLUMNS from a frame with REJECT: given ones, else the frame's own, else null."""
    known = set(frame.columns)
    made = {
        "rule": F.col(f"{REJECT}.rule"),
        "message": F.col(f"{REJECT}.message"),
        **columns,
    }
    picked = [
        made.get(name, F.col(name) if name in known else F.lit(None)).cast("string").alias(name) for name in _NAMES
    ]
    return frame.select(*picked)

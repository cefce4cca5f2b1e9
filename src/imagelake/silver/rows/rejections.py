"""Everything refused, as rows of silver.rejections, and which open ones an upload closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.errors import UploadRejected
from imagelake.quality.apply import REJECT
from imagelake.quality.catalogue import RULES, WAITING
from imagelake.silver.image_frames import Row, map_rows, same
from imagelake.silver.rows.match_images import AMBIGUOUS, DUPLICATE, FOUND, MISSING
from imagelake.silver.rows.units import UNIT
from imagelake.silver.rows.waiting import Entering
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.parsed_records import as_json
from imagelake.tables import silver

NO_LABELS = (
    "annotation.image_orphan",
    "annotation.image_unknown",
    "annotation.image_ambiguous",
    "annotation.image_rejected",
)
"""Rules that say nothing of the labels themselves, only that their image is not the one meant, or not there."""

_NAMES = ("entity", "image_key", "kind", "path", "locator", "rule", "message", "raw", "record")
_FROM = ("_upload_id", "_delivery")


def of_images(rejected: DataFrame) -> DataFrame:
    """Rejected image files."""
    raw = F.to_json(F.struct("path", "content_hash", "media_type", "length"))
    return _shape(rejected, entity=F.lit("image"), path=F.col("path"), raw=raw, locator=F.lit("file"))


def of_files(damaged: DataFrame) -> DataFrame:
    """Files that are no images and cannot be read."""
    raw = F.to_json(F.struct("path", "content_hash", "role", "length"))
    refusal = F.struct(F.col("problem_rule").alias("rule"), F.col("problem").alias("message"))
    named = damaged.withColumn(REJECT, refusal).select("path", REJECT, raw.alias("raw"))
    return _shape(named, entity=F.lit("file"), locator=F.lit("file"))


def of_image_records(matched: DataFrame) -> DataFrame:
    """Listed images that were not found, or not unambiguously, and members of split lists that were not.

    matched: image records `with_waiting_kinds`.
    """
    bad = matched.where(F.col("status") != FOUND)
    member = F.size("kinds") == 0
    rule = (
        F.when(member & (F.col("status") != MISSING), "split.member_ambiguous")
        .when(member, "split.member_unknown")
        .when(F.col("status") == MISSING, "image.file_missing")
        .when(F.col("status") == AMBIGUOUS, "image.ambiguous")
        .when(F.col("status") == DUPLICATE, "image.duplicate_file_name")
    )
    message = (
        F.when(F.col("status") == MISSING, F.concat("file", F.lit(" is neither in the upload nor in the draft")))
        .when(F.col("status") == AMBIGUOUS, F.concat("file", F.lit(" fits several images; give more of its path")))
        .otherwise(F.concat(F.lit("the document lists the image of "), "file", F.lit(" more than once")))
    )
    refused = bad.withColumn(REJECT, F.struct(rule.alias("rule"), message.alias("message")))
    waits = F.when(F.col(f"{REJECT}.rule").isin(*WAITING), F.col("waits_for"))
    waiting = refused.withColumns({"image_key": waits, "kinds": F.col("waiting_kinds")})
    recorded = map_rows(waiting, "record string", _record)
    return _shape(recorded, entity=F.lit("image"), path=F.col("document"), kind=F.lit(None))


def of_annotations(rejected: DataFrame) -> DataFrame:
    """Rejected annotation records."""
    return _shape(rejected, entity=F.lit("annotation"), path=F.col("document"))


def of_issues(issues: DataFrame, matched: DataFrame) -> DataFrame:
    """What the readers could not turn into records."""
    keys = matched.select("doc", "ref", "image_key").dropDuplicates(["doc", "ref"])
    frame = issues.drop("image_key").join(keys, ["doc", "ref"], "left")
    with_reject = frame.withColumn(REJECT, F.struct("rule", "message"))
    return _shape(with_reject, entity=F.col("entity"), path=F.col("document"))


def stamped(upload: LandedUpload, refused: DataFrame, now: datetime) -> DataFrame:
    """Rows of silver.rejections. The id leaves upload and time out: the same defect again is the same row.

    A row that waited for its image keeps the upload that brought it.
    """
    parts = [F.coalesce(F.col(c), F.lit("")) for c in ("entity", "path", "locator", "rule", "raw")]
    columns = {
        "dataset": F.lit(upload.dataset),
        "rejection_id": F.sha2(F.concat_ws("\u0000", *parts), 256),
        "severity": F.lit("quarantine"),
        "upload_id": F.coalesce("_upload_id", F.lit(upload.upload_id)),
        "delivery": F.coalesce(F.col("_delivery"), F.lit(upload.sequence)),
        "opened_at": F.lit(now),
        "closed_at": F.lit(None).cast("timestamp"),
        "closed_by": F.lit(None).cast("string"),
    }
    return refused.withColumns(columns).selectExpr(*silver.REJECTIONS.names).dropDuplicates(["rejection_id"])


def check_rejecting(upload: LandedUpload, refused: DataFrame, severities: Mapping[str, str]) -> None:
    """UploadRejected when a row of the upload breaks a rule that rejects uploads in its dataset.

    refused: `stamped`; rows of other uploads that waited are among them and do not count.
    """
    rules = [r.id for r in RULES if r.entity not in ("upload", "dataset") and severities[r.id] == "reject"]
    if not rules:
        return
    broken = refused.where(F.col("rule").isin(rules) & (F.col("delivery") == upload.sequence))
    first = broken.orderBy("path", "locator").first()
    if first is not None:
        raise UploadRejected(
            f"{broken.count()} rows break rules that reject uploads of {upload.dataset}; "
            f"first {first['path']}, {first['locator']}: {first['message']}",
            hint=f"mend them, or set {first['rule']} to another severity in datasets/{upload.dataset}.yaml",
            rule=first["rule"],
        )


@dataclass(frozen=True)
class UploadEffects:
    """The effects of an upload that close open rejections.

    units: image_key, kind it brings; changed: those of them that differ from the draft; images: accepted image files
    (image_key, `_same_bytes`); paths: files without a problem; unknown: image records it lists that are nowhere;
    lineage: sequences of the uploads from the same source or with the same content, or that its receipt names;
    answered: rejection_id of what its receipt names, if it has one.
    """

    units: DataFrame
    changed: DataFrame
    images: DataFrame
    paths: DataFrame
    unknown: DataFrame
    entering: Entering | None
    lineage: tuple[int, ...]
    answered: DataFrame | None


def after(
    upload: LandedUpload, before: DataFrame, refused: DataFrame, effects: UploadEffects, now: datetime
) -> DataFrame:
    """The open rejections, those that end with this upload closed, and the new ones.

    A row that is refused again stays as it is, but that one which waits says of its image what the newest upload says,
    and one that an upload of the same batch has closed is opened anew.
    Else it ends when its own key was accepted: the unit of a label, the key of an image, the file in a later upload of
    the same lineage. What leaves everything as it was ends nothing of other lineages: an old upload that comes every
    night is no answer to them. What the upload's receipt names ends with its file: what is still wrong is refused anew.
    """
    names = before.columns
    again = _again(before, refused)
    others = before.join(refused.select("rejection_id"), "rejection_id", "left_anti")
    fresh = refused.join(before.select("rejection_id"), "rejection_id", "left_anti").selectExpr(*names)
    if upload.mode == "replace":
        closed = closed_by(upload, others, F.lit(True), now)
    else:
        marked = _marked(others, effects)
        waits, own = F.col("rule").isin(*WAITING), F.col("delivery").isin(*effects.lineage)
        ends = (
            F.when(F.col("_answered") & F.col("_path").isNotNull(), F.lit(True))
            .when(waits, F.coalesce("_entered", F.lit(False)) | _overtaken())
            .when(F.col("image_key").isNull(), F.col("_path").isNotNull() & own)
            .when(F.col("entity") == "annotation", F.col("_unit").isNotNull() & (own | F.col("_changed").isNotNull()))
            .otherwise(F.col("_same_bytes").isNotNull() & (own | ~F.col("_same_bytes")))
        )
        closed = closed_by(upload, marked, ends, now)
    return closed.selectExpr(*names).unionByName(again).unionByName(fresh)


def _again(before: DataFrame, refused: DataFrame) -> DataFrame:
    newest = refused.select("rejection_id", F.struct(*refused.columns).alias("_newest"))
    told_anew = F.col("rule").isin(*WAITING) & ~same(F.col("record"), F.col("_newest.record"))
    newer = F.col("_newest").withField("opened_at", F.col("opened_at"))
    opened = F.when(F.col("closed_at").isNotNull(), F.col("_newest"))
    rows = opened.when(told_anew, newer).otherwise(F.struct(*refused.columns))
    return before.join(newest, "rejection_id").select(rows.alias("_row")).select("_row.*")


def closed_by(upload: LandedUpload, rows: DataFrame, ends: Column, now: datetime) -> DataFrame:
    """The rows, those for which `ends` holds closed."""
    closes = F.coalesce(ends, F.lit(False)) & F.col("closed_at").isNull()
    return rows.withColumns(
        {
            "closed_at": F.when(closes, F.lit(now)).otherwise(F.col("closed_at")),
            "closed_by": F.when(closes, F.lit(upload.upload_id)).otherwise(F.col("closed_by")),
        }
    )


def refused_labels(open_rejections: DataFrame) -> DataFrame:
    """image_key, kind of the labels that are refused for what they are."""
    labels = (F.col("entity") == "annotation") & ~F.col("rule").isin(*NO_LABELS) & F.col("closed_at").isNull()
    return open_rejections.where(labels & F.col("image_key").isNotNull() & F.col("kind").isNotNull()).select(*UNIT)


def _marked(rows: DataFrame, effects: UploadEffects) -> DataFrame:
    """The rows with what of their key the upload has: _unit, _changed, _same_bytes, _path, _answered, _entered,
    _kinds_now."""
    units = effects.units.withColumn("_unit", F.lit(True))
    changed = effects.changed.withColumn("_changed", F.lit(True))
    images = effects.images.groupBy("image_key").agg(F.min("_same_bytes").alias("_same_bytes"))
    paths = effects.paths.select("path", F.lit(True).alias("_path")).distinct()
    spoken = effects.unknown.select(F.col("waits_for").alias("image_key"), F.explode("kinds").alias("k"))
    joined = (
        rows.join(units, [*UNIT], "left")
        .join(changed, [*UNIT], "left")
        .join(images, "image_key", "left")
        .join(paths, "path", "left")
        .join(spoken.groupBy("image_key").agg(F.collect_set("k").alias("_kinds_now")), "image_key", "left")
    )
    if effects.answered is None:
        joined = joined.withColumn("_answered", F.lit(False))
    else:
        named = effects.answered.withColumn("_answered", F.lit(True))
        joined = joined.join(named, "rejection_id", "left")
    if effects.entering is None:
        return joined.withColumn("_entered", F.lit(False))
    return joined.join(effects.entering.ended.withColumn("_entered", F.lit(True)), "rejection_id", "left")


def _overtaken() -> Column:
    """A row that still waits, all of whose kinds a newer upload speaks of for the same unknown image."""
    of_image = F.from_json("record", "kinds array<string>")["kinds"]
    kinds = F.when(F.col("entity") == "image", of_image).otherwise(F.array("kind"))
    is_referenced = F.col("_kinds_now").isNotNull() & (F.size(F.array_except(kinds, "_kinds_now")) == 0)
    return is_referenced & (F.size(kinds) > 0)


def _record(row: Row) -> Row:
    return {"record": as_json(row) if row[REJECT]["rule"] in WAITING else None}


def _shape(frame: DataFrame, **columns: Column) -> DataFrame:
    """_NAMES and _FROM from a frame with REJECT: given ones, else the frame's own, else null."""
    there = set(frame.columns)
    made = {
        "rule": F.col(f"{REJECT}.rule"),
        "message": F.col(f"{REJECT}.message"),
        **columns,
    }
    picked = [
        made.get(name, F.col(name) if name in there else F.lit(None)).cast("string").alias(name) for name in _NAMES
    ]
    types = {"_upload_id": "string", "_delivery": "bigint"}
    origin = [(F.col(name) if name in there else F.lit(None)).cast(types[name]).alias(name) for name in _FROM]
    return frame.select(*picked, *origin)

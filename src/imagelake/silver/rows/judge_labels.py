"""The labels of an upload, and those that waited for its images: judged, and which units they make up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.silver.rows import annotations as ann
from imagelake.silver.rows.images import Incoming
from imagelake.silver.rows.units import UNIT, listed_units, refused_units, uploaded_units
from imagelake.silver.rows.waiting import Entering, entering
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.read_upload import UploadRecords
from imagelake.silver.upload.space import with_space
from imagelake.tables.frames import checkpointed


@dataclass(frozen=True)
class JudgedLabels:
    """Annotations with their judgement, and the units (image_key, kind) they upload (checkpointed).

    `matched` are all image records, those of labels that waited too; `entering` is what came of the latter.
    """

    annotations: ann.IncomingAnnotations
    uploaded_units: DataFrame
    matched: DataFrame
    entering: Entering | None


def judge_labels(
    upload: LandedUpload,
    upload_records: UploadRecords,
    images: Incoming,
    draft: tuple[DataFrame, DataFrame | None],
    rules: tuple[DatasetSettings, Mapping[str, str]],
) -> JudgedLabels:
    """Judge an upload's labels. draft: annotations, and open rejections if any; rules: settings and severities."""
    annotations, open_rejections = draft
    units = checkpointed(listed_units(upload_records.matched, images.accepted))
    judge = partial(_judged, _Judge(upload, upload_records, images, annotations, rules))
    waiting = None
    # a whole dataset leaves nothing of before, what waited least of all
    if open_rejections is not None and upload.mode != "replace":
        arrived = images.accepted.where("path IS NOT NULL").select("image_key")
        waiting = entering(open_rejections, arrived, units)
    if open_rejections is None or waiting is None:
        judged = judge(upload_records.labels, upload_records.matched)
        return JudgedLabels(
            judged, checkpointed(_uploaded_units(units, judged, upload_records)), upload_records.matched, None
        )
    # a unit all of whose labels are refused says nothing: what waited for it is the newest word on it
    own = checkpointed(_uploaded_units(units, judge(upload_records.labels, upload_records.matched), upload_records))
    waiting = entering(open_rejections, arrived, own)
    assert waiting is not None, "fewer units leave no less"
    sizes = images.accepted.select("image_key", "width", "height", "orientation")
    waited = with_space(waiting.records.where("type = 'image'"), sizes)
    labels = waiting.records.where("type = 'annotation'")
    records = upload_records.labels.unionByName(labels.select(*upload_records.labels.columns), allowMissingColumns=True)
    matched = upload_records.matched.unionByName(waited, allowMissingColumns=True)
    judged = judge(records, matched)
    refused = judged.rejected.where("_scope = 'waiting' AND image_key IS NOT NULL").select(*UNIT).distinct()
    entered = uploaded_units(listed_units(waited, images.accepted), judged.accepted, refused)
    return JudgedLabels(judged, checkpointed(own.unionByName(entered).distinct()), matched, waiting)


@dataclass(frozen=True)
class _Judge:
    """What labels of an upload are judged by: its records and images, the draft's annotations, settings, severities."""

    landed_upload: LandedUpload
    upload: UploadRecords
    images: Incoming
    annotations: DataFrame
    rules: tuple[DatasetSettings, Mapping[str, str]]


def _judged(by: _Judge, records: DataFrame, matched: DataFrame) -> ann.IncomingAnnotations:
    """Annotation records with their judgement; matched: the image records that they may belong to."""
    settings, severities = by.rules
    names = _declared_names(by.upload.records, settings)
    issues = by.upload.records.where("type = 'issue'")
    categories = renamed(records, "category", settings)
    frame = ann.joined(categories, matched, by.images.accepted, names, issues, settings.yolo_space)
    return ann.judge(by.landed_upload, frame, by.annotations, severities)


def _uploaded_units(units: DataFrame, judged: ann.IncomingAnnotations, upload: UploadRecords) -> DataFrame:
    """The units of an upload's own labels. units: those that its documents list."""
    issues = upload.records.where("type = 'issue'")
    return uploaded_units(units, judged.accepted, refused_units(judged.rejected, issues, upload.matched))


def renamed(frame: DataFrame, column: str, settings: DatasetSettings) -> DataFrame:
    """The frame with the dataset's renames applied to a column of category names."""
    if not settings.renames:
        return frame
    pairs = F.create_map(*(F.lit(word) for pair in settings.renames.items() for word in pair))
    return frame.withColumn(column, F.coalesce(F.try_element_at(pairs, F.col(column)), F.col(column)))


def _declared_names(records: DataFrame, settings: DatasetSettings) -> DataFrame:
    declared = records.where("type = 'category'").select(
        "doc", F.col("ref").alias("category_ref"), F.col("category").alias("_name")
    )
    return renamed(declared.dropDuplicates(["doc", "category_ref"]), "_name", settings)

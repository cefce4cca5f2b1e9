"""The labels of an upload, and those that waited for its images: judged, and which units they make up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.dataset_settings import DatasetSettings
from imagelake.silver import annotations as ann
from imagelake.silver.delivery import Delivery
from imagelake.silver.images import Incoming
from imagelake.silver.read_upload import UploadRecords
from imagelake.silver.space import with_space
from imagelake.silver.units import brought_units, listed_units, refused_units
from imagelake.silver.waiting import Entering, entering
from imagelake.tables.frames import settled


@dataclass(frozen=True)
class JudgedLabels:
    """Annotations with their judgement, and the units (image_key, kind) that they bring (settled).

    `matched` are all image records, those of labels that waited too; `entering` is what came of the latter.
    """

    annotations: ann.IncomingAnnotations
    brought: DataFrame
    matched: DataFrame
    entering: Entering | None


def judge_labels(
    delivery: Delivery,
    upload: UploadRecords,
    images: Incoming,
    draft: tuple[DataFrame, DataFrame | None],
    rules: tuple[DatasetSettings, Mapping[str, str]],
) -> JudgedLabels:
    """Judge an upload's labels. draft: annotations, and open rejections if any; rules: settings and severities."""
    settings, severities = rules
    annotations, open_rejections = draft
    units = settled(listed_units(upload.matched, images.accepted))
    matched, records, entered = upload.matched, upload.labels, None
    # a whole dataset leaves nothing of before, what waited least of all
    if open_rejections is not None and delivery.mode != "replace":
        arrived = images.accepted.where("path IS NOT NULL")
        entered = entering(open_rejections, arrived.select("image_key"), units)
    if entered is not None:
        sizes = images.accepted.select("image_key", "width", "height", "orientation")
        waited = with_space(entered.records.where("type = 'image'"), sizes)
        matched = matched.unionByName(waited, allowMissingColumns=True)
        labels = entered.records.where("type = 'annotation'")
        records = records.unionByName(labels.select(*records.columns), allowMissingColumns=True)
        units = units.unionByName(listed_units(waited, images.accepted)).distinct()
    names = _declared_names(upload.records, settings)
    issues = upload.records.where("type = 'issue'")
    frame = ann.joined(
        renamed(records, "category", settings), matched, images.accepted, names, issues, settings.yolo_space
    )
    judged = ann.judge(delivery, frame, annotations, severities)
    refused = refused_units(judged.rejected, issues, upload.matched)
    return JudgedLabels(judged, settled(brought_units(units, judged.accepted, refused)), matched, entered)


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

"""The frames that whole-table suites are judged on: a table's stored rows with their checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.quality.suites.checks import RowCheck, checks
from imagelake.quality.suites.state import TABLES
from imagelake.quality.suites.table_suites import flag_column
from imagelake.tables import silver
from imagelake.tables.delta.store import DeltaStore
from imagelake.tables.spec import TableSpec

_KEY = {silver.REJECTIONS.name: "rejection_id", silver.ANNOTATIONS.name: "annotation_key"}


def frames_of(tables: DeltaStore, dataset: str, settings: DatasetSettings) -> dict[str, DataFrame]:
    """The frames that the suites of a dataset are judged on, of its rows now, by table name."""
    return suite_frames({spec.name: tables.read(spec, dataset) for spec in TABLES}, settings)


def suite_frames(stored: Mapping[str, DataFrame], settings: DatasetSettings) -> dict[str, DataFrame]:
    """The frame of each table: the declared columns, a message column `breaks_…` for each check (null for a good row)
    and a column `flagged_…` (0 or 1) for each rule with a threshold.

    stored: the rows of one dataset by table name, with the declared columns: images, annotations, categories, and all
    rejections, closed ones too.
    """
    prepared = {
        silver.IMAGES: stored[silver.IMAGES.name].withColumn("path", F.col("image_key")),
        silver.ANNOTATIONS: _with_relations(stored),
        silver.CATEGORIES: stored[silver.CATEGORIES.name],
        silver.REJECTIONS: stored[silver.REJECTIONS.name],
    }
    return {spec.name: _with_checks(spec, frame, settings) for spec, frame in prepared.items()}


def _with_relations(stored: Mapping[str, DataFrame]) -> DataFrame:
    """Annotations with size and kinds of their image, and marks that image and category are there."""
    images = stored[silver.IMAGES.name].select(
        "image_key", "width", "height", F.col("labelled").alias("_labelled"), F.lit(True).alias("_image")
    )
    categories = stored[silver.CATEGORIES.name].select(F.col("name").alias("category"), F.lit(True).alias("_category"))
    return (
        stored[silver.ANNOTATIONS.name]
        .join(images.dropDuplicates(["image_key"]), "image_key", "left")
        .join(F.broadcast(categories.distinct()), "category", "left")
    )


def _with_checks(spec: TableSpec, frame: DataFrame, settings: DatasetSettings) -> DataFrame:
    key = F.col(_KEY.get(spec.name, spec.key[-1]))
    columns = {check.column: _named(key, check) for check in checks(spec.name)}
    flags = {flag_column(rule): _flagged(spec, rule) for rule in _flagging(spec, settings)}
    return frame.select(*spec.names, *(column.alias(name) for name, column in {**columns, **flags}.items()))


def _named(key: Column, check: RowCheck) -> Column:
    """The message of a check after the key of its row."""
    message = check.message()
    return F.when(message.isNotNull(), F.concat_ws(": ", key, message))


def _flagging(spec: TableSpec, settings: DatasetSettings) -> Iterable[str]:
    return sorted(settings.gate.rules) if {"flags", "rule"} & set(spec.names) else ()


def _flagged(spec: TableSpec, rule: str) -> Column:
    """1 for a row that carries the rule's flag, or is an open rejection of it."""
    if "flags" in spec.names:
        broken = F.array_contains("flags", rule)
    else:
        broken = (F.col("rule") == rule) & F.col("closed_at").isNull()
    return F.when(F.coalesce(broken, F.lit(False)), 1).otherwise(0)

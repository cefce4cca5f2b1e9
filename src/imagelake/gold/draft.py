"""The draft a publish works on: its pinned rows, the uploads it includes, the measures of its gate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.gold.plan import Content, Uploads
from imagelake.quality.catalogue import WAITING
from imagelake.quality.measures import Measures, UploadRows
from imagelake.tables import silver
from imagelake.tables.frames import all_settled, tally
from imagelake.tables.store import DeltaStore

INCLUDED = frozenset(("built", "unchanged", "superseded"))
"""States of an upload after which the draft holds whatever still counts of it."""

_OPEN, _OF_ENTITY, _OF_UPLOAD, _OF_RULE, _OF_CLASS = "open", "rejected ", "upload ", "rule ", "class "
"""Labels of the gate's query; all but the first end in an entity, an upload id, a rule or a class."""


def pinned(tables: DeltaStore, dataset: str) -> Content:
    """The draft now, settled: what is compared, appended and digested are the same rows."""
    versions = [(spec, tables.version(spec)) for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES)]
    return Content(*all_settled(*(tables.read(spec, dataset, version) for spec, version in versions)))


def uploads_since(parent: Mapping[str, Any] | None, newest: Sequence[Mapping[str, Any]]) -> Uploads:
    """The uploads of a draft that the parent version does not include.

    parent: its row in gold.versions, None for a first version; newest: one row of bronze.uploads a sequence.
    Version rows of older lakes have no `last_sequence`: there the time decides.
    """
    built = [row for row in newest if row["state"] == "built" and not _is_included(row, parent)]
    last = max((int(row["sequence"]) for row in newest if row["state"] in INCLUDED), default=None)
    return Uploads(tuple(built), last)


def _is_included(upload: Mapping[str, Any], version: Mapping[str, Any] | None) -> bool:
    if version is None:
        return False
    if version["last_sequence"] is None:
        return bool(upload["at"] <= version["at"])
    return bool(upload["sequence"] <= version["last_sequence"])


def measure(content: Content, rejections: DataFrame, uploads: Uploads, parent: Mapping[str, Any] | None) -> Measures:
    """What the gate judges, counted in one query.

    rejections: the open rows of silver.rejections; parent: the row of the version before, None for a first one.
    """
    n = tally(
        content.images.select(F.explode(_labelled(F.lit("image"), _flags()))),
        content.annotations.select(F.explode(_labelled(F.lit("annotation"), _of_class(), _flags()))),
        content.annotations.select("image_key").distinct().select(F.lit("annotated")),
        _labels(rejections),
    )
    return Measures(
        n.get("image", 0),
        n.get("annotation", 0),
        n.get(_OPEN, 0),
        n.get(_OF_ENTITY + "image", 0),
        n.get(_OF_ENTITY + "annotation", 0),
        tuple(_rows_of(upload, n) for upload in {row["upload_id"]: row for row in uploads.built}.values()),
        n.get("annotated", 0),
        _named(_OF_RULE, n),
        _named(_OF_CLASS, n),
        None if parent is None else _classes_of(parent),
    )


def _rows_of(upload: Mapping[str, Any], n: Mapping[str, int]) -> UploadRows:
    upload_id = upload["upload_id"]
    return UploadRows(upload_id, upload["source"], upload["annotations"]["read"], n.get(_OF_UPLOAD + upload_id, 0))


def _named(prefix: str, n: Mapping[str, int]) -> dict[str, int]:
    return {label.removeprefix(prefix): count for label, count in n.items() if label.startswith(prefix)}


def _classes_of(version: Mapping[str, Any]) -> dict[str, int]:
    """Annotations by class, as its row in gold.versions has them."""
    counts = json.loads(version["class_stats"] or "{}")
    return {name: of_class["annotations"] for name, of_class in counts.items()}


def _labelled(label: Column, *others: Column) -> Column:
    """All the labels a row is counted by."""
    return F.array_compact(F.concat(F.array(label), *others))


def _of_class() -> Column:
    return F.array(F.concat(F.lit(_OF_CLASS), "category"))


def _flags() -> Column:
    flags = F.coalesce("flags", F.array().cast("array<string>"))
    return F.transform(flags, lambda flag: F.concat(F.lit(_OF_RULE), flag))


def _labels(rejections: DataFrame) -> DataFrame:
    """A label for each and one for its rule; those that do not wait for an image have one for entity and upload too."""
    defect = ~F.col("rule").isin(*WAITING)
    of_entity = F.when(defect, F.concat(F.lit(_OF_ENTITY), "entity"))
    of_upload = F.when(defect & (F.col("entity") == "annotation"), F.concat(F.lit(_OF_UPLOAD), "upload_id"))
    of_rule = F.concat(F.lit(_OF_RULE), "rule")
    return rejections.select(F.explode(F.array(F.lit(_OPEN), of_rule, of_entity, of_upload)))

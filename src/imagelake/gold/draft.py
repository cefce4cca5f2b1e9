"""The draft a publish works on: its pinned rows, the uploads it includes, the measures of its gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.gold.plan import Content, Uploads
from imagelake.quality.catalogue import WAITING
from imagelake.quality.gate import Measures, UploadRows
from imagelake.tables import silver
from imagelake.tables.frames import all_settled, tally
from imagelake.tables.store import DeltaStore

_INCLUDED = frozenset(("built", "unchanged", "superseded"))
"""States of an upload after which the draft holds whatever still counts of it."""

_OPEN, _OF_ENTITY, _OF_UPLOAD = "open", "rejected ", "upload "
"""Labels of the gate's query; the latter two end in an entity or an upload id."""


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
    last = max((int(row["sequence"]) for row in newest if row["state"] in _INCLUDED), default=None)
    return Uploads(tuple(built), last)


def _is_included(upload: Mapping[str, Any], version: Mapping[str, Any] | None) -> bool:
    if version is None:
        return False
    if version["last_sequence"] is None:
        return bool(upload["at"] <= version["at"])
    return bool(upload["sequence"] <= version["last_sequence"])


def measure(content: Content, rejections: DataFrame, uploads: Uploads) -> Measures:
    """What the gate judges, counted in one query. rejections: the open rows of silver.rejections."""
    n = tally(
        content.images.select(F.lit("image")), content.annotations.select(F.lit("annotation")), _labels(rejections)
    )
    newest = {row["upload_id"]: row for row in uploads.built}
    return Measures(
        n.get("image", 0),
        n.get("annotation", 0),
        n.get(_OPEN, 0),
        n.get(_OF_ENTITY + "image", 0),
        n.get(_OF_ENTITY + "annotation", 0),
        tuple(
            UploadRows(upload_id, row["source"], row["annotations"]["read"], n.get(_OF_UPLOAD + upload_id, 0))
            for upload_id, row in newest.items()
        ),
    )


def _labels(rejections: DataFrame) -> DataFrame:
    """A label for each; those that do not wait for an image have one for their entity and their upload too."""
    defect = ~F.col("rule").isin(*WAITING)
    of_entity = F.when(defect, F.concat(F.lit(_OF_ENTITY), "entity"))
    of_upload = F.when(defect & (F.col("entity") == "annotation"), F.concat(F.lit(_OF_UPLOAD), "upload_id"))
    return rejections.select(F.explode(F.array(F.lit(_OPEN), of_entity, of_upload)))

"""OPTIMIZE of the lake's tables through Spark: many small files of some datasets become few, the rows stay."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from imagelake.errors import Conflict
from imagelake.tables.frames import with_conf

log = logging.getLogger(__name__)

_CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)
"""What Delta raises when another writer was faster: in Python these have no class of their own in common."""

_SMALL = "spark.databricks.delta.optimize.minFileSize"
_TARGET = "spark.databricks.delta.optimize.maxFileSize"


@dataclass(frozen=True)
class Rewritten:
    """The result of an OPTIMIZE: files removed and added, and their bytes; all 0 when it committed nothing."""

    files_removed: int = 0
    files_added: int = 0
    bytes_removed: int = 0
    bytes_added: int = 0


def compact(spark: SparkSession, uri: str, datasets: Sequence[str], below: int, target: int) -> Rewritten:
    """Rewrite files smaller than `below` bytes into files of up to `target` bytes, in the partitions of these datasets.

    Without datasets in the whole table, which then has no partitions. One commit that changes no data, none where
    nothing is to be rewritten. Conflict when another writer has removed one of the files meanwhile.
    """
    quoted = ", ".join("'" + dataset.replace("'", "''") + "'" for dataset in datasets)
    with with_conf(spark, {_SMALL: str(below), _TARGET: str(target)}):
        builder = DeltaTable.forPath(spark, uri).optimize()
        if datasets:
            builder = builder.where(f"dataset IN ({quoted})")
        try:
            (row,) = builder.executeCompaction().select("metrics").collect()
        except _CONFLICTS as error:
            log.info("%s: %s", uri, error)
            raise Conflict("another writer changed its files meanwhile") from None
    metrics = row["metrics"]
    added, removed = metrics["numFilesAdded"], metrics["numFilesRemoved"]
    return Rewritten(
        files_removed=int(removed),
        files_added=int(added),
        bytes_removed=int(metrics["filesRemoved"]["totalSize"]) if removed else 0,
        bytes_added=int(metrics["filesAdded"]["totalSize"]) if added else 0,
    )

"""An upload as build sees it: the files bronze has listed, and how to read its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.storage.base import Storage
from imagelake.storage.places import Place, read_place
from imagelake.tables import bronze

_LITERALS = 200
"""So many hashes go into the condition itself; more are joined."""


@dataclass(frozen=True)
class UploadTree:
    """`formats.base.Tree` over bronze rows: every path with its size, and places for what readers open."""

    storage: Storage
    sizes: Mapping[str, int]
    places: Mapping[str, Place]

    @property
    def paths(self) -> Sequence[str]:
        """All paths but the ignored ones, sorted."""
        return sorted(self.sizes)

    def size(self, path: str) -> int:
        """Size in bytes."""
        return self.sizes[path]

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file from where bronze keeps it."""
        data = read_place(self.storage, self.places[path])
        return data if limit is None else data[:limit]


def files_of(ctx: Context, dataset: str, attempt_id: str) -> DataFrame:
    """The rows of bronze.files of one attempt, without what was ignored."""
    files = ctx.tables.read(bronze.FILES, dataset)
    return files.where((F.col("attempt_id") == attempt_id) & (F.col("role") != "ignored"))


def upload_tree(ctx: Context, dataset: str, files: DataFrame) -> UploadTree:
    """The tree of these files. Documents are told from images by role: readers never open an image."""
    rows = files.select("path", "role", "content_hash", "length").collect()
    documents = {r["path"]: r["content_hash"] for r in rows if r["role"] != "image" and r["content_hash"]}
    places = _places(ctx, dataset, frozenset(documents.values()))
    by_path = {path: places[found] for path, found in documents.items()}
    return UploadTree(ctx.storage, {r["path"]: r["length"] for r in rows}, by_path)


def _places(ctx: Context, dataset: str, hashes: frozenset[str]) -> dict[str, Place]:
    if not hashes:
        return {}
    blobs = ctx.tables.read(bronze.BLOBS, dataset).where(F.col("state") == "live")
    if len(hashes) <= _LITERALS:
        found = blobs.where(F.col("content_hash").isin(*sorted(hashes)))
    else:
        wanted = ctx.spark.createDataFrame([(h,) for h in hashes], "content_hash string")
        found = blobs.join(F.broadcast(wanted), "content_hash", "left_semi")
    rows = found.select("content_hash", "uri", "offset", "length", "size", "codec").collect()
    return {row["content_hash"]: Place.from_row(row.asDict()) for row in rows}

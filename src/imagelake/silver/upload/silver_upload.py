"""An upload as build sees it: the files bronze has listed, and how to read its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.formats import reader
from imagelake.formats.base import Detection
from imagelake.formats.detect import choose
from imagelake.runs.context import Context
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.storage.base import Storage
from imagelake.storage.blobs.location import Location, read_location
from imagelake.tables import bronze
from imagelake.tables.blob_states import live_rows
from imagelake.tables.delta.types import arrow_schema
from imagelake.tables.frames import FEW_ROWS, checkpointed

_PLACE = ("content_hash", "uri", "offset", "length", "size", "codec")


@dataclass(frozen=True)
class UploadTree:
    """`formats.base.Tree` over bronze rows: every path with its size, and the locations of what readers open."""

    storage: Storage
    sizes: Mapping[str, int]
    locations: Mapping[str, Location]

    @property
    def paths(self) -> Sequence[str]:
        """All paths but the ignored ones, sorted."""
        return sorted(self.sizes)

    def size(self, path: str) -> int:
        """Size in bytes."""
        return self.sizes[path]

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file from where bronze keeps it."""
        data = read_location(self.storage, self.locations[path])
        return data if limit is None else data[:limit]


def files_of(ctx: Context, upload: LandedUpload) -> DataFrame:
    """The rows of bronze.files of an upload, checkpointed."""
    is_mine = F.col("attempt_id") == upload.attempt_id
    if int(upload.row["files"]["read"]) > FEW_ROWS:
        return checkpointed(ctx.tables.read(bronze.FILES, upload.dataset).where(is_mine))
    mine = pc.field("attempt_id") == upload.attempt_id
    rows = ctx.tables.arrow(bronze.FILES, upload.dataset, bronze.FILES.names, mine)
    return ctx.tables.frame_of(bronze.FILES, rows.cast(arrow_schema(bronze.FILES)))


def current_detection(upload: LandedUpload, tree: UploadTree) -> Detection:
    """What the chosen reader made of the upload: anew where that reader has changed since, without unreadable files."""
    detection = upload.detection
    if upload.row["reader_version"] not in (None, reader(detection.format).version):
        detection = choose(tree, upload.row["requested_format"] or detection.format).detection
    there = set(tree.sizes)
    documents, meta = (tuple(p for p in paths if p in there) for paths in (detection.documents, detection.meta))
    return replace(detection, documents=documents, meta=meta)


def upload_tree(ctx: Context, dataset: str, attempt_id: str) -> UploadTree:
    """The tree of an attempt's files. Documents are told from images by role: readers never open an image.

    Files that cannot be read are not in it, for no reader is to stumble over them, nor are masks.
    """
    is_image = pc.field("role") == "image"
    readable = pc.is_null(pc.field("problem_rule")) & ~pc.field("role").isin(("ignored", "mask"))
    seen = (pc.field("attempt_id") == attempt_id) & (is_image | readable)
    files = ctx.tables.arrow(bronze.FILES, dataset, ("path", "role", "content_hash", "length"), seen)
    sizes = dict(zip(files["path"].to_pylist(), files["length"].to_pylist(), strict=True))
    opened = files.filter((pc.field("role") != "image") & pc.field("content_hash").is_valid())
    locations = locations_of(ctx, dataset, opened["content_hash"].unique().to_pylist())
    documents = zip(opened["path"].to_pylist(), opened["content_hash"].to_pylist(), strict=True)
    return UploadTree(ctx.storage, sizes, {path: locations[content_hash] for path, content_hash in documents})


def locations_of(ctx: Context, dataset: str, hashes: Sequence[str]) -> dict[str, Location]:
    """The locations of these content hashes."""
    if not hashes:
        return {}
    has_hash = pc.field("content_hash").isin(pa.array(hashes, pa.string()))
    rows = ctx.tables.arrow(bronze.BLOBS, dataset, ("dataset", *_PLACE, "state", "at"), has_hash)
    return {row["content_hash"]: Location.from_row(row) for row in live_rows(rows).to_pylist()}

"""Stores each content hash once per lake: new bytes of an upload, their storage, and their location rows.

Facts are Arrow tables here (bronze.probe.PROBE_ROWS): a row a file, a million of them fit a driver easily.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.bronze.probe.probe_results import first_rows
from imagelake.bronze.store.blob import SourceBlob
from imagelake.bronze.store.write_blobs import store_rows
from imagelake.runs.context import Context, Objects
from imagelake.storage.blobs.local_writer import OBJECTS
from imagelake.tables import bronze
from imagelake.tables.blob_states import live_rows
from imagelake.uploads.archived import ArchiveCopy
from imagelake.uploads.source_rows import sum_of

LOCATIONS = pa.schema(
    [
        ("content_hash", pa.string()),
        ("uri", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("size", pa.int64()),
        ("codec", pa.string()),
        ("crc32", pa.int64()),
    ]
)

BLOBS = LOCATIONS.append(pa.field("dataset", pa.string()))
"""Places with the dataset whose rows name them."""

_STATES = (*BLOBS.names, "state", "at")


def existing_locations(ctx: Context, dataset: str, probe_rows: pa.Table, prepared: Sequence[pa.Table]) -> pa.Table:
    """The live locations (BLOBS) of the probed bytes, and those that earlier uploads of the batch will add.

    Locations of other datasets are read only for hashes that this dataset does not have.
    """
    hashes = probe_rows["content_hash"].unique().drop_null()
    own = _live(ctx.tables.arrow(bronze.BLOBS, dataset, _STATES, pc.field("content_hash").isin(hashes)))
    missing = hashes.filter(pc.invert(pc.is_in(hashes, own["content_hash"])))
    return pa.concat_tables([own, *_of_others(ctx, dataset, missing), *(p.select(BLOBS.names) for p in prepared)])


def _of_others(ctx: Context, dataset: str, hashes: pa.Array) -> list[pa.Table]:
    """Locations in other datasets of bytes that this dataset does not have; usually none.

    First only the hashes of the lake are read, then whole rows in the partitions that have some of them.
    """
    if not len(hashes):
        return []
    elsewhere = pc.field("content_hash").isin(hashes) & (pc.field("dataset") != dataset)
    hits = ctx.tables.arrow(bronze.BLOBS, None, ["content_hash", "dataset"], elsewhere)
    if not len(hits):
        return []
    there = pc.field("dataset").isin(hits["dataset"].unique())
    return [_live(ctx.tables.arrow(bronze.BLOBS, None, _STATES, elsewhere & there))]


def _live(rows: pa.Table) -> pa.Table:
    """BLOBS of the live locations; rows: _STATES."""
    return live_rows(rows).select(BLOBS.names).cast(BLOBS)


def store_zip(
    ctx: Context, archived: ArchiveCopy, upload_id: str, probe_rows: pa.Table, existing_rows: pa.Table, single: bool
) -> tuple[pa.Table, str | None]:
    """LOCATIONS rows of the new bytes, and the archive's path if it was stored: when enough of its bytes are new.

    Otherwise, and when each is to be a `single` object, only the new members are stored.
    """
    new = _rows_to_store(probe_rows, existing_rows)
    fresh = pc.sum(new["length"]).as_py() or 0
    whole = sum_of(archived.source.members.table["length"])
    if single or not fresh or fresh < ctx.settings.ingest.keep_archive_share * whole:
        return _store_rows(ctx, new, single), None
    uri = archived.store(upload_id)
    columns = [new["content_hash"], pa.array([uri] * len(new), pa.string()), new["offset"], new["stored"]]
    return pa.table([*columns, new["length"], new["codec"], new["crc32"]], schema=LOCATIONS), uri


def store_files(ctx: Context, probe_rows: pa.Table, existing_rows: pa.Table, single: bool) -> pa.Table:
    """LOCATIONS rows of the new bytes of loose files."""
    return _store_rows(ctx, _rows_to_store(probe_rows, existing_rows), single)


def make_objects(ctx: Context, dataset: str, content_hashes: pa.ChunkedArray, existing_rows: pa.Table) -> pa.Table:
    """Write a single object for each content hash that the dataset does not have as one; their LOCATIONS rows.

    The bytes are copied from stored zips and packages; hashes without any location are left out.
    """
    own = existing_rows.filter(
        pc.and_(pc.equal(existing_rows["dataset"], dataset), pc.starts_with(existing_rows["uri"], f"{OBJECTS}/"))
    )
    missing_hashes = pa.table({"content_hash": content_hashes.unique().drop_null()}).join(
        own.select(["content_hash"]), "content_hash", join_type="left anti"
    )
    location_rows = first_rows(
        existing_rows.join(missing_hashes, "content_hash", join_type="left semi"), "content_hash"
    )
    return make_objects_of(ctx, location_rows) if len(location_rows) else LOCATIONS.empty_table()


def make_objects_of(ctx: Context, location_rows: pa.Table) -> pa.Table:
    """Write a single object for the bytes at each of these LOCATIONS rows, one a content hash; their new rows."""
    count = len(location_rows)
    blobs = {
        "uri": pa.array([ctx.storage.uri(path) for path in location_rows["uri"].to_pylist()], pa.string()),
        "offset": location_rows["offset"],
        "stored": location_rows["length"],
        "codec": location_rows["codec"],
        "length": location_rows["size"],
        "content_hash": location_rows["content_hash"],
        "crc32": location_rows["crc32"],
        "etag": pa.nulls(count, pa.string()),
    }
    return _store_rows(ctx, pa.table(blobs), single=True)


def make_objects_again(ctx: Context, dataset: str, attempt_id: str) -> Objects:
    """Objects of the bytes of an upload that is in bronze already, and how many were made; their rows are appended."""
    attempt = (pc.field("attempt_id") == attempt_id) & pc.field("content_hash").is_valid()
    files = ctx.tables.arrow(bronze.FILES, dataset, ["content_hash"], attempt)
    files = files.cast(pa.schema([("content_hash", pa.string())]))
    location_rows = existing_locations(ctx, dataset, files, ())
    made = make_objects(ctx, dataset, files["content_hash"], location_rows)
    if len(made):
        ctx.storage.flush()
        ctx.tables.append_table(bronze.BLOBS, rows(ctx, dataset, attempt_id, made, location_rows))
    return objects(made)


def objects(location_rows: pa.Table) -> Objects:
    """The number and the bytes of objects, by their LOCATIONS rows."""
    return Objects(len(location_rows), sum_of(location_rows["length"]))


def rows(ctx: Context, dataset: str, attempt_id: str, new_rows: pa.Table, existing_rows: pa.Table) -> pa.Table:
    """Rows of bronze.blobs: new locations, and those of other datasets that this dataset now uses too."""
    location_rows = pa.concat_tables([new_rows.select(LOCATIONS.names), _borrowed(dataset, new_rows, existing_rows)])
    return state_rows(ctx, dataset, attempt_id, location_rows, "live")


def state_rows(ctx: Context, dataset: str, attempt_id: str, location_rows: pa.Table, state: str) -> pa.Table:
    """Rows of bronze.blobs that set the state of LOCATIONS rows: live or ended."""
    count = len(location_rows)
    return (
        location_rows.append_column("dataset", pa.array([dataset] * count, pa.string()))
        .append_column("state", pa.array([state] * count, pa.string()))
        .append_column("attempt_id", pa.array([attempt_id] * count, pa.string()))
        .append_column("at", pa.array([ctx.clock()] * count, pa.timestamp("us", "UTC")))
        .select(list(bronze.BLOBS.names))
    )


def _borrowed(dataset: str, new_rows: pa.Table, existing_rows: pa.Table) -> pa.Table:
    """LOCATIONS rows of bytes that so far only other datasets use."""
    is_own = pc.equal(existing_rows["dataset"], dataset)
    foreign = first_rows(existing_rows.filter(pc.invert(is_own)), "content_hash").select(LOCATIONS.names)
    if not len(foreign):
        return foreign
    placed = pa.concat_tables(
        [existing_rows.filter(is_own).select(["content_hash"]), new_rows.select(["content_hash"])]
    )
    return foreign.join(placed, "content_hash", join_type="left anti").select(LOCATIONS.names)


def _rows_to_store(probe_rows: pa.Table, existing_rows: pa.Table) -> pa.Table:
    """The probe rows of bytes that the lake does not have yet, one row a content hash."""
    hashes = probe_rows["content_hash"]
    numbered = pa.table([hashes, pa.array(range(len(probe_rows)), pa.int64())], ["content_hash", "row"])
    is_new = pc.and_(pc.is_valid(hashes), pc.invert(pc.is_in(hashes, existing_rows["content_hash"])))
    first = numbered.filter(is_new).group_by("content_hash").aggregate([("row", "min")])["row_min"]
    return probe_rows.select(SourceBlob._fields).take(first.take(pc.sort_indices(first)))


def _store_rows(ctx: Context, new: pa.Table, single: bool) -> pa.Table:
    if len(new) == 0:
        return LOCATIONS.empty_table()
    stored_rows = store_rows(ctx, new, single).select(["content_hash", "uri", "offset"])
    joined = stored_rows.join(new.select(["content_hash", "length", "crc32"]), "content_hash", join_type="inner")
    codec = pa.array(["stored"] * len(joined), pa.string())
    columns = [joined[name] for name in ("content_hash", "uri", "offset", "length", "length")]
    return pa.table([*columns, codec, joined["crc32"]], schema=LOCATIONS)

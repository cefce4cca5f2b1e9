"""Bytes once in the whole lake: what of an upload is new, how it is kept, and the rows that say where.

Facts are Arrow tables here (bronze.probe.FACTS): a row a file, a million of them fit a driver easily.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.bronze.probe.probe_results import first_rows
from imagelake.bronze.store.blob import Blob
from imagelake.bronze.store.write_blobs import keep
from imagelake.runs.context import Context, Objects
from imagelake.storage.blobs.local_writer import OBJECTS
from imagelake.tables import bronze
from imagelake.tables.blob_states import live_rows
from imagelake.uploads.archived import ArchiveCopy
from imagelake.uploads.source_rows import sum_of

PLACE = pa.schema(
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

BLOBS = PLACE.append(pa.field("dataset", pa.string()))
"""Places with the dataset whose rows name them."""

_STATES = (*BLOBS.names, "state", "at")


def held(ctx: Context, dataset: str, facts: pa.Table, prepared: Sequence[pa.Table]) -> pa.Table:
    """The live places (BLOBS) of the facts' bytes, and those that uploads before this one are about to add.

    Places that other datasets know are looked for only where the dataset itself has none.
    """
    wanted = facts["content_hash"].unique().drop_null()
    own = _live(ctx.tables.arrow(bronze.BLOBS, dataset, _STATES, pc.field("content_hash").isin(wanted)))
    missing = wanted.filter(pc.invert(pc.is_in(wanted, own["content_hash"])))
    return pa.concat_tables([own, *_of_others(ctx, dataset, missing), *(p.select(BLOBS.names) for p in prepared)])


def _of_others(ctx: Context, dataset: str, wanted: pa.Array) -> list[pa.Table]:
    """The places that other datasets know, of bytes that this one has nowhere: mostly none.

    First only the hashes of the lake are read, then whole rows in the partitions that have some of them.
    """
    if not len(wanted):
        return []
    elsewhere = pc.field("content_hash").isin(wanted) & (pc.field("dataset") != dataset)
    hits = ctx.tables.arrow(bronze.BLOBS, None, ["content_hash", "dataset"], elsewhere)
    if not len(hits):
        return []
    there = pc.field("dataset").isin(hits["dataset"].unique())
    return [_live(ctx.tables.arrow(bronze.BLOBS, None, _STATES, elsewhere & there))]


def _live(rows: pa.Table) -> pa.Table:
    """BLOBS of the places that still count; rows: _STATES."""
    return live_rows(rows).select(BLOBS.names).cast(BLOBS)


def keep_zip(
    ctx: Context, archived: ArchiveCopy, upload_id: str, facts: pa.Table, held: pa.Table, single: bool
) -> tuple[pa.Table, str | None]:
    """PLACE rows of the new bytes, and the archive's path when it is kept: when enough of its bytes are new.

    Else, and when each is to be a `single` object, only the new members are kept.
    """
    new = _unknown(facts, held)
    fresh = pc.sum(new["length"]).as_py() or 0
    whole = sum_of(archived.source.members.table["length"])
    if single or not fresh or fresh < ctx.settings.ingest.keep_archive_share * whole:
        return _kept(ctx, new, single), None
    uri = archived.store(upload_id)
    columns = [new["content_hash"], pa.array([uri] * len(new), pa.string()), new["offset"], new["stored"]]
    return pa.table([*columns, new["length"], new["codec"], new["crc32"]], schema=PLACE), uri


def keep_files(ctx: Context, facts: pa.Table, held: pa.Table, single: bool) -> pa.Table:
    """PLACE rows of the new bytes of loose files."""
    return _kept(ctx, _unknown(facts, held), single)


def make_objects(ctx: Context, dataset: str, content_hashes: pa.ChunkedArray, held: pa.Table) -> pa.Table:
    """PLACE rows of objects of their own, made of bytes that the lake holds without the dataset having them as objects.

    The bytes are copied out of the kept zips and packages of the lake; what is held nowhere is left out.
    """
    own = held.filter(pc.and_(pc.equal(held["dataset"], dataset), pc.starts_with(held["uri"], f"{OBJECTS}/")))
    wanted = pa.table({"content_hash": content_hashes.unique().drop_null()}).join(
        own.select(["content_hash"]), "content_hash", join_type="left anti"
    )
    places = first_rows(held.join(wanted, "content_hash", join_type="left semi"), "content_hash")
    return make_objects_of(ctx, places) if len(places) else PLACE.empty_table()


def make_objects_of(ctx: Context, places: pa.Table) -> pa.Table:
    """PLACE rows of objects of their own, made of the bytes at these places (PLACE), one a content hash."""
    count = len(places)
    blobs = {
        "uri": pa.array([ctx.storage.uri(path) for path in places["uri"].to_pylist()], pa.string()),
        "offset": places["offset"],
        "stored": places["length"],
        "codec": places["codec"],
        "length": places["size"],
        "content_hash": places["content_hash"],
        "crc32": places["crc32"],
        "etag": pa.nulls(count, pa.string()),
    }
    return _kept(ctx, pa.table(blobs), single=True)


def make_objects_again(ctx: Context, dataset: str, attempt_id: str) -> Objects:
    """Objects of the bytes of an upload that is in bronze already, and how many were made; their rows are appended."""
    attempt = (pc.field("attempt_id") == attempt_id) & pc.field("content_hash").is_valid()
    files = ctx.tables.arrow(bronze.FILES, dataset, ["content_hash"], attempt)
    files = files.cast(pa.schema([("content_hash", pa.string())]))
    places = held(ctx, dataset, files, ())
    made = make_objects(ctx, dataset, files["content_hash"], places)
    if len(made):
        ctx.storage.flush()
        ctx.tables.append_table(bronze.BLOBS, rows(ctx, dataset, attempt_id, made, places))
    return objects(made)


def objects(kept: pa.Table) -> Objects:
    """The number and the bytes of objects, by their PLACE rows."""
    return Objects(len(kept), sum_of(kept["length"]))


def rows(ctx: Context, dataset: str, attempt_id: str, kept: pa.Table, held: pa.Table) -> pa.Table:
    """Rows of bronze.blobs: new places, and those of other datasets that this dataset now uses too."""
    places = pa.concat_tables([kept.select(PLACE.names), _borrowed(dataset, kept, held)])
    return state_rows(ctx, dataset, attempt_id, places, "live")


def state_rows(ctx: Context, dataset: str, attempt_id: str, places: pa.Table, state: str) -> pa.Table:
    """Rows of bronze.blobs that say of places (PLACE) that they are live or have ended."""
    count = len(places)
    return (
        places.append_column("dataset", pa.array([dataset] * count, pa.string()))
        .append_column("state", pa.array([state] * count, pa.string()))
        .append_column("attempt_id", pa.array([attempt_id] * count, pa.string()))
        .append_column("at", pa.array([ctx.clock()] * count, pa.timestamp("us", "UTC")))
        .select(list(bronze.BLOBS.names))
    )


def _borrowed(dataset: str, kept: pa.Table, held: pa.Table) -> pa.Table:
    """PLACE rows of bytes that only other datasets know so far."""
    is_own = pc.equal(held["dataset"], dataset)
    foreign = first_rows(held.filter(pc.invert(is_own)), "content_hash").select(PLACE.names)
    if not len(foreign):
        return foreign
    placed = pa.concat_tables([held.filter(is_own).select(["content_hash"]), kept.select(["content_hash"])])
    return foreign.join(placed, "content_hash", join_type="left anti").select(PLACE.names)


def _unknown(facts: pa.Table, held: pa.Table) -> pa.Table:
    """What keeping bytes needs of the facts, one row a content hash, of bytes the lake does not hold yet."""
    hashes = facts["content_hash"]
    numbered = pa.table([hashes, pa.array(range(len(facts)), pa.int64())], ["content_hash", "row"])
    is_new = pc.and_(pc.is_valid(hashes), pc.invert(pc.is_in(hashes, held["content_hash"])))
    first = numbered.filter(is_new).group_by("content_hash").aggregate([("row", "min")])["row_min"]
    return facts.select(Blob._fields).take(first.take(pc.sort_indices(first)))


def _kept(ctx: Context, new: pa.Table, single: bool) -> pa.Table:
    if len(new) == 0:
        return PLACE.empty_table()
    kept = keep(ctx, new, single).select(["content_hash", "uri", "offset"])
    found = kept.join(new.select(["content_hash", "length", "crc32"]), "content_hash", join_type="inner")
    codec = pa.array(["stored"] * len(found), pa.string())
    columns = [found[name] for name in ("content_hash", "uri", "offset", "length", "length")]
    return pa.table([*columns, codec, found["crc32"]], schema=PLACE)

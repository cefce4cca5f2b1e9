"""From content hash to bytes: places in bronze.blobs, read through the storage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isal.isal_zlib import crc32

from imagelake.client.delta.arrow_columns import integers, one_array, release, taken
from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import name, outside, select, within
from imagelake.errors import IntegrityError, NotFound
from imagelake.storage.base import Storage
from imagelake.storage.blobs.location import Location, read_location
from imagelake.tables import bronze

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = ("content_hash", "uri", "offset", "length", "size", "codec")
"""What tells places of bytes apart: columns of bronze.blobs."""
_REPEATED = ("uri", "codec")


@dataclass(frozen=True)
class Blob:
    """A live place of some bytes, and the CRC-32 they have."""

    place: Location
    crc32: int | None


def blobs(tables: Tables, dataset: str, hashes: Iterable[str]) -> dict[str, tuple[Blob, ...]]:
    """Content hash to its live places; those this dataset wrote come first. What has none is left out.

    Bytes are shared by the whole lake: what this dataset's rows do not place is looked up in all others.
    """
    unique = set(hashes)
    places = _places(tables, unique, dataset)
    missing = unique - places.keys()
    return places | _places(tables, missing, None) if missing else places


def first_places(tables: Tables, dataset: str, hashes: pa.ChunkedArray) -> pa.Table:
    """For each content hash the first of its live places, in the order of `blobs`, and its CRC-32; null without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    single = _single_places(tables, hashes, dataset)
    if single is not None:
        return single
    places, at = _first_places(tables, hashes, dataset)
    if at.null_count:
        others, _ = _first_places(tables, pc.unique(hashes.filter(pc.is_null(at))), None)
        parts = [part for part in (places, others) if part.num_rows]
        places = pa.concat_tables(parts or [places]).unify_dictionaries()
        at = pc.index_in(hashes, value_set=places.column("content_hash"))
    return pa.table({column: places.column(column).take(at) for column in (*PLACE[1:], "crc32")})


def live_places(tables: Tables, dataset: str, keys: str) -> str:
    """A table of every live place of the content hashes in a table: those this dataset wrote, else those of others."""
    own = tables.once("_places_own", live_query(_rows_of(tables, dataset, within("content_hash", keys))))
    missing = f"(SELECT content_hash FROM {keys} WHERE {outside('content_hash', own)})"
    if not tables.query(f"SELECT 1 FROM {missing} LIMIT 1"):
        return own
    others = tables.once("_places_others", live_query(_rows_of(tables, None, within("content_hash", missing))))
    return tables.once("_places_all", f"FROM {own} UNION ALL FROM {others}")


def _rows_of(tables: Tables, dataset: str | None, where: str) -> str:
    columns = (*PLACE, "crc32", "state", "at")
    return f"(SELECT * FROM {tables.relation(bronze.BLOBS, columns, dataset)} WHERE {where})"


def read_blob(storage: Storage, content_hash: str, places: Iterable[Blob]) -> bytes:
    """The bytes from the first place that is there; NotFound when none is, IntegrityError when they are not those."""
    gone = []
    for blob in places:
        try:
            data = read_location(storage, blob.place)
        except NotFound:
            gone.append(blob.place.uri)
            continue  # moved since the table was read: the next place, or a new look by the caller
        if blob.crc32 is not None and crc32(data) != blob.crc32:
            raise IntegrityError(
                f"{blob.place.uri} at byte {blob.place.offset} does not hold the bytes of {content_hash}",
                hint="verify the version; restore the file from a copy of the lake",
            )
        return data
    where = f"gone from {', '.join(gone)}" if gone else "nowhere in the lake"
    raise NotFound(f"the bytes {content_hash} are {where}")


def _places(tables: Tables, hashes: set[str], dataset: str | None) -> dict[str, tuple[Blob, ...]]:
    if not hashes or not tables.files(bronze.BLOBS, dataset):
        return {}
    source, place = tables.relation(bronze.BLOBS, (*PLACE, "crc32", "state", "at"), dataset), select(PLACE)
    tables.con.execute("CREATE OR REPLACE TEMP TABLE _wanted AS SELECT unnest($1::VARCHAR[]) AS h", [sorted(hashes)])
    rows = tables.query(
        f"SELECT {place}, any_value(crc32) AS crc32 FROM {source} SEMI JOIN _wanted ON content_hash = h "
        f"GROUP BY {place} HAVING arg_max(state, \"at\") = 'live' ORDER BY {place}"
    )
    by_hash: dict[str, list[Blob]] = {}
    for row in rows:
        by_hash.setdefault(row["content_hash"], []).append(Blob(Location.from_row(row), row["crc32"]))
    return {h: tuple(places) for h, places in by_hash.items()}


def _single_places(tables: Tables, hashes: pa.ChunkedArray, dataset: str) -> pa.Table | None:
    """The place of each content hash; None unless each has one row, which says that it is live, as most have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    source = tables.relation(bronze.BLOBS, (*PLACE, "crc32", "state"), dataset)
    numbers = integers(range(len(hashes)), pa.int64())
    tables.con.register("_hashes", pa.table({"h": hashes, "i": numbers}))
    columns = ", ".join(f"b.{name(c)}" for c in (*PLACE[1:], "crc32"))
    table = tables.arrow(
        f"SELECT i, {columns}, b.state = 'live' AS is_live FROM _hashes JOIN {source} AS b ON b.content_hash = h",
        _compact,
    )
    tables.con.unregister("_hashes")
    order = pc.sort_indices(table.column("i"))
    if not one_array(table.column("i").take(order)).equals(numbers):
        return None
    if not pc.all(table.column("is_live"), min_count=0).as_py():
        return None
    release(tables)
    return taken(table.drop_columns(["i", "is_live"]), order)


def _first_places(tables: Tables, hashes: pa.ChunkedArray, dataset: str | None) -> tuple[pa.Table, pa.ChunkedArray]:
    """A row a content hash with a live place, of PLACE and `crc32`; and for each hash its row, null without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    source = tables.relation(bronze.BLOBS, (*PLACE, "crc32", "state", "at"), dataset)
    tables.con.register("_hashes", pa.table({"h": hashes}))
    tables.con.execute("CREATE OR REPLACE TEMP TABLE _wanted AS SELECT h FROM _hashes")
    tables.con.unregister("_hashes")
    rows = f"(SELECT * FROM {source} SEMI JOIN _wanted ON content_hash = h)"
    table = tables.arrow(f"SELECT {select((*PLACE, 'crc32'))}, state = 'live' AS is_live FROM {rows}", _compact)
    at = pc.index_in(hashes, value_set=table.column("content_hash"))
    # most bytes have one row, which says that they are live: then nothing needs to be grouped
    is_distinct = pc.count_distinct(at, mode="only_valid").as_py() == table.num_rows
    if not (is_distinct and pc.all(table.column("is_live"), min_count=0).as_py()):
        table = tables.arrow(_grouped(rows), _compact)
        at = pc.index_in(hashes, value_set=table.column("content_hash"))
    return table.select([*PLACE, "crc32"]), at


def _compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With each uri and codec, of which there are few, stored once."""
    import pyarrow as pa

    columns = [
        column.dictionary_encode() if of in _REPEATED else column
        for column, of in zip(batch.columns, batch.schema.names, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def live_query(rows: str) -> str:
    """A query for the places whose newest state is live, with their CRC-32; rows: SQL, in brackets."""
    return (
        f"SELECT {select(PLACE)}, any_value(crc32) AS crc32 FROM {rows} GROUP BY {select(PLACE)} "
        "HAVING arg_max(state, \"at\") = 'live'"
    )


def _grouped(rows: str) -> str:
    order = ", ".join(name(c) for c in PLACE[1:])
    return (
        f"SELECT * FROM ({live_query(rows)}) QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY {order}) = 1"
    )

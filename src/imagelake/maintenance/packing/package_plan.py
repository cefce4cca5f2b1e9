"""Which bytes of a dataset are to be packed, and why or why not. Needs no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagelake.client import catalog
from imagelake.client.delta import blob_places
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import LOGS, named
from imagelake.client.sql_text import select, within
from imagelake.config.dataset_settings import DatasetSettings
from imagelake.config.settings import PackSettings
from imagelake.storage.base import Storage
from imagelake.storage.blobs.local_writer import ARCHIVES, OBJECTS
from imagelake.tables import bronze, silver

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = (*blob_places.PLACE, "crc32")
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Share:
    """Images of a dataset in its draft and versions: their number, and the bytes of all."""

    images: int
    bytes: int

    @property
    def mean(self) -> float:
        """Mean size in bytes; 0 without images."""
        return self.bytes / self.images if self.images else 0.0


@dataclass(frozen=True, eq=False)
class PackPlan:
    """What packing a dataset would do.

    `reason` says why it is worth it, or why not (`is_worth_it`). `sources` (PLACE) are the bytes to copy, one row a
    content hash, in the order of hashes; `borrowed` (PLACE) those that another dataset has packed already; `replaced`
    (PLACE) are the places that end when both have a new one.
    """

    dataset: str
    is_worth_it: bool
    reason: str
    sources: pa.Table
    borrowed: pa.Table
    replaced: pa.Table


def plan_pack(
    storage: Storage, dataset: str, settings: DatasetSettings, pack: PackSettings, *, force: bool = False
) -> PackPlan:
    """What is to be packed now. With `force` size and number do not matter, but `storage: objects` and `zip` do."""
    tables = Tables(storage)
    live = tables.once("_pack_live", _live(tables, dataset))
    images = tables.once("_pack_images", f"SELECT DISTINCT content_hash FROM {_images(tables, dataset)}")
    is_worth_it, reason = _judge(_share(tables, live, images), settings, pack, force)
    wasteful = _wasteful(tables, storage, pack) if is_worth_it else ()
    _mark(tables, live, images, wasteful)
    if not is_worth_it:
        tables.con.execute("DELETE FROM _pack_unpacked")
    others = _packed_elsewhere(tables, dataset)
    sources = tables.arrow(
        f"SELECT {select(PLACE)} FROM _pack_unpacked WHERE content_hash NOT IN (SELECT content_hash FROM {others}) "
        'QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY codec DESC, uri, "offset") = 1 '
        "ORDER BY content_hash"
    )
    borrowed = tables.arrow(f"SELECT {select(PLACE)} FROM {others} ORDER BY content_hash")
    replaceable = f"uri NOT LIKE '{OBJECTS}/%'" if settings.browse else "true"
    replaced = tables.arrow(f"SELECT {select(PLACE)} FROM _pack_unpacked WHERE {replaceable} ORDER BY content_hash")
    return PackPlan(dataset, is_worth_it, reason, sources, borrowed, replaced)


def plan_objects(storage: Storage, dataset: str) -> PackPlan:
    """Which images are to become objects of their own, and the places in zips and packages that end then."""
    tables = Tables(storage)
    live = tables.once("_pack_live", _live(tables, dataset))
    images = tables.once("_pack_images", f"SELECT DISTINCT content_hash FROM {_images(tables, dataset)}")
    elsewhere = f"(FROM {live} SEMI JOIN {images} USING (content_hash) WHERE uri NOT LIKE '{OBJECTS}/%')"
    single = f"(SELECT content_hash FROM {live} WHERE uri LIKE '{OBJECTS}/%')"
    sources = tables.arrow(
        f"SELECT {select(PLACE)} FROM {elsewhere} WHERE content_hash NOT IN {single} "
        'QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY codec DESC, uri, "offset") = 1 '
        'ORDER BY uri, "offset"'
    )
    replaced = tables.arrow(f"SELECT {select(PLACE)} FROM {elsewhere} ORDER BY content_hash")
    reason = "objects of their own: storage is objects in the dataset's settings"
    return PackPlan(dataset, True, reason, sources, sources.slice(0, 0), replaced)


@dataclass(frozen=True)
class Blobs:
    """A dataset's blobs: how many there are, and whether some, or some places, lie outside zips and packages."""

    dataset: str
    count: int
    has_unpacked: bool


def survey_blobs(storage: Storage) -> list[Blobs]:
    """The blobs of every dataset, in the order of their ids."""
    tables = Tables(storage)
    source = tables.relation(bronze.BLOBS, ("dataset", *PLACE, "state", "at"))
    where = ("dataset", *blob_places.PLACE)
    rows = tables.query(
        "SELECT dataset, count(DISTINCT content_hash) AS count, "
        f"bool_or(NOT (uri LIKE '{ARCHIVES}/%' AND codec = 'stored')) AS has_unpacked "
        f"FROM (SELECT {select(where)} FROM {source} "
        f"GROUP BY {select(where)} HAVING arg_max(state, \"at\") = 'live') GROUP BY dataset ORDER BY dataset"
    )
    return [Blobs(**row) for row in rows]


def _live(tables: Tables, dataset: str | None) -> str:
    return blob_places.live_query(tables.relation(bronze.BLOBS, (*PLACE, "state", "at"), dataset))


def _images(tables: Tables, dataset: str) -> str:
    """Content hashes of every image of the draft and of any version."""
    history = catalog.history(tables, dataset)
    log = tables.relation(LOGS["image"], ("content_hash", "publish_id"), dataset)
    draft = tables.relation(silver.IMAGES, ("content_hash",), dataset)
    published = f"(SELECT content_hash FROM {log} WHERE {within('publish_id', named(tables, history))})"
    return f"(SELECT content_hash FROM {published} UNION ALL SELECT content_hash FROM {draft})"


def _share(tables: Tables, live: str, images: str) -> Share:
    (row,) = tables.query(
        f"SELECT count(*) AS n, coalesce(sum(size), 0) AS bytes FROM "
        f"(SELECT content_hash, any_value(size) AS size FROM {live} SEMI JOIN {images} USING (content_hash) "
        "GROUP BY content_hash)"
    )
    return Share(row["n"], int(row["bytes"]))


def _judge(share: Share, settings: DatasetSettings, pack: PackSettings, force: bool) -> tuple[bool, str]:
    """Whether packing is worth it, and a sentence that says why."""
    what = f"{share.images:,} images of {share.mean / 1024:,.0f} KiB on average"
    if settings.storage in ("objects", "zip"):
        return False, f"not packed: storage is {settings.storage} in the dataset's settings"
    if not share.images:
        return False, "not packed: there are no images"
    if settings.storage == "packages" or force:
        return True, f"packed as asked for: {what}"
    if share.mean > pack.max_mean_megabytes * _MEGABYTE:
        return False, f"not packed: {what}, above pack.max_mean_megabytes = {pack.max_mean_megabytes:g}"
    if share.images >= pack.min_images:
        return True, f"packed: {what}, at least pack.min_images = {pack.min_images}"
    if share.images >= pack.min_small_images and share.mean < pack.small_megabytes * _MEGABYTE:
        return True, f"packed: {what}, at least pack.min_small_images = {pack.min_small_images} small ones"
    return False, f"not packed: {what}; from pack.min_small_images = {pack.min_small_images} small ones on it is"


def _wasteful(tables: Tables, storage: Storage, pack: PackSettings) -> tuple[str, ...]:
    """Zips and packages of which less than a share is named by any place of the lake."""
    every = tables.once("_pack_every", _live(tables, None))
    rows = tables.query(
        f'SELECT uri, sum(length) AS bytes FROM (SELECT DISTINCT uri, "offset", length FROM {every} '
        f"WHERE uri LIKE '{ARCHIVES}/%') GROUP BY uri"
    )
    sizes: Mapping[str, int] = {stat.path: stat.length for stat in storage.list(ARCHIVES)}
    least = 1 - pack.max_waste
    return tuple(row["uri"] for row in rows if int(row["bytes"]) < least * sizes.get(row["uri"], 0))


def _mark(tables: Tables, live: str, images: str, wasteful: tuple[str, ...]) -> None:
    """Make the table _pack_unpacked: the live places that are to be replaced.

    These are images' bytes that lie in no package, and all that lies beside them in a zip that can end then: one that
    holds no image as it is.
    """
    tables.con.execute(
        "CREATE OR REPLACE TEMP TABLE _pack_wasteful AS SELECT unnest($1::VARCHAR[]) AS uri", [list(wasteful)]
    )
    in_package = f"uri LIKE '{ARCHIVES}/%' AND codec = 'stored' AND uri NOT IN (FROM _pack_wasteful)"
    packed = f"(SELECT content_hash, uri FROM {live} SEMI JOIN {images} USING (content_hash) WHERE {in_package})"
    outside = (
        f"(SELECT DISTINCT uri FROM {live} SEMI JOIN {images} USING (content_hash) "
        f"WHERE NOT ({in_package}) AND uri NOT IN (SELECT uri FROM {packed}))"
    )
    tables.con.execute(
        f"CREATE OR REPLACE TEMP TABLE _pack_unpacked AS "
        f"SELECT {select(PLACE)} FROM {live} WHERE uri IN (FROM {outside}) "
        f"UNION SELECT {select(PLACE)} FROM {live} SEMI JOIN {images} USING (content_hash) WHERE NOT ({in_package})"
    )


def _packed_elsewhere(tables: Tables, dataset: str) -> str:
    """For content hashes that are to be packed, the place in a package that the lake knows already."""
    every = tables.once("_pack_every", _live(tables, None))
    return tables.once(
        "_pack_elsewhere",
        f"SELECT {select(PLACE)} FROM {every} SEMI JOIN _pack_unpacked USING (content_hash) "
        f"WHERE uri LIKE '{ARCHIVES}/%' AND codec = 'stored' AND uri NOT IN (FROM _pack_wasteful) "
        'QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY uri, "offset") = 1',
    )

"""Images and annotations of one version or draft, in memory and in key order: a page of them costs milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS, LOGS, check_count, live
from imagelake.client.labelling.label_rows import COLUMNS
from imagelake.client.labelling.warm import Look
from imagelake.client.sql_text import Row, name, select, text, texts
from imagelake.storage.blobs.local_writer import OBJECTS
from imagelake.tables import bronze

Matching = Callable[[Tables, Target, str], Iterable[str]]
"""The image keys of a version or draft that meet a condition, asked with that look."""

_IMAGE = (
    "image_key", "content_hash", "media_type", "width", "height", "orientation", "labelled", "upload_id", "delivery",
)  # fmt: skip
_MOST_BYTES = 256 << 20  # of annotation files that are held decoded, at 5 times that; larger ones are read each time
_MOST_CONDITIONS = 8


class Index:
    """Answers from one state of a version or draft. IntegrityError when a version lacks rows."""

    def __init__(self, tables: Look, target: Target) -> None:
        self._tables = tables
        self._target = target
        self._lock = threading.Lock()
        self._conditions: dict[str, str] = {}
        self._images = tables.once("_images", _images(tables, target))
        check_count(target, "image", self._count(self._images))
        self._labels = self._annotations(target)
        check_count(target, "annotation", self._count(self._labels))
        categories = tables.query(f"SELECT * FROM {live(tables, target, 'category', ('name', 'train_index'))}")
        self.classes: dict[str, int | None] = {row["name"]: row["train_index"] for row in categories}

    def page(self, after: str | None, limit: int, condition: str | None, matching: Matching) -> list[Row]:
        """Up to `limit` images with keys beyond `after`; with a condition, of those that `matching` says meet it."""
        where = "" if after is None else f"WHERE image_key > {text(after)}"
        with self._lock:
            chosen = (
                "" if condition is None else f"SEMI JOIN {self._chosen(condition, matching)} AS c USING (image_key)"
            )
            return self._tables.query(f"SELECT * FROM {self._images} {chosen} {where} ORDER BY image_key LIMIT {limit}")

    def image(self, key: str) -> Row | None:
        """One image."""
        if not can_be_key(key):
            return None
        with self._lock:
            rows = self._tables.query(f"SELECT * FROM {self._images} WHERE image_key = {text(key)}")
        return rows[0] if rows else None

    def annotations(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        """The annotation rows of images, by key."""
        by_key: dict[str, list[Row]] = {key: [] for key in keys}
        if keys:
            within = f"image_key BETWEEN {text(min(keys))} AND {text(max(keys))} AND image_key IN ({texts(keys)})"
            with self._lock:
                rows = self._tables.query(f"SELECT {select(COLUMNS)} FROM {self._labels} WHERE {within}")
            for row in rows:
                by_key[row["image_key"]].append(row)
        return by_key

    def _chosen(self, condition: str, matching: Matching) -> str:
        """The table of the keys that meet a condition."""
        if condition not in self._conditions:
            # by a look of its own, which opens nothing else once a condition of strangers runs in it
            keys = list(matching(self._tables.again(), self._target, condition))
            if len(self._conditions) >= _MOST_CONDITIONS:
                self._conditions.clear()
            table = f"_condition_{len(self._conditions)}"
            self._tables.con.execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT unnest($1::VARCHAR[]) AS image_key", [keys]
            )
            self._conditions[condition] = table
        return self._conditions[condition]

    def _annotations(self, target: Target) -> str:
        rows = live(self._tables, target, "annotation", COLUMNS)
        spec = (DRAFTS if target.version is None else LOGS)["annotation"]
        size = sum(int(file.log["size_bytes"]) for file in self._tables.files(spec, target.dataset))
        if size > _MOST_BYTES:
            return rows
        return self._tables.once("_annotations", f"SELECT * FROM {rows} ORDER BY image_key, row_hash")

    def _count(self, source: str) -> int:
        return int(self._tables.query(f"SELECT count(*) AS n FROM {source}")[0]["n"])


class SingleObjects:
    """Which bytes are objects of their own, and so have a URL."""

    def __init__(self, tables: Tables, dataset: str) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._placed = tables.once("_placed", _placed(tables, dataset))

    def single(self, hashes: Iterable[str]) -> set[str]:
        """Those of the content hashes that are kept as single objects."""
        unique = sorted(set(hashes))
        if not unique:
            return set()
        query = f"SELECT content_hash, single FROM {self._placed} WHERE content_hash IN ({texts(unique)})"
        with self._lock:
            return {row["content_hash"] for row in self._tables.query(query) if row["single"]}


def can_be_key(value: str) -> bool:
    """Whether a text can be an image's key at all, and so be part of a query."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def _images(tables: Tables, target: Target) -> str:
    images = live(tables, target, "image", _IMAGE)
    splits = live(tables, target, "split", ("image_key", "split"))
    columns = ", ".join(f"i.{name(c)}" for c in _IMAGE)
    return f"SELECT {columns}, s.split FROM {images} AS i LEFT JOIN {splits} AS s USING (image_key) ORDER BY image_key"


def _placed(tables: Tables, dataset: str) -> str:
    columns = ("content_hash", "uri", "offset", "length", "size", "codec", "state", "at")
    places = tables.relation(bronze.BLOBS, columns, dataset)
    single = (
        f"uri = {text(OBJECTS)} || '/' || left(content_hash, 2) || '/' || content_hash "
        "AND codec = 'stored' AND \"offset\" = 0"
    )
    return (
        f"SELECT content_hash, bool_or(single) AS single FROM (SELECT content_hash, {single} AS single FROM {places} "
        'GROUP BY content_hash, uri, "offset", codec HAVING arg_max(state, "at") = \'live\') GROUP BY content_hash'
    )

"""`verify REF`: a version's digest computed anew from its columns, what must hold between its rows, and every
image's hash from its bytes.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.blob_places import live_places
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS, KEYS, expected, fetch_version, live
from imagelake.client.inspect.verify_draft import draft_problems
from imagelake.client.inspect.verify_rows import Problems, row_problems
from imagelake.client.sql_text import Row, outside, select, within
from imagelake.core import digest
from imagelake.core.advance import Advance, ProgressCallback, ignore_progress
from imagelake.errors import ImagelakeError
from imagelake.storage.base import Storage
from imagelake.storage.blobs.location import Location, read_locations
from imagelake.tables import bronze

_IMAGE = ("image_key", "content_hash", "width", "height", "orientation", "labelled", "attributes")
_GEOMETRY = ("bbox", "polygons", "rle_size", "rle_counts", "keypoints")
_HASHED: dict[str, tuple[tuple[str, ...], Callable[[Row], bytes]]] = {
    "image": (_IMAGE, digest.image_hash),
    "annotation": (
        ("image_key", "kind", "category", *_GEOMETRY, "is_crowd", "attributes"),
        digest.annotation_hash,
    ),
    "category": (("name", "supercategory", "train_index"), digest.category_hash),
    "split": (("image_key", "split"), digest.split_hash),
}
"""Per entity the columns its row hash is made of, and the function that makes it."""

_ROWS_AT_ONCE = 10_000
_MOST_PROBLEMS = 1_000
_PLACES_AT_ONCE = 256
_READING = "reading images"

_Chunk = Sequence[tuple[str, Location]]
_Checked = list[tuple[int, str | None]]


@dataclass(frozen=True)
class Verification:
    """The outcome: the digest as computed now, what was read, and one sentence for everything that is wrong.

    The digest of a draft is that of its content: a draft has no splits of its own yet.
    """

    version: str
    digest: str
    images_checked: int
    bytes_checked: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything reads back as it was written."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """{"version", "ok", "digest", "images_checked", "bytes_checked", "problems": [...]}."""
        return {
            "version": self.version,
            "ok": self.ok,
            "digest": self.digest,
            "images_checked": self.images_checked,
            "bytes_checked": self.bytes_checked,
            "problems": list(self.problems),
        }


@dataclass
class _Findings:
    problems: list[str] = field(default_factory=list)
    left_out: int = 0

    def add(self, problem: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.left_out += 1

    def add_rows(self, problems: Problems) -> None:
        for sentence in problems.sentences:
            self.add(sentence)
        self.left_out += problems.count - len(problems.sentences)

    def add_all(self, image_keys: Sequence[str], problem: str) -> None:
        for key in image_keys:
            self.add(f"image {key!r}: {problem}")

    def all(self) -> tuple[str, ...]:
        more = (f"and {self.left_out} more problems",) if self.left_out else ()
        return (*self.problems, *more)


def verify(
    tables: Tables,
    storage: Storage,
    target: Target,
    rows_only: bool = False,
    threads: int = 4,
    progress: ProgressCallback = ignore_progress,
) -> Verification:
    """Check a version or draft: row hashes, counts, digests, what holds between rows, unless `rows_only` all bytes."""
    fetch_version(tables, target, bronze.BLOBS)
    findings = _Findings()
    sets = {entity: _set_digest(tables, target, entity, findings, progress) for entity in DRAFTS}
    content = digest.content_digest(sets["image"], sets["annotation"], sets["category"])
    computed = content
    for entity, promised in expected(target).items():
        if sets[entity].count != promised:
            findings.add(f"{promised} {entity} rows were published, {sets[entity].count} are in the log")
    if target.version is not None:
        stored = catalog.details(tables, target.version, ("digest", "content_digest"))
        computed = digest.version_digest(content, _set_digest(tables, target, "split", findings, progress))
        if content != stored["content_digest"]:
            findings.add(f"the content digest is {content}, published was {stored['content_digest']}")
        if computed != stored["digest"]:
            findings.add(f"the digest is {computed}, published was {stored['digest']}")
    progress(Advance("comparing rows"))
    for problem in draft_problems(tables, target, sets):
        findings.add(problem)
    for problems in row_problems(tables, target, _MOST_PROBLEMS):
        findings.add_rows(problems)
    images, size = (0, 0) if rows_only else _check_bytes(tables, storage, target, findings, threads, progress)
    return Verification(target.name, computed, images, size, findings.all())


def _set_digest(
    tables: Tables, target: Target, entity: str, findings: _Findings, progress: ProgressCallback
) -> digest.SetDigest:
    """The digest of the rows as their columns hash now; a row whose stored hash differs is a problem."""
    columns, hash_of = _HASHED[entity]
    selected = columns if entity == "split" else tuple(dict.fromkeys((KEYS[entity], *columns, "row_hash")))
    total = digest.SetDigest()
    count, stage, promised = 0, f"hashing {entity} rows", expected(target).get("image" if entity == "split" else entity)
    progress(Advance(stage, 0, promised))
    for rows in _batches(tables, f"SELECT {select(selected)} FROM {live(tables, target, entity, selected)}", selected):
        hashes = [_hash(hash_of, row) for row in rows]
        for row, computed in zip(rows, hashes, strict=True):
            if computed is None or computed != row.get("row_hash", computed):
                findings.add(f"{entity} {row[KEYS[entity]]!r}: the row is not the one its hash was made of")
        total += digest.set_digest(h for h in hashes if h is not None)
        count += len(rows)
        progress(Advance(stage, count, promised))
    return total


def _hash(hash_of: Callable[[Row], bytes], row: Row) -> bytes | None:
    """None for a row so damaged that it cannot be encoded."""
    try:
        return hash_of(row)
    except (ValueError, TypeError, AttributeError):
        return None


def _batches(tables: Tables, sql: str, columns: tuple[str, ...]) -> Iterator[list[Row]]:
    cursor = tables.con.execute(sql)
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield [dict(zip(columns, row, strict=True)) for row in rows]


def _check_bytes(
    tables: Tables, storage: Storage, target: Target, findings: _Findings, threads: int, progress: ProgressCallback
) -> tuple[int, int]:
    """(images, bytes) read; the same bytes under several keys are read once."""
    source = live(tables, target, "image", ("image_key", "content_hash"))
    keys = tables.once("_verify_keys", f"SELECT image_key, content_hash FROM {source}")
    # every live place is read: a copy that rotted must be known before it is needed
    places = live_places(tables, target.dataset, keys)
    lost = tables.query(f"SELECT DISTINCT content_hash FROM {keys} WHERE {outside('content_hash', places)}")
    bad = [(row["content_hash"], "its bytes have no place in the lake") for row in lost]
    (totals,) = tables.query(f"SELECT count(*) AS files, coalesce(sum(length), 0) AS bytes FROM {places}")
    files = size = 0
    progress(Advance(_READING, 0, totals["files"], 0, int(totals["bytes"])))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for chunk, checked in _ahead(pool, partial(_check_places, storage), _chunks(tables, places), threads):
            size += sum(length for length, _ in checked)
            files += len(chunk)
            progress(Advance(_READING, files, totals["files"], size, int(totals["bytes"])))
            bad += [(h, problem) for (h, _), (_, problem) in zip(chunk, checked, strict=True) if problem]
    _add_images(tables, keys, bad, findings)
    return int(tables.query(f"SELECT count(*) AS n FROM {keys}")[0]["n"]), size


def _chunks(tables: Tables, places: str) -> Iterator[_Chunk]:
    """Content hashes and places, in the order in which they lie."""
    columns = ("content_hash", "uri", "offset", "length", "size", "codec")
    for batch in tables.batches(f'SELECT {select(columns)} FROM {places} ORDER BY uri, "offset"'):
        for start in range(0, batch.num_rows, _PLACES_AT_ONCE):
            rows = batch.slice(start, _PLACES_AT_ONCE).to_pylist()
            yield [(row["content_hash"], Location.from_row(row)) for row in rows]


def _ahead(
    pool: ThreadPoolExecutor, check: Callable[[_Chunk], _Checked], chunks: Iterator[_Chunk], threads: int
) -> Iterator[tuple[_Chunk, _Checked]]:
    """Each chunk with its outcome, in order; a few are on their way, never all."""
    running: deque[tuple[_Chunk, Future[_Checked]]] = deque()
    for chunk in chunks:
        running.append((chunk, pool.submit(check, chunk)))
        if len(running) > 2 * threads:
            first, outcome = running.popleft()
            yield first, outcome.result()
    yield from ((chunk, outcome.result()) for chunk, outcome in running)


def _add_images(tables: Tables, keys: str, bad: Sequence[tuple[str, str]], findings: _Findings) -> None:
    """A problem for each image that has bad bytes."""
    if not bad:
        return
    hashes = tables.once("_verify_bad", "SELECT unnest($1::VARCHAR[]) AS content_hash", [sorted({h for h, _ in bad})])
    rows = tables.query(
        f"SELECT content_hash, list(image_key ORDER BY image_key) AS image_keys FROM {keys} "
        f"WHERE {within('content_hash', hashes)} GROUP BY content_hash"
    )
    image_keys = {row["content_hash"]: row["image_keys"] for row in rows}
    for content_hash, problem in bad:
        findings.add_all(image_keys[content_hash], problem)


def _check_places(storage: Storage, chunk: _Chunk) -> _Checked:
    """For each (bytes read, what is wrong)."""
    return [
        _checked(data, content_hash, place)
        for (content_hash, place), data in zip(chunk, read_locations(storage, [p for _, p in chunk]), strict=True)
    ]


def _checked(data: bytes | ImagelakeError, content_hash: str, place: Location) -> tuple[int, str | None]:
    if isinstance(data, ImagelakeError):
        return 0, data.message
    if hashlib.sha256(data).hexdigest() != content_hash:
        return len(data), f"{place.uri} at byte {place.offset} holds other bytes"
    return len(data), None

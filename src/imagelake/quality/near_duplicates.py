"""Groups of images that look alike: perceptual hashes that differ by a few bits, found without comparing all pairs.

Exact, by the pigeonhole principle. The 64 bits are dealt out to `distance + shared` bands; two hashes that differ in at
most `distance` bits agree in at least `shared` whole bands. So for every choice of that many bands hashes are joined
on their bits, and only what agrees in them is compared. Needs DuckDB, and neither Spark nor numpy.

Hashes that belong together already are not compared again: of each bucket of the join only those outside its largest
group are compared with the others. So a million frames of one camera, each of which is like thousands of others, are
joined by their neighbours in a few sorted orders first, and leave nothing to compare.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from imagelake.quality.catalogue import LOW_INFORMATION
from imagelake.tables.delta.database import database

HASH_BITS = 64

DISTANCE = 6
"""Bits that near-duplicates may differ in: what it finds and misses is measured in docs/duplicates.md."""

MOST_DISTANCE = 10
"""Beyond it buckets get large and unlike pictures are called alike."""

LEAST_CONTRAST = 0.02
"""Below it, or below LOW_INFORMATION, a picture is blank: its hash is noise, and would join it to other blank ones."""

_MOST_SHARED = 4
_JOIN_SECONDS, _NODE_SECONDS, _PAIR_SECONDS = 1e-2, 2e-7, 5e-8
"""About what a join costs by itself, for each hash and for each pair that it compares: only their ratios matter."""

_PAIRS = 10_000

_IMAGES = """
CREATE TABLE image AS SELECT image_key, content_hash, CAST('0x' || phash AS UBIGINT) AS hash
FROM uploaded WHERE phash IS NOT NULL AND NOT coalesce(contrast < $contrast OR entropy < $entropy, false)
"""
_COUNTS = """
SELECT count(*) FILTER (phash IS NULL),
    count(*) FILTER (phash IS NOT NULL AND coalesce(contrast < $contrast OR entropy < $entropy, false))
FROM uploaded
"""
_NODES = """
CREATE TABLE node AS SELECT hash, CAST(row_number() OVER (ORDER BY hash) - 1 AS INTEGER) AS root
FROM (SELECT DISTINCT hash FROM image)
"""
_NEIGHBOURS = """
SELECT DISTINCT root, neighbour FROM (
    SELECT hash, root, lag(hash) OVER follow AS other, lag(root) OVER follow AS neighbour FROM node
    WINDOW follow AS (ORDER BY hash & CAST($mask AS UBIGINT), hash)
) WHERE root <> neighbour AND bit_count(xor(hash, other)) <= $distance
"""
_BUCKETS = """
CREATE OR REPLACE TEMP TABLE bucket AS
SELECT hash & CAST($mask AS UBIGINT) AS key, mode(root) AS largest FROM node GROUP BY key HAVING min(root) <> max(root)
"""
_ALIKE = """
SELECT DISTINCT one.root, other.root FROM bucket
JOIN node AS one ON one.hash & CAST($mask AS UBIGINT) = bucket.key AND one.root <> bucket.largest
JOIN node AS other ON other.hash & CAST($mask AS UBIGINT) = bucket.key
WHERE one.root <> other.root AND bit_count(xor(one.hash, other.hash)) <= $distance
"""
_GROUPS = """
WITH grouped AS (
    SELECT root, min(image_key) AS first FROM node JOIN image USING (hash)
    GROUP BY root HAVING count(DISTINCT content_hash) > 1
)
SELECT image_key, content_hash, CAST(dense_rank() OVER (ORDER BY first) - 1 AS INTEGER) AS "group"
FROM grouped JOIN node USING (root) JOIN image USING (hash) ORDER BY "group", image_key
"""


@dataclass(frozen=True)
class NearDuplicates:
    """Images that look alike.

    `groups` has image_key, content_hash and group (0, 1, 2, … in the order of their first keys), sorted by group and
    key. A group has at least two different contents; from each of its images to each other there are steps of at most
    `distance` bits. `blank` counts images left out for want of contrast or entropy, `unhashed` those without a hash.
    """

    groups: pa.Table
    distance: int
    blank: int
    unhashed: int


def near_duplicates(images: pa.Table, distance: int = DISTANCE) -> NearDuplicates:
    """The groups among images: a table with image_key, content_hash, phash, contrast and entropy, as in silver.images.

    Equal hashes are one node, so many copies cost no more than one. ValueError for a distance outside 0 to
    MOST_DISTANCE and for a phash that is not 16 hex digits.
    """
    if not 0 <= distance <= MOST_DISTANCE:
        raise ValueError(f"distance {distance}; 0 to {MOST_DISTANCE} bits are allowed")
    _check_hashes(images["phash"])
    blank = {"contrast": LEAST_CONTRAST, "entropy": LOW_INFORMATION}
    with database() as connection:
        connection.register("uploaded", images.select(["image_key", "content_hash", "phash", "contrast", "entropy"]))
        unhashed, left_out = connection.execute(_COUNTS, blank).fetchall()[0]
        connection.execute(_IMAGES, blank)
        connection.execute(_NODES)
        _connect(connection, distance)
        return NearDuplicates(connection.sql(_GROUPS).to_arrow_table(), distance, left_out, unhashed)


def shared_bands(nodes: int, distance: int) -> int:
    """The number of bands that pairs of so many hashes are best asked to share: 0 compares all pairs in one join."""
    return min(range(_MOST_SHARED + 1), key=lambda shared: _seconds(nodes, distance, shared))


def _seconds(nodes: int, distance: int, shared: int) -> float:
    """About what the joins take: more shared bands mean more joins of fewer candidates."""
    agreeing = HASH_BITS * shared / (distance + shared) if shared else 0
    pairs = nodes * nodes / 2 / 2**agreeing
    return math.comb(distance + shared, shared) * (_JOIN_SECONDS + nodes * _NODE_SECONDS + pairs * _PAIR_SECONDS)


def bands(count: int) -> list[int]:
    """The bits of each band as a mask; neighbouring bits lie in different bands, so that all tell about as much."""
    return [sum(1 << bit for bit in range(first, HASH_BITS, count)) for first in range(count)]


def _connect(connection: duckdb.DuckDBPyConnection, distance: int) -> None:
    """Give all hashes of a group the same root."""
    nodes = connection.execute("SELECT count(*) FROM node").fetchall()[0][0]
    roots = _Roots(array("l", range(nodes)))
    shared = shared_bands(nodes, distance)
    masks = bands(distance + shared)
    for mask in masks:
        _join(connection, roots, _NEIGHBOURS, {"mask": mask, "distance": distance})
    for chosen in itertools.combinations(masks, shared):
        mask = sum(chosen)
        connection.execute(_BUCKETS, {"mask": mask})
        _join(connection, roots, _ALIKE, {"mask": mask, "distance": distance})


def _join(connection: duckdb.DuckDBPyConnection, roots: _Roots, query: str, values: dict[str, int]) -> None:
    """Join the roots of pairs that a query finds."""
    joined = array("l")
    result = connection.execute(query, values)
    while pairs := result.fetchmany(_PAIRS):
        joined.extend(root for one, other in pairs for root in roots.join(one, other))
    if joined:
        changes = pa.table({"old": pa.array(joined, pa.int32()), "new": pa.array(map(roots.of, joined), pa.int32())})
        connection.register("changes", changes)
        connection.execute("UPDATE node SET root = changes.new FROM changes WHERE node.root = changes.old")


@dataclass(frozen=True)
class _Roots:
    """A forest: the parent of each number, which is itself for a root."""

    parents: array[int]

    def of(self, number: int) -> int:
        """The root of a number."""
        parents = self.parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def join(self, one: int, other: int) -> Iterator[int]:
        """Put two trees together; yields the number that is no longer a root, if any."""
        low, high = sorted((self.of(one), self.of(other)))
        if low != high:
            self.parents[high] = low
            yield high


def _check_hashes(hashes: pa.ChunkedArray) -> None:
    is_hash = pc.fill_null(pc.match_substring_regex(hashes, "^[0-9a-f]{16}$"), True)
    wrong = hashes.filter(pc.invert(is_hash))
    if len(wrong):
        raise ValueError(f"phash {wrong[0].as_py()!r} is not 16 hex digits")

"""What differs between two versions or drafts, counted in DuckDB: tables of rows, never rows in Python.

`client.diff` pairs rows and so needs them all; here a version may have changed altogether.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import KEYS, LOGS, closed, live, named
from imagelake.client.diff.diff import Diff, changes
from imagelake.client.diff.row_difference import COLUMNS, Sides, sides
from imagelake.client.sql_text import Row, beyond, name, select

MOST_PAIRED = 20_000
"""Up to so many differing rows are paired as `diff` pairs them; of more only added and removed rows are counted."""

_COLUMNS = {
    "image": ("image_key", "content_hash", "row_hash"),
    "annotation": ("annotation_key", "image_key", "row_hash"),
}


@dataclass(frozen=True)
class ChangeCounts:
    """Rows of an entity that were added, removed, changed, renamed; None where rows were not paired."""

    entity: str
    added: int
    removed: int
    changed: int | None
    renamed: int | None


@dataclass(frozen=True)
class SplitMove:
    """How many images went from one split to another."""

    before: str
    after: str
    images: int


@dataclass(frozen=True)
class Comparison:
    """Two ends of a difference in one lake, the older one first."""

    tables: Tables
    before: Target
    after: Target

    def removed(self, entity: str) -> str:
        """A table of the rows (image or annotation) that only the first end has."""
        return self._only("removed", entity)

    def added(self, entity: str) -> str:
        """A table of the rows that only the second end has."""
        return self._only("added", entity)

    def sides(self, entity: str) -> Sides:
        """The rows themselves, with what `diff` compares; for few rows only."""
        ends = {"removed": self.before, "added": self.after}
        removed, added = (self._full_rows(self._only(side, entity), end, entity) for side, end in ends.items())
        return Sides(removed, added)

    def _full_rows(self, table: str, end: Target, entity: str) -> list[Row]:
        if not _count(self.tables, table):
            return []
        columns = COLUMNS[entity]
        rows = live(self.tables, end, entity, columns)
        return self.tables.query(
            f"SELECT {select(columns)} FROM {rows} SEMI JOIN {table} AS o USING ({_identity(entity)})"
        )

    def _only(self, side: str, entity: str) -> str:
        """Rows of one end only, without rows that were removed and added back unchanged."""
        a, b = self.before.version, self.after.version
        if a is None or b is None or self.before.dataset != self.after.dataset:
            return self.tables.once(f"_report_{side}_{entity}", self._apart(side, entity))
        numbers = sorted((a.number, b.number))
        sides = (side, _OTHER[side]) if a.number <= b.number else (_OTHER[side], side)
        mine, theirs = (self.tables.once(f"_report_raw_{s}_{entity}", self._range(s, entity, numbers)) for s in sides)
        return self.tables.once(
            f"_report_{side}_{entity}", f"SELECT * FROM {mine} ANTI JOIN {theirs} AS o USING ({_identity(entity)})"
        )

    def _apart(self, side: str, entity: str) -> str:
        """Rows that only one of two ends without a common log has, found by a 64-bit hash a row.

        That keeps 8 bytes of a row in memory; one of 5,000,000 rows is overlooked with a chance of 1 in 10^12.
        """
        mine, theirs = (self._hashes(s, entity) for s in (side, _OTHER[side]))
        alone = self.tables.once(f"_report_alone_{side}_{entity}", f"SELECT h FROM {mine} ANTI JOIN {theirs} USING (h)")
        where = f"hash({_identity(entity)}) IN (SELECT h FROM {alone})" if _count(self.tables, alone) else "false"
        return f"SELECT {select(_COLUMNS[entity])} FROM {self._end(side, entity)} WHERE {where}"

    def _hashes(self, side: str, entity: str) -> str:
        hashes = f"SELECT hash({_identity(entity)}) AS h FROM {self._end(side, entity)}"
        return self.tables.once(f"_report_hashes_{side}_{entity}", hashes)

    def _end(self, side: str, entity: str) -> str:
        """All rows of the end that has the removed rows, or the added ones."""
        return live(self.tables, self.before if side == "removed" else self.after, entity, _COLUMNS[entity])

    def _range(self, side: str, entity: str, numbers: list[int]) -> str:
        """Rows closed (removed) or added between two version numbers of one dataset."""
        low, high = numbers
        history, columns = self.before.history, _COLUMNS[entity]
        ended = closed(self.tables, history, entity, low, high)
        is_removed = side == "removed"
        where = f"added_in <= {low}" if is_removed else f"added_in > {low} AND added_in <= {high}"
        source = self.tables.relation(
            LOGS[entity],
            (*columns, "row_id", "added_in", "publish_id"),
            history.dataset,
            beyond("added_in", 0 if is_removed else low),
        )
        return (
            f"SELECT {select(columns)} FROM {source} SEMI JOIN {named(self.tables, history)} AS p USING (publish_id) "
            f"{'SEMI' if is_removed else 'ANTI'} JOIN {ended} AS e USING (row_id) WHERE {where}"
        )


_OTHER = {"removed": "added", "added": "removed"}


def _identity(entity: str) -> str:
    """The columns that are equal in a row that did not change."""
    return f"{name(KEYS[entity])}, row_hash"


def moves(comparison: Comparison) -> tuple[SplitMove, ...]:
    """How many images of both ends changed their split: none in a draft, which has the splits of its newest version."""
    tables = comparison.tables
    if comparison.after.version is None and comparison.before.version == comparison.before.history.newest:
        return ()
    before, after = (
        live(tables, end, "split", ("image_key", "split")) for end in (comparison.before, comparison.after)
    )
    rows = tables.query(
        f"SELECT a.split AS before, b.split AS after, count(*) AS images FROM {before} AS a JOIN {after} AS b "
        "USING (image_key) WHERE a.split <> b.split GROUP BY a.split, b.split ORDER BY images DESC, before, after"
    )
    return tuple(SplitMove(**row) for row in rows)


def counts(comparison: Comparison) -> tuple[ChangeCounts, ...]:
    """Images and annotations that differ: as `diff` counts them while they are few."""
    tables = comparison.tables
    sizes = {
        (side, entity): _count(tables, table(entity))
        for entity in _COLUMNS
        for side, table in (("removed", comparison.removed), ("added", comparison.added))
    }
    if sum(sizes.values()) <= MOST_PAIRED:
        sides_of = {entity: comparison.sides(entity) for entity in _COLUMNS} | {"split": Sides([], [])}
        sides_of["category"] = sides(tables, comparison.before, comparison.after, "category")
        exact = Diff(comparison.before.name, comparison.after.name, changes(sides_of), False)
        return tuple(_exact(exact, entity) for entity in ("image", "annotation", "category"))
    both = _count(tables, f"{comparison.removed('image')} AS a JOIN {comparison.added('image')} AS b USING (image_key)")
    return (
        ChangeCounts("image", sizes["added", "image"] - both, sizes["removed", "image"] - both, both, None),
        ChangeCounts("annotation", sizes["added", "annotation"], sizes["removed", "annotation"], None, None),
    )


def _exact(diff: Diff, entity: str) -> ChangeCounts:
    added, removed, changed, renamed = (diff.count(entity, c) for c in ("added", "removed", "changed", "renamed"))
    return ChangeCounts(entity, added, removed, changed, renamed if entity == "image" else None)


def sample(comparison: Comparison, kind: str, most: int) -> tuple[int, list[str]]:
    """How many images differ in that way, and some of their keys by a hash: relabelled, bytes, added or removed."""
    tables, keys = comparison.tables, _KINDS[kind](comparison)
    row = tables.query(
        "SELECT count(*) AS n, "
        f"coalesce(arg_min(image_key, md5_number_lower(image_key), {most}), []) AS keys FROM ({keys})"
    )[0]
    return row["n"], row["keys"]


def changed_keys(comparison: Comparison, side: str, images: list[str]) -> set[str]:
    """The annotation keys of these images that only one end has."""
    tables = comparison.tables
    table = comparison.removed("annotation") if side == "removed" else comparison.added("annotation")
    tables.con.execute(
        "CREATE OR REPLACE TEMP TABLE _report_some AS SELECT unnest($1::VARCHAR[]) AS image_key", [images]
    )
    rows: list[Row] = tables.query(f"SELECT annotation_key FROM {table} SEMI JOIN _report_some USING (image_key)")
    return {r["annotation_key"] for r in rows}


def _count(tables: Tables, source: str) -> int:
    return int(tables.query(f"SELECT count(*) AS n FROM {source}")[0]["n"])


def _relabelled(c: Comparison) -> str:
    """Images of both ends whose annotations differ."""
    changed = f"SELECT image_key FROM {c.removed('annotation')} UNION SELECT image_key FROM {c.added('annotation')}"
    before, after = (live(c.tables, end, "image", ("image_key",)) for end in (c.before, c.after))
    return (
        f"SELECT image_key FROM ({changed}) SEMI JOIN {before} AS a USING (image_key) "
        f"SEMI JOIN {after} AS b USING (image_key)"
    )


def _other_bytes(c: Comparison) -> str:
    return (
        f"SELECT image_key FROM {c.removed('image')} AS a JOIN {c.added('image')} AS b USING (image_key) "
        "WHERE a.content_hash <> b.content_hash"
    )


def _added(c: Comparison) -> str:
    return f"SELECT image_key FROM {c.added('image')} ANTI JOIN {c.removed('image')} AS o USING (image_key)"


def _removed(c: Comparison) -> str:
    return f"SELECT image_key FROM {c.removed('image')} ANTI JOIN {c.added('image')} AS o USING (image_key)"


_KINDS = {"relabelled": _relabelled, "bytes": _other_bytes, "added": _added, "removed": _removed}

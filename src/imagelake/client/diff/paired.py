"""Annotations that differ between two versions, paired in DuckDB where source ids decide, else in Python.

In most images the same document and source id stand on both sides: a join pairs them, as the first rule of
imagelake.client.diff.pairing says. A group (one image and one kind) that this leaves with rows on both sides is paired
in Python from the beginning, and so are all groups of a renamed image, whose annotations follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagelake.client.delta.tables import Tables
from imagelake.client.diff.pairing import GEOMETRY, Pair, pair
from imagelake.client.diff.row_difference import COLUMNS, Sides, SideTables
from imagelake.client.sql_text import Row, name, outside, select

Follow = Callable[[list[Row], list[Row]], tuple[list[Row], list[Row]]]

_GROUP = "image_key, kind"
_COLUMNS = COLUMNS["annotation"]
_CHANGED, _REMOVED, _ADDED = range(3)
_SHOWN = ("image_key", "kind", "category", "bbox", "is_crowd", "attributes", "source_id", *GEOMETRY[1:])


@dataclass(frozen=True)
class Paired:
    """What became of annotations: pairs, rows removed and rows added.

    The groups that the join decided lie in tables beside `sides`; `pairs`, `removed` and `added` are those of all
    others.
    """

    tables: Tables
    sides: SideTables
    pairs: tuple[Pair, ...]
    removed: tuple[Row, ...]
    added: tuple[Row, ...]

    def counts(self) -> dict[str, int]:
        """Number of annotations added, removed and changed."""
        joined = self.tables.query(
            f"SELECT coalesce(sum(pairs), 0)::BIGINT AS pairs, coalesce(sum(gone), 0)::BIGINT AS gone, "
            f"coalesce(sum(come), 0)::BIGINT AS come FROM {_name(self.sides, 'groups')} WHERE is_joined"
        )[0]
        return {
            "added": joined["come"] - joined["pairs"] + len(self.added),
            "removed": joined["gone"] - joined["pairs"] + len(self.removed),
            "changed": joined["pairs"] + len(self.pairs),
        }

    def rows(self) -> list[tuple[Row | None, Row | None]]:
        """Before and after of each, by image: pairs, removed rows, added rows; within each by kind."""
        gone, come = self.sides.gone, self.sides.come
        pairs, groups = _name(self.sides, "pairs"), _name(self.sides, "groups")
        both = ", ".join(f"{side}.{name(c)} AS {side}_{c}" for side in "ab" for c in _SHOWN)
        joined = self.tables.query(
            f"SELECT {both} FROM {pairs} AS p JOIN {groups} AS g USING ({_GROUP}) JOIN {gone} AS a ON a.rowid = p.gone "
            f"JOIN {come} AS b ON b.rowid = p.come WHERE g.is_joined ORDER BY {_GROUP}, a.annotation_key"
        )
        rows: list[tuple[Any, ...]] = [
            (_CHANGED, {c: r[f"a_{c}"] for c in _SHOWN}, {c: r[f"b_{c}"] for c in _SHOWN}) for r in joined
        ]
        rows += [(_CHANGED, a, b) for a, b in self.pairs]
        rows += [(_REMOVED, row, None) for row in (*self._single("gone"), *self.removed)]
        rows += [(_ADDED, None, row) for row in (*self._single("come"), *self.added)]
        rows.sort(key=lambda r: (_image_and_kind(r[2] or r[1])[0], r[0], _image_and_kind(r[2] or r[1])[1]))
        return [(before, after) for _, before, after in rows]

    def _single(self, side: str) -> list[Row]:
        table = getattr(self.sides, side)
        pairs, groups = _name(self.sides, "pairs"), _name(self.sides, "groups")
        return self.tables.query(
            f"SELECT {select(_SHOWN)} FROM {table} AS r JOIN {groups} AS g USING ({_GROUP}) "
            f"WHERE g.is_joined AND r.rowid NOT IN (SELECT {side} FROM {pairs}) ORDER BY {_GROUP}, annotation_key"
        )


def _image_and_kind(row: Row) -> tuple[str, str]:
    return row["image_key"] or "", row["kind"]


def paired(tables: Tables, sides: SideTables, renamed: Mapping[str, str], follow: Follow) -> Paired:
    """Pair the annotations of two sides; `follow` puts those of renamed images (old key to new) under the new keys."""
    _join(tables, sides, [*renamed.keys(), *renamed.values()])
    rest = Sides(*(_left(tables, sides, side) for side in ("gone", "come")))
    gone, come = follow(rest.gone, rest.come) if renamed else (rest.gone, rest.come)
    pairs, removed, added = pair(gone, come)
    return Paired(tables, sides, tuple(pairs), tuple(removed), tuple(added))


def _join(tables: Tables, sides: SideTables, renamed: Sequence[str]) -> None:
    """Tables of pairs, and of groups with their numbers of rows and whether the join decided them."""
    pairs = tables.once(
        _plain(sides, "pairs"),
        f"SELECT image_key, kind, a.row AS gone, b.row AS come FROM {_unique(sides.gone)} AS a "
        f"JOIN {_unique(sides.come)} AS b USING ({_GROUP}, source_id) "
        f"JOIN {sides.gone} AS x ON x.rowid = a.row JOIN {sides.come} AS y ON y.rowid = b.row "
        f"WHERE a.source_document IS NOT DISTINCT FROM b.source_document AND ({_overlap()} OR {_same_geometry()})",
    )
    counts = " UNION ALL ".join(
        f"SELECT {_GROUP}, {columns} FROM {table} GROUP BY ALL"
        for table, columns in (
            (sides.gone, "count(*) AS gone, 0 AS come, 0 AS pairs"),
            (sides.come, "0, count(*), 0"),
            (pairs, "0, 0, count(*)"),
        )
    )
    keys = tables.once(_plain(sides, "renamed"), "SELECT unnest($1::VARCHAR[]) AS image_key", [list(renamed)])
    tables.once(
        _plain(sides, "groups"),
        f"SELECT {_GROUP}, gone, come, pairs, pairs IN (gone, come) AND {outside('image_key', keys)} AS is_joined FROM "
        f"(SELECT {_GROUP}, sum(gone) AS gone, sum(come) AS come, sum(pairs) AS pairs FROM ({counts}) "
        f"GROUP BY {_GROUP})",
    )


def _left(tables: Tables, sides: SideTables, side: str) -> list[Row]:
    """Rows of the groups that the join did not decide."""
    groups = _name(sides, "groups")
    if not tables.query(f"SELECT 1 FROM {groups} WHERE NOT is_joined LIMIT 1"):
        return []
    table = getattr(sides, side)
    return tables.query(
        f"SELECT {select(_COLUMNS)} FROM {table} JOIN {groups} AS g USING ({_GROUP}) WHERE NOT g.is_joined"
    )


def _unique(table: str) -> str:
    """Rows whose document and source id no other row of their group has."""
    return (
        f"(SELECT {_GROUP}, source_document, source_id, any_value(rowid) AS row FROM {table} "
        "WHERE source_id IS NOT NULL GROUP BY ALL HAVING count(*) = 1)"
    )


def _overlap() -> str:
    """Whether boxes of x and y overlap, as imagelake.client.diff.pairing.overlap says."""
    width, height = (
        f"(least(x.bbox.{at} + x.bbox.{side}, y.bbox.{at} + y.bbox.{side}) - greatest(x.bbox.{at}, y.bbox.{at}))"
        for at, side in ("xw", "yh")
    )
    shared = f"coalesce({width} > 0 AND {height} > 0 AND {width} * {height} > 0, false)"
    # least and greatest pass over nulls
    return f"CASE WHEN x.bbox IS NULL OR y.bbox IS NULL THEN x.bbox IS NULL AND y.bbox IS NULL ELSE {shared} END"


def _same_geometry() -> str:
    return "(" + " AND ".join(f"x.{name(c)} IS NOT DISTINCT FROM y.{name(c)}" for c in GEOMETRY) + ")"


def _plain(sides: SideTables, what: str) -> str:
    return f"_{what}_{sides.gone}"


def _name(sides: SideTables, what: str) -> str:
    return name(_plain(sides, what))

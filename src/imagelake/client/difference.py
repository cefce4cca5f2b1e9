"""The rows that are in one version and not in another, per entity.

Between two versions of one dataset these are a range: rows added after the older number and alive at the newer one,
and rows alive at the older one that were closed up to the newer one. So the cost follows the change. Anything else
(a draft, another dataset, another split recipe) is compared as sets of keys and row hashes.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.client.catalog import History, Target, Version
from imagelake.client.rows import KEYS, LOGS, check_count, closed, count, expected, live, named
from imagelake.client.tables import Tables
from imagelake.client.text import Row, beyond, name, select
from imagelake.errors import IntegrityError
from imagelake.tables import gold

COLUMNS: dict[str, tuple[str, ...]] = {
    "image": ("image_key", "content_hash", "width", "height", "orientation", "labelled", "attributes", "row_hash"),
    "annotation": (
        "annotation_key",
        "image_key",
        "kind",
        "category",
        "bbox",
        "polygons",
        "rle_size",
        "rle_counts",
        "keypoints",
        "is_crowd",
        "attributes",
        "source_id",
        "source_document",
        "row_hash",
    ),
    "category": ("name", "supercategory", "train_index", "row_hash"),
    "split": ("image_key", "split"),
}


@dataclass(frozen=True)
class Sides:
    """Rows only in the first version, and rows only in the second."""

    gone: list[Row]
    come: list[Row]


def sides(tables: Tables, before: Target, after: Target, entity: str) -> Sides:
    """The difference of an entity; IntegrityError when it contradicts the counts of the version rows."""
    a, b = before.version, after.version
    if a and b and before.dataset == after.dataset and (entity != "split" or a.recipe == b.recipe):
        found = _range(tables, before, (a, b), entity)
        _check_range(before, after, entity, found)
        return found
    for target in (before, after):
        if entity in expected(target):
            check_count(target, entity, count(tables, target, entity))
    return Sides(_only(tables, before, after, entity), _only(tables, after, before, entity))


def _only(tables: Tables, one: Target, other: Target, entity: str) -> list[Row]:
    columns, on = COLUMNS[entity], f"{name(KEYS[entity])}, {name(_compared(entity))}"
    mine, theirs = live(tables, one, entity, columns), live(tables, other, entity, (KEYS[entity], _compared(entity)))
    return tables.query(f"SELECT {select(columns)} FROM {mine} ANTI JOIN {theirs} AS other USING ({on})")


def _range(tables: Tables, target: Target, ends: tuple[Version, Version], entity: str) -> Sides:
    low, high = sorted(v.number for v in ends)
    if low == high:
        return Sides([], [])
    ended = closed(tables, target.history, entity, low, high)
    log = _Log(tables, target.history, entity, ends[0].recipe)
    gone = (
        log.rows(f"added_in <= {low}", f"SEMI JOIN {ended}", 0)
        if tables.query(f"SELECT 1 FROM {ended} LIMIT 1")
        else []
    )
    come = log.rows(f"added_in > {low} AND added_in <= {high}", f"ANTI JOIN {ended}", low)
    found = _cancelled(gone, come, entity)
    return found if ends[0].number == low else Sides(found.come, found.gone)


@dataclass(frozen=True)
class _Log:
    tables: Tables
    history: History
    entity: str
    recipe: int

    def rows(self, where: str, join: str, after: int) -> list[Row]:
        """Rows under a condition and a join with ended row ids; files that end by version `after` are not opened."""
        columns, is_split = COLUMNS[self.entity], self.entity == "split"
        wanted = (*columns, "row_id", "added_in", "publish_id", *(("recipe",) if is_split else ()))
        source = self.tables.relation(LOGS[self.entity], wanted, self.history.dataset, beyond("added_in", after))
        recipe = f" AND recipe = {self.recipe}" if is_split else ""
        return self.tables.query(
            f"SELECT {select(columns)} FROM {source} SEMI JOIN {named(self.tables, self.history)} AS p "
            f"USING (publish_id) {join} AS e USING (row_id) WHERE {where}{recipe}"
        )


def _cancelled(gone: list[Row], come: list[Row], entity: str) -> Sides:
    """Without what was taken away and brought back as it was."""

    def identity(row: Row) -> tuple[object, object]:
        return row[KEYS[entity]], row[_compared(entity)]

    both = {identity(r) for r in gone} & {identity(r) for r in come}
    return Sides([r for r in gone if identity(r) not in both], [r for r in come if identity(r) not in both])


def _compared(entity: str) -> str:
    return "split" if LOGS[entity] is gold.SPLIT_LOG else "row_hash"


def _check_range(before: Target, after: Target, entity: str, found: Sides) -> None:
    if entity not in expected(before):
        return
    promised = expected(after)[entity] - expected(before)[entity]
    if len(found.come) - len(found.gone) != promised:
        raise IntegrityError(
            f"{before.name} to {after.name}: the version rows promise {promised:+} {entity} rows, "
            f"the log holds {len(found.come) - len(found.gone):+}",
            hint="restore the lake's tables from a copy",
        )

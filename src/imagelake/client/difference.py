"""The rows that are in one version and not in another, per entity.

Between two versions of one dataset these are a range: rows added after the older number and alive at the newer one,
and rows alive at the older one that were closed up to the newer one. So the cost follows the change. Anything else
(a draft, another dataset, another split recipe) is compared as sets of keys and row hashes.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.client.catalog import Target, Version
from imagelake.client.rows import KEYS, LOGS, check_count, closings, count, expected, live, named, select
from imagelake.client.tables import Row, Tables, name
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
    closed = tables.query(f"SELECT row_id FROM {_closed(tables, target, entity, low, high)} LIMIT 1")
    gone = _gone(tables, target, entity, low, high, ends[0].recipe) if closed else []
    come = _come(tables, target, entity, low, high, ends[0].recipe)
    found = _cancelled(gone, come, entity)
    return found if ends[0].number == low else Sides(found.come, found.gone)


def _closed(tables: Tables, target: Target, entity: str, low: int, high: int) -> str:
    return closings(tables, target.history, entity, low, high)


def _gone(tables: Tables, target: Target, entity: str, low: int, high: int, recipe: int) -> list[Row]:
    log = _log(tables, target, entity, recipe, f"added_in <= {low}")
    return tables.query(f"{log} AND row_id IN (SELECT row_id FROM {_closed(tables, target, entity, low, high)})")


def _come(tables: Tables, target: Target, entity: str, low: int, high: int, recipe: int) -> list[Row]:
    log = _log(tables, target, entity, recipe, f"added_in > {low} AND added_in <= {high}", low)
    return tables.query(f"{log} AND row_id NOT IN (SELECT row_id FROM {_closed(tables, target, entity, low, high)})")


def _log(tables: Tables, target: Target, entity: str, recipe: int, where: str, after: int = 0) -> str:
    """A SELECT over an entity's log; `after` skips files that end before that version number."""
    wanted = (*COLUMNS[entity], "row_id", "added_in", "publish_id")
    if entity == "split":
        wanted = (*wanted, "recipe")
        where += f" AND recipe = {recipe}"

    def holds(log: Row) -> bool:
        newest = log.get("max.added_in")
        return newest is None or newest > after

    source = tables.relation(LOGS[entity], wanted, target.dataset, holds)
    return f"SELECT {select(COLUMNS[entity])} FROM {source} WHERE {where} AND {named(target.history)}"


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

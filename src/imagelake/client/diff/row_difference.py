"""The rows that are in one version and not in another, per entity.

Between two versions of one dataset these are a range: rows added after the older number and alive at the newer one,
and rows alive at the older one that were closed up to the newer one. So the cost follows the change. Anything else
(a draft, another dataset, another split recipe) is compared as sets of keys and row hashes.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.client.catalog import History, Target, Version
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import KEYS, LOGS, check_live, closed, expected, live, named
from imagelake.client.sql_text import Row, beyond, name, outside, select, within
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


@dataclass(frozen=True)
class SideTables:
    """Names of two tables with COLUMNS of the rows that are in one version only: the first, and the second."""

    gone: str
    come: str


def sides(tables: Tables, before: Target, after: Target, entity: str) -> Sides:
    """The difference of an entity; IntegrityError when it contradicts the counts of the version rows."""
    names = side_tables(tables, before, after, entity)
    return Sides(*(tables.query(f"SELECT * FROM {table}") for table in (names.gone, names.come)))


def side_tables(tables: Tables, before: Target, after: Target, entity: str) -> SideTables:
    """The difference of an entity as tables; IntegrityError when it contradicts the counts of the version rows."""
    a, b = before.version, after.version
    is_range = a and b and before.dataset == after.dataset and (entity != "split" or a.recipe == b.recipe)
    if a and b and is_range:
        gone, come = _range(tables, before, (a, b), entity)
    else:
        for target in (before, after):
            check_live(tables, target, entity)
        gone, come = _only(tables, before, after, entity), _only(tables, after, before, entity)
    about = f"{entity}_{before.name}_{after.name}"
    names = SideTables(tables.once(f"_gone_{about}", gone), tables.once(f"_come_{about}", come))
    if is_range:
        _cancel(tables, names, entity)
        _check_range(tables, (before, after), entity, names)
    return names


def _only(tables: Tables, one: Target, other: Target, entity: str) -> str:
    columns, on = COLUMNS[entity], f"{name(KEYS[entity])}, {name(_compared(entity))}"
    mine, theirs = live(tables, one, entity, columns), live(tables, other, entity, (KEYS[entity], _compared(entity)))
    return f"SELECT {select(columns)} FROM {mine} ANTI JOIN {theirs} AS other USING ({on})"


def _range(tables: Tables, target: Target, ends: tuple[Version, Version], entity: str) -> tuple[str, str]:
    low, high = sorted(v.number for v in ends)
    nothing = f"SELECT {select(COLUMNS[entity])} FROM {tables.empty(LOGS[entity], COLUMNS[entity])}"
    if low == high:
        return nothing, nothing
    ended = closed(tables, target.history, entity, low, high)
    log = _Log(tables, target.history, entity, ends[0].recipe)
    has_ended = tables.query(f"SELECT 1 FROM {ended} LIMIT 1")
    gone = log.rows(f"added_in <= {low} AND {within('row_id', ended)}", 0) if has_ended else nothing
    come = log.rows(f"added_in > {low} AND added_in <= {high} AND {outside('row_id', ended)}", low)
    return (gone, come) if ends[0].number == low else (come, gone)


@dataclass(frozen=True)
class _Log:
    tables: Tables
    history: History
    entity: str
    recipe: int

    def rows(self, where: str, after: int) -> str:
        """A query for rows under a condition; files that end by version `after` are not opened."""
        columns, is_split = COLUMNS[self.entity], self.entity == "split"
        needed = (*columns, "row_id", "added_in", "publish_id", *(("recipe",) if is_split else ()))
        source = self.tables.relation(LOGS[self.entity], needed, self.history.dataset, beyond("added_in", after))
        recipe = f" AND recipe = {self.recipe}" if is_split else ""
        return (
            f"SELECT {select(columns)} FROM {source} SEMI JOIN {named(self.tables, self.history)} AS p "
            f"USING (publish_id) WHERE {where}{recipe}"
        )


def _cancel(tables: Tables, names: SideTables, entity: str) -> None:
    """Take out what was taken away and brought back as it was."""
    identity = (name(KEYS[entity]), name(_compared(entity)))
    both = tables.once(
        f"_both_{names.gone}",
        f"SELECT {', '.join(identity)} FROM {names.gone} INTERSECT SELECT {', '.join(identity)} FROM {names.come}",
    )
    if tables.query(f"SELECT 1 FROM {both} LIMIT 1"):
        for table in (names.gone, names.come):
            same = " AND ".join(f"{table}.{c} IS NOT DISTINCT FROM o.{c}" for c in identity)
            tables.con.execute(f"DELETE FROM {table} USING {both} AS o WHERE {same}")


def _compared(entity: str) -> str:
    return "split" if LOGS[entity] is gold.SPLIT_LOG else "row_hash"


def _check_range(tables: Tables, ends: tuple[Target, Target], entity: str, names: SideTables) -> None:
    before, after = ends
    if entity not in expected(before):
        return
    promised = expected(after)[entity] - expected(before)[entity]
    rows = tables.query(f"SELECT (SELECT count(*) FROM {names.come}) - (SELECT count(*) FROM {names.gone}) AS n")[0][
        "n"
    ]
    if rows != promised:
        raise IntegrityError(
            f"{before.name} to {after.name}: the version rows promise {promised:+} {entity} rows, "
            f"the log holds {rows:+}",
            hint="restore the lake's tables from a copy",
        )

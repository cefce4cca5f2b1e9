"""The rows of a version or a draft, as SQL: log rows that were added and not closed up to a version number.

Only publish ids that a version row names count, so a crashed publish is invisible. Before a version's rows are
shown, their number is compared with the version row. A draft's rows are those of silver; its splits are the published
ones of recipe 1, which a publish keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagelake.client.catalog import History, Target
from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import Prune, beyond, name, outside, select, text, within
from imagelake.errors import IntegrityError
from imagelake.tables import gold, silver
from imagelake.tables.spec import TableSpec

ENTITIES = ("image", "annotation", "category", "split")

LOGS: dict[str, TableSpec] = {
    "image": gold.IMAGE_LOG,
    "annotation": gold.ANNOTATION_LOG,
    "category": gold.CATEGORY_LOG,
    "split": gold.SPLIT_LOG,
}
DRAFTS: dict[str, TableSpec] = {
    "image": silver.IMAGES,
    "annotation": silver.ANNOTATIONS,
    "category": silver.CATEGORIES,
}
KEYS = {"image": "image_key", "annotation": "annotation_key", "category": "name", "split": "image_key"}

UNASSIGNED = "unassigned"
"""The split of a draft's image that no version has placed yet."""

_PLUMBING = ("row_id", "added_in", "publish_id")
_FIRST_RECIPE = 1


@dataclass(frozen=True)
class EveryRow:
    """SQL, in brackets, for all rows of a log or a draft, which number them; and the condition of the live ones."""

    source: str
    is_live: str


def tables_of(target: Target, entities: Sequence[str]) -> list[TableSpec]:
    """The tables that the rows of entities are read from."""
    if target.version is not None:
        return [*(LOGS[entity] for entity in entities), gold.CLOSINGS]
    return [DRAFTS[entity] for entity in entities if entity in DRAFTS] + [gold.SPLIT_LOG]


def fetch_version(tables: Tables, target: Target, *others: TableSpec) -> None:
    """Open the tables of all entities, and others, side by side, and fetch their files of the dataset likewise."""
    specs = (*tables_of(target, ENTITIES), *others)
    tables.open_together(specs)
    prune = _until(target.version.number) if target.version else None
    tables.fetch_together([file for spec in specs for file in tables.files(spec, target.dataset, prune)])


def _until(number: int) -> Prune:
    """Files that may hold rows which a version up to this number added."""
    return lambda log: (log.get("min.added_in") or 0) <= number


def every_row(tables: Tables, target: Target, entity: str, columns: Sequence[str]) -> EveryRow:
    """Columns and `row_index` of an entity's rows, live or not: see Tables.numbered."""
    if target.version is None:
        return EveryRow(tables.numbered(DRAFTS[entity], columns, target.dataset), "true")
    number = target.version.number
    selected = tuple(dict.fromkeys((*columns, *_PLUMBING)))
    log = tables.numbered(LOGS[entity], selected, target.dataset, _until(number))
    condition = f"added_in <= {number} AND {within('publish_id', named(tables, target.history))}"
    return EveryRow(log, condition + _not_ended(tables, target.history, entity, number))


def live(tables: Tables, target: Target, entity: str, columns: Sequence[str], among: str | None = None) -> str:
    """SQL, in brackets, for the live rows of an entity; `among` is a condition on image_key."""
    if target.version is not None:
        number, recipe = target.version.number, target.version.recipe
        return published(tables, target.history, entity, columns, (number, recipe), among)
    rows = (
        _draft_splits(tables, target, columns)
        if entity == "split"
        else tables.relation(DRAFTS[entity], columns, target.dataset)
    )
    return rows if among is None else f"(SELECT * FROM {rows} WHERE {among})"


def _draft_splits(tables: Tables, target: Target, columns: Sequence[str]) -> str:
    """The newest published split of each of the draft's images, of whatever version; UNASSIGNED without one."""
    images = tables.relation(silver.IMAGES, ("dataset", "image_key"), target.dataset)
    placed = ("split", "group_key", "origin")
    log = tables.relation(gold.SPLIT_LOG, ("recipe", "image_key", *placed, "added_in", "publish_id"), target.dataset)
    newest = (
        f"(SELECT image_key, arg_max(struct_pack({select(placed)}), added_in) AS newest FROM {log} "
        f"SEMI JOIN {named(tables, target.history)} AS p USING (publish_id) "
        f"WHERE recipe = {_FIRST_RECIPE} GROUP BY image_key)"
    )
    values = {c: f"s.newest.{name(c)}" for c in placed} | {"recipe": f"{_FIRST_RECIPE}::INTEGER"}
    values["split"] = f"coalesce({values['split']}, {text(UNASSIGNED)})"
    items = ", ".join(f"{values.get(c, f'i.{name(c)}')} AS {name(c)}" for c in columns)
    return f"(SELECT {items} FROM {images} AS i LEFT JOIN {newest} AS s USING (image_key))"


def published(
    tables: Tables,
    history: History,
    entity: str,
    columns: Sequence[str],
    version: tuple[int, int],
    among: str | None = None,
) -> str:
    """SQL, in brackets, for the rows of a version (number, recipe) by its dataset's history."""
    number, recipe = version
    selected = tuple(dict.fromkeys((*columns, *_PLUMBING, *(("recipe",) if entity == "split" else ()))))
    log = tables.relation(LOGS[entity], selected, history.dataset, _until(number))
    where = f"added_in <= {number}" + (f" AND recipe = {recipe}" if entity == "split" else "")
    where += f" AND {among}" if among else ""
    where += _not_ended(tables, history, entity, number)
    return (
        f"(SELECT {select(columns)} FROM {log} SEMI JOIN {named(tables, history)} AS p USING (publish_id) "
        f"WHERE {where})"
    )


def _not_ended(tables: Tables, history: History, entity: str, number: int) -> str:
    """A further condition, with its AND, that holds for rows that no version up to a number closed."""
    # most logs are large, and without closings no row id needs to be read
    ends = closed(tables, history, entity, 0, number)
    return f" AND {outside('row_id', ends)}" if tables.query(f"SELECT 1 FROM {ends} LIMIT 1") else ""


def closed(tables: Tables, history: History, entity: str, after: int, until: int) -> str:
    """SQL, in brackets, for the row ids of an entity that end after one version number and until another."""
    columns = ("entity", "row_id", "removed_in", "publish_id")
    ends = tables.relation(gold.CLOSINGS, columns, history.dataset, beyond("removed_in", after))
    table = tables.once(
        f"_closed_{history.dataset}_{after}",
        f"SELECT entity, row_id, removed_in FROM {ends} SEMI JOIN {named(tables, history)} AS p USING (publish_id)",
    )
    return (
        f"(SELECT row_id FROM {table} WHERE entity = {text(entity)} AND removed_in > {after} AND removed_in <= {until})"
    )


def named(tables: Tables, history: History) -> str:
    """A table of the publish ids that a version row names."""
    ids = [list(history.publish_ids)]
    return tables.once(f"_named_{history.dataset}", "SELECT unnest($1::VARCHAR[]) AS publish_id", ids)


def expected(target: Target) -> dict[str, int]:
    """How many rows of each entity the version row promises; empty for a draft."""
    version = target.version
    if version is None:
        return {}
    return {"image": version.images, "annotation": version.annotations, "category": version.categories}


def check_count(target: Target, entity: str, count: int) -> None:
    """IntegrityError when a version has not the number of rows its version row promises."""
    promised = expected(target).get(entity, count)
    if count != promised:
        raise IntegrityError(
            f"{target.name}: the version row promises {promised} {entity} rows, the log holds {count}",
            hint="restore the lake's tables from a copy; nothing of this version is shown",
        )


def count(tables: Tables, target: Target, entity: str) -> int:
    """The number of live rows."""
    column = KEYS[entity]
    return int(tables.query(f"SELECT count(*) AS n FROM {live(tables, target, entity, (column,))}")[0]["n"])


def check_live(tables: Tables, target: Target, entity: str) -> None:
    """IntegrityError when a version has not the number of rows its version row promises.

    Rows of the log less closings is that number, unless a closing ends no row: only where the two differ is each row's
    id looked at.
    """
    version = target.version
    if version is None or entity not in expected(target):
        return
    columns = ("added_in", "publish_id")
    log = tables.relation(LOGS[entity], columns, target.dataset, _until(version.number))
    ends = closed(tables, target.history, entity, 0, version.number)
    left = tables.query(
        f"SELECT (SELECT count(*) FROM {log} SEMI JOIN {named(tables, target.history)} AS p USING (publish_id) "
        f"WHERE added_in <= {version.number}) - (SELECT count(DISTINCT row_id) FROM {ends}) AS n"
    )[0]["n"]
    if left != expected(target)[entity]:
        check_count(target, entity, count(tables, target, entity))

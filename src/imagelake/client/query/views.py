"""The views of `sql`: the SQL behind their columns, which `view_columns` declares.

The split of an image is that of the version's recipe, in a draft the published one of recipe 1 or `unassigned`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS, KEYS, LOGS, check_live, live
from imagelake.client.inspect.runs import runs
from imagelake.client.inspect.upload_states import furthest
from imagelake.client.query.view_columns import COLUMNS, RUNS, VERSIONS
from imagelake.client.sql_text import holding, name, outside, select, text
from imagelake.errors import IntegrityError
from imagelake.tables import bronze, gold, ops, silver

CONTENT = {"images": "image", "annotations": "annotation", "categories": "category", "splits": "split"}
"""Views of a version, and the entity each shows."""

_COUNTS = "STRUCT(images BIGINT, annotations BIGINT)"
_NAME = "dataset || '@v' || number || CASE WHEN coalesce(recipe, 1) = 1 THEN '' ELSE '.' || recipe END"
_VERSION = tuple(c for c in VERSIONS.names if c not in ("dataset", "version", "created_at"))

_SPLITLESS = frozenset(c for columns in COLUMNS.values() for c in columns) - {"split"}


@dataclass(frozen=True)
class Scope:
    """What the views show: one version or draft, or (target None) the newest version of every dataset."""

    tables: Tables
    target: Target | None
    live_run_ids: Callable[[], frozenset[str]]


def create(scope: Scope, view: str, used: frozenset[str] | None = None) -> None:
    """Create a view in the connection; IntegrityError when a version it shows lacks rows.

    `used` are all the names a query uses that may be columns, None when it may use any: splits are only opened for
    queries that can see them.
    """
    scope.tables.con.execute(f"CREATE TEMP VIEW {name(view)} AS {rows(scope, view, used)}")


def open_tables(scope: Scope, used: Collection[str]) -> None:
    """Open what these views show of versions side by side; gold.versions first, as always."""
    specs = [LOGS[entity] for view, entity in CONTENT.items() if view in used]
    if specs and (scope.target is None or scope.target.version):
        scope.tables.log(gold.VERSIONS)
        scope.tables.open_together([*specs, gold.CLOSINGS])


def rows(scope: Scope, view: str, used: frozenset[str] | None = None) -> str:
    """The SELECT behind a view; see `create`."""
    if view in CONTENT:
        body = content(scope, view, used is None or not used <= _SPLITLESS)
    elif view == "class_stats":
        body = _class_stats(scope, used is None or "by_split" in used)
    elif view == "runs":
        body = _runs(scope, used is None or "report" in used)
    else:
        body = _PLAIN[view](scope.tables)
    return f"SELECT {select(COLUMNS[view])} FROM {body}"


def content(scope: Scope, view: str, with_split: bool = True) -> str:
    """SQL, in brackets, for images, annotations, categories or splits of the scope."""
    entity = CONTENT[view]
    _check(scope, entity)
    if view != "images":
        return _rows(scope, entity, COLUMNS[view])
    images = _rows(scope, "image", silver.IMAGES.names)
    join, split = "", "NULL::VARCHAR"
    if with_split:
        splits = _rows(scope, "split", ("dataset", "image_key", "split"))
        join, split = f"LEFT JOIN {splits} AS s USING (dataset, image_key)", "s.split"
    return (
        f"(SELECT i.* EXCLUDE (split), i.split AS uploaded_split, {split} AS split, "
        "CASE WHEN orientation >= 5 THEN height ELSE width END AS oriented_width, "
        "CASE WHEN orientation >= 5 THEN width ELSE height END AS oriented_height "
        f"FROM {images} AS i {join})"
    )


def _rows(scope: Scope, entity: str, columns: tuple[str, ...]) -> str:
    if scope.target is not None:
        return live(scope.tables, scope.target, entity, columns)
    return _newest_rows(scope.tables, entity, columns)


def _newest_rows(tables: Tables, entity: str, columns: tuple[str, ...]) -> str:
    """As rows.published, for the newest version of every dataset at once."""
    newest, named, ends = _newest(tables)
    extra = ("dataset", "row_id", "added_in", "publish_id", *(("recipe",) if entity == "split" else ()))
    log = tables.relation(LOGS[entity], tuple(dict.fromkeys((*columns, *extra))))
    recipe = " AND l.recipe = n.recipe" if entity == "split" else ""
    return (
        f"(SELECT {', '.join(f'l.{name(c)}' for c in columns)} FROM {log} AS l "
        f"JOIN {newest} AS n ON l.dataset = n.dataset AND l.added_in <= n.number{recipe} "
        f"SEMI JOIN {named} AS p ON l.publish_id = p.publish_id "
        f"WHERE {outside('row_id', f'(SELECT row_id FROM {ends} WHERE entity = {text(entity)})')})"
    )


def _newest(tables: Tables) -> tuple[str, str, str]:
    """Tables for the newest versions: (dataset, number, recipe, promised counts), publish ids, ended row ids."""
    names = name("_newest"), name("_named"), name("_ended")
    if tables.has("_ended"):
        return names
    histories = catalog.histories(tables)
    latest = [h.latest for h in histories.values() if h.latest]
    columns = ("dataset", "number", "recipe", "images", "annotations", "categories")
    newest = tables.once(
        "_newest",
        "SELECT unnest($1::VARCHAR[]) AS dataset, unnest($2::BIGINT[]) AS number, unnest($3::INTEGER[]) AS recipe, "
        "unnest($4::BIGINT[]) AS image, unnest($5::BIGINT[]) AS annotation, unnest($6::BIGINT[]) AS category",
        [[getattr(v, c) for v in latest] for c in columns],
    )
    ids = [i for h in histories.values() for i in h.publish_ids]
    named = tables.once("_named", "SELECT unnest($1::VARCHAR[]) AS publish_id", [ids])
    closings = tables.relation(gold.CLOSINGS, ("dataset", "entity", "row_id", "removed_in", "publish_id"))
    ends = tables.once(
        "_ended",
        f"SELECT c.entity, c.row_id FROM {closings} AS c JOIN {newest} AS n ON c.dataset = n.dataset "
        f"AND c.removed_in <= n.number SEMI JOIN {named} AS p ON c.publish_id = p.publish_id",
    )
    assert (newest, named, ends) == names
    return names


def _check(scope: Scope, entity: str) -> None:
    if entity not in DRAFTS:
        return
    if scope.target is not None:
        check_live(scope.tables, scope.target, entity)
        return
    rows = _newest_rows(scope.tables, entity, ("dataset", KEYS[entity]))
    wrong = scope.tables.query(
        f"SELECT n.dataset, n.number, n.{entity} AS promised, coalesce(f.n, 0) AS found FROM _newest AS n "
        f"LEFT JOIN (SELECT dataset, count(*) AS n FROM {rows} GROUP BY dataset) AS f USING (dataset) "
        f"WHERE coalesce(f.n, 0) <> n.{entity} ORDER BY n.dataset LIMIT 1"
    )
    for row in wrong:
        raise IntegrityError(
            f"{row['dataset']}@v{row['number']}: the version row promises {row['promised']} {entity} rows, "
            f"the log holds {row['found']}",
            hint="restore the lake's tables from a copy; nothing of this version is shown",
        )


def _class_stats(scope: Scope, with_splits: bool) -> str:
    """Each category with its counts and their share; those of its splits only for queries that can see them."""
    counts = _published_counts(scope) or _counts(scope)
    join, by_split = "", f"NULL::MAP(VARCHAR, {_COUNTS})"
    if with_splits:
        join, by_split = f"LEFT JOIN {_counts_by_split(scope, counts)} AS s USING (dataset, category)", "s.by_split"
    total = "nullif(sum(c.annotations) OVER (PARTITION BY c.dataset), 0)"
    return f"(SELECT c.*, c.annotations / {total} AS share, {by_split} AS by_split FROM {counts} AS c {join})"


def _published_counts(scope: Scope) -> str | None:
    """The counts that version rows have; None for a draft, and where a row has none."""
    tables, columns = scope.tables, ("dataset", "sequence", "class_stats")
    if scope.target is None:
        shown = f"SEMI JOIN {_latest_rows(tables)} AS v USING (dataset, sequence)"
        source = tables.relation(gold.VERSIONS, columns)
    elif scope.target.version is None:
        return None
    else:
        shown = f"WHERE sequence = {scope.target.version.sequence}"
        source = tables.relation(
            gold.VERSIONS, columns, scope.target.dataset, holding("sequence", scope.target.version.sequence)
        )
    stats = f"(SELECT dataset, class_stats FROM {source} {shown})"
    if tables.query(f"SELECT 1 FROM {stats} WHERE class_stats IS NULL LIMIT 1"):
        return None
    entries = f"unnest(map_entries(class_stats::JSON::MAP(VARCHAR, {_COUNTS})))"
    return (
        "(SELECT dataset, e.key AS category, e.value.images AS images, e.value.annotations AS annotations "
        f"FROM (SELECT dataset, {entries} AS e FROM {stats}))"
    )


def _latest_rows(tables: Tables) -> str:
    """A table of the version row of every dataset's newest version: dataset and sequence."""
    latest = [history.latest for history in catalog.histories(tables).values() if history.latest]
    return tables.once(
        "_latest_rows",
        "SELECT unnest($1::VARCHAR[]) AS dataset, unnest($2::BIGINT[]) AS sequence",
        [[version.dataset for version in latest], [version.sequence for version in latest]],
    )


def _counts(scope: Scope) -> str:
    """The counts of the rows, as a publish would count them."""
    categories, annotations = (content(scope, view) for view in ("categories", "annotations"))
    named = f"SELECT dataset, name AS category, NULL AS image_key FROM {categories}"
    labels = f"SELECT dataset, category, image_key FROM {annotations} WHERE category IS NOT NULL"
    return (
        "(SELECT dataset, category, count(DISTINCT image_key) AS images, count(image_key) AS annotations "
        f"FROM ({named} UNION ALL {labels}) GROUP BY dataset, category)"
    )


def _counts_by_split(scope: Scope, counts: str) -> str:
    """For each category a map of every split of its dataset to the counts there, of nothing too."""
    annotations, splits = (content(scope, view) for view in ("annotations", "splits"))
    cells = (
        "SELECT dataset, category, split, count(DISTINCT image_key) AS images, count(*) AS annotations "
        f"FROM {annotations} JOIN (SELECT dataset, image_key, split FROM {splits}) USING (dataset, image_key) "
        "WHERE category IS NOT NULL GROUP BY dataset, category, split"
    )
    value = "{'images': coalesce(n.images, 0), 'annotations': coalesce(n.annotations, 0)}"
    every = f"(SELECT DISTINCT dataset, split FROM {splits} WHERE split IS NOT NULL)"
    return (
        f"(SELECT dataset, category, map(list(split ORDER BY split), list({value} ORDER BY split)) AS by_split "
        f"FROM {counts} AS c JOIN {every} AS e USING (dataset) "
        f"LEFT JOIN ({cells}) AS n USING (dataset, category, split) GROUP BY dataset, category)"
    )


def _versions(tables: Tables) -> str:
    """The first row of each version, in its newest state."""
    source = tables.relation(gold.VERSIONS, ("dataset", *_VERSION, "at"))
    same = "OVER (PARTITION BY dataset, number, recipe ORDER BY sequence"
    return (
        f'(SELECT * REPLACE (last_state AS state), {_NAME} AS version, "at" AS created_at FROM (SELECT *, '
        f"last_value(state) {same} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_state, "
        f"row_number() {same}) AS place FROM {source}) WHERE place = 1)"
    )


def _aliases(tables: Tables) -> str:
    """Every change of an alias; `version` is null where it was removed."""
    source = tables.relation(gold.ALIASES, gold.ALIASES.names)
    return f'(SELECT *, {_NAME} AS version, "at" AS set_at FROM {source})'


def _uploads(tables: Tables) -> str:
    """Each upload in its furthest state."""
    return f'(SELECT *, "at" AS state_at FROM {furthest(tables, bronze.UPLOADS.names)})'


def _rejections(tables: Tables) -> str:
    return tables.relation(silver.REJECTIONS, silver.REJECTIONS.names)


def _runs(scope: Scope, with_report: bool) -> str:
    """What ran; the reports, which are long, only for queries that can see them."""
    shown = runs(scope.tables, scope.live_run_ids()).runs
    columns = [column for column in RUNS.columns if column.name != "report"]
    items = ", ".join(f"unnest(${i}::{c.type}[]) AS {name(c.name)}" for i, c in enumerate(columns, 1))
    values = [[_plain(getattr(run, column.name)) for run in shown] for column in columns]
    table = scope.tables.once("_runs", f"SELECT {items}", values)
    if not with_report:
        return f"(SELECT *, NULL::VARCHAR AS report FROM {table})"
    ends = scope.tables.relation(ops.RUNS, ("run_id", "phase", "report"))
    reports = f"(SELECT run_id, report FROM {ends} WHERE phase = 'end')"
    return f"(SELECT r.*, e.report FROM {table} AS r LEFT JOIN {reports} AS e USING (run_id))"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_PLAIN = {"versions": _versions, "aliases": _aliases, "uploads": _uploads, "rejections": _rejections}

"""`sql`: one SELECT over views of the lake, in a DuckDB that can reach nothing else.

Views: images, annotations, categories, splits, class_stats (of `at`, else of the newest version of every dataset),
versions, aliases, rejections, uploads, runs; SHOW TABLES lists them, DESCRIBE their columns. Macros: images_at('D@v6'),
annotations_at, … for any version, and changes('D@v2', 'D@v3') for the rows that differ. Before the user's text runs,
DuckDB may open the files of the tables it names and nothing else, neither file nor network, and its configuration is
locked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.diff.diff import Diff, diff
from imagelake.client.query import views
from imagelake.client.query.sql_result import ANSWER, SqlResult
from imagelake.client.query.statement import MACROS, Call, Statement, read_statement
from imagelake.client.query.view_columns import COLUMNS
from imagelake.client.query.views import CONTENT, Scope
from imagelake.client.refs import nearest
from imagelake.client.sql_text import name, text, texts
from imagelake.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    import duckdb

Resolve = Callable[[str], Target]

_BOX = {"x": "DOUBLE", "y": "DOUBLE", "w": "DOUBLE", "h": "DOUBLE"}
_CHANGE: dict[str, Any] = {
    "entity": "VARCHAR",
    "change": "VARCHAR",
    "what": ["VARCHAR"],
    "image_key": "VARCHAR",
    "image_key_after": "VARCHAR",
    "kind": "VARCHAR",
    "category_before": "VARCHAR",
    "category_after": "VARCHAR",
    "bbox_before": _BOX,
    "bbox_after": _BOX,
    "split_before": "VARCHAR",
    "split_after": "VARCHAR",
    "content_hash_before": "VARCHAR",
    "content_hash_after": "VARCHAR",
}


def run(scope: Scope, query: str, resolve: Resolve) -> SqlResult:
    """Run a query; UsageError with DuckDB's message and what there is to select from when it cannot run."""
    con = scope.tables.con
    statement = read_statement(con, query)
    if statement.shows_tables:
        statement = replace(statement, text=f"SELECT unnest([{texts(tuple(COLUMNS))}]) AS name")
    views.open_tables(scope, statement.tables)
    for view in COLUMNS:
        if view in statement.tables:
            views.create(scope, view, statement.columns)
    for macro in MACROS:
        calls = [c for c in statement.calls if c.macro == macro]
        if calls:
            _create_macro(scope, macro, calls, resolve)
    scope.tables.lock()
    return _answer(con, statement)


def _answer(con: duckdb.DuckDBPyConnection, statement: Statement) -> SqlResult:
    """Run the query once, into a table of DuckDB's, which knows its types and hands it over in any form."""
    import duckdb

    try:
        names = tuple(con.sql(statement.text).columns)
        numbered = ", ".join(f"c{i}" for i in range(len(names)))  # a table cannot have two columns of one name
        con.execute(f"CREATE TEMP TABLE {ANSWER} AS SELECT * FROM (\n{statement.text}\n) AS q({numbered})")
    except duckdb.IOException as error:
        raise IntegrityError(f"a table file cannot be read: {_first_line(error)}") from None
    except duckdb.Error as error:
        raise UsageError(_first_line(error), hint=_hint(statement)) from None
    return SqlResult(names, con)


def _create_macro(scope: Scope, macro: str, calls: Sequence[Call], resolve: Resolve) -> None:
    """A table macro that answers for the references the query names."""
    branches = []
    for i, call in enumerate(calls):
        part = name(f"_{macro}_{i}")
        if macro == "changes":
            before, after = (resolve(r) for r in call.refs)
            _create_changes(scope.tables, part, diff(scope.tables, before, after))
        else:
            view = macro.removesuffix("_at")
            at = Scope(scope.tables, resolve(call.refs[0]), scope.live_run_ids)
            scope.tables.con.execute(f"CREATE TEMP VIEW {part} AS {views.rows(at, view)}")
        tests = " AND ".join(f"{p} = {text(r)}" for p, r in zip(("ref", "ref2"), call.refs, strict=False))
        branches.append(f"SELECT * FROM {part} WHERE {tests}")
    parameters = "ref, ref2" if macro == "changes" else "ref"
    scope.tables.con.execute(f"CREATE TEMP MACRO {name(macro)}({parameters}) AS TABLE {' UNION ALL '.join(branches)}")


def _create_changes(tables: Tables, table: str, diff: Diff) -> None:
    rows = json.dumps([_change_row(c) for c in diff.changes])
    shape = json.dumps([_CHANGE])
    tables.con.execute(
        f"CREATE TEMP TABLE {table} AS SELECT r.* FROM (SELECT unnest(from_json($1, {text(shape)})) AS r)", [rows]
    )


def _change_row(change: Any) -> dict[str, Any]:
    before, after = change.before or {}, change.after or {}
    row: dict[str, Any] = {c: getattr(change, c) for c in ("entity", "change", "what", "image_key")}
    row["image_key_after"] = after.get("image_key", change.image_key if change.after else None)
    row["kind"] = after.get("kind") or before.get("kind")
    for side, values in (("before", before), ("after", after)):
        box = values.get("bbox")
        row[f"bbox_{side}"] = dict(zip("xywh", box, strict=True)) if box else None
        row[f"category_{side}"] = values.get("category") or values.get("name")
        row[f"split_{side}"] = values.get("split")
        row[f"content_hash_{side}"] = values.get("content_hash")
    return row


def _hint(statement: Statement) -> str:
    shown = [v for v in COLUMNS if v in statement.tables]
    unknown = sorted(statement.tables - set(COLUMNS))
    if shown:
        return "; ".join(f"{v}: {', '.join(COLUMNS[v])}" for v in shown)
    near = f"{nearest(unknown[0], COLUMNS, 'views')} " if unknown else ""
    at = ", ".join(f"{v}_at('D@v1')" for v in CONTENT)
    return f"{near}views: {', '.join(COLUMNS)}; {at}; changes('D@v1', 'D@v2')"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

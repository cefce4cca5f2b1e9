"""What a user's SQL asks for, from DuckDB's own parse tree, and whether it may run.

One SELECT only. Since DuckDB 2.0 a CTE may hold INSERT, DELETE or COPY … TO, which then passes for a SELECT, and
table functions such as query() run SQL from a text. So both kinds of node are admitted by name, not refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelake.errors import UsageError

if TYPE_CHECKING:
    import duckdb

MACROS = ("images_at", "annotations_at", "categories_at", "splits_at", "class_stats_at", "changes")

_QUERY_NODES = frozenset(("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"))
_FUNCTIONS = frozenset(("range", "generate_series", "unnest", "json_each", "json_tree", *MACROS))


_TABLES = '"tables"'
_CATALOGUE = frozenset((_TABLES, '"databases"', '"variables"', "__show_tables_expanded"))
"""What DuckDB's parser makes of SHOW TABLES, SHOW DATABASES, SHOW VARIABLES and SHOW ALL TABLES."""

_SEES_ALL = frozenset(("STAR", "SHOW_REF", "PIVOT", "POSITIONAL_REFERENCE"))
"""Nodes that stand for columns they do not name."""


@dataclass(frozen=True)
class Call:
    """A macro with the references it is called with."""

    macro: str
    refs: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """A query that may run: its text, the tables it names (lower case), and the macros it calls.

    `columns` are all the column names it can see (lower case); None when it may see any, as with a star.
    `shows_tables`: it is SHOW TABLES.
    """

    text: str
    tables: frozenset[str]
    calls: tuple[Call, ...]
    columns: frozenset[str] | None
    shows_tables: bool = False


def read_statement(con: duckdb.DuckDBPyConnection, query: str) -> Statement:
    """The statement in a text; UsageError unless it is exactly one SELECT of what views, macros and values give."""
    tree = _parse(con, query)
    tables: set[str] = set()
    calls: dict[Call, None] = {}
    nodes = list(_nodes(tree))
    for node in nodes:
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _QUERY_NODES:
            raise UsageError(f"{kind.removesuffix('_NODE')} inside a query", hint="a query only reads: one SELECT")
        if kind in ("BASE_TABLE", "SHOW_REF") and node.get("table_name"):
            tables.add(str(node["table_name"]).lower())
        elif kind == "TABLE_FUNCTION":
            call = _call(node["function"])
            if call is not None:
                calls[call] = None
    shown = _show_tables(tree)
    if not shown:
        _refuse_catalogue(nodes)
    return Statement(_without_end(query), frozenset(tables), tuple(calls), _columns(nodes), shown)


def _show_tables(tree: Any) -> bool:
    """Whether the whole statement is SHOW TABLES."""
    source = tree[0]["node"].get("from_table") or {}
    return source.get("type") == "SHOW_REF" and source.get("table_name") == _TABLES


def _refuse_catalogue(nodes: Iterable[dict[str, Any]]) -> None:
    """UsageError for SHOW of anything but one view: DuckDB's catalogue holds tables of this program's own."""
    for node in nodes:
        listing = str(node.get("table_name")) in _CATALOGUE or node.get("show_type") == "SHOW_FROM"
        if node.get("type") == "SHOW_REF" and listing:
            raise UsageError("this SHOW is not for queries here", hint="SHOW TABLES, or DESCRIBE images")


def _without_end(query: str) -> str:
    """The text of one statement without the semicolons at its end, and without what comments stand behind them."""
    import duckdb

    encoded = query.encode()
    end = len(encoded)
    for start, kind in reversed(duckdb.tokenize(query)):
        if kind == duckdb.token_type.comment:
            continue
        if encoded[start : start + 1] != b";":
            break
        end = start
    return encoded[:end].decode().strip()


def _parse(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    serialized = con.execute("SELECT json_serialize_sql($1)", [query]).fetchone()
    tree = json.loads(serialized[0]) if serialized else {}
    if tree.get("error"):
        message = str(tree.get("error_message"))
        if tree.get("error_type") != "parser":
            raise UsageError("this is not a SELECT", hint="a query only reads: one SELECT; PIVOT needs IN (…)")
        raise UsageError(f"{message}{_place(query, tree.get('position'))}")
    if len(tree["statements"]) != 1:
        raise UsageError(f"{len(tree['statements'])} statements instead of one SELECT")
    return tree["statements"]


def _place(query: str, position: object) -> str:
    if position is None:
        return ""
    before = query.encode()[: int(str(position))].decode("utf-8", "replace")
    line = before.count("\n") + 1
    return f" (line {line}, column {len(before) - before.rfind(chr(10))})"


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion: a query may nest deeply."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            stack.extend(reversed(node))


def _columns(nodes: Iterable[dict[str, Any]]) -> frozenset[str] | None:
    columns: set[str] = set()
    for node in nodes:
        if str(node.get("type")) in _SEES_ALL or node.get("ref_type") == "NATURAL":
            return None
        names = node.get("column_names") or ()
        used = [*(names[1:] or names), *(node.get("using_columns") or ())]  # without the table's name in front
        columns.update(str(n).lower() for n in used)
    return frozenset(columns)


def _call(function: dict[str, Any]) -> Call | None:
    name = str(function["function_name"]).lower()
    if name not in _FUNCTIONS:
        raise UsageError(
            f"{name}() is not for queries here", hint=f"functions after FROM: {', '.join(sorted(_FUNCTIONS))}"
        )
    if name not in MACROS:
        return None
    arguments = function.get("arguments", function.get("children", []))
    refs = tuple(_constant(name, a.get("expression", a)) for a in arguments)
    arity = 2 if name == "changes" else 1
    if len(refs) != arity:
        raise UsageError(f"{name}() takes {arity} reference{'s' * (arity > 1)}, not {len(refs)}")
    return Call(name, refs)


def _constant(name: str, node: dict[str, Any]) -> str:
    literal = node.get("literal") or node.get("value") or {}
    value = literal.get("text", literal.get("value")) if node.get("class") == "CONSTANT" else None
    if not isinstance(value, str):
        example = "'D@v1', 'D@v2'" if name == "changes" else "'D@v1'"
        raise UsageError(f"{name}() takes references in quotes", hint=f"{name}({example})")
    return value

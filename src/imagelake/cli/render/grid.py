"""Tables for people that fit the terminal: no name, reference or date is ever broken.

cells → the columns that fit, others left out and named (fit.py) → a table; or records, one field a line, where not even
the first column and what may not be left out fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from imagelake.cli.plain import safe
from imagelake.cli.render.fit import GAP, PROSE, Fit, fit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_TEXT = 120
_JSON = 60
_FIELD = 400
"""Characters of a text and of a nested value in a table, and of any value in a record."""

_HASH = re.compile(r"([a-z]\w*:)?[0-9a-f]{40,}")
_SHORT_HASH = 12


def grid(
    to: Console,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    title: str | None = None,
    drop: Sequence[str] = (),
) -> None:
    """Rows as a table of these columns. Those in `drop` may be left out where they do not fit, the first one first."""
    if title is not None:
        to.print(title, style="bold", soft_wrap=True)
    cells = {column: [_shortened(row.get(column)) for row in rows] for column in columns}
    layout = fit(cells, drop, to.width)
    if layout is None:
        records(to, rows, columns)
        return
    print_table(to, _table(rows, cells, layout))
    if layout.left_out:
        names = ", ".join(safe(column) for column in layout.left_out)
        to.print(f"left out at this width: {names}; --json has them", style="dim", soft_wrap=True)


def grid_or_records(to: Console, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows as a table with every column; as records where that does not fit."""
    cells = {column: [_shortened(row.get(column)) for row in rows] for column in columns}
    layout = fit(cells, (), to.width, prose=frozenset())
    if layout is None:
        records(to, rows, columns)
    else:
        print_table(to, _table(rows, cells, layout))


def records(to: Console, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """One field a line, rows under their numbers; long values go on without a line break."""
    from rich.cells import cell_len

    names = [safe(column) for column in columns]
    width = max(cell_len(name) for name in names)
    for number, row in enumerate(rows, 1):
        to.print(f"── row {number:,}", style="dim", soft_wrap=True)
        for name, column in zip(names, columns, strict=True):
            padding = " " * (width - cell_len(name) + GAP)
            to.print(f"{name}{padding}{cell(row.get(column), _FIELD)}".rstrip(), soft_wrap=True)


def _table(rows: Sequence[Mapping[str, Any]], cells: Mapping[str, Sequence[str]], layout: Fit) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, GAP, 0, 0), pad_edge=False)
    for column, width in layout.widths.items():
        numeric = all(_is_number(row[column]) for row in rows if _given(row.get(column)))
        table.add_column(
            safe(column),
            justify="right" if numeric else "left",
            width=width,
            no_wrap=column not in PROSE,
            overflow="fold",
        )
    for values in zip(*(cells[column] for column in layout.widths), strict=True):
        table.add_row(*values)
    return table


def print_table(to: Console, table: Table) -> None:
    """The table without the spaces that fill its last column: they wrap on a narrow terminal, and spoil a copy."""
    with to.capture() as captured:
        to.print(table)
    for line in captured.get().splitlines():
        to.file.write(line.rstrip() + "\n")


def filled(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """The columns that hold something in some row."""
    return [c for c in columns if any(_given(row.get(c)) for row in rows)]


def cell(value: Any, limit: int = _TEXT) -> str:
    """A value as people read it: thousands grouped, times to the second, nothing for None; cut after `limit`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return safe(", ".join(value), limit)
    if isinstance(value, Mapping):
        return safe(", ".join(f"{name} {cell(part)}" for name, part in value.items()), limit)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return safe(value, limit)


def _shortened(value: Any) -> str:
    """A value as a table shows it: hashes by their first characters, nested values and JSON cut early."""
    if isinstance(value, str):
        digest = _HASH.fullmatch(value)
        if digest:
            return value[: len(digest[1] or "") + _SHORT_HASH]
        return cell(value, _JSON if value.startswith(("{", "[")) else _TEXT)
    nested = isinstance(value, list | tuple | Mapping)
    return cell(value, _JSON if nested else _TEXT)


def _given(value: Any) -> bool:
    return value is not None and value != [] and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

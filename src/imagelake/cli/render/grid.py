"""One kind of table for people: a title, a dim header, numbers to the right, text from uploads made safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from imagelake.cli.plain import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_CELL = 120


def grid(to: Console, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str | None = None) -> None:
    """Rows as a table of these columns."""
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        numeric = all(_is_number(row[column]) for row in rows if _given(row.get(column)))
        table.add_column(safe(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in columns))
    print_table(to, table)


def print_table(to: Console, table: Table) -> None:
    """The table without the spaces that fill its last column: they wrap on a narrow terminal, and spoil a copy."""
    with to.capture() as captured:
        to.print(table)
    for line in captured.get().splitlines():
        to.file.write(line.rstrip() + "\n")


def filled(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """The columns that hold something in some row."""
    return [c for c in columns if any(_given(row.get(c)) for row in rows)]


def cell(value: Any) -> str:
    """A value as a table shows it: thousands grouped, times to the second, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return safe(", ".join(value), _CELL)
    if isinstance(value, Mapping):
        return safe(", ".join(f"{name} {cell(part)}" for name, part in value.items()), _CELL)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return safe(value, _CELL)


def _given(value: Any) -> bool:
    return value is not None and value != [] and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

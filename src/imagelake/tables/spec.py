"""How a table of the lake is declared: one frozen value, known to Spark, to the client and to the docs."""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA_NUMBER = 1
"""Written as table property `imagelake.schema`; a writer refuses a table with a larger number."""

ROWS_PER_FILE = 500_000
"""The most rows that one data file of a table is written with."""


@dataclass(frozen=True)
class Column:
    """A column: its name, its Spark DDL type, and one sentence on what it holds."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class TableSpec:
    """A Delta table under `tables/`.

    `key` names the columns that identify a row (empty for logs), `stats` the columns Delta keeps
    minima and maxima of (a partition column among them is an error in Delta).
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ("dataset",)
    append_only: bool = True
    stats: tuple[str, ...] = field(default=())

    @property
    def path(self) -> str:
        """The table's root, relative to the lake."""
        return "tables/" + self.name.replace(".", "/")

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(c.name for c in self.columns)

    @property
    def ddl(self) -> str:
        """The schema as Spark DDL."""
        return ", ".join(f"`{c.name}` {c.type}" for c in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(f"{self.name} has no column {name}")

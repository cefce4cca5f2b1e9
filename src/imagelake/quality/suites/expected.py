"""Expectations as plain data, in the words of Great Expectations, which only quality/expectations imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expected:
    """One expectation: its type and arguments in Great Expectations, what it means in words, and where it comes from.

    origin: a rule id, a setting (`gate.min_images`), or the table whose declaration says so.
    """

    type: str
    arguments: Mapping[str, Any]
    meaning: str
    origin: str


@dataclass(frozen=True)
class Suite:
    """A named suite of ours or, with `file`, of somebody's own: the JSON it came as, and the path that holds it."""

    name: str
    expectations: tuple[Expected, ...] = ()
    document: bytes = b""
    file: str | None = None

    @property
    def remedy(self) -> str:
        """What to do about an expectation that does not hold."""
        if self.file is not None:
            return f"mend the data, or the suite in {self.file}"
        return "mend the rows by delivering them again, or the setting that asks for it"


def row_count(least: int, most: int | None, meaning: str, origin: str) -> Expected:
    """The number of rows lies between these."""
    return Expected("expect_table_row_count_to_be_between", _limits(least, most), meaning, origin)


def columns(names: tuple[str, ...], origin: str) -> Expected:
    """The table has these columns, and may have others."""
    meaning = "a column that the table declares is not there"
    arguments = {"column_set": list(names), "exact_match": False}
    return Expected("expect_table_columns_to_match_set", arguments, meaning, origin)


def never_null(column: str, origin: str) -> Expected:
    """The column has a value in every row."""
    return Expected("expect_column_values_to_not_be_null", {"column": column}, f"{column} is null", origin)


def always_null(column: str, meaning: str, origin: str) -> Expected:
    """The column, which holds what is wrong with a row, is null in every row."""
    return Expected("expect_column_values_to_be_null", {"column": column}, meaning, origin)


def unique(column: str, origin: str) -> Expected:
    """No two rows share a value of the column; nulls do not count."""
    arguments = {"column": column, "min_value": 1.0, "max_value": 1.0}
    meaning = f"several rows have one {column}"
    return Expected("expect_column_proportion_of_unique_values_to_be_between", arguments, meaning, origin)


def between(column: str, least: float | None, most: float | None, origin: str) -> Expected:
    """Every value of the column that is not null lies between these."""
    arguments = {"column": column, **_limits(least, most)}
    meaning = f"{column} is {_range(least, most)}"
    return Expected("expect_column_values_to_be_between", arguments, meaning, origin)


def one_of(column: str, values: tuple[str, ...], origin: str) -> Expected:
    """Every value of the column that is not null is one of these."""
    arguments = {"column": column, "value_set": list(values)}
    return Expected("expect_column_values_to_be_in_set", arguments, f"{column} is none of {', '.join(values)}", origin)


def sum_at_most(column: str, most: int, meaning: str, origin: str) -> Expected:
    """The sum of the column, 0 or 1 in each row, is at most this."""
    arguments = {"column": column, "min_value": 0, "max_value": most}
    return Expected("expect_column_sum_to_be_between", arguments, meaning, origin)


def _limits(least: float | None, most: float | None) -> dict[str, float]:
    limits = {"min_value": least, "max_value": most}
    return {name: value for name, value in limits.items() if value is not None}


def _range(least: float | None, most: float | None) -> str:
    below = [] if least is None else [f"below {least:g}"]
    above = [] if most is None else [f"above {most:g}"]
    return " or ".join([*below, *above])

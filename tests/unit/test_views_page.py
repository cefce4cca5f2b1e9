"""docs/views.md: its examples run on a lake with versions of pets, and its types are those that DuckDB gives."""

from __future__ import annotations

import re

import duckdb
import pytest
from documents import ROOT, blocks

from imagelake.client.query.view_columns import CHANGES, VIEWS, View
from lakes import LakeMaker
from pet_lake import Pets

PAGE = ROOT / "docs" / "views.md"


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Pets:
    return Pets(LakeMaker(tmp_path_factory.mktemp("views") / "lake"))


def source(view: View) -> str:
    return "changes('pets@v1', 'pets@v3')" if view is CHANGES else view.name


@pytest.mark.parametrize("query", blocks(PAGE, "sql"), ids=lambda query: re.findall(r"from (\w+)", query)[0])
def test_an_example_has_an_answer(pets: Pets, query: str) -> None:
    assert pets.lake.sql(query, at="pets@v3").rows


def test_there_is_an_example_for_each_view() -> None:
    assert [re.findall(r"from (\w+)", q)[0] for q in blocks(PAGE, "sql")] == [view.name for view in (*VIEWS, CHANGES)]


@pytest.mark.parametrize("view", [*VIEWS, CHANGES], ids=lambda view: view.name)
def test_a_view_has_the_columns_and_types_that_are_declared(pets: Pets, view: View) -> None:
    columns = pets.lake.sql(f"select * from {source(view)}", at="pets@v3").columns
    assert columns == view.names
    types = ", ".join(f"typeof({column})" for column in columns)
    (row,) = pets.lake.sql(f"select {types} from {source(view)} limit 1", at="pets@v3").rows
    with duckdb.connect() as con:
        declared = [con.execute(f"select typeof(null::{column.type})").fetchone() for column in view.columns]
    assert dict(zip(columns, row, strict=True)) == dict(zip(columns, (name for (name,) in declared), strict=True))


@pytest.mark.parametrize("view", [*VIEWS, CHANGES], ids=lambda view: view.name)
def test_every_column_has_a_meaning(view: View) -> None:
    assert [column.name for column in view.columns if not column.doc.strip()] == []

"""docs/engines.md: DuckDB and Polars read every version from the Delta tables as `lake.sql` shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from documents import ROOT, blocks

from lakes import LakeMaker
from pet_lake import Pets

PAGE = ROOT / "docs" / "engines.md"
ANNOTATIONS, IMAGES = blocks(PAGE, "sql")
DUCKDB, POLARS, _ = blocks(PAGE, "python")
SHOWN = "image_key, annotation_key, kind, category, bbox, row_hash"


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Pets:
    return Pets(LakeMaker(tmp_path_factory.mktemp("engines") / "lake"))


@pytest.fixture(autouse=True)
def _beside_the_lake(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pets.maker.root.parent)


def run(code: str, **names: Any) -> Any:
    """What the example calls `rows`, for the version that the names give."""
    space: dict[str, Any] = dict(names)
    exec(code.replace("print(rows)", ""), space)
    return space["rows"]


def at(text: str, number: int, recipe: int = 1) -> str:
    assert "<= 3" in text
    return text.replace("<= 3", f"<= {number}").replace("recipe = 1", f"recipe = {recipe}")


def by_duckdb(query: str, columns: str) -> list[Any]:
    code = DUCKDB.replace("duckdb.sql(query)", "duckdb.sql(query).fetchall()")
    return sorted(run(code, query=f"select {columns} from ({query})"), key=str)


def expected(pets: Pets, view: str, columns: str, ref: str) -> list[Any]:
    return sorted(pets.lake.sql(f"select {columns} from {view}", at=ref).rows, key=str)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_duckdb_reads_the_annotations_of_every_version(pets: Pets, number: int) -> None:
    rows = by_duckdb(at(ANNOTATIONS, number), SHOWN)
    assert rows == expected(pets, "annotations", SHOWN, f"pets@v{number}")
    assert len(rows) >= 3


@pytest.mark.parametrize(("number", "recipe"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_duckdb_reads_the_images_of_every_version_in_their_splits(pets: Pets, number: int, recipe: int) -> None:
    columns = "image_key, content_hash, width, height, split"
    rows = by_duckdb(at(IMAGES, number, recipe), columns)
    assert rows == expected(pets, "images", columns, f"pets@v{number}.{recipe}")
    assert len(rows) >= 4


@pytest.mark.parametrize(
    ("log", "entity", "view"), [("image_log", "image", "images"), ("category_log", "category", "categories")]
)
def test_the_other_logs_are_read_in_the_same_way(pets: Pets, log: str, entity: str, view: str) -> None:
    query = ANNOTATIONS.replace("annotation_log", log).replace("'annotation'", f"'{entity}'")
    code = DUCKDB.replace("annotation_log", "category_log") if log == "category_log" else DUCKDB
    code = code.replace("duckdb.sql(query)", "duckdb.sql(query).fetchall()")
    assert "category_log" in code or log == "image_log"
    rows = sorted(run(code, query=f"select row_hash from ({query})"), key=str)
    assert rows == expected(pets, view, "row_hash", "pets@v3")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_polars_reads_the_annotations_of_every_version(pets: Pets, number: int) -> None:
    pytest.importorskip("polars")
    rows = run(at(POLARS, number)).select("image_key", "annotation_key", "row_hash").rows()
    columns = "image_key, annotation_key, row_hash"
    assert sorted(rows, key=str) == expected(pets, "annotations", columns, f"pets@v{number}")


def test_without_the_rule_of_publish_ids_a_publish_that_was_cut_short_would_show(pets: Pets) -> None:
    careless = at(ANNOTATIONS, 3).replace("publish_id in (select publish_id from attempts)", "true")
    assert by_duckdb(careless, SHOWN) != expected(pets, "annotations", SHOWN, "pets@v3")


def test_every_table_it_names_is_there() -> None:
    for name in ("versions", "closings", "image_log", "annotation_log", "category_log", "split_log"):
        assert name in PAGE.read_text("utf-8")
        assert f"## gold.{name}\n" in (Path(ROOT) / "docs" / "tables.md").read_text("utf-8")

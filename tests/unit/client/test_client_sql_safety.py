"""A query reads the lake and nothing else, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from imagelake.errors import UsageError
from imagelake.tables import gold
from pet_lake import Pets


@pytest.mark.parametrize(
    "query",
    [
        "",
        "-- nothing",
        "select 1; select 2",
        "insert into images values (1)",
        "create table t as select 1",
        "attach 'x.db'",
        "set threads = 1",
        "pragma version",
        "copy (select 1) to '{out}'",
        "with x as (copy (select 1) to '{out}' (use_tmp_file false)) select * from x",
        "select (with x as (copy (select 1) to '{out}') select count(*) from x)",
        "with x as (delete from images returning *) select * from x",
        "select * from query('select 1')",
        "select * from query_table('images')",
        "select * from json_execute_serialized_sql('{{}}')",
        "select * from '{file}'",
        "select * from read_text('{file}')",
        "select * from read_csv('{file}')",
        "select * from read_blob('{file}')",
        "select * from glob('/*')",
        "select * from read_parquet('http://127.0.0.1:1/x')",
        "select * from sniff_csv('{file}')",
        "select getenv('HOME')",
        "load httpfs",
        "install httpfs",
        "export database '{out}'",
        "call enable_logging()",
        "show databases",
        "show variables",
        "show all tables",
        "show tables from main",
        "select * from (show tables)",
        "describe",
        "describe insert into images values (1)",
        "describe select * from '{file}'",
    ],
)
def test_a_query_can_only_read_the_lake(pets: Pets, tmp_path: Path, query: str) -> None:
    secret, out = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text("a\n1\n")
    with pytest.raises(UsageError):
        pets.lake.sql(query.format(file=secret, out=out))
    assert not out.exists()


def test_no_query_can_write_to_a_file_of_the_lake(pets: Pets) -> None:
    """The files of the tables it names are open to it: what reads them must not write them."""
    files = sorted((pets.maker.root / gold.IMAGE_LOG.path).rglob("*.parquet"))
    before = [f.read_bytes() for f in files]
    for text in (
        "with x as (copy (select 1) to '{}' (use_tmp_file false)) select * from x, images",
        "select * from images, query('with x as (copy (select 1) to ''{}'' (use_tmp_file false)) select * from x')",
    ):
        with pytest.raises(UsageError):
            pets.lake.sql(text.format(files[0]))
    assert [f.read_bytes() for f in files] == before


def test_python_variables_are_no_tables(pets: Pets) -> None:
    local = duckdb.sql("select 42 as answer")
    assert local is not None
    with pytest.raises(UsageError):
        pets.lake.sql("select * from local")

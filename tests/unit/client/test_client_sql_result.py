"""The forms of an answer: types are DuckDB's, and a query runs once."""

from __future__ import annotations

import builtins
import pickle
import sys
from datetime import date, datetime, timezone
from decimal import Decimal
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.errors import UsageError
from pet_lake import Pets

TYPES = """
    select 1::tinyint as small, null::bigint as none, 1.50::decimal(9, 2) as price, date '2026-01-02' as day,
           timestamp '2026-01-02 03:04:05' as moment, timestamptz '2026-01-02 03:04:05+00' as zoned,
           'b'::enum('a', 'b') as letter, [1, 2]::smallint[] as list, {'x': 1.5::float} as box, map {'k': 1} as map,
           'ab'::blob as bytes, null as nothing
"""


def test_arrow_has_the_types_of_the_query(pets: Pets) -> None:
    table = pets.lake.sql(TYPES).to_arrow()
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert types.pop("zoned").startswith("timestamp[us, tz=")
    assert types.pop("letter").startswith("dictionary<")
    assert types.pop("list").startswith("list<")
    assert table.schema.field("list").type.value_type == pa.int16()
    assert types.pop("map") == "map<string, int32>"
    assert types == {
        "small": "int8",
        "none": "int64",
        "price": "decimal128(9, 2)",
        "day": "date32[day]",
        "moment": "timestamp[us]",
        "box": "struct<x: float>",
        "bytes": "binary",
        "nothing": "null",
    }
    row = table.to_pylist()[0]
    assert (row["price"], row["day"], row["none"]) == (Decimal("1.50"), date(2026, 1, 2), None)
    assert row["zoned"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def test_views_keep_their_types_without_rows(pets: Pets) -> None:
    schema = pets.lake.sql("select width, image_key from images limit 0").to_arrow().schema
    assert [str(t) for t in schema.types] == ["int32", "string"]


def test_a_query_runs_once_whatever_is_asked_for(pets: Pets) -> None:
    query = "select uuid()::varchar as id, now() as t from range(3)"
    found = pets.lake.sql(query)
    ids = [row[0] for row in found.rows]
    assert found.to_arrow()["id"].to_pylist() == ids
    assert [row[0] for row in found.as_json()["rows"]] == ids
    assert found.to_pandas()["id"].tolist() == ids
    assert found.rows is found.rows


def test_an_error_is_raised_by_the_query_and_not_by_its_forms(pets: Pets) -> None:
    with pytest.raises(UsageError, match="boo"):
        pets.lake.sql("select case when width > 0 then error('boo') end from images")


def test_rows_stay_in_their_order(pets: Pets) -> None:
    found = pets.lake.sql("select i from range(200_000) as r(i) order by hash(i)")
    assert found.to_arrow()["i"].to_pylist() == [row[0] for row in found.rows]
    assert [row[0] for row in pets.lake.sql("select i from range(5) as r(i) order by i desc").rows] == [4, 3, 2, 1, 0]


def test_columns_of_one_name_stay_apart_in_arrow(pets: Pets) -> None:
    table = pets.lake.sql("select 1 as a, 'x' as a").to_arrow()
    assert (table.column_names, [c.to_pylist() for c in table.columns]) == (["a", "a"], [[1], ["x"]])


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8))
def test_pandas_keeps_every_integer_beside_nulls(original: Pets, numbers: list[int | None]) -> None:
    values = ", ".join("(null::bigint)" if n is None else f"(({n})::bigint)" for n in numbers)
    column = original.lake.sql(f"select n from (values {values}) as v(n)").to_pandas()["n"]
    assert str(column.dtype) == "Int64"
    assert [None if value is column.dtype.na_value else int(value) for value in column] == numbers


def test_pandas_has_times_texts_and_booleans(pets: Pets) -> None:
    frame = pets.lake.sql(
        "select timestamp '2026-01-02' as t, 'x' as s, null::boolean as b, 1.5::double as d"
    ).to_pandas()
    assert frame.dtypes.astype(str).to_dict() == {"t": "datetime64[us]", "s": "object", "b": "boolean", "d": "float64"}


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_package_that_is_not_there_is_named(pets: Pets, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> ModuleType:
        if name == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(name, *rest)

    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr("imagelake.client.query.sql_result.import_module", without)
    with pytest.raises(UsageError, match=package) as error:
        getattr(pets.lake.sql("select 1"), f"to_{package}")()
    assert f"pip install {package}" in (error.value.hint or "")


def test_polars_refuses_columns_of_one_name(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = ModuleType("polars")
    stand_in.from_arrow = lambda table: table  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "polars", stand_in)
    assert pets.lake.sql("select 1 as a").to_polars().to_pylist() == [{"a": 1}]
    with pytest.raises(UsageError, match="'a'"):
        pets.lake.sql("select 1 as a, 2 as a").to_polars()


def test_an_answer_goes_to_another_process(pets: Pets) -> None:
    found = pets.lake.sql("select image_key from images order by 1")
    copy = pickle.loads(pickle.dumps(found))
    assert (copy.columns, copy.rows) == (found.columns, found.rows)
    assert copy.to_arrow().equals(found.to_arrow())

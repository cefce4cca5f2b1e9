from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

import imagelake
from imagelake.client.delta.tables import Tables
from imagelake.client.query.statement import read_statement
from imagelake.client.query.view_columns import COLUMNS
from imagelake.errors import IntegrityError, NotFound, UsageError
from imagelake.tables import gold, ops
from lakes import LakeMaker
from pet_lake import Pets


def test_views_show_the_newest_version_of_every_dataset(pets: Pets) -> None:
    maker = pets.maker
    maker.image("cars", "x.png")
    maker.box("cars", "x.png", "cat", (0, 0, 1, 1))
    maker.deliver("cars")
    maker.publish("cars")
    maker.image("cars", "draft.png")
    maker.deliver("cars")
    maker.flush()
    by_dataset = "select dataset, count(*) from {} group by all order by all"
    assert pets.lake.sql(by_dataset.format("images")).rows == (("cars", 1), ("pets", 5))
    assert pets.lake.sql(by_dataset.format("annotations")).rows == (("cars", 1), ("pets", 4))
    assert pets.lake.sql(by_dataset.format("categories")).rows == (("cars", 1), ("pets", 3))
    assert pets.lake.sql(by_dataset.format("splits")).rows == (("cars", 1), ("pets", 5))


@pytest.mark.parametrize(("at", "images"), [("pets", 5), ("pets@v2.2", 4), ("pets@v1", 4), ("pets@draft", 5)])
def test_at_shows_one_version(pets: Pets, at: str, images: int) -> None:
    assert pets.lake.sql("select count(*) from images", at=at).rows == ((images,),)


def test_an_image_has_the_split_of_the_recipe_and_that_of_its_upload(pets: Pets) -> None:
    query = "select image_key, split, uploaded_split from images where image_key = 'c.png'"
    assert pets.lake.sql(query, at="pets@v2").rows == (("c.png", "train", "train"),)
    assert pets.lake.sql(query, at="pets@v2.2").rows == (("c.png", "test", "train"),)
    assert pets.lake.sql(query, at="pets@draft").rows == (("c.png", "train", "train"),)


@pytest.mark.parametrize(
    "query",
    [
        "select split from images where image_key = 'c.png'",
        "select i.split from images i where i.image_key = 'c.png'",
        "select any_value(columns('spl.*')) from images where image_key = 'c.png' group by image_key",
        "select s.split from images join splits s using (dataset, image_key, split) where image_key = 'c.png'",
        "select split from images natural join splits where image_key = 'c.png'",
        "select images.split from main.images where image_key = 'c.png'",
        "select i['split'] from images i where image_key = 'c.png'",
        "with c as (from images) select split from c where image_key = 'c.png'",
        "select \"SPLIT\" from images where image_key = 'c.png'",
    ],
)
def test_the_split_is_there_however_a_query_asks_for_it(pets: Pets, query: str) -> None:
    found = pets.lake.sql(query, at="pets@v2.2").rows
    assert "test" in found[0]


def test_splits_are_not_opened_for_queries_that_cannot_see_them(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    log = Tables.log

    def spy(self: Tables, spec: Any) -> Any:
        opened.append(spec.name)
        return log(self, spec)

    monkeypatch.setattr(Tables, "log", spy)
    pets.lake.sql("select count(*), max(width) from images", at="pets@v1")
    assert set(opened) == {"gold.versions", "gold.image_log", "gold.closings"}
    opened.clear()
    pets.lake.sql("select 1")
    assert not opened


def test_sizes_are_there_as_shown_too(maker: LakeMaker) -> None:
    maker.image("pets", "a.png", width=64, height=48, orientation=6)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    query = "select width, height, oriented_width, oriented_height from images"
    assert imagelake.open(str(maker.root)).sql(query).rows == ((64, 48, 48, 64),)


def test_every_view_has_the_columns_it_declares(pets: Pets) -> None:
    for view, columns in COLUMNS.items():
        assert pets.lake.sql(f"select * from {view} limit 0").columns == columns, view


def test_versions_uploads_rejections_and_runs_are_views(pets: Pets) -> None:
    lake = pets.lake
    assert lake.sql("select version, state from versions order by sequence").rows == (
        ("pets@v1", "published"),
        ("pets@v2", "published"),
        ("pets@v2.2", "published"),
        ("pets@v3", "published"),
    )
    assert lake.sql("select sequence, state from uploads order by sequence").rows == (
        (1, "built"),
        (2, "built"),
        (3, "built"),
    )
    assert lake.sql("select count(*) from rejections where closed_at is null").rows == ((1,),)
    assert lake.sql("select run_id, status from runs order by run_id").rows == (
        ("r1", "done"),
        ("r2", "failed"),
        ("r3", "died"),
    )


def test_what_a_run_reported_is_json_to_ask(pets: Pets) -> None:
    document = [{"dataset": "pets", "status": "rejected", "source": "file:///in/a.zip", "problem": 'no "zip"'}]
    end = {"run_id": "r9", "verb": "run", "host": "h", "pid": 1, "program": "0.1.0", "at": pets.maker.now()}
    start = end | {"phase": "start", "status": "running"}
    pets.maker.add(ops.RUNS, start, end | {"phase": "end", "status": "rejected", "report": json.dumps(document)})
    pets.maker.flush()
    lake = imagelake.open(str(pets.maker.root))
    query = "select unnest(report::json[]) ->> '$.source' as source from runs where run_id = 'r9'"
    assert lake.sql(query).rows == (("file:///in/a.zip",),)
    assert [json.loads(row[0]) for row in lake.sql("select report from runs where status = 'rejected'").rows] == [
        document
    ]
    assert lake.sql("select count(*) from runs where report is null").rows == ((3,),)
    assert "report" not in lake.runs().as_json()["runs"][0], "it may be long"
    assert lake.sql("select status from runs where run_id = 'r9'").rows == (("rejected",),)


def test_a_version_s_newest_state_shows(pets: Pets) -> None:
    pets.maker.state("pets", 1, "retired")
    pets.maker.flush()
    assert pets.lake.sql("select state, created_at < '2026-01-01 00:00:30' from versions where number = 1").rows == (
        ("retired", True),
    )


def test_macros_show_any_version_beside_the_views(pets: Pets) -> None:
    query = """
        select (select count(*) from images_at('pets@v1')), (select count(*) from images_at('pets@v2')),
               (select count(*) from annotations_at('pets@v1')), (select count(*) from categories_at('pets@v1')),
               (select count(*) from splits_at('pets@v2.2')), (select count(*) from images_at('pets@draft')),
               (select count(*) from images)
    """
    assert pets.lake.sql(query, at="pets@v2").rows == ((4, 4, 3, 2, 4, 5, 4),)


def test_changes_between_two_versions_are_rows(pets: Pets) -> None:
    query = """
        select image_key, change, what, category_before, category_after, bbox_before.y, bbox_after.y
        from changes('pets@v1', 'pets@v2') where entity = 'annotation' order by image_key
    """
    assert pets.lake.sql(query).rows == (
        ("a.png", "changed", ["moved"], "dog", "dog", 0.0, 1.0),
        ("b.png", "removed", [], "cat", None, 1.0, None),
        ("e.png", "added", [], None, "bird", None, 0.0),
    )
    both = (
        "select count(*) from changes('pets@v1','pets@v2') union all select count(*) from changes('pets@v2','pets@v2')"
    )
    assert [r[0] > 0 for r in pets.lake.sql(both).rows] == [True, False]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("select * from images_at('pets@v9')", NotFound),
        ("select * from images_at('pets@' || 'v1')", UsageError),
        ("select * from images_at('pets@v1', 'pets@v2')", UsageError),
        ("select * from changes('pets@v1')", UsageError),
        ("select * from images_at(null)", UsageError),
    ],
)
def test_macros_take_references_in_quotes(pets: Pets, query: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        pets.lake.sql(query)


def test_the_document_is_json_whatever_the_types(pets: Pets) -> None:
    query = """
        select now(), [now()], timestamp '2026-01-02 03:04:05', date '2026-01-02', time '03:04', interval 1 day,
               'nan'::double, '-inf'::float, 1.5, 170141183460469231731687303715884105727, 'a'::blob, uuid(),
               {'x': [1.0, null]}, map {'k': 1}, null, true, 'b'::enum('a', 'b'), 7::bit
    """
    document = pets.lake.sql(query).as_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    row = document["rows"][0]
    assert row[2:5] == ["2026-01-02T03:04:05", "2026-01-02", "03:04:00"]
    assert row[6:11] == [None, None, 1.5, 170141183460469231731687303715884105727, "61"]
    assert row[12:16] == [{"x": [1.0, None]}, {"k": 1}, None, True]


def test_zoned_times_come_without_a_further_package(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pytz", None)
    found = pets.lake.sql("select timestamptz '2026-01-02 03:04:05+00' as t, 1 as t -- a comment at the end")
    assert (found.columns, found.as_json()["rows"]) == (("t", "t"), [["2026-01-02T03:04:05", 1]])


def test_a_wrong_column_is_answered_with_the_right_ones(pets: Pets) -> None:
    with pytest.raises(UsageError, match="heigth") as error:
        pets.lake.sql("select heigth from images")
    assert "images: dataset, image_key" in (error.value.hint or "")


def test_a_wrong_view_is_answered_with_the_right_ones(pets: Pets) -> None:
    with pytest.raises(UsageError, match="imges") as error:
        pets.lake.sql("select * from imges")
    assert "did you mean images?" in (error.value.hint or "")
    assert "runs" in (error.value.hint or "")


def test_a_syntax_error_says_where(pets: Pets) -> None:
    with pytest.raises(UsageError, match=r"line 2, column 6"):
        pets.lake.sql("select 1\nform images")


def test_show_tables_names_the_views_and_describe_their_columns(pets: Pets) -> None:
    shown = pets.lake.sql("show tables;")
    assert (shown.columns, [row[0] for row in shown.rows]) == (("name",), list(COLUMNS))
    for view, columns in COLUMNS.items():
        described = pets.lake.sql(f"describe {view}")
        assert described.columns[:2] == ("column_name", "column_type")
        assert tuple(row[0] for row in described.rows) == columns
    assert pets.lake.sql("show images").rows == pets.lake.sql("DESC images").rows


def test_describe_tells_the_types_of_a_query(pets: Pets) -> None:
    query = "describe select count(*) as n, any_value(image_key) as k from images_at('pets@v1')"
    assert [row[:2] for row in pets.lake.sql(query).rows] == [("n", "BIGINT"), ("k", "VARCHAR")]
    assert pets.lake.sql("select column_name from (describe splits) limit 1").rows == (("dataset",),)
    with pytest.raises(UsageError, match="imges") as error:
        pets.lake.sql("describe imges")
    assert "did you mean images?" in (error.value.hint or "")


@pytest.mark.parametrize("end", ["", ";", " ; ;", "; -- ends; here", " -- ends", "; /* a */ -- b\n"])
def test_a_statement_ends_with_semicolons_and_comments_or_without(pets: Pets, end: str) -> None:
    assert pets.lake.sql(f"/* ; */ select 'ä;' as x{end}").rows == (("ä;",),)


def test_names_in_comments_and_strings_are_no_tables() -> None:
    statement = read_statement(duckdb.connect(), "select 'images', 1 -- from runs\nfrom Versions")
    assert statement.tables == {"versions"}


def test_a_query_of_a_damaged_version_says_so_and_shows_nothing(pets: Pets) -> None:
    pets.maker.add(gold.VERSIONS, pets.maker.versions("pets")[-1] | {"sequence": 9, "number": 4, "images": 99})
    pets.maker.flush()
    with pytest.raises(IntegrityError, match=r"pets@v4.*99"):
        pets.lake.sql("select * from images")
    assert pets.lake.sql("select count(*) from annotations").rows == ((4,),)

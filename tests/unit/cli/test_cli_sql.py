"""`sql` over a real lake: answers as CSV and as Parquet files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagelake
from imagelake.cli.render.sql_files import write_csv
from lakes import LakeMaker


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    maker = LakeMaker(tmp_path_factory.mktemp("asked") / "lake")
    for key in ("a.png", "b.png"):
        maker.image("pets", key, width=64, height=48)
    maker.box("pets", "a.png", "cat", (0, 0, 2, 2))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return str(maker.root)


def records(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_an_answer_is_csv_on_stdout(cli, lake) -> None:
    done = cli("sql", "select image_key, width, null as n from images order by 1", "--csv", "--lake", lake)
    assert done.code == 0
    assert done.out == "image_key,width,n\r\na.png,64,\r\nb.png,64,\r\n"


def test_csv_has_one_text_for_every_type(cli, lake) -> None:
    query = """
        select true, 1.50::decimal(9, 2), date '2026-01-02', timestamp '2026-01-02 03:04:05', 'ab'::blob, ['ä', null],
               {'x': 1.5}, 'nan'::double, 12345678901234567890, 'a,"b"'
    """
    row = records(cli("sql", query, "--csv", "--lake", lake).out)[1]
    assert row[:5] == ["true", "1.50", "2026-01-02", "2026-01-02T03:04:05", "6162"]
    assert [json.loads(value) for value in row[5:7]] == [["ä", None], {"x": 1.5}]
    assert row[7:] == ["nan", "12345678901234567890", 'a,"b"']


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=3))
def test_texts_come_back_from_csv_as_they_were(lake, texts: list[str]) -> None:
    quoted = ["'" + text.replace("'", "''") + "'" for text in texts]
    answer = imagelake.open(lake).sql(f"select {', '.join(quoted)}")
    out = io.StringIO(newline="")
    write_csv(out, answer)
    assert records(out.getvalue())[1] == texts


def test_a_terminal_obeys_no_text_of_an_answer(lake) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal(newline="")
    write_csv(out, imagelake.open(lake).sql("select chr(27) || '[2J' as c, [chr(27)] as d"))
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[2J" in out.getvalue()


def test_an_answer_is_a_parquet_file_with_its_types(cli, lake, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    query = "select image_key, width, 1.5::decimal(9, 2) as d from images order by 1"
    done = cli("sql", query, "--parquet", str(target), "--lake", lake, "--json")
    table = pq.read_table(target)
    assert [str(t) for t in table.schema.types] == ["string", "int32", "decimal128(9, 2)"]
    assert table["image_key"].to_pylist() == ["a.png", "b.png"]
    assert done.document == {
        "place": str(target),
        "columns": ["image_key", "width", "d"],
        "rows": 2,
        "bytes": target.stat().st_size,
    }
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]


def test_an_empty_answer_is_a_file_with_columns(cli, lake, tmp_path: Path) -> None:
    target = tmp_path / "none.parquet"
    assert "0 rows" in cli("sql", "select * from images where false", "--parquet", str(target), "--lake", lake).out
    assert pq.read_table(target).num_rows == 0
    assert "image_key" in pq.read_schema(target).names


def test_no_file_is_overwritten_and_none_is_left_half_written(cli, lake, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    target.write_bytes(b"mine")
    done = cli("sql", "select 1 as a", "--parquet", str(target), "--lake", lake)
    assert (done.code, str(target) in done.err, target.read_bytes()) == (2, True, b"mine")
    target.unlink()
    for query in ("select 1 as a, 2 as a", "select nonsense from images", "select interval 1 day as i"):
        assert cli("sql", query, "--parquet", str(target), "--lake", lake).code == 2
    assert cli("sql", "select 1", "--parquet", str(tmp_path / "no" / "out.parquet"), "--lake", lake).code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_came_meanwhile_is_kept(cli, lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.parquet"
    write = pq.ParquetWriter.write_batch

    def write_late(self: pq.ParquetWriter, batch: pa.RecordBatch) -> None:
        write(self, batch)
        target.write_bytes(b"theirs")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", write_late)
    assert cli("sql", "select 1 as a", "--parquet", str(target), "--lake", lake).code == 2
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out.parquet", b"theirs")]


@pytest.mark.parametrize("other", [("--json",), ("--parquet", "x.parquet")])
def test_csv_is_alone_on_stdout(cli, lake, other) -> None:
    done = cli("sql", "select 1", "--csv", *other, "--lake", lake)
    assert (done.code, "--csv" in (done.err + done.out)) == (2, True)


def test_the_views_and_their_columns_are_shown(cli, lake) -> None:
    assert {"images", "class_stats"} <= set(cli("sql", "show tables", "--lake", lake).out.split())
    described = cli("sql", "describe images", "--lake", lake, "--json").document
    assert ["image_key", "VARCHAR"] in [row[:2] for row in described["rows"]]

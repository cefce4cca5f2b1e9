"""`get --format parquet`: the rows of a selection, and hive folders that engines prune by."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.cli.main import main
from imagelake.client import lake
from imagelake.client.lake import Lake
from imagelake.errors import Conflict, NotFound, UsageError
from imagelake.exports.parquet import layout
from imagelake.exports.parquet.hive import NULL, escape
from imagelake.exports.parquet.keys import partition_keys
from imagelake.tables import bronze
from lakes import LakeMaker
from pet_lake import Pets

TABLES = ("images", "annotations", "categories", "splits")
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


def _tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}


def _query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    read = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
    return duckdb.connect().execute(sql.format(read)).fetchall()


def _hive(folder: Path, *columns: str) -> ds.Dataset:
    schema = pa.schema([(column, pa.string()) for column in columns])
    return ds.dataset(folder, partitioning=ds.partitioning(schema, flavor="hive"))


@pytest.fixture
def zoo(tmp_path: Path) -> Lake:
    """Forty images of two days, with boxes of two classes, one of them with a name that must be escaped."""
    maker = LakeMaker(tmp_path / "zoo")
    for n in range(40):
        split = ("train", "train", "val", "test")[n % 4]
        maker.image("zoo", f"{n:02}.png", bytes([n]), split=split, delivery=1 + n // 30)
        maker.box("zoo", f"{n:02}.png", ("cat", "big/dog")[n % 2], (n, 0, 1, 1), delivery=1 + n // 30)
    maker.keep("zoo", [bytes([n]) for n in range(40)])
    maker.deliver("zoo")
    maker.deliver("zoo")
    days = {1: datetime(2026, 3, 1, 23, 59, tzinfo=timezone.utc), 2: datetime(2026, 3, 2, tzinfo=timezone.utc)}
    for row in maker.pending[bronze.UPLOADS.name]:
        row["at"] = days[row["sequence"]] if row["state"] == "landed" else datetime(2026, 5, 5, tzinfo=timezone.utc)
    maker.publish("zoo")
    maker.flush()
    return lake.open(str(maker.root))


def test_a_whole_version_is_the_bytes_of_its_snapshot(pets: Pets, tmp_path: Path) -> None:
    exported = pets.lake.get("pets@v2.2", tmp_path / "out", format="parquet")
    made = pets.lake.snapshot("pets@v2.2")
    assert (exported.images, exported.annotations) == (4, 3)
    assert exported.losses == {"images: the format holds rows only": 4}
    for table in TABLES:
        assert (tmp_path / "out" / f"{table}.parquet").read_bytes() == Path(getattr(made, table)).read_bytes()


def test_a_selection_has_its_rows_and_every_category(pets: Pets, tmp_path: Path) -> None:
    exported = pets.lake.get("pets", tmp_path / "out", format="parquet", split="train")
    rows = {table: pq.read_table(tmp_path / "out" / f"{table}.parquet").to_pylist() for table in TABLES}
    assert [row["image_key"] for row in rows["images"]] == ["a.png", "c.png", "e.png"]
    assert Counter(row["image_key"] for row in rows["annotations"]) == {"a.png": 2, "e.png": 1}
    assert {row["split"] for row in rows["splits"]} == {"train"}
    assert [row["name"] for row in rows["categories"]] == ["cat", "dog", "bird"]
    metadata = pq.read_metadata(tmp_path / "out" / "images.parquet").metadata
    assert metadata[b"imagelake.ref"].decode() == exported.ref


def test_images_that_nobody_labelled_are_told_by_a_column(pets: Pets, tmp_path: Path) -> None:
    pets.lake.get("pets@v1", tmp_path / "out", format="parquet")
    rows = pq.read_table(tmp_path / "out" / "images.parquet").to_pylist()
    assert {row["image_key"]: row["labelled"] for row in rows}["c.png"] == []


def test_a_draft_can_be_exported(pets: Pets, tmp_path: Path) -> None:
    pets.maker.image("pets", "new.png", pets.bytes["b"])
    pets.maker.box("pets", "new.png", "cow", (0, 0, 1, 1))
    pets.maker.deliver("pets")
    pets.maker.flush()
    pets.lake.get("pets@draft", tmp_path / "out", format="parquet", partition_by="split,category")
    assert "annotations/split=unassigned/category=cow/part-0.parquet" in _tree(tmp_path / "out")


def test_a_draft_that_changes_meanwhile_is_a_conflict(
    pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = layout._selected

    def late(samples: Any) -> Any:
        pets.maker.image("pets", "c.png", pets.bytes["c"], width=8, height=6, split="train", delivery=9)
        pets.maker.deliver("pets")
        pets.maker.flush()
        return selected(samples)

    monkeypatch.setattr(layout, "_selected", late)
    with pytest.raises(Conflict, match="pets@draft changed"):
        pets.lake.get("pets@draft", tmp_path / "out", format="parquet")
    assert not (tmp_path / "out").exists()


def test_folders_hold_every_row_once_and_no_column_twice(zoo: Lake, tmp_path: Path) -> None:
    exported = zoo.get("zoo", tmp_path / "out", format="parquet", partition_by="split,category")
    assert _tree(tmp_path / "out") == {
        "categories.parquet",
        "splits.parquet",
        *(f"images/split={split}/part-0.parquet" for split in ("train", "val", "test")),
        "annotations/split=train/category=cat/part-0.parquet",
        "annotations/split=train/category=big%2Fdog/part-0.parquet",
        "annotations/split=val/category=cat/part-0.parquet",
        "annotations/split=test/category=big%2Fdog/part-0.parquet",
    }
    columns = pq.read_schema(tmp_path / "out/annotations/split=val/category=cat/part-0.parquet").names
    assert not {"split", "category"} & set(columns)
    rows = _query(tmp_path / "out" / "annotations", "select image_key, split, category from {}")
    joined = "select image_key, s.split, category from annotations join splits s using (image_key)"
    assert sorted(rows) == sorted(zoo.sql(joined).rows)
    assert exported.notes == ("images/ has 3 files by split", "annotations/ has 4 files by split, category")


def test_duckdb_and_pyarrow_open_only_the_folders_a_query_needs(zoo: Lake, tmp_path: Path) -> None:
    zoo.get("zoo", tmp_path / "out", format="parquet", partition_by="split,category")
    dataset = _hive(tmp_path / "out" / "annotations", "split", "category")
    wanted = (pc.field("split") == "train") & (pc.field("category") == "big/dog")
    fragments = [Path(f.path).relative_to(tmp_path / "out/annotations") for f in dataset.get_fragments(wanted)]
    assert [f.as_posix() for f in fragments] == ["split=train/category=big%2Fdog/part-0.parquet"]
    assert dataset.count_rows(filter=wanted) == 10
    for path in (tmp_path / "out/annotations").rglob("*.parquet"):
        if "big%2Fdog" not in path.as_posix():
            path.write_bytes(b"not to be opened")
    count = "select count(*) from {} where category = 'big/dog' and split = 'train'"
    assert _query(tmp_path / "out/annotations", count) == [(10,)]


def test_rows_lie_under_the_day_on_which_their_upload_landed(zoo: Lake, tmp_path: Path) -> None:
    zoo.get("zoo", tmp_path / "out", format="parquet", partition_by="date")
    for table in ("images", "annotations"):
        counts = _query(tmp_path / "out" / table, "select date, count(*) from {} group by date order by date")
        assert counts == [("2026-03-01", 30), ("2026-03-02", 10)]


def test_buckets_are_the_first_digits_of_the_content_hash(zoo: Lake, tmp_path: Path) -> None:
    zoo.get("zoo", tmp_path / "out", format="parquet", partition_by=("hash:16", "split"))
    images = _query(tmp_path / "out/images", "select hash, content_hash, image_key from {}")
    assert len(images) == 40
    assert all(int(bucket) == int(content_hash[0], 16) for bucket, content_hash, _ in images)
    bucket_of = {key: bucket for bucket, _, key in images}
    annotations = _query(tmp_path / "out/annotations", "select hash, image_key from {}")
    assert all(bucket == bucket_of[key] for bucket, key in annotations)


@pytest.mark.parametrize(("buckets", "bits"), [(2, 1), (64, 6), (256, 8)])
def test_any_power_of_two_makes_buckets_of_the_first_bits(zoo: Lake, tmp_path: Path, buckets: int, bits: int) -> None:
    zoo.get("zoo", tmp_path / "out", format="parquet", partition_by=f"hash:{buckets}")
    for bucket, content_hash in _query(tmp_path / "out/images", "select hash, content_hash from {}"):
        assert int(bucket) == int(content_hash[:2], 16) >> (8 - bits)


def test_category_leaves_images_in_one_file(zoo: Lake, tmp_path: Path) -> None:
    zoo.get("zoo", tmp_path / "out", format="parquet", partition_by="category")
    assert {path for path in _tree(tmp_path / "out") if path.startswith("images")} == {"images/part-0.parquet"}
    assert _query(tmp_path / "out/images", "select count(*) from {}") == [(40,)]


def test_no_rows_are_an_empty_file_with_every_column(zoo: Lake, tmp_path: Path) -> None:
    zoo.get("zoo", tmp_path / "out", format="parquet", partition_by="split,category", where="image_key = 'none'")
    assert {p for p in _tree(tmp_path / "out") if "/" in p} == {"images/part-0.parquet", "annotations/part-0.parquet"}
    assert _query(tmp_path / "out/annotations", "select category from {}") == []


def test_rows_without_a_value_lie_in_hives_default_folder(pets: Pets, tmp_path: Path) -> None:
    """The uploads of these rows are not known, so neither is their day."""
    pets.lake.get("pets", tmp_path / "out", format="parquet", partition_by="date")
    assert f"images/date={NULL}/part-0.parquet" in _tree(tmp_path / "out")
    assert _query(tmp_path / "out/images", "select distinct date from {}") == [(None,)]
    assert _hive(tmp_path / "out/images", "date").to_table(columns=["date"])["date"].unique().to_pylist() == [None]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("split,colour", "'colour': rows have no such key"),
        ("", "'': rows have no such key"),
        ("split,split", "names split 2 times"),
        ("hash:16,hash:4", "names hash 2 times"),
        ("hash", "hash: 2, 4, 8"),
        ("hash:10", "hash:10: 2, 4, 8"),
        ("hash:512", "hash:512: 2, 4, 8"),
        (["split", 1], "'1': rows have no such key"),
    ],
)
def test_keys_that_there_are_not_are_refused(pets: Pets, tmp_path: Path, keys: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pets.lake.get("pets", tmp_path / "out", format="parquet", partition_by=keys)


def test_other_formats_have_no_partitions(pets: Pets, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--format files has no partitions"):
        pets.lake.get("pets", tmp_path / "out", partition_by="split")


def test_turned_coordinates_are_refused(pets: Pets, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="raw image"):
        pets.lake.get("pets?oriented=1", tmp_path / "out", format="parquet")


def test_other_folders_are_another_export(pets: Pets, tmp_path: Path) -> None:
    pets.lake.get("pets", tmp_path / "out", format="parquet", partition_by="split")
    assert not pets.lake.get("pets", tmp_path / "out", format="parquet", partition_by=["split"]).is_new
    for keys in (None, "category", "split,category"):
        with pytest.raises(UsageError, match="another export"):
            pets.lake.get("pets", tmp_path / "out", format="parquet", partition_by=keys)


def test_the_command_line_says_what_was_written(zoo: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["get", "zoo", str(tmp_path / "out"), "--format", "parquet", "--partition-by", "split,hash:16"]
    assert main([*words, "--lake", zoo.storage.root, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["images"], document["annotations"]) == ("parquet", 40, 40)
    shutil.rmtree(tmp_path / "out")
    assert main([*words[:-1], "size", "--lake", zoo.storage.root]) == 2
    assert "rows have no such key" in capsys.readouterr().err
    with pytest.raises(NotFound):
        zoo.get("zoo", tmp_path / "out", format="parquet", split="dev")


@settings(max_examples=15)
@given(st.lists(NAMES.filter(lambda name: len(escape(name).encode()) < 240), min_size=1, max_size=5, unique=True))
def test_any_category_comes_back_from_its_folder(
    tmp_path_factory: pytest.TempPathFactory, names: Sequence[str]
) -> None:
    root = tmp_path_factory.mktemp("any")
    maker = LakeMaker(root / "lake")
    maker.image("pets", "a.png", b"a", split="train")
    maker.keep("pets", [b"a"])
    for n, name in enumerate(names):
        maker.box("pets", "a.png", name, (n, 0, 1, 1))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    lake.open(str(maker.root)).get("pets", root / "out", format="parquet", partition_by="category")
    assert {row[0] for row in _query(root / "out/annotations", "select category from {}")} == set(names)
    rows = _hive(root / "out/annotations", "category").to_table(columns=["category"])
    assert set(rows["category"].to_pylist()) == set(names)


def test_values_that_no_folder_can_bear_are_refused_by_name(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("pets", "a.png", b"a", split="train")
    maker.keep("pets", [b"a"])
    maker.box("pets", "a.png", "ü" * 130, (0, 0, 1, 1))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    with pytest.raises(UsageError, match="more than 255 bytes"):
        lake.open(str(maker.root)).get("pets", tmp_path / "out", format="parquet", partition_by="category")
    with pytest.raises(UsageError, match="without a value"):
        escape(NULL)


def test_a_key_is_made_of_text_alone() -> None:
    assert partition_keys("split, hash:16") == partition_keys(["split", "hash:16"])
    assert [key.splits_images for key in partition_keys("split,category,date,hash:2")] == [True, False, True, True]

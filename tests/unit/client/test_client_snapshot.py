"""`lake.snapshot`: a version as plain files in the lake, complete or not there, the same bytes whoever makes them."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from imagelake.client import lake
from imagelake.client.query.view_columns import COLUMNS
from imagelake.errors import ConfigError, IntegrityError, NotFound, UsageError
from imagelake.exports.parquet import parquet_files
from imagelake.storage.local import LocalStorage
from pet_lake import Pets

TABLES = ("images", "annotations", "categories", "splits")
KEYS = {"images": "image_key", "annotations": "annotation_key", "categories": "name", "splits": "image_key"}


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _folder(pets: Pets, version: str) -> Path:
    return pets.maker.root / "snapshots" / "pets" / version


@pytest.mark.parametrize(("ref", "folder"), [("pets@v1", "v1"), ("pets@best", "v2.2"), ("pets", "v3")])
def test_the_files_hold_the_rows_of_the_views(pets: Pets, ref: str, folder: str) -> None:
    made = pets.lake.snapshot(ref)
    assert {Path(file.location).parent for file in made.files} == {_folder(pets, folder)}
    for table in TABLES:
        columns = [column for column in COLUMNS[table] if column != "row_hash"]
        rows = pq.read_table(getattr(made, table))
        assert rows.column_names == columns
        expected = pets.lake.sql(f"select {', '.join(columns)} from {table}", at=ref).rows
        key = columns.index(KEYS[table])
        assert sorted((tuple(row.values()) for row in rows.to_pylist()), key=lambda row: row[key]) == sorted(
            expected, key=lambda row: row[key]
        )


def test_rows_come_in_the_order_of_their_keys(pets: Pets) -> None:
    made = pets.lake.snapshot("pets")
    for table, keys in (("images", ["image_key"]), ("annotations", ["image_key", "annotation_key"])):
        rows = [tuple(row.values()) for row in pq.read_table(getattr(made, table), columns=keys).to_pylist()]
        assert rows == sorted(rows)
    indexes = pq.read_table(made.categories)["train_index"].to_pylist()
    assert indexes == sorted(indexes)


def test_what_it_says_of_its_files_is_true(pets: Pets) -> None:
    made = pets.lake.snapshot("pets@v1")
    version = pets.lake.show("pets@v1")
    assert made.ref == f"pets@v1.1#{version.as_json()['digest']}"
    for file in made.files:
        data = Path(file.location).read_bytes()
        assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert file.rows == pq.read_metadata(file.location).num_rows
    assert json.loads(json.dumps(made.as_json()))["files"][0]["uri"].startswith(made.uri + "/")
    assert {file.table: file.rows for file in made.files} == {
        "images": 4,
        "annotations": 3,
        "categories": 2,
        "splits": 4,
    }


def test_the_same_call_again_writes_nothing(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pets.lake.snapshot("pets@v1")
    before = {path: path.stat().st_mtime_ns for path in _folder(pets, "v1").iterdir()}
    monkeypatch.setattr(parquet_files, "write", lambda *_: pytest.fail("rows were written again"))
    assert pets.lake.snapshot("pets@v1.1") == replace(made, is_new=False)
    assert {path: path.stat().st_mtime_ns for path in _folder(pets, "v1").iterdir()} == before


def test_only_the_snapshot_is_written(pets: Pets) -> None:
    before = {path for path in pets.maker.root.rglob("*") if path.is_file()}
    pets.lake.snapshot("pets@v1")
    names = {f"{table}.parquet" for table in TABLES} | {"snapshot.json"}
    assert {path for path in pets.maker.root.rglob("*") if path.is_file()} - before == {
        _folder(pets, "v1") / name for name in names
    }


def test_two_copies_of_a_lake_make_the_same_bytes(pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(pets.maker.root, tmp_path / "copy")
    pets.lake.snapshot("pets")
    copy = lake.open(str(tmp_path / "copy"))
    monkeypatch.setattr("imagelake.client.delta.connection._ROWS_AT_ONCE", 2_048)  # other batches, the same rows
    copy.snapshot("pets")
    assert _bytes(tmp_path / "copy" / "snapshots" / "pets" / "v3") == _bytes(_folder(pets, "v3"))


def test_makers_that_meet_leave_one_snapshot(pets: Pets) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: pets.lake.snapshot("pets"), range(4)))
    assert {replace(each, is_new=False) for each in made} == {pets.lake.snapshot("pets")}
    assert sum(each.is_new for each in made) == 1


def test_an_interrupted_snapshot_is_completed(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    put_file = LocalStorage.put_file

    def broken(self: LocalStorage, source: Path, path: str, *, if_absent: bool = False) -> bool:
        if path.endswith("/annotations.parquet"):
            raise OSError(errno.ENOSPC, "no space left")
        return put_file(self, source, path, if_absent=if_absent)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "put_file", broken)
        with pytest.raises(OSError, match="no space"):
            pets.lake.snapshot("pets@v1")
    assert not (_folder(pets, "v1") / "snapshot.json").exists()
    assert pets.lake.snapshot("pets@v1").is_new
    assert len(pq.read_table(pets.lake.snapshot("pets@v1").annotations)) == 3


def test_a_file_that_a_power_cut_left_in_pieces_is_replaced(pets: Pets) -> None:
    _folder(pets, "v1").mkdir(parents=True)
    (_folder(pets, "v1") / "images.parquet").write_bytes(b"PAR1")
    assert len(pq.read_table(pets.lake.snapshot("pets@v1").images)) == 4


def test_a_file_of_another_release_of_the_writer_is_taken_as_it_is(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    pets.lake.snapshot("pets@v1")
    whole = _bytes(_folder(pets, "v1"))
    (_folder(pets, "v1") / "snapshot.json").unlink()
    footer = parquet_files.footer
    releases = iter(("29.0.0", "26.0.0") * 4)  # ours first, then what is there

    def of_two_releases(stream: Any) -> parquet_files.Footer:
        found = footer(stream)
        assert found is not None
        return replace(found, created_by=f"parquet-cpp-arrow version {next(releases)}")

    monkeypatch.setattr(parquet_files, "footer", of_two_releases)
    monkeypatch.setattr(parquet_files, "_LEVEL", 9)  # other bytes of the same rows
    again = pets.lake.snapshot("pets@v1")
    assert _bytes(_folder(pets, "v1")) == whole
    assert {file.sha256 for file in again.files} == {
        hashlib.sha256(data).hexdigest() for name, data in whole.items() if name != "snapshot.json"
    }


def test_a_snapshot_of_another_digest_is_refused(pets: Pets) -> None:
    pets.lake.snapshot("pets@v1")
    record = json.loads((_folder(pets, "v1") / "snapshot.json").read_text())
    record["ref"] = "pets@v1.1#d1:" + "0" * 64
    (_folder(pets, "v1") / "snapshot.json").write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="0000, and the version is pets@v1") as caught:
        pets.lake.snapshot("pets@v1")
    assert "remove that folder" in str(caught.value.hint)


def test_a_file_of_another_version_is_refused_before_there_is_a_record(pets: Pets) -> None:
    made = pets.lake.snapshot("pets@v3")
    _folder(pets, "v1").mkdir(parents=True)
    shutil.copy(made.images, _folder(pets, "v1") / "images.parquet")
    with pytest.raises(IntegrityError, match=r"images\.parquet has not the rows of pets@v1"):
        pets.lake.snapshot("pets@v1")
    assert not (_folder(pets, "v1") / "snapshot.json").exists()


@pytest.mark.parametrize("change", ["gone", "longer"])
def test_a_snapshot_that_lost_a_file_is_not_served(pets: Pets, change: str) -> None:
    images = Path(pets.lake.snapshot("pets@v1").images)
    images.unlink() if change == "gone" else images.write_bytes(images.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match=r"images\.parquet is not there with its"):
        pets.lake.snapshot("pets@v1")


def test_a_damaged_record_is_named(pets: Pets) -> None:
    pets.lake.snapshot("pets@v1")
    (_folder(pets, "v1") / "snapshot.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"snapshot\.json is not a record"):
        pets.lake.snapshot("pets@v1")


def test_a_draft_has_none_and_neither_has_a_version_that_is_not_there(pets: Pets) -> None:
    with pytest.raises(UsageError, match="a draft changes"):
        pets.lake.snapshot("pets@draft")
    with pytest.raises(NotFound, match="no version pets@v9"):
        pets.lake.snapshot("pets@v9")
    assert not (pets.maker.root / "snapshots").exists()


def test_a_version_that_lacks_rows_has_none(pets: Pets) -> None:
    for path in (pets.maker.root / "tables/gold/annotation_log").rglob("*.parquet"):
        rows = pq.read_table(path, partitioning=None)
        pq.write_table(rows.slice(1), path)
    with pytest.raises(IntegrityError):
        pets.lake.snapshot("pets@v1")
    assert not (_folder(pets, "v1") / "snapshot.json").exists()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_who_may_not_write_is_told_which_right_is_missing(
    pets: Pets, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(*_: Any, **__: Any) -> bool:
        raise OSError(code, "no")

    pets.lake.snapshot("pets@v1")
    monkeypatch.setattr(LocalStorage, "put_file", refused)
    with pytest.raises(ConfigError, match="no snapshot can be made at file://") as caught:
        pets.lake.snapshot("pets@v2")
    assert "below snapshots/" in str(caught.value.hint)
    assert not pets.lake.snapshot("pets@v1").is_new, "what is there can be read all the same"


def test_row_groups_are_of_one_size(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "ROW_GROUP", 2)
    metadata = pq.read_metadata(pets.lake.snapshot("pets").images)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 2, 1]

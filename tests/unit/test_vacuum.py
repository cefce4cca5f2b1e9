"""VACUUM removes what no table uses any more, and nothing that a version, a build or a running writer may need."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.lakes import LakeMaker
from tests.servers.moto import moto
from tests.servers.server import Server

from imagelake.cli.main import main
from imagelake.client.lake import Lake
from imagelake.config.settings import LeaseSettings, S3Settings
from imagelake.errors import ConfigError
from imagelake.maintenance.leftovers import GRACE
from imagelake.maintenance.partitions import survey_tables
from imagelake.maintenance.vacuum import parse_retention, vacuum_tables
from imagelake.runs.context import system_clock
from imagelake.storage.base import Storage
from imagelake.storage.leases.lease import acquire
from imagelake.storage.leases.lease_record import this_process
from imagelake.storage.local import LocalStorage
from imagelake.storage.open_lake import open_lake
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.tables import silver
from imagelake.tables.delta.delta_log import delta_table
from lake_tables import replace_rows

NOTHING = timedelta(0)
MONTH = timedelta(days=30)
ORPHAN = f"{silver.IMAGES.path}/dataset=pets/part-00000-orphan.snappy.parquet"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with moto() as running:
        yield running


def make(root: Path) -> LakeMaker:
    """A lake whose silver.images has one file in use of two versions before it."""
    maker = LakeMaker(root)
    for number in range(3):
        maker.image("pets", f"{number}.png", bytes([number]), width=8, height=6)
        maker.keep("pets", [bytes([number])])
        maker.deliver("pets")
        maker.publish("pets")
        maker.flush()
    return maker


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    make(tmp_path / "lake")
    local = open_lake(str(tmp_path / "lake")).storage
    if request.param == "local":
        return local
    server: Server = request.getfixturevalue("server")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    s3 = S3Settings(endpoint=server.http, region="us-east-1")
    bucket = S3Storage(f"bucket-{uuid.uuid4().hex}", "lake", s3)
    bucket.client.create_bucket(Bucket=bucket.bucket)
    for stat in local.list():
        bucket.put(stat.path, local.read(stat.path))
    return bucket


def data_files(storage: Storage) -> set[str]:
    return {stat.path for stat in storage.list(f"{silver.IMAGES.path}/") if stat.path.endswith(".parquet")}


def digests(storage: Storage) -> list[str]:
    with Lake(storage) as lake:
        verdicts = [lake.verify(f"pets@v{number}").as_json() for number in (1, 2, 3)]
    assert all(verdict["ok"] for verdict in verdicts), verdicts
    return [verdict["digest"] for verdict in verdicts]


def test_unused_files_go_after_the_retention_and_every_version_stays(storage: Storage) -> None:
    before = digests(storage)
    version = delta_table(storage, silver.IMAGES.path).version()
    assert vacuum_tables(storage, MONTH, system_clock).tables == ()
    assert len(data_files(storage)) == 3
    vacuum = vacuum_tables(storage, NOTHING, system_clock)
    changed = {table.table: table for table in vacuum.tables}
    images = changed["silver.images"]
    assert (images.before.files, images.after.files) == (3, 1)
    survey = survey_tables(storage)
    assert images.after == survey.tables["silver.images"], "what is left is what the table uses"
    assert len(data_files(storage)) == 1
    assert delta_table(storage, silver.IMAGES.path).version() == version, "nothing is committed"
    assert digests(storage) == before
    assert vacuum_tables(storage, NOTHING, system_clock).tables == ()


def test_files_that_a_running_writer_may_read_stay(storage: Storage) -> None:
    run_id = uuid.uuid4().hex
    with acquire(storage, "birds", this_process(run_id), LeaseSettings(), system_clock):
        assert vacuum_tables(storage, NOTHING, system_clock).tables == ()
    assert len(data_files(storage)) == 3
    assert vacuum_tables(storage, NOTHING, system_clock).tables != ()


def test_files_of_versions_that_a_build_was_computed_from_stay(storage: Storage) -> None:
    log = delta_table(storage, silver.IMAGES.path)
    pinned = log.version() - 1
    log.load_as_version(pinned)
    rows = log.to_pyarrow_table().num_rows
    storage.put("locks/build-pets.3.plan", json.dumps({"versions": {"silver.images": pinned}}).encode())
    changed = {table.table: table for table in vacuum_tables(storage, NOTHING, system_clock).tables}
    assert (changed["silver.images"].before.files, changed["silver.images"].after.files) == (3, 2)
    assert log.to_pyarrow_table().num_rows == rows
    storage.delete("locks/build-pets.3.plan")
    vacuum_tables(storage, NOTHING, system_clock)
    assert len(data_files(storage)) == 1


def test_a_pinned_version_whose_log_is_gone_skips_the_table(storage: Storage) -> None:
    storage.put("locks/build-pets.3.plan", json.dumps({"versions": {"silver.images": 999}}).encode())
    vacuum = vacuum_tables(storage, NOTHING, system_clock)
    assert [notice.partition(" not vacuumed: ")[0] for notice in vacuum.notices] == ["silver.images"]
    assert len(data_files(storage)) == 3


def test_files_without_a_commit_go_once_they_are_a_day_old(tmp_path: Path) -> None:
    make(tmp_path / "lake")
    lake = open_lake(str(tmp_path / "lake")).storage
    assert isinstance(lake, LocalStorage)
    checksum = ORPHAN.replace("part-", ".part-") + ".crc"
    lake.put(ORPHAN, b"x")
    lake.put(checksum, b"x")
    in_use = next(iter(delta_table(lake, silver.IMAGES.path).file_uris()))
    other = Path(in_use).with_name(f".{Path(in_use).name}.crc")
    other.write_bytes(b"x")
    vacuum_tables(lake, NOTHING, system_clock)
    assert lake.stat(ORPHAN) is not None
    old = (system_clock() - GRACE - timedelta(hours=1)).timestamp()
    os.utime(lake.local_path(ORPHAN), (old, old))
    vacuum_tables(lake, NOTHING, system_clock)
    assert (lake.stat(ORPHAN), lake.stat(checksum)) == (None, None)
    assert other.exists()


def test_the_verb_says_what_went_and_that_there_is_nothing_to_do(tmp_path: Path, capsys) -> None:
    make(tmp_path / "lake")
    lake = ["--lake", str(tmp_path / "lake"), "--only", "optimize,vacuum"]
    assert main(["maintain", *lake, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "only": "optimize,vacuum", "optimize": {"tables": [], "notices": []}, "vacuum": {"tables": [], "notices": []},
    }  # fmt: skip
    assert main(["maintain", *lake]) == 0
    said = capsys.readouterr().out
    assert "nothing to compact" in said
    assert "nothing to vacuum" in said
    at_once = ["--set", "delta.deleted_file_retention=interval 0 hours"]
    assert main(["maintain", *lake, *at_once, "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)["vacuum"]["tables"]
    assert {row["table"]: (row["files_before"], row["files_after"]) for row in tables}["silver.images"] == (3, 1)
    assert all(row["bytes_before"] > row["bytes_after"] > 0 for row in tables)
    replace_rows(tmp_path / "lake", silver.IMAGES, "pets", [])
    assert main(["maintain", *lake, *at_once]) == 0
    assert "vacuumed silver.images: 1 files of " in capsys.readouterr().out
    assert DeltaTable(str(tmp_path / "lake" / silver.IMAGES.path)).to_pyarrow_table().num_rows == 0


def test_a_kind_or_a_retention_that_does_not_exist_is_refused(tmp_path: Path, capsys) -> None:
    make(tmp_path / "lake")
    lake = ["--lake", str(tmp_path / "lake")]
    assert main(["maintain", *lake, "--only", "vacuum,erase"]) == 2
    assert "'erase' is no kind of maintenance" in capsys.readouterr().err
    assert main(["maintain", *lake, "--only", "vacuum", "--set", "delta.deleted_file_retention=a month"]) == 2
    assert "delta.deleted_file_retention = 'a month'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "length"),
    [("interval 30 days", MONTH), ("interval 1 week 2 hours", timedelta(days=7, hours=2)), ("0 seconds", NOTHING)],
)
def test_a_retention_is_read_as_delta_reads_it(text: str, length: timedelta) -> None:
    assert parse_retention(text) == length


@pytest.mark.parametrize("text", ["", "interval", "interval 1 month", "interval 3 days and more"])
def test_another_interval_is_no_retention(text: str) -> None:
    with pytest.raises(ConfigError, match="deleted_file_retention"):
        parse_retention(text)

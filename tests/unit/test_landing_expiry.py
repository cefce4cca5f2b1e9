"""`maintain` clears landing/.done and landing/.rejected of a lake on a disk, and nothing that is younger."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.servers.moto import moto
from tests.servers.server import Server

from imagelake.cli.main import main
from imagelake.config.lifecycle_settings import LifecycleSettings
from imagelake.config.settings import S3Settings
from imagelake.maintenance.landing_expiry import remove_expired
from imagelake.runs import context
from imagelake.runs.context import system_clock
from imagelake.storage.local import LocalStorage
from imagelake.storage.open_lake import create_lake
from imagelake.storage.s3.bucket_storage import S3Storage

DONE, REJECTED = "landing/.done/pets/1a-", "landing/.rejected/pets/1a-"
WAITING = ("landing/pets/c.zip", "landing/pets/c.ready", "landing/.parts/x", "landing/done/a.zip")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    storage = create_lake(str(tmp_path / "lake"), system_clock).storage
    moved = ("a.zip", "a.ready", "all/x.jpg", "all/deep/y.jpg", "all.ready")
    refused = ("b.zip", "b.ready", "b.problem.json")
    for path in (*(DONE + name for name in moved), *(REJECTED + name for name in refused), *WAITING):
        storage.put(path, b"x")
    return tmp_path / "lake"


def in_days(days: float) -> Callable[[], datetime]:
    return lambda: system_clock() + timedelta(days=days)


def test_what_was_taken_goes_after_its_days_and_what_was_refused_after_its_own(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["maintain", "--only", "landing", "--json", "--lake", str(lake)]
    taken = [DONE + name for name in ("a.ready", "a.zip", "all", "all.ready")]
    refused = [REJECTED + name for name in ("b.problem.json", "b.ready", "b.zip")]
    for days, removed in ((29, []), (30.1, taken), (89, []), (90.1, refused), (1000, [])):
        monkeypatch.setattr(context, "system_clock", in_days(days))
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out) == {"only": "landing", "landing": removed}, days
        assert not any((lake / path).exists() for path in removed)
    assert all((lake / path).exists() for path in WAITING)


def test_the_settings_of_the_bucket_s_rules_say_when(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(context, "system_clock", in_days(8))
    words = ["maintain", "--lake", str(lake), "--only", "landing"]
    assert main([*words, "--set", "lifecycle.done_days=null", "--set", "lifecycle.rejected_days=9"]) == 0
    assert capsys.readouterr().out.endswith("removed: 0\n")
    assert main([*words, "--set", "lifecycle.rejected_days=7"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "expired uploads of landing/.done and landing/.rejected removed: 3"
    assert f"  {REJECTED}b.problem.json" in said
    assert (lake / f"{DONE}a.zip").exists()


def test_it_is_part_of_every_maintenance(lake: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("imagelake.runs.context.system_clock", in_days(31))
    assert main(["maintain", "--lake", str(lake), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["landing"]) == 4


def test_a_folder_stays_while_anything_in_it_is_younger(lake: Path) -> None:
    storage, settings = LocalStorage(lake), LifecycleSettings(done_days=1)
    late = lake / f"{DONE}all/deep/late.jpg"
    late.touch()
    born = late.stat().st_ctime
    older = min(path.lstat().st_ctime for path in (lake / f"{DONE}all").rglob("*"))
    assert older <= born
    at = datetime.fromtimestamp(born, system_clock().tzinfo) + timedelta(days=1)
    removed = remove_expired(storage, settings, lambda: at)
    assert f"{DONE}all" not in removed
    assert late.exists()
    assert f"{DONE}all" in remove_expired(storage, settings, lambda: at + timedelta(seconds=1))


def test_an_old_time_of_a_file_does_not_make_it_old_and_links_are_not_followed(lake: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (lake / f"{DONE}link").symlink_to(outside)
    (lake / "landing/.done/linked").symlink_to(outside)
    os.utime(lake / f"{DONE}a.zip", (0, 0))
    storage = LocalStorage(lake)
    assert remove_expired(storage, LifecycleSettings(), system_clock) == ()
    removed = remove_expired(storage, LifecycleSettings(), in_days(31))
    assert {f"{DONE}link", "landing/.done/linked"} <= set(removed)
    assert (outside / "kept").exists()


def test_a_lake_without_a_landing_folder_has_nothing_to_clear(tmp_path: Path) -> None:
    storage = create_lake(str(tmp_path / "lake"), system_clock).storage
    assert remove_expired(storage, LifecycleSettings(), in_days(1000)) == ()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with moto() as running:
        yield running


def test_a_bucket_is_left_to_its_rules(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    bucket, s3 = f"bucket-{uuid.uuid4().hex}", S3Settings(endpoint=server.http)
    S3Storage(bucket, "", s3).client.create_bucket(Bucket=bucket)
    storage = create_lake(f"s3://{bucket}/lake", system_clock, s3).storage
    storage.put(f"{DONE}a.zip", b"x")
    assert remove_expired(storage, LifecycleSettings(), in_days(1000)) == ()
    assert storage.stat(f"{DONE}a.zip") is not None

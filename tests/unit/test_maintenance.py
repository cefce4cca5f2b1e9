"""`maintain` removes what killed runs left behind, and nothing that anybody may still need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.servers.moto import moto
from tests.servers.server import Server

from imagelake.cli.main import main
from imagelake.config.settings import LeaseSettings, S3Settings
from imagelake.maintenance.leftovers import GRACE, remove_run_locks
from imagelake.runs.context import system_clock
from imagelake.storage.base import Storage
from imagelake.storage.leases.lease import acquire, live_runs
from imagelake.storage.leases.lease_record import Holder, LeaseRecord, encode_record, this_process
from imagelake.storage.leases.process import Process, machine_id, process
from imagelake.storage.local import LocalStorage
from imagelake.storage.open_lake import create_lake
from imagelake.storage.s3.bucket_storage import S3Storage

SETTINGS = LeaseSettings(ttl_seconds=60, wait_seconds=0)
DAYS_AGO = (system_clock() - GRACE - timedelta(hours=1)).timestamp()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with moto() as running:
        yield running


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "local":
        return create_lake(str(tmp_path / "lake"), system_clock).storage
    server: Server = request.getfixturevalue("server")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3 = S3Settings(endpoint=server.http)
    S3Storage(bucket, "", s3).client.create_bucket(Bucket=bucket)
    return create_lake(f"s3://{bucket}/lake", system_clock, s3).storage


def ended_process() -> Process:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process(child.pid)
        child.communicate(b"\n")
    return found


def leave(storage: Storage, holder: Holder, expires: datetime, name: str | None = None) -> str:
    """The lease that a run has left when it was killed, and what a local lake locks for it."""
    name = name or f"run-{holder.run_id}"
    record = LeaseRecord(holder, 3, expires - timedelta(seconds=60), expires)
    storage.put(f"locks/{name}.json", encode_record(record))
    if isinstance(storage, LocalStorage):
        storage.put(f"locks/{name}.lock", b"")
    return name


def names(storage: Storage) -> set[str]:
    return {stat.path.removeprefix("locks/").rpartition(".")[0] for stat in storage.list("locks")}


def test_leases_of_killed_runs_go_and_those_of_live_runs_and_of_datasets_stay(storage: Storage) -> None:
    now = datetime.now(timezone.utc)
    here, there, ended = machine_id(), "another-boot/pid:[1]", (ended_process(),)
    ids = [uuid.uuid4().hex for _ in range(5)]
    gone = {
        leave(storage, Holder(ids[0], "here", here, ended), now + timedelta(seconds=50)),
        leave(storage, Holder(ids[1], "there", there, ended), now - GRACE - timedelta(hours=1)),
    }
    stay = {
        leave(storage, Holder(ids[2], "there", there, ended), now - timedelta(hours=1)),
        leave(storage, Holder(ids[3], "here", here, ended), now, name="pets"),
        leave(storage, Holder(ids[3], "here", here, ended), now, name=f"run-{ids[4]}"),
    }
    mine = uuid.uuid4().hex
    with acquire(storage, f"run-{mine}", this_process(mine), SETTINGS, system_clock) as lease:
        removed = remove_run_locks(storage, system_clock)
        lease.check()
        assert live_runs(storage, system_clock) == {mine}
    assert {path.removeprefix("locks/").rpartition(".")[0] for path in removed} == gone
    assert names(storage) == stay | {f"run-{mine}"}
    assert {path.rpartition(".")[0] for path in remove_run_locks(storage, system_clock)} == {f"locks/run-{mine}"}, (
        "it was released"
    )
    assert remove_run_locks(storage, system_clock) == ()


def test_a_paused_run_whose_lease_was_removed_takes_no_other(storage: Storage) -> None:
    run_id = uuid.uuid4().hex
    lease = acquire(storage, f"run-{run_id}", this_process(run_id), SETTINGS, system_clock)
    assert remove_run_locks(storage, lambda: system_clock() + GRACE + timedelta(hours=1))
    lease.release()
    assert not [stat.path for stat in storage.list("locks") if stat.path.endswith(".json")]


SNAPSHOT = "snapshots/pets/v1/.tmp-4"


def test_damaged_leases_and_files_without_a_name_go_when_they_are_old(tmp_path: Path, capsys) -> None:
    lake = create_lake(str(tmp_path / "lake"), system_clock).storage
    assert isinstance(lake, LocalStorage)
    old = (f"locks/run-{'a' * 32}.json", f"locks/run-{'b' * 32}.lock", "locks/.tmp-1", "labels/pets/x/.tmp-2", SNAPSHOT)
    young = (f"locks/run-{'c' * 32}.json", f"locks/run-{'d' * 32}.lock", "blobs/obj/aa/.tmp-3")
    for path in (*old, *young):
        lake.put(path, b"")
    for path in old:
        os.utime(lake.local_path(path), (DAYS_AGO, DAYS_AGO))
    assert main(["maintain", "--lake", lake.root, "--only", "locks", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"only": "locks", "locks": list(old[:2])}
    assert main(["maintain", "--lake", lake.root, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "only": None, "uploads": [], "files": ["labels/pets/x/.tmp-2", "locks/.tmp-1", SNAPSHOT], "locks": [],
        "landing": [], "suites": [],
        "packed": {"datasets": [], "notices": []}, "collected": {"paths": [], "bytes": 0, "waiting": 0},
        "optimize": {"tables": [], "notices": []}, "vacuum": {"tables": [], "notices": []},
    }  # fmt: skip
    assert main(["maintain", "--lake", lake.root]) == 0
    assert "leases of killed runs removed: 0" in capsys.readouterr().out
    assert all(lake.local_path(path).exists() for path in young)

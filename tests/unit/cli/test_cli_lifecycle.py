"""`imagelake lifecycle` on moto, which keeps rules and never carries them out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from tests.servers.moto import moto
from tests.servers.server import Server

from imagelake.config.lifecycle_settings import LifecycleSettings
from imagelake.config.settings import LeaseSettings, S3Settings
from imagelake.errors import ConfigError
from imagelake.lifecycle import estimate
from imagelake.lifecycle.apply_rules import Turns, apply
from imagelake.lifecycle.backends import BACKENDS
from imagelake.lifecycle.bucket_rules import BucketPrefix, target_rules
from imagelake.lifecycle.rules_in_bucket import BucketRules
from imagelake.storage.open_lake import create_lake
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import NotSupported

_BUCKETS = itertools.count(1)
THEIRS = {
    "ID": "theirs",
    "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "<&>"}, {"Key": "b", "Value": "c"}]}},
    "Status": "Enabled",
    "Transitions": [{"Days": 60, "StorageClass": "GLACIER"}, {"Days": 30, "StorageClass": "STANDARD_IA"}],
    "Expiration": {"Days": 400},
}
TIERING = "lifecycle.blobs_to={storage_class: STANDARD_IA, after_days: 1}"


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with moto() as running:
        yield running


@pytest.fixture
def lake(server, monkeypatch) -> S3Storage:
    """A new lake under a prefix of a new bucket, which the standard variables lead to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.http)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    bucket = f"bucket-{next(_BUCKETS)}"
    s3 = S3Settings(endpoint=server.http)
    S3Storage(bucket, "", s3).client.create_bucket(Bucket=bucket)
    storage = create_lake(f"s3://{bucket}/lake", now, s3).storage
    assert isinstance(storage, S3Storage)
    return storage


@pytest.fixture
def ask(cli, lake) -> Any:
    """Runs `imagelake lifecycle …` on the lake."""
    return lambda *words: cli("lifecycle", *words, "--lake", lake.root)


def put_rules(lake: S3Storage, *rules: Any) -> None:
    lake.client.put_bucket_lifecycle_configuration(Bucket=lake.bucket, LifecycleConfiguration={"Rules": list(rules)})


def raw(lake: S3Storage, rule_id: str) -> bytes:
    return next(rule.raw for rule in BucketRules(lake).read().rules if rule.content.rule_id == rule_id)


def test_plan_apply_verify(ask, lake) -> None:
    put_rules(lake, THEIRS)
    before = raw(lake, "theirs")
    plan = ask("plan")
    assert plan.code == 0
    assert "+ add" in plan.out
    assert "7 of 7 rules to write: imagelake lifecycle apply" in plan.out
    assert "not ours, kept: theirs (logs/)" in plan.out
    assert ask("verify").code == 1
    applied = ask("apply")
    assert (applied.code, "7 rules written; 1 rules of others kept" in applied.out) == (0, True)
    assert ask("verify").code == 0
    again = ask("apply", "--json")
    assert (again.document["written"], again.document["in_sync"]) == (False, True)
    assert raw(lake, "theirs") == before
    assert "nothing to do" in ask("plan").out


def test_documents_are_one_json_each(ask) -> None:
    plan = ask("plan", "--json").document
    assert plan["backend"]["name"] == "moto"
    assert {rule["change"] for rule in plan["rules"]} == {"add"}
    assert {"objects", "bytes", "due_objects", "saves", "once"} <= set(plan["rules"][0]["estimate"])
    assert ask("verify", "--json").document["ok"] is False
    applied = ask("apply", "--json").document
    assert (applied["written"], applied["restored"]) == (True, [])
    verified = ask("verify", "--json").document
    assert (verified["ok"], verified["rules"][0]["estimate"]) == (True, None)


def test_what_is_off_any_more_is_removed_and_drift_is_told(ask, lake) -> None:
    ask("apply")
    plan = ask("plan", "--set", "lifecycle.done_days=5", "--set", "lifecycle.access_days=null", "--json").document
    changes = {rule["name"]: rule["change"] for rule in plan["rules"]}
    assert (changes["done"], changes["access"], changes["undo"]) == ("change", "remove", "keep")
    put_rules(lake, THEIRS)
    drifted = ask("verify")
    assert (drifted.code, "NOT the rules" in drifted.out) == (1, True)


def test_the_estimate_counts_what_expires_moves_and_is_too_small(ask, lake, monkeypatch) -> None:
    monkeypatch.setattr("imagelake.runs.context.system_clock", lambda: now() + timedelta(days=45))
    for i in range(3):
        lake.put(f"landing/.done/pets/{i}.zip", b"x" * 1000)
        lake.put(f"blobs/zip/{i}.zip", b"x" * 200_000)
        lake.put(f"blobs/zip/small-{i}.zip", b"x" * 1000)
    lake.put("blobs/zip/.tmp-left", b"x" * 10)
    lake.client.put_object(Bucket=lake.bucket, Key=lake.key("blobs/zip/moved"), Body=b"x", StorageClass="STANDARD_IA")
    lake.client.create_multipart_upload(**lake.at("blobs/zip/never-ended"))
    out = ask("plan", "--set", TIERING, "--set", "lifecycle.prices.standard=1024", "--json").document
    found = {rule["name"]: rule["estimate"] for rule in out["rules"]}
    assert (found["done"]["objects"], found["done"]["bytes"], found["done"]["due_objects"]) == (3, 3000, 3)
    assert found["done"]["saves"] == pytest.approx(3000 * 1024 / 2**30)
    assert found["rejected"]["objects"] == 0
    assert found["temporary-blobs"]["bytes"] == 10
    assert (found["blobs"]["objects"], found["blobs"]["small_objects"]) == (3, 4)
    assert found["blobs"]["saves"] == pytest.approx(600_000 * (1024 - 0.0125) / 2**30)
    assert (found["abort"]["objects"], found["abort"]["due_objects"]) == (1, 1)
    shown = ask("plan", "--set", TIERING).out
    assert "586 KiB" in shown
    assert "STANDARD_IA is billed for at least 30 days and 128 KiB an object" in shown


def test_a_listing_ends_somewhere_and_says_so(ask, lake, monkeypatch) -> None:
    monkeypatch.setattr(estimate, "MOST_LISTED", 2)
    for i in range(3):
        lake.put(f"landing/.done/pets/{i}.zip", b"x")
    done = ask("plan", "--json").document["rules"][0]["estimate"]
    assert (done["objects"], done["complete"]) == (2, False)
    assert "over 2" in ask("plan").out


def test_noncurrent_versions_count_where_the_bucket_keeps_them(ask, lake) -> None:
    assert "keeps no noncurrent versions" in ask("plan").out
    lake.client.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})
    for data in (b"12", b"345", b"6"):
        lake.put("datasets/pets.yaml", data)
    plan = ask("plan", "--json").document
    undo = next(rule["estimate"] for rule in plan["rules"] if rule["name"] == "undo")
    assert (undo["objects"], undo["bytes"], plan["versioning"]) == (2, 5, "Enabled")
    assert "versioning is Enabled: the bytes of what expires are freed 30 days later" in plan["notes"]
    kept = ask("plan", "--set", "lifecycle.undo_days=null", "--json").document["notes"]
    assert any("paid for on and on" in note for note in kept)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ('lifecycle.rules=[{prefix: "", expire_days: 1}]', "reaches tables/"),
        ("lifecycle.blobs_to={storage_class: GLACIER, after_days: 90}", "must be restored"),
        ("lifecycle.blobs_to={storage_class: STANDARD_IA}", "after_days"),
        ("lifecycle.done_days=0", "greater than or equal to 1"),
        ("lifecycle.backend=minio", "lifecycle.backend"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "apply", "verify"])
def test_settings_that_could_hurt_are_refused_by_every_verb(ask, lake, verb, item, told) -> None:
    done = ask(verb, "--set", item)
    assert done.code == 2
    assert told in done.err
    assert BucketRules(lake).read().data is None


def test_a_rule_of_somebody_else_that_hurts_stops_apply_and_is_shown_loudly(ask, lake) -> None:
    put_rules(lake, {"ID": "all", "Filter": {"Prefix": ""}, "Status": "Enabled", "Expiration": {"Days": 30}})
    plan = ask("plan")
    assert (plan.code, "HURTS THIS LAKE" in plan.out, "apply would refuse" in plan.out) == (0, True, True)
    refused = ask("apply")
    assert refused.code == 2
    assert "'all'" in refused.err
    assert "with the tool that made it" in refused.err
    assert ask("verify").code == 1
    assert len(BucketRules(lake).read().rules) == 1


def test_a_rule_of_ones_own_is_refused_where_a_table_or_another_lake_lies(ask, lake) -> None:
    lake.put("exports/mine/_delta_log/00000000000000000000.json", b"{}")
    extra = ("--set", "lifecycle.rules=[{prefix: exports/, expire_days: 1}]")
    assert "REFUSED" in ask("plan", *extra).out
    refused = ask("apply", *extra)
    assert (refused.code, "_delta_log" in refused.err) == (2, True)
    lake.delete("exports/mine/_delta_log/00000000000000000000.json")
    assert ask("apply", *extra).code == 0


def test_the_library_refuses_to_let_a_table_or_another_lake_expire(lake, monkeypatch) -> None:
    monkeypatch.setattr(estimate, "MOST_LISTED", 2)
    place = BucketPrefix(lake.bucket, lake.prefix, "1" * 32)
    extra = LifecycleSettings(rules=[{"prefix": "exports/", "expire_days": 1}])
    asked = target_rules(extra, place, BACKENDS["moto"])
    for path in ("exports/a", "exports/b", "exports/z/_delta_log/00000000000000000000.json"):
        lake.put(path, b"{}")
    with pytest.raises(ConfigError, match=r"below lake/exports/ would expire, but \S+/_delta_log/\S+ lies there"):
        apply(lake, asked, place, BACKENDS["moto"], Turns(LeaseSettings(), now, "run"))
    assert BucketRules(lake).read().data is None
    lake.delete("exports/z/_delta_log/00000000000000000000.json")
    assert apply(lake, asked, place, BACKENDS["moto"], Turns(LeaseSettings(), now, "run")).written


def test_a_profile_leaves_out_what_its_store_lacks(ask, lake) -> None:
    as_r2 = ("--set", "lifecycle.backend=r2")
    plan = ask("plan", *as_r2)
    assert "left out: undo: r2 has no rule for noncurrent versions" in plan.out
    assert "the default rule of r2 is written along" in plan.out
    assert ask("apply", *as_r2).code == 0
    assert raw(lake, "Default Multipart Abort Rule")
    assert ask("verify", *as_r2).code == 0


def test_a_store_without_rules_is_planned_for_and_not_written_to(ask, monkeypatch) -> None:
    def read(_: BucketRules) -> None:
        raise NotSupported("501")

    monkeypatch.setattr(BucketRules, "read", read)
    plan = ask("plan")
    assert (plan.code, "left out: done: this store has no lifecycle rules" in plan.out) == (0, True)
    assert ask("apply").code == 2
    assert ask("verify").code == 1


def test_where_there_is_no_lake_or_no_bucket(cli, lake, tmp_path) -> None:
    local = cli("lifecycle", "plan", "--lake", str(tmp_path))
    assert (local.code, "local disk, which has no lifecycle rules" in local.err) == (2, True)
    assert cli("lifecycle", "verify", "--lake", f"s3://{lake.bucket}/elsewhere").code == 6
    assert cli("lifecycle", "apply", "--lake", "s3://no-such-bucket/lake").code == 6
    assert cli("lifecycle").code == 2
    assert cli("lifecycle", "mend").code == 2


def test_another_applier_at_work_is_named(ask, lake) -> None:
    turns = Turns(LeaseSettings(ttl_seconds=600, wait_seconds=0), now, "somebody")
    from imagelake.storage.leases.lease import acquire
    from imagelake.storage.leases.lease_record import this_process

    meeting = S3Storage(lake.bucket, ".imagelake", lake.settings)
    with acquire(meeting, "lifecycle", this_process("somebody"), turns.settings, now):
        waiting = ask("apply", "--set", "lease.wait_seconds=0")
    assert (waiting.code, "held by run somebody" in waiting.err) == (5, True)


def test_two_lakes_of_a_bucket_that_apply_at_once_lose_no_rule(lake) -> None:
    """Twenty rounds, in each of which both change all their rules; a third party's rule is there throughout."""
    put_rules(lake, THEIRS)
    theirs = raw(lake, "theirs")
    places = [BucketPrefix(lake.bucket, f"lake-{i}", f"{i}" * 32) for i in range(2)]
    together = threading.Barrier(2)

    def one(place: BucketPrefix, days: int) -> None:
        asked = target_rules(LifecycleSettings(done_days=days, access_days=days), place, BACKENDS["moto"])
        together.wait()
        turns = Turns(LeaseSettings(), now, f"{place.prefix}-{days}")
        apply(S3Storage(place.bucket, place.prefix, lake.settings), asked, place, BACKENDS["moto"], turns)

    with ThreadPoolExecutor(2) as pool:
        for days in range(1, 21):
            for running in [pool.submit(one, place, days) for place in places]:
                running.result()
            there = {rule.content.rule_id: rule for rule in BucketRules(lake).read().rules}
            assert there["theirs"].raw == theirs
            for place in places:
                own = [rule for name, rule in there.items() if place.owns(name)]
                assert len(own) == 7
                assert there[place.rule_id("done")].content.parts("Expiration") == [{"Days": str(days)}]

"""Which lifecycle rules are wanted, which are refused, and what each backend cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifecycle_documents import AWS, OWN, PLACE, settings

from imagelake.config.lifecycle_settings import ExtraRule, LifecycleSettings, PriceSettings
from imagelake.errors import ConfigError
from imagelake.lifecycle.backends import BACKENDS, recognise
from imagelake.lifecycle.bucket_rules import PROTECTED, BucketPrefix, TargetRules, reaches, target_rules
from imagelake.lifecycle.estimate import prices
from imagelake.lifecycle.rules_document import Configuration, content_of
from imagelake.lifecycle.rules_plan import describe, merge
from imagelake.storage.s3.client import is_aws

R2, CEPH = BACKENDS["r2"], BACKENDS["ceph"]
TIERING = {"storage_class": "STANDARD_IA", "after_days": 60}


# what is wanted


def test_each_kind_of_bytes_has_its_rule() -> None:
    asked = settings(reports_days=10, blobs_to=TIERING, rules=[{"prefix": "exports/", "expire_days": 3}])
    found = {
        rule.name: (rule.prefix, describe(content_of(rule.xml()))) for rule in target_rules(asked, PLACE, AWS).rules
    }
    assert found == {
        "done": ("some/lake/landing/.done/", "expires after 30 days"),
        "rejected": ("some/lake/landing/.rejected/", "expires after 90 days"),
        "temporary-blobs": ("some/lake/blobs/zip/.tmp-", "expires after 7 days"),
        "temporary-parts": ("some/lake/landing/.parts/", "expires after 7 days"),
        "access": ("some/lake/access/", "expires after 180 days"),
        "reports": ("some/lake/reports/", "expires after 10 days"),
        "extra-5cf67346": ("some/lake/exports/", "expires after 3 days"),
        "blobs": (
            "some/lake/blobs/zip/",
            "moves to STANDARD_IA after 60 days (only objects with ObjectSizeGreaterThan 131071)",
        ),
        "abort": ("some/lake/", "unfinished multipart uploads are aborted after 7 days"),
        "undo": ("some/lake/", "noncurrent versions expire after 30 days"),
    }


def test_nothing_moves_unless_it_is_asked_for_and_loose_blobs_only_by_name() -> None:
    assert [rule for rule in OWN if rule.storage_class] == []
    moved = [rule.prefix for rule in target_rules(settings(blobs_to={**TIERING, "loose": True}), PLACE, AWS).rules]
    assert "some/lake/blobs/obj/" in moved


def test_null_switches_a_rule_off() -> None:
    off = dict.fromkeys(name for name in LifecycleSettings.model_fields if name.endswith("_days"))
    assert target_rules(settings(**off), PLACE, AWS) == TargetRules((), ())


def test_ids_name_the_lake_and_tell_a_copy_of_it_apart() -> None:
    copy = BucketPrefix("bucket", "other", PLACE.lake_id)
    ids = {rule.rule_id for rule in OWN}
    assert len(ids) == len(OWN)
    assert all(name.startswith("imagelake-01234567-") and PLACE.owns(name) for name in ids)
    assert not any(copy.owns(name) for name in ids)
    assert not BucketPrefix("bucket", "some/lake", "f" * 32).owns(OWN[0].rule_id)


PREFIXES = st.one_of(
    st.sampled_from(
        ["", "t", "tables", "blobs/", "landing", "landing/", "landing/.done/", "locks/x", "exports/", "im"]
    ),
    st.text("abcdefghijklmnopqrstuvwxyz./-", max_size=12),
)


@given(
    st.lists(
        st.builds(ExtraRule, prefix=PREFIXES, expire_days=st.integers(1, 400)),
        max_size=3,
    ),
    st.sampled_from(["", "lake", "a/b"]),
    st.sampled_from(sorted(BACKENDS)),
)
def test_no_rule_that_is_let_through_can_take_what_a_version_is_read_from(extra, prefix, backend) -> None:
    place = BucketPrefix("bucket", prefix, PLACE.lake_id)
    try:
        rules = target_rules(settings(rules=extra, reports_days=1), place, BACKENDS[backend]).rules
    except ConfigError:
        assert extra
        return
    for rule in rules:
        if rule.expire_days is None:
            assert rule.prefix == place.root
            assert rule.storage_class is None
            continue
        waiting = f"{place.root}landing/pets/monday.zip"
        assert not waiting.startswith(rule.prefix)
        for where, _ in PROTECTED:
            temporary = rule.prefix == f"{place.root}blobs/zip/.tmp-"
            assert temporary or not reaches(rule.prefix, place.root + where)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rules": [{"prefix": "", "expire_days": 1}]}, "reaches tables/"),
        ({"rules": [{"prefix": "tab", "expire_days": 1}]}, "reaches tables/"),
        ({"rules": [{"prefix": "tables/gold/", "expire_days": 1}]}, "reaches tables/"),
        ({"rules": [{"prefix": "imagelake", "expire_days": 1}]}, r"reaches imagelake\.json"),
        ({"rules": [{"prefix": "locks/", "expire_days": 1}]}, "reaches locks/"),
        ({"rules": [{"prefix": "blobs/zip/", "expire_days": 1}]}, "reaches blobs/: the images of published versions"),
        ({"rules": [{"prefix": "blobs/obj/", **TIERING}]}, "reaches blobs/"),
        ({"rules": [{"prefix": "landing/pets/", "expire_days": 1}]}, "uploads that still wait"),
        ({"rules": [{"prefix": "/exports/", "expire_days": 1}]}, "begins with a slash"),
        ({"rules": [{"prefix": "exports/"}]}, "nothing is asked for"),
        ({"rules": [{"prefix": "exports/", "storage_class": "STANDARD_IA"}]}, "belong together"),
        ({"blobs_to": {**TIERING, "storage_class": "GLACIER"}}, "GLACIER is refused: its objects must be restored"),
        ({"blobs_to": {**TIERING, "storage_class": "DEEP_ARCHIVE"}}, "must be restored"),
        ({"blobs_to": {**TIERING, "storage_class": "INTELLIGENT_TIERING"}}, "may let it archive"),
        ({"blobs_to": {**TIERING, "storage_class": "ONEZONE_IA"}}, "one zone only"),
        ({"blobs_to": {**TIERING, "storage_class": "standard_ia"}}, "not one that imagelake knows"),
        ({"blobs_to": {**TIERING, "after_days": 29}}, "aws moves objects to STANDARD_IA after 30 days or later"),
        ({"rules": [{"prefix": "exports/", **TIERING, "storage_class": "GLACIER"}]}, "GLACIER is refused"),
    ],
)
def test_what_could_hurt_a_version_is_refused_with_the_reason(changed, told) -> None:
    with pytest.raises(ConfigError, match=told):
        target_rules(settings(**changed), PLACE, AWS)


def test_least_days_are_those_of_the_backend() -> None:
    early = settings(blobs_to={**TIERING, "after_days": 1})
    assert "blobs" in {rule.name for rule in target_rules(early, PLACE, CEPH).rules}
    archive = settings(blobs_to={"storage_class": "GLACIER_IR", "after_days": 1})
    assert "blobs" in {rule.name for rule in target_rules(archive, PLACE, AWS).rules}


# what a backend cannot do


def test_r2_leaves_out_what_it_lacks_and_says_so() -> None:
    found = target_rules(settings(blobs_to=TIERING), PLACE, R2)
    names = {rule.name: rule for rule in found.rules}
    assert "undo" not in names
    assert names["blobs"].min_bytes == 0
    assert {(rule.rule, rule.reason.split(":")[0]) for rule in found.left_out} == {
        ("undo", "r2 has no rule for noncurrent versions"),
        ("blobs", "r2 has no filter by size"),
    }
    archive = target_rules(settings(blobs_to={**TIERING, "storage_class": "GLACIER_IR"}), PLACE, R2)
    assert "blobs" not in {rule.name for rule in archive.rules}
    assert "r2 has no rule that moves objects to GLACIER_IR" in {rule.reason for rule in archive.left_out}
    for rule in (*found.rules, *archive.rules):
        assert content_of(rule.xml()).narrowed == frozenset()


def test_the_default_rule_of_r2_outlives_the_first_configuration() -> None:
    rules = target_rules(settings(), PLACE, R2).rules
    first = Configuration(merge(Configuration(None), rules, PLACE, R2.default_rule))
    assert first.rules[0].content.rule_id == "Default Multipart Abort Rule"
    assert merge(first, rules, PLACE, R2.default_rule) == first.data
    gone = merge(first, (), PLACE, R2.default_rule)
    assert [rule.content.rule_id for rule in Configuration(gone).rules] == ["Default Multipart Abort Rule"]


@pytest.mark.parametrize("name", ["seaweedfs", "other"])
def test_where_nothing_can_move_the_rest_is_still_wanted(name) -> None:
    asked = settings(blobs_to=TIERING, rules=[{"prefix": "exports/", **TIERING}])
    found = target_rules(asked, PLACE, BACKENDS[name])
    assert [rule for rule in found.rules if rule.storage_class] == []
    assert {"done", "abort"} <= {rule.name for rule in found.rules}
    assert len([rule for rule in found.left_out if "moves objects to STANDARD_IA" in rule.reason]) == 2


@pytest.mark.parametrize(
    ("endpoint", "headers", "name"),
    [
        ("https://s3.eu-west-1.amazonaws.com", {}, "aws"),
        ("https://abc.r2.cloudflarestorage.com", {"server": "cloudflare"}, "r2"),
        ("http://127.0.0.1:8333", {"server": "SeaweedFS 30GB 4.44"}, "seaweedfs"),
        ("https://s3.example.com", {"x-amz-request-id": "tx00000c0f81f7e3fd9ead8-006b01b061-1026-default"}, "ceph"),
        ("https://s3.example.com", {"server": "Ceph Object Gateway (squid)"}, "ceph"),
        ("http://127.0.0.1:5000", {"server": "Werkzeug/3.1.9 Python/3.11.7"}, "moto"),
        ("https://vpce.internal", {"server": "AmazonS3", "x-amz-request-id": "ABCDEF"}, "aws"),
        ("https://s3.example.com", {"server": "nginx"}, "other"),
    ],
)
def test_a_backend_is_known_by_its_host_or_its_answers(endpoint, headers, name) -> None:
    found, by = recognise(endpoint.split("/")[2].split(":")[0], is_aws(endpoint), headers)
    assert found.name == name
    assert by


def test_prices_are_those_of_the_settings_else_of_the_backend() -> None:
    assert prices(PriceSettings(), AWS).of == {"STANDARD": 0.023, "STANDARD_IA": 0.0125, "GLACIER_IR": 0.004}
    assert prices(PriceSettings(standard=0.05), CEPH).of == {"STANDARD": 0.05}
    assert prices(PriceSettings(), CEPH).monthly({"STANDARD": 1 << 30}) is None
    assert prices(PriceSettings(), AWS).saving(1 << 31, 1 << 31, "STANDARD_IA") == pytest.approx(2 * 0.0105)


# the page


def test_the_page_shows_what_each_backend_can_do() -> None:
    page = (Path(__file__).parents[3] / "docs/lifecycle.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    shown = {row[0]: row[1:6] for row in rows if row[0] in BACKENDS}
    yes = {True: "yes", False: "no"}
    assert shown == {
        name: ["yes", "yes", yes[b.noncurrent], ", ".join(c.name for c in b.classes), yes[b.size_filter]]
        for name, b in BACKENDS.items()
    }
    defaults = {row[0].strip("`"): row[-1] for row in rows if row[0].startswith("`")}
    off = {None: "off", (): "none"}
    for name, value in LifecycleSettings():
        if name not in ("backend", "prices"):
            assert defaults.pop(name) == str(off.get(value, value))
    assert defaults == {}

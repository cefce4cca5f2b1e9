from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from imagelake.errors import ConfigError, Conflict, IntegrityError
from imagelake.lifecycle_settings import ExtraRule, LifecycleSettings, PriceSettings
from imagelake.storage.lifecycle import PROTECTED, Place, Rule, Wanted, reaches, wanted
from imagelake.storage.lifecycle_apply import ATTEMPTS, exchange_rules
from imagelake.storage.lifecycle_backends import BACKENDS, recognise
from imagelake.storage.lifecycle_document import Configuration, exchange, facts_of
from imagelake.storage.lifecycle_estimate import prices
from imagelake.storage.lifecycle_plan import compare, describe, merge
from imagelake.storage.s3 import is_aws

AWS, R2, CEPH = BACKENDS["aws"], BACKENDS["r2"], BACKENDS["ceph"]
PLACE = Place("bucket", "some/lake", "0123456789abcdef" * 2)
HEAD = b'<?xml version="1.0"?>\n<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
TAIL = b"</LifecycleConfiguration>\n"
TIERING = {"storage_class": "STANDARD_IA", "after_days": 60}


def settings(**changed: Any) -> LifecycleSettings:
    return LifecycleSettings.model_validate(changed)


def foreign(rule_id: str, prefix: str, action: str, status: str = "Enabled") -> bytes:
    scope = f"<Filter><Prefix>{prefix}</Prefix></Filter>"
    return f"<Rule><ID>{rule_id}</ID>{scope}<Status>{status}</Status>{action}</Rule>".encode()


def document(*rules: bytes) -> Configuration:
    return Configuration(HEAD + b"\n  ".join(rules) + TAIL)


EXPIRES = "<Expiration><Days>3</Days></Expiration>"
ARCHIVES = "<Transition><Days>9</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>"
OWN = wanted(settings(), PLACE, AWS).rules


# what is wanted


def test_each_kind_of_bytes_has_its_rule() -> None:
    asked = settings(reports_days=10, blobs_to=TIERING, rules=[{"prefix": "exports/", "expire_days": 3}])
    found = {rule.name: (rule.prefix, describe(facts_of(rule.xml()))) for rule in wanted(asked, PLACE, AWS).rules}
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
    moved = [rule.prefix for rule in wanted(settings(blobs_to={**TIERING, "loose": True}), PLACE, AWS).rules]
    assert "some/lake/blobs/obj/" in moved


def test_null_switches_a_rule_off() -> None:
    off = dict.fromkeys(name for name in LifecycleSettings.model_fields if name.endswith("_days"))
    assert wanted(settings(**off), PLACE, AWS) == Wanted((), ())


def test_ids_name_the_lake_and_tell_a_copy_of_it_apart() -> None:
    copy = Place("bucket", "other", PLACE.lake_id)
    ids = {rule.rule_id for rule in OWN}
    assert len(ids) == len(OWN)
    assert all(name.startswith("imagelake-01234567-") and PLACE.owns(name) for name in ids)
    assert not any(copy.owns(name) for name in ids)
    assert not Place("bucket", "some/lake", "f" * 32).owns(OWN[0].rule_id)


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
    place = Place("bucket", prefix, PLACE.lake_id)
    try:
        rules = wanted(settings(rules=extra, reports_days=1), place, BACKENDS[backend]).rules
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
        wanted(settings(**changed), PLACE, AWS)


def test_least_days_are_those_of_the_backend() -> None:
    early = settings(blobs_to={**TIERING, "after_days": 1})
    assert "blobs" in {rule.name for rule in wanted(early, PLACE, CEPH).rules}
    archive = settings(blobs_to={"storage_class": "GLACIER_IR", "after_days": 1})
    assert "blobs" in {rule.name for rule in wanted(archive, PLACE, AWS).rules}


# what a backend cannot do


def test_r2_leaves_out_what_it_lacks_and_says_so() -> None:
    found = wanted(settings(blobs_to=TIERING), PLACE, R2)
    names = {rule.name: rule for rule in found.rules}
    assert "undo" not in names
    assert names["blobs"].min_bytes == 0
    assert {(rule.rule, rule.reason.split(":")[0]) for rule in found.left_out} == {
        ("undo", "r2 has no rule for noncurrent versions"),
        ("blobs", "r2 has no filter by size"),
    }
    archive = wanted(settings(blobs_to={**TIERING, "storage_class": "GLACIER_IR"}), PLACE, R2)
    assert "blobs" not in {rule.name for rule in archive.rules}
    assert "r2 has no rule that moves objects to GLACIER_IR" in {rule.reason for rule in archive.left_out}
    for rule in (*found.rules, *archive.rules):
        assert facts_of(rule.xml()).narrowed == frozenset()


def test_the_default_rule_of_r2_outlives_the_first_configuration() -> None:
    rules = wanted(settings(), PLACE, R2).rules
    first = Configuration(merge(Configuration(None), rules, PLACE, R2.implied))
    assert first.rules[0].facts.rule_id == "Default Multipart Abort Rule"
    assert merge(first, rules, PLACE, R2.implied) == first.data
    gone = merge(first, (), PLACE, R2.implied)
    assert [rule.facts.rule_id for rule in Configuration(gone).rules] == ["Default Multipart Abort Rule"]


@pytest.mark.parametrize("name", ["seaweedfs", "other"])
def test_where_nothing_can_move_the_rest_is_still_wanted(name) -> None:
    asked = settings(blobs_to=TIERING, rules=[{"prefix": "exports/", **TIERING}])
    found = wanted(asked, PLACE, BACKENDS[name])
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


# the document

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=("Cs", "Cc")), max_size=20)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


SCOPES = st.one_of(
    NAMES.map(lambda p: f"<Prefix>{escaped(p)}</Prefix>"),
    NAMES.map(lambda p: f"<Filter>\n <Prefix>{escaped(p)}</Prefix></Filter>"),
    st.just("<Filter/>"),
    st.just("<Filter><ObjectSizeLessThan>12</ObjectSizeLessThan></Filter>"),
    st.tuples(NAMES, NAMES, NAMES).map(
        lambda t: (
            f"<Filter><And><Prefix>{escaped(t[0])}</Prefix><Tag><Key>{escaped(t[1])}</Key><Value>{escaped(t[2])}</Value>"
            "</Tag><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
        )
    ),
)
ACTIONS = st.sampled_from(
    [
        EXPIRES,
        ARCHIVES + "<Transition><StorageClass>STANDARD_IA</StorageClass><Days>3</Days></Transition>",
        "<Expiration><Date>2031-01-01T00:00:00.000Z</Date></Expiration>",
        "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>"
        "<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        "<Newer kind='x &gt; y'><Deep><Leaf/></Deep><![CDATA[</Rule>]]></Newer>" + EXPIRES,
        "<!-- </Rule> -->" + EXPIRES,
    ]
)
RULES = st.builds(
    lambda i, s, a, on, gap: f"<Rule>{gap}<ID>{escaped(i)}</ID>{s}{gap}<Status>{on}</Status>{a}{gap}</Rule >".encode(),
    NAMES,
    SCOPES,
    ACTIONS,
    st.sampled_from(["Enabled", "Disabled"]),
    st.sampled_from(["", "\n  ", "<!-- theirs -->"]),
)
DOCUMENTS = st.builds(
    lambda rules, head, between, tail: head + between.join(rules) + tail,
    st.lists(st.one_of(RULES, st.sampled_from([rule.xml() for rule in OWN])), min_size=1, max_size=8),
    st.sampled_from([HEAD, b"<LifecycleConfiguration>", b"<!-- by hand --><LifecycleConfiguration a='b'>\n"]),
    st.sampled_from([b"", b"\n", b"<Unknown>1</Unknown>"]),
    st.sampled_from([b"</LifecycleConfiguration>", b"<More/></LifecycleConfiguration>\n<!-- end -->"]),
)


@examples(max_examples=150)
@given(DOCUMENTS, st.sampled_from([(), OWN, OWN[:2], wanted(settings(done_days=1), PLACE, AWS).rules]))
def test_foreign_rules_stay_byte_for_byte_and_a_second_merge_changes_nothing(data, rules) -> None:
    before = Configuration(data)
    others = [rule.raw for rule in before.rules if not PLACE.owns(rule.facts.rule_id)]
    merged = merge(before, rules, PLACE, None)
    after = Configuration(merged)
    assert [rule.raw for rule in after.rules if not PLACE.owns(rule.facts.rule_id)] == others
    own = [rule.facts for rule in after.rules if PLACE.owns(rule.facts.rule_id)]
    assert sorted(f.rule_id for f in own) == sorted(rule.rule_id for rule in rules)
    assert set(own) == {facts_of(rule.xml()) for rule in rules}
    assert merge(after, rules, PLACE, None) == merged
    assert compare(after, Wanted(tuple(rules), ()), PLACE).in_sync
    if merged is not None:
        strange = data
        for rule in before.rules:
            strange = strange.replace(rule.raw, b"")
        rest = merged
        for rule in after.rules:
            rest = rest.replace(rule.raw, b"")
        assert rest == strange


@given(DOCUMENTS)
def test_taking_all_own_rules_away_leaves_what_others_had(data) -> None:
    others = [rule.facts for rule in Configuration(data).rules if not PLACE.owns(rule.facts.rule_id)]
    with_own = Configuration(merge(Configuration(data), OWN, PLACE, None))
    without = merge(with_own, (), PLACE, None)
    assert [rule.facts for rule in Configuration(without).rules] == others
    assert (without is None) == (not others)


def test_an_own_rule_written_twice_is_written_once_afterwards() -> None:
    twice = document(OWN[0].xml(), OWN[0].xml(), *(rule.xml() for rule in OWN[1:]))
    assert len(Configuration(merge(twice, OWN, PLACE, None)).rules) == len(OWN)


def test_forms_and_orders_that_mean_the_same_are_the_same() -> None:
    one = foreign("a", "p &amp; q", "<Transition><Days>3</Days><StorageClass>X</StorageClass></Transition>" + ARCHIVES)
    other = (
        b"<Rule><Status> Enabled </Status>" + ARCHIVES.encode() + b"<Prefix>p &amp; q</Prefix>\n"
        b"<Transition><StorageClass>X</StorageClass><Days> 3 </Days></Transition><ID>a</ID></Rule>"
    )
    assert facts_of(one) == facts_of(other)
    assert facts_of(one).prefix == "p & q"
    assert facts_of(foreign("a", " p", EXPIRES)) != facts_of(foreign("a", "p", EXPIRES))
    dated = "<Expiration><Date>2031-01-01T00:00:00{}</Date></Expiration>"
    assert facts_of(foreign("a", "", dated.format(".000Z"))) == facts_of(foreign("a", "", dated.format("Z")))


def test_a_prefix_that_rgw_writes_beside_and_is_sent_inside_it() -> None:
    """RGW answers so, and reads a prefix only inside: sent back as it came, the rule would hold for all objects."""
    beside = (
        b"<Rule><ID>t</ID><Filter><Prefix>p/</Prefix><And><Tag><Key>k</Key><Value>v</Value></Tag>"
        b"<Tag><Key>l</Key><Value>w</Value></Tag></And></Filter><Status>Enabled</Status>"
        + EXPIRES.encode()
        + b"</Rule>"
    )
    before = document(beside)
    after = Configuration(merge(before, OWN, PLACE, None))
    assert after.rules[0].facts == before.rules[0].facts
    assert b"<Filter><And><Tag>" in after.rules[0].raw
    assert b"<Prefix>p/</Prefix></And></Filter>" in after.rules[0].raw
    assert merge(document(beside, *(r.xml() for r in OWN)), OWN, PLACE, None).count(beside) == 1, "nothing to write"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<LifecycleConfiguration><Rule></LifecycleConfiguration>",
        b"<Error><Code>x</Code></Error>",
        b'<s:LifecycleConfiguration xmlns:s="x"><s:Rule/></s:LifecycleConfiguration>',
        b'<!DOCTYPE x [<!ENTITY a "b">]><LifecycleConfiguration><Rule><ID>&a;</ID></Rule></LifecycleConfiguration>',
    ],
)
def test_what_is_no_configuration_is_not_written_over(data) -> None:
    with pytest.raises(IntegrityError):
        merge(Configuration(data), OWN, PLACE, None)


@pytest.mark.parametrize("data", [b"<LifecycleConfiguration/>", b"<LifecycleConfiguration></LifecycleConfiguration>"])
def test_a_configuration_without_rules_is_filled(data) -> None:
    assert len(Configuration(exchange(Configuration(data), [], [OWN[0].xml()])).rules) == 1


# the plan


def test_the_plan_names_what_is_added_changed_removed_and_kept() -> None:
    other = wanted(settings(done_days=1, access_days=None), PLACE, AWS)
    plan = compare(document(*(rule.xml() for rule in OWN[1:])), Wanted(OWN, ()), PLACE)
    assert {c.name: c.change for c in plan.changes}["done"] == "add"
    plan = compare(document(*(rule.xml() for rule in OWN)), other, PLACE)
    changes = {c.name: c for c in plan.changes}
    assert (changes["done"].change, changes["done"].now) == ("change", "expires after 30 days")
    assert changes["access"].change == "remove"
    assert changes["undo"].change == "keep"
    assert not plan.in_sync


def test_a_rule_that_somebody_disabled_is_drift() -> None:
    disabled = OWN[0].xml().replace(b"Enabled", b"Disabled")
    plan = compare(document(disabled, *(rule.xml() for rule in OWN[1:])), Wanted(OWN, ()), PLACE)
    assert plan.changes[0].change == "change"
    assert plan.changes[0].now == "expires after 30 days (disabled)"


MARKERS = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
OLD_VERSIONS = (
    "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass>"
    "</NoncurrentVersionTransition>"
)
TO = "<Transition><Days>3</Days><StorageClass>{}</StorageClass></Transition>"


@pytest.mark.parametrize(
    ("prefix", "action", "verdict"),
    [
        ("", EXPIRES, "harm"),
        ("som", EXPIRES, "harm"),
        ("some/lake/tables/gold/", EXPIRES, "harm"),
        ("some/lake/imagelake.json", EXPIRES, "harm"),
        ("some/lake/blobs/", "<Expiration><Date>2031-01-01T00:00:00Z</Date></Expiration>", "harm"),
        ("", ARCHIVES, "harm"),
        ("some/lake/tables/", TO.format("GLACIER"), "harm"),
        ("", TO.format("INTELLIGENT_TIERING"), "warning"),
        ("", TO.format("OURTAPE"), "warning"),
        ("", "<Shred><Days>1</Days></Shred>", "warning"),
        ("some/lake/landing/", EXPIRES, "warning"),
        ("", TO.format("STANDARD_IA"), None),
        ("", MARKERS, None),
        ("", OLD_VERSIONS, None),
        ("some/lake/landing/.done/", EXPIRES, None),
        ("some/lakes/", EXPIRES, None),
        ("logs/", ARCHIVES, None),
    ],
)
def test_rules_of_others_are_judged_by_what_they_reach(prefix, action, verdict) -> None:
    (told,) = compare(document(foreign("theirs", prefix, action)), Wanted(OWN, ()), PLACE).foreign
    assert (bool(told.harm), bool(told.warning)) == (verdict == "harm", verdict == "warning")


def test_a_disabled_or_tagged_rule_is_only_warned_about() -> None:
    tagged = foreign("t", "", EXPIRES).replace(b"<Prefix>", b"<Tag><Key>a</Key><Value>b</Value></Tag><Prefix>")
    plan = compare(document(foreign("d", "", EXPIRES, "Disabled"), tagged), Wanted((), ()), PLACE)
    assert [bool(rule.warning) and not rule.harm for rule in plan.foreign] == [True, True]
    assert plan.foreign[1].does == "expires after 3 days (only objects with Tag a=b)"


# the exchange


@dataclass
class Bucket:
    """A configuration in memory. `meddle` is called with the number of each write, after it."""

    data: bytes | None = None
    minimum: str | None = None
    meddle: Callable[[Bucket, int], None] = lambda *_: None
    stale: int = 0
    written: list[bytes | None] = field(default_factory=list)
    minimums: list[str | None] = field(default_factory=list)
    past: list[bytes | None] = field(default_factory=list)

    def read(self) -> Configuration:
        if self.past:
            return Configuration(self.past.pop(), self.minimum)
        return Configuration(self.data, self.minimum)

    def write(self, data: bytes | None, minimum: str | None) -> None:
        self.past = [self.data] * self.stale
        self.data = data
        self.written.append(data)
        self.minimums.append(minimum)
        self.meddle(self, len(self.written))


def run(bucket: Bucket, rules: tuple[Rule, ...] = OWN) -> Any:
    return exchange_rules(bucket, rules, PLACE, sleep=lambda _: None)


THEIRS = foreign("theirs", "logs/", EXPIRES)


def ids(bucket: Bucket) -> set[str]:
    return {rule.facts.rule_id for rule in Configuration(bucket.data).rules}


def test_rules_are_written_once_and_the_default_minimum_size_goes_with_them() -> None:
    bucket = Bucket(document(THEIRS).data, "varies_by_storage_class")
    assert run(bucket).written
    assert not run(bucket).written
    assert bucket.minimums == ["varies_by_storage_class"]
    assert ids(bucket) == {"theirs", *(rule.rule_id for rule in OWN)}


def test_when_nothing_is_wanted_any_more_the_configuration_goes() -> None:
    bucket = Bucket()
    run(bucket)
    assert run(bucket, ()).after == Configuration(None)
    assert bucket.written[-1] is None


def test_a_store_that_answers_late_is_waited_for() -> None:
    bucket = Bucket(document(THEIRS).data, stale=7)
    assert run(bucket).restored == ()
    assert len(bucket.written) == 1


def test_somebody_who_wrote_what_he_read_before_takes_nothing_away() -> None:
    older = document(THEIRS).data

    def meddle(bucket: Bucket, count: int) -> None:
        if count < 3:
            bucket.data = older

    bucket = Bucket(older, meddle=meddle)
    run(bucket)
    assert ids(bucket) == {"theirs", *(rule.rule_id for rule in OWN)}


def test_a_rule_of_somebody_else_that_vanishes_meanwhile_is_put_back() -> None:
    newer = foreign("newer", "new/", EXPIRES)

    def meddle(bucket: Bucket, count: int) -> None:
        if count == 1:
            bucket.data = document(newer).data

    bucket = Bucket(document(THEIRS).data, meddle=meddle)
    assert run(bucket).restored == ("theirs",)
    assert ids(bucket) == {"theirs", "newer", *(rule.rule_id for rule in OWN)}
    assert THEIRS in bucket.data
    assert newer in bucket.data


def test_who_never_stops_writing_is_named_as_the_problem() -> None:
    def meddle(bucket: Bucket, _: int) -> None:
        bucket.data = document(THEIRS).data

    bucket = Bucket(meddle=meddle)
    with pytest.raises(Conflict, match=f"changed {ATTEMPTS} times"):
        run(bucket)
    assert len(bucket.written) == ATTEMPTS


@pytest.mark.parametrize("theirs", [False, True])
def test_a_rule_that_reads_otherwise_than_it_was_sent_is_an_error_that_shows_it(theirs) -> None:
    def meddle(bucket: Bucket, _: int) -> None:
        old, new = (b"logs/", b"") if theirs else (b"<Days>30</Days>", b"<Days>31</Days>")
        bucket.data = bucket.data.replace(old, new)

    with pytest.raises(IntegrityError, match=r"reads otherwise: expires after .* sent was <Rule>"):
        run(Bucket(document(THEIRS).data, meddle=meddle))


def test_beside_a_rule_that_hurts_the_lake_nothing_is_written() -> None:
    bucket = Bucket(document(foreign("all", "", EXPIRES)).data)
    with pytest.raises(ConfigError, match=r"rule 'all' .* expires objects below some/lake/tables/") as told:
        run(bucket)
    assert "with the tool that made it" in told.value.hint
    assert bucket.written == []


def test_a_bucket_takes_a_thousand_rules() -> None:
    many = [foreign(f"r{i}", f"x{i}/", EXPIRES) for i in range(1000 - len(OWN))]
    run(Bucket(document(*many).data))
    bucket = Bucket(document(*many, THEIRS).data)
    with pytest.raises(ConfigError, match="1,001 lifecycle rules, at most are 1,000"):
        run(bucket)
    assert bucket.written == []


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

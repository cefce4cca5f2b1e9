"""The plan names what would change, and judges the rules of others by what they reach."""

from __future__ import annotations

import pytest
from lifecycle_documents import ARCHIVES, AWS, EXPIRES, OWN, PLACE, document, foreign, settings

from imagelake.lifecycle.bucket_rules import TargetRules, target_rules
from imagelake.lifecycle.rules_plan import compare


def test_the_plan_names_what_is_added_changed_removed_and_kept() -> None:
    other = target_rules(settings(done_days=1, access_days=None), PLACE, AWS)
    plan = compare(document(*(rule.xml() for rule in OWN[1:])), TargetRules(OWN, ()), PLACE)
    assert {c.name: c.change for c in plan.changes}["done"] == "add"
    plan = compare(document(*(rule.xml() for rule in OWN)), other, PLACE)
    changes = {c.name: c for c in plan.changes}
    assert (changes["done"].change, changes["done"].now) == ("change", "expires after 30 days")
    assert changes["access"].change == "remove"
    assert changes["undo"].change == "keep"
    assert not plan.in_sync


def test_a_rule_that_somebody_disabled_is_drift() -> None:
    disabled = OWN[0].xml().replace(b"Enabled", b"Disabled")
    plan = compare(document(disabled, *(rule.xml() for rule in OWN[1:])), TargetRules(OWN, ()), PLACE)
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
    (told,) = compare(document(foreign("theirs", prefix, action)), TargetRules(OWN, ()), PLACE).foreign
    assert (bool(told.harm), bool(told.warning)) == (verdict == "harm", verdict == "warning")


def test_a_disabled_or_tagged_rule_is_only_warned_about() -> None:
    tagged = foreign("t", "", EXPIRES).replace(b"<Prefix>", b"<Tag><Key>a</Key><Value>b</Value></Tag><Prefix>")
    plan = compare(document(foreign("d", "", EXPIRES, "Disabled"), tagged), TargetRules((), ()), PLACE)
    assert [bool(rule.warning) and not rule.harm for rule in plan.foreign] == [True, True]
    assert plan.foreign[1].does == "expires after 3 days (only objects with Tag a=b)"

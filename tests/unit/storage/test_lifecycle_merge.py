"""Own rules go into a bucket's configuration and out again, and those of others stay byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lifecycle_documents import ARCHIVES, AWS, EXPIRES, HEAD, OWN, PLACE, document, foreign, settings

from imagelake.errors import IntegrityError
from imagelake.lifecycle.bucket_rules import TargetRules, target_rules
from imagelake.lifecycle.rules_document import Configuration, content_of, exchange
from imagelake.lifecycle.rules_plan import compare, merge

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
@given(DOCUMENTS, st.sampled_from([(), OWN, OWN[:2], target_rules(settings(done_days=1), PLACE, AWS).rules]))
def test_foreign_rules_stay_byte_for_byte_and_a_second_merge_changes_nothing(data, rules) -> None:
    before = Configuration(data)
    others = [rule.raw for rule in before.rules if not PLACE.owns(rule.content.rule_id)]
    merged = merge(before, rules, PLACE, None)
    after = Configuration(merged)
    assert [rule.raw for rule in after.rules if not PLACE.owns(rule.content.rule_id)] == others
    own = [rule.content for rule in after.rules if PLACE.owns(rule.content.rule_id)]
    assert sorted(f.rule_id for f in own) == sorted(rule.rule_id for rule in rules)
    assert set(own) == {content_of(rule.xml()) for rule in rules}
    assert merge(after, rules, PLACE, None) == merged
    assert compare(after, TargetRules(tuple(rules), ()), PLACE).in_sync
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
    others = [rule.content for rule in Configuration(data).rules if not PLACE.owns(rule.content.rule_id)]
    with_own = Configuration(merge(Configuration(data), OWN, PLACE, None))
    without = merge(with_own, (), PLACE, None)
    assert [rule.content for rule in Configuration(without).rules] == others
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
    assert content_of(one) == content_of(other)
    assert content_of(one).prefix == "p & q"
    assert content_of(foreign("a", " p", EXPIRES)) != content_of(foreign("a", "p", EXPIRES))
    dated = "<Expiration><Date>2031-01-01T00:00:00{}</Date></Expiration>"
    assert content_of(foreign("a", "", dated.format(".000Z"))) == content_of(foreign("a", "", dated.format("Z")))


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
    assert after.rules[0].content == before.rules[0].content
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

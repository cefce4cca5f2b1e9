"""Rules are written, read back and written again, whoever else writes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from lifecycle_documents import EXPIRES, OWN, PLACE, document, foreign

from imagelake.errors import ConfigError, Conflict, IntegrityError
from imagelake.lifecycle.apply_rules import ATTEMPTS, exchange_rules
from imagelake.lifecycle.bucket_rules import BucketRule
from imagelake.lifecycle.rules_document import Configuration


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


def run(bucket: Bucket, rules: tuple[BucketRule, ...] = OWN) -> Any:
    return exchange_rules(bucket, rules, PLACE, sleep=lambda _: None)


THEIRS = foreign("theirs", "logs/", EXPIRES)


def ids(bucket: Bucket) -> set[str]:
    return {rule.content.rule_id for rule in Configuration(bucket.data).rules}


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

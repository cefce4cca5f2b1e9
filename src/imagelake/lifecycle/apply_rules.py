"""Changing a bucket's lifecycle rules without losing anybody's.

Putting a configuration replaces all of it, on no condition: there is no ETag. So appliers take turns by a lease that
belongs to the bucket, not to a lake, and read back what they wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from imagelake.errors import ConfigError, Conflict, IntegrityError
from imagelake.lifecycle.backends import Backend
from imagelake.lifecycle.bucket_rules import EXTRA, MOST_RULES, BucketPrefix, BucketRule, TargetRules
from imagelake.lifecycle.estimate import foreign_table
from imagelake.lifecycle.rules_document import Configuration, RuleContent
from imagelake.lifecycle.rules_in_bucket import BucketRules
from imagelake.lifecycle.rules_plan import compare, describe, merge
from imagelake.storage.leases.lease import acquire
from imagelake.storage.leases.lease_record import this_process
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.capabilities import honours_conditions

if TYPE_CHECKING:
    from imagelake.config.settings import LeaseSettings
    from imagelake.runs.context import Clock

TURNS = ".imagelake"
"""Where the appliers of a bucket take turns, whatever lakes it holds: `.imagelake/locks/lifecycle.json`."""

ATTEMPTS = 5
_READS_BACK = 12  # over about 15 s: a bucket's configuration may take a moment to be seen
_STEADY = 2


class RuleStore(Protocol):
    """Reads and writes a bucket's lifecycle configuration."""

    def read(self) -> Configuration:
        """What holds now."""
        ...

    def write(self, data: bytes | None, minimum: str | None) -> None:
        """Replace all of it; None removes it."""
        ...


@dataclass(frozen=True)
class Turns:
    """How this run waits for other appliers."""

    settings: LeaseSettings
    clock: Clock
    run_id: str


@dataclass(frozen=True)
class AppliedRules:
    """The result of an apply: whether it wrote at all, and the rules of others that vanished meanwhile and are back."""

    before: Configuration
    after: Configuration
    written: bool
    restored: tuple[str, ...] = ()


def apply(
    storage: S3Storage, target: TargetRules, lake_prefix: BucketPrefix, backend: Backend, turns: Turns
) -> AppliedRules:
    """Give the bucket these rules of this lake; every other rule stays. Other appliers of the bucket wait meanwhile.

    ConfigError when a rule of the settings' own would let a table or another lake expire; and where nobody can wait:
    the store ignores conditions, and no single writer is declared.
    """
    refuse_foreign_tables(storage, target.rules)
    rules, meeting = BucketRules(storage), replace(storage, prefix=TURNS)
    if not honours_conditions(meeting):
        if storage.settings.single_writer:
            return exchange_rules(rules, target.rules, lake_prefix, backend.default_rule)
        raise ConfigError(
            f"s3://{storage.bucket} ignores conditions on writes (RGW 16 does once a bucket is versioned): "
            "two appliers at once would lose rules",
            hint="set s3.single_writer=true if nothing else writes to this bucket at the same time",
        )
    with acquire(meeting, "lifecycle", this_process(turns.run_id), turns.settings, turns.clock) as lease:
        return exchange_rules(rules, target.rules, lake_prefix, backend.default_rule, before_write=lease.check)


def exchange_rules(
    rules: RuleStore,
    new_rules: tuple[BucketRule, ...],
    lake_prefix: BucketPrefix,
    default_rule: bytes | None = None,
    before_write: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> AppliedRules:
    """Read, merge, write, read back; again when another writer without a lease interfered.

    Rules of others that were there before and vanished are put back. IntegrityError when one reads otherwise than sent.
    """
    first = before = rules.read()
    foreign: dict[RuleContent, bytes] = {}
    restored: dict[str, None] = {}
    written = False
    for _ in range(ATTEMPTS):
        refuse_harm(before, lake_prefix)
        foreign |= {
            rule.content: rule.normalised for rule in before.rules if not lake_prefix.owns(rule.content.rule_id)
        }
        new = merge(before, new_rules, lake_prefix, default_rule, tuple(foreign.values()))
        if new == before.data:
            return AppliedRules(first, before, written, tuple(restored))
        sent = Configuration(new, before.minimum)
        _check_count(sent, lake_prefix)
        before_write()
        rules.write(new, before.minimum)
        written = True
        after = _read_back(rules, sent, lake_prefix, sleep)
        restored |= dict.fromkeys(_check_others_remain(before, sent, after, lake_prefix))
        before = after
    raise Conflict(
        f"the lifecycle rules of s3://{lake_prefix.bucket} changed {ATTEMPTS} times while they were being written",
        hint="something else manages them and takes no turns: stop it, then run the same command again",
    )


def refuse_foreign_tables(storage: S3Storage, rules: tuple[BucketRule, ...]) -> None:
    """ConfigError when a rule that the settings add would let a table expire, or another lake."""
    for rule in rules:
        if not rule.name.startswith(EXTRA) or rule.expire_days is None:
            continue
        key = foreign_table(storage, rule.prefix)
        if key is not None:
            raise ConfigError(
                f"lifecycle.rules: objects below {rule.prefix} would expire, but {key} lies there",
                hint="name a prefix that holds no lake and no Delta table",
            )


def refuse_harm(configuration: Configuration, lake_prefix: BucketPrefix) -> None:
    """ConfigError when a foreign rule would delete or move this lake's bytes; nothing is written then."""
    harms = compare(configuration, TargetRules((), ()), lake_prefix).harms
    if harms:
        rule, more = harms[0], f" (and {len(harms) - 1} more such rules)" if len(harms) > 1 else ""
        raise ConfigError(
            f"rule {rule.rule_id!r} of s3://{lake_prefix.bucket} is not this lake's, and {rule.harm}{more}",
            hint="remove that rule, or narrow its prefix, with the tool that made it; then run the same command again",
        )


def _check_count(sent: Configuration, lake_prefix: BucketPrefix) -> None:
    if len(sent.rules) > MOST_RULES:
        raise ConfigError(
            f"s3://{lake_prefix.bucket} would have {len(sent.rules):,} lifecycle rules, at most are {MOST_RULES:,}",
            hint="remove rules nobody needs, or give the lake a bucket of its own",
        )


def _read_back(
    rules: RuleStore, sent: Configuration, lake_prefix: BucketPrefix, sleep: Callable[[float], None]
) -> Configuration:
    """The configuration once it holds what was sent, seen twice; else what it is after all patience."""
    expected, steady = {rule.content for rule in sent.rules}, 0
    for attempt in range(_READS_BACK):
        configuration = rules.read()
        contents = {rule.content for rule in configuration.rules}
        seen = expected <= contents and not any(lake_prefix.owns(f.rule_id) for f in contents - expected)
        steady = steady + 1 if seen else 0
        if steady == _STEADY:
            break
        if not seen:
            sleep(min(2.0, 0.05 * 2**attempt))
    return configuration


def _check_others_remain(
    before: Configuration, sent: Configuration, after: Configuration, lake_prefix: BucketPrefix
) -> list[str]:
    """The ids of rules of others that have vanished. IntegrityError when a rule is there, and reads otherwise.

    One that reads as before was not taken over yet, or somebody wrote what they had read earlier: that is tried again.
    """
    past, now = ({rule.content for rule in configuration.rules} for configuration in (before, after))
    by_id = {content.rule_id: content for content in now if content.rule_id}
    vanished = []
    for rule in sent.rules:
        now_content = by_id.get(rule.content.rule_id)
        if rule.content in now or now_content in past:
            continue
        if now_content is not None:
            raise _otherwise(rule.raw, rule.content, now_content, own=lake_prefix.owns(now_content.rule_id))
        if not lake_prefix.owns(rule.content.rule_id):
            vanished.append(rule.content.rule_id)
    return vanished


def _otherwise(raw: bytes, sent: RuleContent, now_content: RuleContent, *, own: bool) -> IntegrityError:
    message = (
        f"rule {sent.rule_id!r} was sent, and reads otherwise: {describe(now_content)} on {now_content.prefix!r}; "
        f"sent was {raw.decode()}"
    )
    if own:
        hint = "the store does not know all of it: set lifecycle.backend to what it is (docs/lifecycle.md)"
    else:
        hint = "another tool changed it at this moment, or the store did: compare, and put it back if need be"
    return IntegrityError(message, hint=hint)

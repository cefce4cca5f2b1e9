"""What a lake's wanted rules would change in its bucket, and whose rules there could hurt it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from imagelake.lifecycle.bucket_rules import NEEDS_RESTORE, PROTECTED, BucketPrefix, BucketRule, TargetRules, reaches
from imagelake.lifecycle.rules_document import Configuration, RuleContent, Stored, content_of, exchange

_AT_ONCE = ("STANDARD", "STANDARD_IA", "GLACIER_IR", "ONEZONE_IA", "REDUCED_REDUNDANCY")
_ACTIONS = {
    "Expiration": "expires",
    "NoncurrentVersionExpiration": "noncurrent versions expire",
    "NoncurrentVersionTransition": "noncurrent versions move",
    "AbortIncompleteMultipartUpload": "unfinished multipart uploads are aborted",
    "Transition": "moves",
}
_DAYS = ("Days", "NoncurrentDays", "DaysAfterInitiation")


@dataclass(frozen=True)
class RuleChange:
    """One of this lake's rules: what is to be done with it, what it does, what stands in its place now."""

    change: Literal["keep", "add", "change", "remove"]
    rule_id: str
    name: str
    prefix: str
    does: str
    now: str | None = None


@dataclass(frozen=True)
class Foreign:
    """A foreign rule, left unchanged. `harm`: what it does to this lake; `warning`: what it might do."""

    rule_id: str
    prefix: str
    does: str
    harm: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class RulesPlan:
    """The difference between the target rules and the bucket's rules."""

    changes: tuple[RuleChange, ...]
    foreign: tuple[Foreign, ...]

    @property
    def in_sync(self) -> bool:
        """Whether the bucket has exactly the wanted rules of this lake."""
        return all(change.change == "keep" for change in self.changes)

    @property
    def harms(self) -> tuple[Foreign, ...]:
        """The rules of others that would hurt this lake."""
        return tuple(rule for rule in self.foreign if rule.harm)


def compare(configuration: Configuration, target: TargetRules, lake_prefix: BucketPrefix) -> RulesPlan:
    """The plan from the bucket's rules of this lake to the target rules."""
    there = {
        rule.content.rule_id: rule.content for rule in configuration.rules if lake_prefix.owns(rule.content.rule_id)
    }
    changes = [_change(rule, there) for rule in target.rules]
    asked = {rule.rule_id for rule in target.rules}
    for rule_id, content in there.items():
        if rule_id not in asked:
            name = rule_id.split("-", 2)[2].rpartition("-")[0]
            changes.append(RuleChange("remove", rule_id, name, content.prefix, "nothing any more", describe(content)))
    others = [
        _judge(rule.content, lake_prefix) for rule in configuration.rules if not lake_prefix.owns(rule.content.rule_id)
    ]
    return RulesPlan(tuple(changes), tuple(others))


def merge(
    configuration: Configuration,
    new_rules: Sequence[BucketRule],
    lake_prefix: BucketPrefix,
    default_rule: bytes | None,
    carried: Sequence[bytes] = (),
) -> bytes | None:
    """The configuration with this lake's rules exchanged for the wanted; every other byte stays.

    The very same document when nothing differs. `carried`: rules of others that were there and must be again.
    """
    missing = {content_of(rule.xml()): rule.xml() for rule in new_rules}
    old: list[Stored] = []
    for rule in configuration.rules:
        if lake_prefix.owns(rule.content.rule_id) and missing.pop(rule.content, None) is None:
            old.append(rule)
    there = {rule.content for rule in configuration.rules}
    new = [*(raw for raw in carried if content_of(raw) not in there), *missing.values()]
    return exchange(configuration, old, new, default_rule) if old or new else configuration.data


def describe(content: RuleContent) -> str:
    """What a rule does, in words."""
    said = [_sentence(name, value) for name, value in content.actions]
    text = "; ".join(sorted(said)) or "does nothing"
    if content.narrowed:
        text += f" (only objects with {', '.join(sorted(_condition(c) for c in content.narrowed))})"
    return text if content.enabled else f"{text} (disabled)"


def _sentence(name: str, value: object) -> str:
    parts = {k: v for k, v in value if isinstance(v, str)} if isinstance(value, frozenset) else {}
    text = _ACTIONS.get(name, f"{name}, which imagelake does not know")
    if parts.get("ExpiredObjectDeleteMarker") == "true":
        return "delete markers without versions are removed"
    if "StorageClass" in parts:
        text += f" to {parts['StorageClass']}"
    days = next((parts[key] for key in _DAYS if key in parts), None)
    if days is not None:
        text += f" after {days} {'day' if days == '1' else 'days'}"
    return text + (f" on {parts['Date']}" if "Date" in parts else "")


def _condition(condition: object) -> str:
    name, value = condition if isinstance(condition, tuple) else (str(condition), "")
    if isinstance(value, frozenset):
        parts = dict(value)
        return f"{name} {parts.get('Key', '')}={parts.get('Value', '')}"
    return f"{name} {value}"


def _change(rule: BucketRule, there: dict[str, RuleContent]) -> RuleChange:
    content, now = content_of(rule.xml()), there.get(rule.rule_id)
    what: Literal["keep", "add", "change"] = "add" if now is None else "keep" if now == content else "change"
    before = describe(now) if now is not None and what == "change" else None
    if before is not None and now is not None and now.prefix != content.prefix:
        before = f"{now.prefix}: {before}"
    return RuleChange(what, rule.rule_id, rule.name, rule.prefix, describe(content), before)


def _judge(content: RuleContent, lake_prefix: BucketPrefix) -> Foreign:
    """Judge a foreign rule: harmless, harmful, or worth a warning."""
    hit = [(where, what) for where, what in PROTECTED if reaches(content.prefix, lake_prefix.root + where)]
    verdict = Foreign(content.rule_id, content.prefix, describe(content))
    loss, doubt = _loss(content), _doubt(content)
    waiting = reaches(content.prefix, f"{lake_prefix.root}landing/") and not content.prefix.startswith(
        f"{lake_prefix.root}landing/."
    )
    if hit and loss:
        where, what = hit[0]
        harm = f"it {loss} objects below {lake_prefix.root}{where}: {what}"
        if not content.enabled:
            return _warned(verdict, f"once enabled, {harm}")
        if any(isinstance(c, tuple) and c[0] == "Tag" for c in content.narrowed):
            return _warned(verdict, f"{harm}, if anybody tags them; imagelake never does")
        return Foreign(verdict.rule_id, verdict.prefix, verdict.does, harm=harm)
    if hit and doubt and content.enabled:
        return _warned(verdict, f"it {doubt} below {lake_prefix.root}{hit[0][0]}")
    if waiting and loss and content.enabled:
        return _warned(verdict, f"it {loss} objects below {lake_prefix.root}landing/, also uploads that still wait")
    return verdict


def _warned(verdict: Foreign, warning: str) -> Foreign:
    return Foreign(verdict.rule_id, verdict.prefix, verdict.does, warning=warning)


def _loss(content: RuleContent) -> str | None:
    """The predicate of a rule that makes objects unreadable, as "expires"; None for other rules."""
    if any("Days" in parts or "Date" in parts for parts in content.parts("Expiration")):
        return "expires"
    moved = {parts.get("StorageClass", "") for parts in content.parts("Transition")}
    archive = sorted(moved.intersection(NEEDS_RESTORE))
    return f"archives to {archive[0]}, which needs a restore," if archive else None


def _doubt(content: RuleContent) -> str | None:
    """The predicate of a rule that may make objects unreadable; None for other rules."""
    moved = {parts.get("StorageClass", "") for parts in content.parts("Transition")}
    unknown = sorted(moved.difference(_AT_ONCE))
    if unknown:
        return f"moves objects to {unknown[0]}, which may need a restore,"
    strange = sorted({name for name, _ in content.actions} - set(_ACTIONS))
    return f"says {strange[0]}, which imagelake does not know, of objects" if strange else None

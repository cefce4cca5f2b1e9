"""Which lifecycle rules a lake wants of its bucket, by what the bytes are. Pure: settings in, rules out.

A rule that expires or moves something never reaches what a published version is read from, and nothing is moved to a
class that needs a restore: such settings are refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from xml.sax.saxutils import escape

from imagelake.config.lifecycle_settings import ExtraRule, LifecycleSettings, TieringSettings
from imagelake.errors import ConfigError
from imagelake.lifecycle.backends import Backend
from imagelake.storage.base import TEMP_PREFIX
from imagelake.storage.blobs.local_writer import ARCHIVES

MOST_RULES = 1000
"""A bucket takes no more."""

EXTRA = "extra-"
"""What the names of the rules that the settings add begin with."""

PROTECTED = (
    ("tables/", "the tables, which read as broken once a file is gone"),
    ("imagelake.json", "the mark that makes this place a lake"),
    ("datasets/", "the settings of the datasets"),
    ("labels/", "the labels people have saved"),
    ("locks/", "the leases of the writers"),
    ("snapshots/", "the files of published versions"),
    ("blobs/", "the images of published versions"),
)
"""Places below the lake's root, and what is there; a rule reaches one whose prefix begins it, or begins with it."""

NEEDS_RESTORE = ("GLACIER", "DEEP_ARCHIVE")

_LANDING = "landing/"
_TEMPORARY = (("temporary-blobs", f"{ARCHIVES}/{TEMP_PREFIX}"), ("temporary-parts", "landing/.parts/"))
_REFUSED = dict.fromkeys(NEEDS_RESTORE, "its objects must be restored before they can be read") | {
    "INTELLIGENT_TIERING": "the bucket may let it archive, and archived objects must be restored before they are read",
    "ONEZONE_IA": "it keeps its objects in one zone only, and a lake has its bytes once",
    "REDUCED_REDUNDANCY": "it loses objects more often than STANDARD, and a lake has its bytes once",
}
_AT_ONCE = "a published version must stay readable at once: STANDARD_IA and GLACIER_IR do that"


@dataclass(frozen=True)
class BucketPrefix:
    """A lake's bucket and prefix, and its id."""

    bucket: str
    prefix: str
    lake_id: str

    @property
    def root(self) -> str:
        """What the keys of the lake begin with."""
        return f"{self.prefix}/" if self.prefix else ""

    @property
    def tag(self) -> str:
        """Ends the ids of its rules: a copy of a lake keeps its id, and two rules may not share theirs."""
        return hashlib.sha256(self.root.encode()).hexdigest()[:4]

    def rule_id(self, name: str) -> str:
        """The id of this lake's rule of that name."""
        return f"imagelake-{self.lake_id[:8]}-{name}-{self.tag}"

    def owns(self, rule_id: str) -> bool:
        """Whether a rule of that id is one of this lake at this place."""
        return rule_id.startswith(f"imagelake-{self.lake_id[:8]}-") and rule_id.endswith(f"-{self.tag}")


@dataclass(frozen=True)
class BucketRule:
    """A lifecycle rule of this lake: one action on the objects whose keys begin with `prefix`."""

    name: str
    rule_id: str
    prefix: str
    expire_days: int | None = None
    noncurrent_days: int | None = None
    abort_days: int | None = None
    storage_class: str | None = None
    after_days: int = 0
    min_bytes: int = 0

    def xml(self) -> bytes:
        """The rule as it is sent."""
        scope = f"<Prefix>{escape(self.prefix)}</Prefix>"
        if self.min_bytes:
            larger = f"<ObjectSizeGreaterThan>{self.min_bytes - 1}</ObjectSizeGreaterThan>"
            scope = f"<And>{scope}{larger}</And>"
        head = f"<ID>{escape(self.rule_id)}</ID><Filter>{scope}</Filter><Status>Enabled</Status>"
        return f"<Rule>{head}{self._action()}</Rule>".encode()

    def _action(self) -> str:
        if self.expire_days is not None:
            return f"<Expiration><Days>{self.expire_days}</Days></Expiration>"
        if self.noncurrent_days is not None:
            days = f"<NoncurrentDays>{self.noncurrent_days}</NoncurrentDays>"
            return f"<NoncurrentVersionExpiration>{days}</NoncurrentVersionExpiration>"
        if self.abort_days is not None:
            days = f"<DaysAfterInitiation>{self.abort_days}</DaysAfterInitiation>"
            return f"<AbortIncompleteMultipartUpload>{days}</AbortIncompleteMultipartUpload>"
        into = f"<StorageClass>{self.storage_class}</StorageClass>"
        return f"<Transition><Days>{self.after_days}</Days>{into}</Transition>"


@dataclass(frozen=True)
class LeftOut:
    """A rule, or a part of one, that this store cannot carry out."""

    rule: str
    reason: str


@dataclass(frozen=True)
class TargetRules:
    """The rules a lake sets on its bucket with this backend, and those the backend cannot carry out."""

    rules: tuple[BucketRule, ...]
    left_out: tuple[LeftOut, ...]


def reaches(prefix: str, place: str) -> bool:
    """Whether a rule for `prefix` may hit an object at, or below, a place: prefixes of rules know no folders."""
    return place.startswith(prefix) or prefix.startswith(place)


def target_rules(settings: LifecycleSettings, lake_prefix: BucketPrefix, backend: Backend) -> TargetRules:
    """The rules these settings ask for. ConfigError for what could hurt a published version."""
    rules = [*_expiring(settings, lake_prefix)]
    left_out: list[LeftOut] = []
    for extra in settings.rules:
        rules += _extra(extra, lake_prefix, backend, left_out)
    if settings.blobs_to is not None:
        rules += _tiering(settings.blobs_to, lake_prefix, backend, left_out)
    if settings.abort_multipart_days:
        rules.append(
            BucketRule(
                "abort", lake_prefix.rule_id("abort"), lake_prefix.root, abort_days=settings.abort_multipart_days
            )
        )
    if settings.undo_days and backend.noncurrent:
        rules.append(
            BucketRule("undo", lake_prefix.rule_id("undo"), lake_prefix.root, noncurrent_days=settings.undo_days)
        )
    elif settings.undo_days:
        left_out.append(LeftOut("undo", f"{backend.name} has no rule for noncurrent versions"))
    return TargetRules(tuple(rules), tuple(left_out))


def _expiring(settings: LifecycleSettings, lake_prefix: BucketPrefix) -> list[BucketRule]:
    """What the lake itself lets expire. An upload that waits lies elsewhere under landing/."""
    asked = [
        ("done", "landing/.done/", settings.done_days),
        ("rejected", "landing/.rejected/", settings.rejected_days),
        *((name, prefix, settings.temporary_days) for name, prefix in _TEMPORARY),
        ("access", "access/", settings.access_days),
        ("reports", "reports/", settings.reports_days),
    ]
    return [
        BucketRule(name, lake_prefix.rule_id(name), lake_prefix.root + prefix, expire_days=days)
        for name, prefix, days in asked
        if days
    ]


def _tiering(
    asked: TieringSettings, lake_prefix: BucketPrefix, backend: Backend, left_out: list[LeftOut]
) -> list[BucketRule]:
    check_class("lifecycle.blobs_to", asked.storage_class, asked.after_days, backend)
    targets = [("blobs", f"{ARCHIVES}/"), *([("loose-blobs", "blobs/obj/")] if asked.loose else [])]
    if backend.storage_class(asked.storage_class) is None:
        reason = f"{backend.name} has no rule that moves objects to {asked.storage_class}"
        left_out += [LeftOut(name, reason) for name, _ in targets]
        return []
    least = asked.min_bytes if backend.size_filter else 0
    if asked.min_bytes and not least:
        reason = f"{backend.name} has no filter by size: objects below {asked.min_bytes:,} bytes move too"
        left_out.append(LeftOut("blobs", reason))
    to, days = asked.storage_class, asked.after_days
    return [
        BucketRule(
            n, lake_prefix.rule_id(n), lake_prefix.root + prefix, storage_class=to, after_days=days, min_bytes=least
        )
        for n, prefix in targets
    ]


def _extra(asked: ExtraRule, lake_prefix: BucketPrefix, backend: Backend, left_out: list[LeftOut]) -> list[BucketRule]:
    where = f"lifecycle.rules: prefix {asked.prefix!r}"
    _check_prefix(where, asked.prefix)
    if (asked.storage_class is None) != (asked.after_days is None):
        raise ConfigError(f"{where}: storage_class and after_days belong together")
    if asked.expire_days is None and asked.storage_class is None:
        raise ConfigError(f"{where}: nothing is asked for", hint="expire_days, or storage_class and after_days")
    digest, full = hashlib.sha256(asked.prefix.encode()).hexdigest()[:8], lake_prefix.root + asked.prefix
    rules = []
    if asked.expire_days is not None:
        name = f"{EXTRA}{digest}"
        rules.append(BucketRule(name, lake_prefix.rule_id(name), full, expire_days=asked.expire_days))
    if asked.storage_class is not None and asked.after_days is not None:
        name, to = f"{EXTRA}move-{digest}", asked.storage_class
        check_class(where, to, asked.after_days, backend)
        if backend.storage_class(to):
            rules.append(
                BucketRule(name, lake_prefix.rule_id(name), full, storage_class=to, after_days=asked.after_days)
            )
        else:
            left_out.append(LeftOut(name, f"{backend.name} has no rule that moves objects to {to}"))
    return rules


def _check_prefix(where: str, prefix: str) -> None:
    if prefix.startswith("/"):
        raise ConfigError(f"{where} begins with a slash", hint="it is relative to the lake: exports/")
    hint = "name a folder of your own below the lake, such as exports/"
    for place, what in PROTECTED:
        if reaches(prefix, place):
            raise ConfigError(f"{where} reaches {place}: {what}", hint=hint)
    if reaches(prefix, _LANDING) and not prefix.startswith("landing/."):
        raise ConfigError(f"{where} reaches {_LANDING}: uploads that still wait", hint=hint)


def check_class(where: str, name: str, days: int, backend: Backend) -> None:
    """ConfigError for a storage class that is no place for a lake's bytes, or that takes no object that early."""
    reason = _REFUSED.get(name)
    if reason:
        raise ConfigError(f"{where}: {name} is refused: {reason}", hint=_AT_ONCE)
    if name not in ("STANDARD_IA", "GLACIER_IR"):
        raise ConfigError(f"{where}: storage_class {name} is not one that imagelake knows", hint=_AT_ONCE)
    tier = backend.storage_class(name)
    if tier and days < tier.min_days:
        raise ConfigError(
            f"{where}: after_days = {days}: {backend.name} moves objects to {name} after {tier.min_days} days or later"
        )

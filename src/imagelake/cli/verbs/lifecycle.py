"""`imagelake lifecycle plan|apply|verify`: the bucket's lifecycle rules, as the settings want them. No JVM."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from imagelake.cli.flags import load_settings
from imagelake.cli.shell import Shell, emit, progress
from imagelake.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from imagelake.config.settings import Settings
    from imagelake.lifecycle.backends import Backend
    from imagelake.lifecycle.bucket_rules import BucketPrefix, BucketRule, TargetRules
    from imagelake.lifecycle.estimate import Estimate
    from imagelake.lifecycle.rules_document import Configuration
    from imagelake.lifecycle.rules_plan import RulesPlan
    from imagelake.storage.s3.bucket_storage import S3Storage

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    help="The bucket's lifecycle rules: what expires, what moves to a cheaper class, and when.",
    epilog="plan and apply end with 0; verify with 0 when the bucket has the rules, and 1 when it has not.",
)

_NO_RULES = "this store has no lifecycle rules"


@dataclass(frozen=True)
class _Look:
    """A lake's bucket as it is now, and what the settings want of it."""

    storage: S3Storage
    settings: Settings
    place: BucketPrefix
    backend: Backend
    known_by: str
    supported: bool
    versioning: str
    current: Configuration
    target: TargetRules
    plan: RulesPlan


@app.command()
def plan(context: typer.Context) -> int:
    """What apply would change, what this store cannot do, and what each rule would find: objects, bytes, cost."""
    from imagelake.cli.render import lifecycle_tables
    from imagelake.runs.context import system_clock

    shell: Shell = context.obj
    with progress(shell) as tell:
        look = _look(shell)
        now = system_clock()
        estimates = {}
        for rule in look.target.rules if look.supported else ():
            tell(f"listing {rule.prefix}")
            estimates[rule.rule_id] = _estimate(look, rule, now)
    document = _document(look, estimates)
    emit(shell, document, lambda to: lifecycle_tables.plan(to, document))
    return 0


@app.command()
def apply(context: typer.Context) -> int:
    """Write the rules, keeping every rule that is not this lake's; a rule that would hurt a version is refused."""
    from imagelake.cli.render import lifecycle_tables
    from imagelake.lifecycle import apply_rules
    from imagelake.runs.context import system_clock

    shell: Shell = context.obj
    look = _look(shell)
    if not look.supported:
        hint = "delete what expires by other means: docs/lifecycle.md names the prefixes"
        raise ConfigError(f"{look.storage.root}: {_NO_RULES}", hint=hint)
    turns = apply_rules.Turns(look.settings.lease, system_clock, uuid.uuid4().hex)
    done = apply_rules.apply(look.storage, look.target, look.place, look.backend, turns)
    document = _document(look, {}) | {"written": done.written, "restored": list(done.restored), "in_sync": True}
    emit(shell, document, lambda to: lifecycle_tables.applied(to, document))
    return 0


@app.command()
def verify(context: typer.Context) -> int:
    """Whether the bucket has the rules that the settings want, and none that would hurt a version."""
    from imagelake.cli.render import lifecycle_tables

    shell: Shell = context.obj
    look = _look(shell)
    ok = look.supported and look.plan.in_sync and not look.plan.harms
    document = _document(look, {}) | {"ok": ok}
    emit(shell, document, lambda to: lifecycle_tables.verified(to, document))
    return 0 if ok else 1


def _look(shell: Shell) -> _Look:
    """Everything that is asked of the bucket, but for its objects."""
    from imagelake.lifecycle import bucket_rules, rules_in_bucket, rules_plan
    from imagelake.lifecycle.rules_document import Configuration
    from imagelake.storage.open_lake import open_lake
    from imagelake.storage.s3.bucket_storage import S3Storage
    from imagelake.storage.s3.client import NotSupported
    from imagelake.storage.uri import is_s3

    settings = load_settings(shell.flags)
    if not is_s3(settings.lake):
        raise UsageError(
            f"{settings.lake} is on a local disk, which has no lifecycle rules",
            hint="name a lake in a bucket: --lake s3://bucket/prefix",
        )
    lake = open_lake(settings.lake, settings.s3)
    storage = lake.storage
    assert isinstance(storage, S3Storage)
    backend, known_by = rules_in_bucket.detect(storage, settings.lifecycle.backend)
    place = bucket_rules.BucketPrefix(storage.bucket, storage.prefix, lake.lake_id)
    target = bucket_rules.target_rules(settings.lifecycle, place, backend)
    try:
        current, supported = rules_in_bucket.BucketRules(storage).read(), True
    except NotSupported:
        current, supported = Configuration(None), False
    state = rules_in_bucket.versioning(storage)
    compared = rules_plan.compare(current, target, place)
    return _Look(storage, settings, place, backend, known_by, supported, state, current, target, compared)


def _estimate(look: _Look, rule: BucketRule, now: datetime) -> Estimate | None:
    from imagelake.lifecycle import estimate as of

    if rule.noncurrent_days is not None and look.versioning == "Disabled":
        return of.Estimate(due_objects=None, due_bytes=None)
    prices = of.prices(look.settings.lifecycle.prices, look.backend)
    return of.estimate(look.storage, rule, look.backend, prices, now)


def _document(look: _Look, estimates: dict[str, Estimate | None]) -> dict[str, Any]:
    rules = []
    for change in look.plan.changes:
        estimate = estimates.get(change.rule_id)
        rules.append(asdict(change) | {"estimate": None if estimate is None else asdict(estimate)})
    left_out = [asdict(rule) for rule in look.target.left_out]
    if not look.supported:
        rules, left_out = [], [{"rule": rule.name, "reason": _NO_RULES} for rule in look.target.rules]
    return {
        "lake": look.storage.root,
        "lake_id": look.place.lake_id,
        "backend": {"name": look.backend.name, "known_by": look.known_by, "source": look.backend.source},
        "versioning": look.versioning,
        "in_sync": look.supported and look.plan.in_sync,
        "rules": rules,
        "left_out": left_out,
        "foreign": [asdict(rule) for rule in look.plan.foreign],
        "notes": list(_notes(look)),
    }


def _notes(look: _Look) -> Iterator[str]:
    """What the rules alone do not say."""
    if not look.place.root:
        yield "the lake is the whole bucket: unfinished uploads and noncurrent versions end everywhere in it"
    yield from _of_versions(look)
    for name in sorted({rule.storage_class for rule in look.target.rules if rule.storage_class}):
        storage_class = look.backend.storage_class(name)
        if storage_class and storage_class.billed_days:
            smallest = f" and {storage_class.billed_bytes >> 10} KiB an object" if storage_class.billed_bytes else ""
            reading = f"; reading it costs ${storage_class.read_price:g} a GiB" if storage_class.read_price else ""
            yield f"{name} is billed for at least {storage_class.billed_days} days{smallest}{reading}"
    for rule in look.current.rules:
        if rule.normalised != rule.raw:
            rule_id = rule.content.rule_id
            yield f"rule {rule_id!r} is sent with its prefix inside And: this store would lose it otherwise"
    if look.current.data is None and look.backend.default_rule:
        yield f"the default rule of {look.backend.name} is written along: a first configuration would end it"
    for rule in look.current.rules:
        own = rule.content.rule_id.startswith(f"imagelake-{look.place.lake_id[:8]}-")
        if own and not look.place.owns(rule.content.rule_id):
            yield f"rule {rule.content.rule_id!r} is this lake's at another place: a copy's, or left behind by a move"


def _of_versions(look: _Look) -> Iterator[str]:
    undo = next((rule.noncurrent_days for rule in look.target.rules if rule.noncurrent_days), None)
    if look.versioning == "Disabled":
        if undo:
            yield "the bucket keeps no noncurrent versions (versioning is off): what expires is gone at once"
    elif undo:
        yield f"versioning is {look.versioning}: the bytes of what expires are freed {undo} days later"
    else:
        yield f"versioning is {look.versioning}, no rule ends noncurrent versions: what expires is paid for on and on"

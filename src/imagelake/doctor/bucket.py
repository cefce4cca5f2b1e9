"""What `imagelake doctor` looks at in a bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

from imagelake.config.settings import Settings
from imagelake.doctor.check import Check
from imagelake.errors import ImagelakeError, NotFound
from imagelake.lifecycle.rules_in_bucket import BucketRules
from imagelake.storage import open_storage
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.capabilities import clock_skew, cors_rules, honours_conditions, unfinished
from imagelake.storage.s3.client import NotSupported, frozen_credentials, translated

_SKEW_WARNS, _SKEW_FAILS = 60.0, 900.0
_STALE = timedelta(hours=24)
_NAMED = 5
CORS_RULE = {
    "AllowedMethods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
    "AllowedOrigins": ["https://labels.example.com"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3600,
}
"""What a labelling tool in a browser needs; the origin is its own."""


def bucket_checks(settings: Settings) -> Iterator[Check]:
    """Credentials and endpoint, then what needs them: a check that cannot be made says so and ends the list."""
    storage = open_storage(settings.lake, settings.s3)
    assert isinstance(storage, S3Storage)
    try:
        for look in (_credentials, _endpoint, _clock):
            check = look(storage)
            yield check
            if not check.ok and look is not _clock:
                return
    except ImagelakeError as error:
        yield Check("bucket", False, error.message, error.hint)
        return
    tries: tuple[tuple[str, Callable[[S3Storage], Check]], ...] = (
        ("conditional put", _conditions),
        ("unfinished uploads", _unfinished),
        ("lifecycle", _lifecycle),
        ("cors", _cors),
    )
    for name, try_it in tries:
        try:
            yield try_it(storage)
        except NotSupported as error:
            yield Check(name, True, f"this store does not offer it: {error.message}")
        except ImagelakeError as error:
            yield Check(name, False, error.message, error.hint)


def _credentials(storage: S3Storage) -> Check:
    keys = frozen_credentials(storage.client)
    if keys is None:
        hint = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached"
        return Check("credentials", False, "there are none", hint)
    kind = "temporary, they expire" if keys.token else "permanent"
    return Check("credentials", True, f"access key {keys.access_key[:4]}…, {kind}")


def _endpoint(storage: S3Storage) -> Check:
    try:
        with translated("look at", storage.root):
            storage.client.head_bucket(Bucket=storage.bucket)
    except NotFound:
        hint = "create it, or correct the s3:// URI or s3.endpoint"
        return Check(
            "endpoint", False, f"there is no bucket {storage.bucket} at {storage.client.meta.endpoint_url}", hint
        )
    meta = storage.client.meta
    return Check("endpoint", True, f"{meta.endpoint_url}, region {meta.region_name}, bucket {storage.bucket}")


def _clock(storage: S3Storage) -> Check:
    skew = clock_skew(storage)
    message = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the store's"
    if abs(skew) < _SKEW_WARNS:
        return Check("clock", True, f"within {_SKEW_WARNS:.0f} s of the store's")
    fails = abs(skew) >= _SKEW_FAILS
    why = "requests are refused from 900 s on" if fails else "leases of other machines look expired too early or late"
    return Check("clock", False, f"{message}: {why}", "synchronise this machine's clock (chrony, systemd-timesyncd)")


def _conditions(storage: S3Storage) -> Check:
    """Also shows that objects can be written, read and deleted."""
    if honours_conditions(storage):
        return Check("conditional put", True, "If-None-Match is kept: any number of machines may write")
    message = "If-None-Match is ignored: two writers would overwrite each other's commits"
    if storage.settings.single_writer:
        return Check("conditional put", True, f"{message}; s3.single_writer is declared")
    return Check("conditional put", False, message, "use another store, or set s3.single_writer=true and keep to it")


def _unfinished(storage: S3Storage) -> Check:
    stale = [u for u in unfinished(storage) if u.begun < datetime.now(timezone.utc) - _STALE]
    if not stale:
        return Check("unfinished uploads", True, f"none older than {_STALE.total_seconds() / 3600:.0f} hours")
    named = ", ".join(f"{u.path} ({u.begun:%Y-%m-%d})" for u in stale[:_NAMED])
    more = f" and {len(stale) - _NAMED} more" if len(stale) > _NAMED else ""
    hint = "imagelake maintain --only uploads removes their parts; imagelake lifecycle apply does it by rule"
    return Check("unfinished uploads", True, f"{len(stale)}, whose parts are paid for: {named}{more}", hint)


def _lifecycle(storage: S3Storage) -> Check:
    configuration = BucketRules(storage).read()
    if configuration.data is None:
        hint = "imagelake lifecycle plan shows those that belong there"
        return Check("lifecycle", True, "the bucket has no rules", hint)
    message = f"the bucket has {len(configuration.rules)} rules"
    return Check("lifecycle", True, message, "imagelake lifecycle verify compares them")


def _cors(storage: S3Storage) -> Check:
    """Only a labelling tool in a browser needs a rule: to have none is no fault."""
    rules = cors_rules(storage)
    methods = {method for rule in rules for method in rule.get("AllowedMethods", ())}
    if {"GET", "PUT"} <= methods:
        return Check("cors", True, f"browsers may GET and PUT from {_origins(rules)}")
    rule = json.dumps({"CORSRules": [CORS_RULE]})
    return Check(
        "cors", True, "no rule lets a browser GET and PUT; a labelling tool needs one", f"put-bucket-cors {rule}"
    )


def _origins(rules: list[dict[str, list[str]]]) -> str:
    return ", ".join(sorted({origin for rule in rules for origin in rule.get("AllowedOrigins", ())}))

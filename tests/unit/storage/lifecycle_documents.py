"""Lifecycle configurations put together by hand, of a lake's own rules and of others'."""

from __future__ import annotations

from typing import Any

from imagelake.config.lifecycle_settings import LifecycleSettings
from imagelake.lifecycle.backends import BACKENDS
from imagelake.lifecycle.bucket_rules import BucketPrefix, target_rules
from imagelake.lifecycle.rules_document import Configuration

AWS = BACKENDS["aws"]
PLACE = BucketPrefix("bucket", "some/lake", "0123456789abcdef" * 2)
HEAD = b'<?xml version="1.0"?>\n<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
TAIL = b"</LifecycleConfiguration>\n"


def settings(**changed: Any) -> LifecycleSettings:
    return LifecycleSettings.model_validate(changed)


def foreign(rule_id: str, prefix: str, action: str, status: str = "Enabled") -> bytes:
    scope = f"<Filter><Prefix>{prefix}</Prefix></Filter>"
    return f"<Rule><ID>{rule_id}</ID>{scope}<Status>{status}</Status>{action}</Rule>".encode()


def document(*rules: bytes) -> Configuration:
    return Configuration(HEAD + b"\n  ".join(rules) + TAIL)


EXPIRES = "<Expiration><Days>3</Days></Expiration>"
ARCHIVES = "<Transition><Days>9</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>"
OWN = target_rules(settings(), PLACE, AWS).rules

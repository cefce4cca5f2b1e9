"""What a rule means, and how severe it is: by the catalogue, unless the settings of the dataset say otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping

from imagelake.quality.catalogue import BY_ID
from imagelake.report.scope import ReportScope

_UNKNOWN = "a rule that this program does not know"
_FLAGGING = "warn"
_NEVER_FLAGS = frozenset(("reject", "quarantine", "off"))


def meaning(rule: str) -> str:
    """What a breach of the rule means; in general words for a rule that the catalogue does not have."""
    return BY_ID[rule].doc if rule in BY_ID else _UNKNOWN


def overrides(scope: ReportScope) -> Mapping[str, str]:
    """Rule to the severity that the settings of the dataset give it."""
    return dict(json.loads(scope.settings).get("severities") or {})


def flag_severity(rule: str, chosen: Mapping[str, str]) -> str:
    """The severity of a rule whose flag is on an accepted row; `chosen` are the overrides."""
    severity = chosen.get(rule) or (BY_ID[rule].severity if rule in BY_ID else _FLAGGING)
    return _FLAGGING if severity in _NEVER_FLAGS else severity

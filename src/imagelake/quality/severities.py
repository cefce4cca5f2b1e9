"""What each rule does in a dataset: its default severity, unless the settings say otherwise."""

from __future__ import annotations

import difflib

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.errors import ConfigError
from imagelake.quality.catalogue import BY_ID, REFUSING, RULES, Rule


def severities(settings: DatasetSettings) -> dict[str, str]:
    """Severity by rule id, the dataset's overrides applied; ConfigError for an unknown rule or a wrong severity."""
    for rule_id, severity in settings.severities.items():
        _check_choice(rule_named("severities", rule_id), severity)
    effective: dict[str, str] = {rule.id: settings.severities.get(rule.id, rule.severity) for rule in RULES}
    if settings.unlisted_images == "reject":
        override = settings.severities.get("image.unlisted", "quarantine")
        if override not in REFUSING:
            raise ConfigError(
                f"severities: image.unlisted is {override}, and unlisted_images is reject",
                hint="remove one of the two settings",
            )
        effective["image.unlisted"] = override
    return effective


def rule_named(setting: str, rule_id: str) -> Rule:
    """The rule that a setting names; ConfigError with the nearest name when there is none."""
    rule = BY_ID.get(rule_id)
    if rule is None:
        near = difflib.get_close_matches(rule_id, BY_ID, n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/checks.md lists all rules"
        raise ConfigError(f"{setting}: unknown rule {rule_id}", hint=hint)
    return rule


def _check_choice(rule: Rule, severity: str) -> None:
    if severity in rule.choices:
        return
    if not rule.choices:
        raise ConfigError(f"severities: {rule.id} is always {rule.severity}: {rule.doc}")
    raise ConfigError(
        f"severities: {rule.id} cannot be {severity}: {rule.doc}", hint=f"it may be {', '.join(rule.choices)}"
    )

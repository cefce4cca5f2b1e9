"""What each rule does in a dataset: its default severity, unless the settings say otherwise."""

from __future__ import annotations

import difflib

from imagelake.dataset_settings import DatasetSettings
from imagelake.errors import ConfigError
from imagelake.quality.catalogue import BY_ID, RULES, Rule


def severities(settings: DatasetSettings) -> dict[str, str]:
    """Severity by rule id, the dataset's overrides applied; ConfigError for an unknown, fixed or contradicted rule."""
    for rule_id, severity in settings.severities.items():
        _check_overridable(rule_id)
        if BY_ID[rule_id].entity == "category" and severity == "reject":
            raise ConfigError(f"severities: {rule_id} is warn or off: a category goes with the labels that name it")
    effective = {rule.id: settings.severities.get(rule.id, rule.severity) for rule in RULES}
    if settings.unlisted_images == "reject":
        override = settings.severities.get("image.unlisted", "reject")
        if override != "reject":
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


def _check_overridable(rule_id: str) -> None:
    rule = rule_named("severities", rule_id)
    if rule.fixed:
        verb = "rejects" if rule.severity == "reject" else "warns"
        raise ConfigError(f"severities: {rule_id} always {verb}: {rule.doc}")

"""What is wrong with the settings of a dataset: keys and values, and what the catalogue of rules says of them."""

from __future__ import annotations

import math

from imagelake.config.dataset_settings import DatasetSettings, settings_path
from imagelake.config.settings import parse_yaml, problems
from imagelake.errors import ConfigError
from imagelake.quality.severities import rule_named, severities
from imagelake.storage.base import Storage


def check_settings(settings: DatasetSettings) -> None:
    """ConfigError for the first setting that is valid by its form and still wrong."""
    for problem in rule_problems(settings):
        raise problem


def rule_problems(settings: DatasetSettings) -> list[ConfigError]:
    """Severities and thresholds of rules that there are not or that cannot be so, and shares that are not a whole."""
    problems = []
    for rule, severity in settings.severities.items():
        one = settings.model_copy(update={"severities": {rule: severity}})
        try:
            severities(one)
        except ConfigError as problem:
            problems.append(problem)
    for rule in settings.gate.rules:
        try:
            rule_named("gate.rules", rule)
        except ConfigError as problem:
            problems.append(problem)
    total = math.fsum(settings.splits.fractions.values())
    if not math.isclose(total, 1, abs_tol=1e-6) or min(settings.splits.fractions.values(), default=0) < 0:
        shares = settings.splits.fractions
        problems.append(ConfigError(f"splits.fractions = {shares}: shares are 0 to 1 and sum to 1, not to {total:g}"))
    return problems


def dataset_problems(storage: Storage, dataset: str) -> list[ConfigError]:
    """Everything that is wrong with the settings a lake holds for a dataset; each names the file, key and value."""
    path = settings_path(dataset)
    try:
        document = parse_yaml(storage.read(path).decode("utf-8"), path)
    except UnicodeDecodeError as error:
        return [ConfigError(f"{path} is not UTF-8: {error}")]
    except ConfigError as problem:
        return [ConfigError(" ".join(problem.message.split()), hint=problem.hint)]
    if wrong := problems(DatasetSettings, document, path):
        return wrong
    of_rules = rule_problems(DatasetSettings.model_validate(document))
    return [ConfigError(f"{path}: {problem.message}", hint=problem.hint) for problem in of_rules]

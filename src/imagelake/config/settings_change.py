"""Changing the settings of a dataset: read, changed, checked, and written as one step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import yaml

from imagelake.config.dataset_settings import DatasetSettings, settings_path
from imagelake.config.settings import merge, override, parse_yaml, validate
from imagelake.errors import UsageError
from imagelake.storage.base import Storage

_COMMENT = re.compile(r"(^|\s)#")


@dataclass(frozen=True)
class SettingChange:
    """A setting by its dotted key, before and after."""

    key: str
    before: Any
    after: Any


def change_settings(
    storage: Storage, dataset: str, assignments: Sequence[str], check: Callable[[DatasetSettings], None]
) -> tuple[SettingChange, ...]:
    """Apply assignments such as `gate.min_images=10` under the caller's lease; what is different then, by key.

    Nothing is written when nothing is different. ConfigError names a wrong key or value, with the nearest key, and
    `check` raises it for what only the catalogue of rules knows; UsageError refuses a file with comments, which would
    be lost.
    """
    path = settings_path(dataset)
    text = storage.read(path).decode("utf-8") if storage.stat(path) is not None else ""
    document = parse_yaml(text, path)
    changed = document
    for assignment in assignments:
        changed = merge(changed, parse_assignment(assignment))
    before, after = validate(DatasetSettings, document, path), validate(DatasetSettings, changed, path)
    check(after)
    changes = tuple(_changes(before.model_dump(), after.model_dump()))
    if not changes:
        return ()
    if any(_COMMENT.search(line) for line in text.splitlines()):
        keys = ", ".join(change.key for change in changes)
        raise UsageError(f"{path} has comments, which this would remove", hint=f"edit {keys} in {storage.uri(path)}")
    storage.put(path, yaml.safe_dump(changed, sort_keys=False, allow_unicode=True).encode())
    return changes


def parse_assignment(text: str) -> dict[str, Any]:
    """`gate.min_images=10` as nested settings; a rule's id or a class name with dots stays one key.

    `severities.image.small=off` is {"severities": {"image.small": "off"}}. ConfigError for text of another form.
    """
    value: Any = override(text)
    parts = text.partition("=")[0].split(".")
    for part in parts:
        value = value[part]
    for part in reversed(_path(parts)):
        value = {part: value}
    return dict(value)


def _path(parts: list[str]) -> list[str]:
    """The parts of a dotted key, those that are one key of a mapping joined again."""
    model: Any = DatasetSettings
    for depth, part in enumerate(parts, 1):
        info = model.model_fields.get(part)
        kind: Any = info.annotation if info else None
        if get_origin(kind) is dict:
            head, rest, block = parts[:depth], parts[depth:], get_args(kind)[1]
            tail = rest[-1:] if rest[-1:] and rest[-1] in getattr(block, "model_fields", ()) else []
            name = rest[: len(rest) - len(tail)]
            return [*head, *([".".join(name)] if name else []), *tail]
        if not hasattr(kind, "model_fields"):
            break
        model = kind
    return parts


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[SettingChange]:
    changes = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(SettingChange(f"{prefix}{key}", old, new))
    return changes

"""`show D --settings`: the settings of a dataset in force, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.delta.tables import Tables
from imagelake.config.dataset_settings import DatasetSettings, load_dataset_settings, settings_path
from imagelake.config.settings import dotted_keys, parse_yaml
from imagelake.core.upload_paths import check_dataset_id
from imagelake.storage.base import Storage


@dataclass(frozen=True)
class Setting:
    """A setting by its dotted key; `source` is `set` where the lake's file names it, else `default`."""

    key: str
    value: Any
    default: Any
    source: str


@dataclass(frozen=True)
class SettingsList:
    """Every setting of a dataset, in the order of docs/operate.md; `path` is the file in the lake, None without one."""

    dataset: str
    path: str | None
    settings: tuple[Setting, ...]

    def as_json(self) -> dict[str, Any]:
        """{"dataset", "path", "settings": [{"key", "value", "default", "source"}]}."""
        return {"dataset": self.dataset, "path": self.path, "settings": [vars(s) for s in self.settings]}


def settings_list(tables: Tables, storage: Storage, dataset: str) -> SettingsList:
    """The settings in force; ConfigError when the file is wrong, NotFound without the file and without the dataset."""
    path = settings_path(check_dataset_id(dataset))
    exists = storage.stat(path) is not None
    if not exists:
        catalog.require_dataset(tables, dataset)
    settings = load_dataset_settings(storage, dataset)
    document = parse_yaml(storage.read(path).decode("utf-8"), path) if exists else {}
    return SettingsList(dataset, path if exists else None, tuple(_settings(settings, document)))


def _settings(settings: DatasetSettings, document: Mapping[str, Any]) -> Iterator[Setting]:
    values, defaults = settings.model_dump(), DatasetSettings().model_dump()
    for key in dotted_keys(DatasetSettings):
        parts = key.split(".")
        yield Setting(key, _at(values, parts), _at(defaults, parts), "set" if _has(document, parts) else "default")


def _at(values: Any, parts: list[str]) -> Any:
    for part in parts:
        values = values[part]
    return values


def _has(document: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(document, Mapping) or part not in document:
            return False
        document = document[part]
    return True

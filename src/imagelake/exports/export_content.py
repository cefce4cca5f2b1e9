"""What an export is made of, read from the lake."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.data.samples import Samples
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import live
from imagelake.client.sql_text import select
from imagelake.config.dataset_settings import DatasetSettings, load_dataset_settings
from imagelake.config.settings import validate
from imagelake.exports.base import About, Category, ExportContent
from imagelake.storage.base import Storage

_CATEGORY = ("name", "train_index", "supercategory", "source_id", "attributes")


def content_of(storage: Storage, samples: Samples) -> ExportContent:
    """The samples with the categories of their version or draft, and what the dataset says of itself."""
    tables = Tables(storage)
    return ExportContent(samples, _categories(tables, samples.target), _about(tables, storage, samples.target))


def _categories(tables: Tables, target: Target) -> tuple[Category, ...]:
    source = live(tables, target, "category", _CATEGORY)
    rows = tables.query(f"SELECT {select(_CATEGORY)} FROM {source} ORDER BY train_index NULLS LAST, name")
    return tuple(Category(**{**row, "attributes": _object(row["attributes"])}) for row in rows)


def _about(tables: Tables, storage: Storage, target: Target) -> About:
    version = target.version
    if version is None:
        settings, published = load_dataset_settings(storage, target.dataset), datetime.now(timezone.utc)
    else:
        details = catalog.details(tables, version, ("settings", "at"))
        settings = validate(DatasetSettings, _object(details["settings"]), version.name)
        published = details["at"]
    name = "draft" if version is None else f"{version.number}.{version.recipe}"
    return About(target.dataset, name, settings.title, settings.licence, tuple(settings.tags), published)


def _object(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}

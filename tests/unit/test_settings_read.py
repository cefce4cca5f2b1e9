"""Nothing is accepted that does nothing: each settings key is read by some line."""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.config.settings import Settings

SRC = Path(__file__).parents[2] / "src" / "imagelake"

PLANNED = {
    "DatasetSettings.title": "stored with each version, for the catalogue of datasets to show",
    "DatasetSettings.licence": "stored with each version, for the catalogue of datasets to show",
    "DatasetSettings.tags": "stored with each version, for the catalogue of datasets to show",
}
"""Keys that are kept for a reader to come, and why they are accepted today."""

NAMES = {
    "Settings": {"settings", "load", "load_settings"},
    "SparkSettings": {"spark"},
    "DeltaSettings": {"_settings"},
    "IngestSettings": {"settings", "ingest", "limits"},
    "PackSettings": {"pack"},
    "S3Settings": {"settings", "s3"},
    "LeaseSettings": {"settings", "lease"},
    "LogSettings": {"settings", "log"},
    "LifecycleSettings": {"settings", "lifecycle"},
    "TieringSettings": {"asked", "rule"},
    "ExtraRule": {"asked", "rule"},
    "PriceSettings": {"settings", "prices"},
    "DatasetSettings": {"settings", "load_dataset_settings"},
    "GateSettings": {"gate"},
    "StatisticsSettings": {"asked", "statistics"},
    "RuleThreshold": {"allowed"},
    "SplitSettings": {"splits"},
}
"""What the sources call such a block: `re.match` is not `settings.match`."""


def blocks(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and all settings blocks within it."""
    yield model
    for field in model.model_fields.values():
        for inner in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from blocks(inner)


MODELS = {model.__name__: model for top in (Settings, DatasetSettings) for model in blocks(top)}


@cache
def reads() -> frozenset[tuple[str, str]]:
    """Each attribute the sources read, with the last name of what they read it from."""
    trees = (ast.parse(file.read_text("utf-8")) for file in sorted(SRC.rglob("*.py")))
    attributes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return frozenset((last_name(node.value), node.attr) for node in attributes if isinstance(node.ctx, ast.Load))


def last_name(node: ast.expr) -> str:
    """`gate` of `ctx.settings.gate`, `load` of `load(flags)`."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def test_the_settings_blocks_are_those_that_exist() -> None:
    assert MODELS.keys() == NAMES.keys()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_settings_key_is_read_by_some_line(name: str) -> None:
    fields = MODELS[name].model_fields
    unread = {f"{name}.{key}" for key in fields if not any((block, key) in reads() for block in NAMES[name])}
    assert unread - PLANNED.keys() == set(), f"read from {sorted(NAMES[name])} by no line"


def test_what_is_said_to_be_unread_exists() -> None:
    keys = {f"{name}.{key}" for name, model in MODELS.items() for key in model.model_fields}
    assert keys >= PLANNED.keys()

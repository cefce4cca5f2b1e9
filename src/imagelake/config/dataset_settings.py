"""Settings of one dataset. They live in the lake as `datasets/<D>.yaml`, so that every machine publishes alike."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from imagelake.config.settings import Strict, parse_yaml, validate
from imagelake.errors import ConfigError
from imagelake.storage.base import Storage

Severity = Literal["reject", "quarantine", "warn", "info", "off"]


class RuleThreshold(Strict):
    """How many rows of a draft and its open rejections may break a rule, as a number or as a share of all rows."""

    max_count: int | None = Field(None, ge=0)
    max_share: float | None = Field(None, ge=0, le=1)


class GateSettings(Strict):
    """What a draft must fulfil to be published. None of a threshold: it is not asked."""

    max_rejected_share: float = Field(0.5, ge=0, le=1)
    max_rejected_images_share: float = Field(0.5, ge=0, le=1)
    max_rejected_annotations_share: float = Field(0.5, ge=0, le=1)
    max_rejected_upload_share: float = Field(0.5, ge=0, le=1)
    max_unannotated_images_share: float = Field(1.0, ge=0, le=1)
    max_new_classes: int | None = Field(None, ge=0)
    max_vanished_classes: int | None = Field(None, ge=0)
    min_images: int = Field(1, ge=0)
    rules: dict[str, RuleThreshold] = {}


class StatisticsSettings(Strict):
    """From where on a statistic of a draft breaks its rule (`dataset.…` in docs/checks.md)."""

    max_class_imbalance: float = Field(50.0, ge=1)
    min_class_annotations: int = Field(1, ge=0)
    max_split_shift: float = Field(0.1, ge=0, le=1)
    max_drift: float = Field(0.2, ge=0, le=1)
    max_size_outliers: int = Field(0, ge=0)
    max_crowded_images: int = Field(0, ge=0)
    max_odd_sizes: int = Field(0, ge=0)
    max_near_duplicates: int = Field(0, ge=0)
    compare_up_to: int = Field(200_000, ge=0)


class SplitSettings(Strict):
    """Split recipe 1: shares of what no upload has put into a split; sums to 1."""

    fractions: dict[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
    group_by: str | None = None
    stratify: bool = False
    seed: int = 0
    on_conflict: Literal["move", "refuse"] = "move"


class DatasetSettings(Strict):
    """Everything a dataset decides for itself; each version stores the settings it was made with."""

    title: str | None = None
    licence: str | None = None
    tags: list[str] = []
    publish: Literal["manual", "auto"] = "manual"
    severities: dict[str, Severity] = {}
    gate: GateSettings = GateSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    splits: SplitSettings = SplitSettings()
    classes: list[str] = []
    renames: dict[str, str] = {}
    match: Literal["exact", "name"] = "exact"
    unlisted_images: Literal["keep", "reject"] = "keep"
    yolo_space: Literal["upright", "raw"] = "upright"
    browse: bool = False
    storage: Literal["auto", "zip", "objects", "packages"] = "auto"
    report: bool = False


def settings_path(dataset: str) -> str:
    """Where a dataset's settings are, relative to the lake."""
    return f"datasets/{dataset}.yaml"


def load_dataset_settings(storage: Storage, dataset: str) -> DatasetSettings:
    """The dataset's settings; defaults where the lake holds none. ConfigError names a wrong key or value."""
    path = settings_path(dataset)
    if storage.stat(path) is None:
        return DatasetSettings()
    try:
        text = storage.read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error}") from None
    return validate(DatasetSettings, parse_yaml(text, path), path)

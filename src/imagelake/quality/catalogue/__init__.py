"""The one list of rules: every id imagelake can report, with its entity, severity and meaning. Needs no Spark.

`reject` refuses the whole upload, `quarantine` the row, which is then in silver.rejections; `warn` and `info` flag the
row, and `warn` is counted among the warnings of a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from imagelake.quality.catalogue.annotation_rules import ANNOTATIONS, CATEGORIES
from imagelake.quality.catalogue.dataset_rules import DATASETS
from imagelake.quality.catalogue.image_rules import IMAGES
from imagelake.quality.catalogue.rule import (
    BLURRY,
    BRIGHT,
    DARK,
    FAR,
    FLAGGING,
    LOW_INFORMATION,
    MIN_SIDE,
    ODD_ASPECT,
    OFF,
    REFUSING,
    Rule,
)
from imagelake.quality.catalogue.upload_rules import FILES, UPLOADS

__all__ = [
    "BLURRY",
    "BRIGHT",
    "BY_ID",
    "DARK",
    "FAR",
    "FLAGGING",
    "LOW_INFORMATION",
    "MIN_SIDE",
    "ODD_ASPECT",
    "OFF",
    "REFUSING",
    "RULES",
    "WAITING",
    "Rule",
]

RULES: tuple[Rule, ...] = (*UPLOADS, *FILES, *IMAGES, *ANNOTATIONS, *CATEGORIES, *DATASETS)

BY_ID: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in RULES})
"""What each rule does in a dataset: its default severity, unless the settings say otherwise."""

WAITING = ("image.file_missing", "annotation.image_unknown")
"""Rules whose rejections end by themselves: their records enter when the image arrives."""

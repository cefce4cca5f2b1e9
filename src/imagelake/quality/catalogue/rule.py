"""What a rule of the catalogue is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pyspark.sql import Column

Entity = Literal["upload", "file", "image", "annotation", "category", "dataset"]
Severity = Literal["reject", "quarantine", "warn", "info"]

REFUSING = ("reject", "quarantine")
"""Severities that keep a row out of the draft; `reject` its whole upload."""

FLAGGING = ("warn", "info")
"""Severities that let a row in with a flag; `warn` is counted among the warnings of a report too."""

OFF = "off"
"""What a dataset sets for a rule that it does not want to be asked."""

FAR = 10
"""Coordinates may lie outside the image by this many times its larger side before they are nonsense."""

MIN_SIDE = 10
"""Images with a shorter side are flagged: trainers of the YOLO family refuse them."""

DARK, BRIGHT = 0.32, 0.95
"""Brightness, 0 to 1, that the lightest pixels of a dark image stay below and the darkest of a bright one exceed."""

LOW_INFORMATION = 1.4
"""Bits of the grey levels: cleanvision's bound, less what it counts for having three equal channels (log2 3)."""

BLURRY = 0.3
"""Sharpness as a share of contrast: a Gaussian blur by 2 % of the longer side falls below it, photographs do not."""

ODD_ASPECT = 0.35
"""Shorter side as a share of the longer one."""


@dataclass(frozen=True)
class Rule:
    """A check: its id, what it judges, its default severity, the severities a dataset may set, what a breach means.

    `message` makes the column that is null for a good row and says what is wrong with a bad one: only the rules that
    Spark judges row by row have it (quality.rules), none in RULES.
    """

    id: str
    entity: Entity
    severity: Severity
    choices: tuple[str, ...]
    doc: str
    message: Callable[[], Column] | None = None


def refusals(entity: Entity, *entries: tuple[str, str]) -> tuple[Rule, ...]:
    """Rules on what cannot be let in: it is quarantined, or refuses its upload."""
    return tuple(Rule(rule_id, entity, "quarantine", REFUSING, doc) for rule_id, doc in entries)


def judgements(entity: Entity, severity: Severity, *entries: tuple[str, str]) -> tuple[Rule, ...]:
    """Rules whose severity is up to the dataset; only rows can be quarantined."""
    rows = entity in ("image", "annotation")
    choices = (*REFUSING, *FLAGGING, OFF) if rows else ("reject", *FLAGGING, OFF)
    return tuple(Rule(rule_id, entity, severity, choices, doc) for rule_id, doc in entries)


def statements(entity: Entity, severity: Severity, *entries: tuple[str, str]) -> tuple[Rule, ...]:
    """Rules that state what has happened: no setting changes it."""
    return tuple(Rule(rule_id, entity, severity, (), doc) for rule_id, doc in entries)

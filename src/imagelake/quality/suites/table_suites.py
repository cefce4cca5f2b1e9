"""The suite of each silver table: what its declaration, the rules and the dataset's settings say of stored rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.quality.catalogue import REFUSING
from imagelake.quality.severities import rule_named, severities
from imagelake.quality.suites import checks
from imagelake.quality.suites.expected import (
    Expected,
    Suite,
    always_null,
    between,
    columns,
    never_null,
    one_of,
    row_count,
    sum_at_most,
    unique,
)
from imagelake.tables import silver
from imagelake.tables.spec import TableSpec


def suite_name(table: str, dataset: str) -> str:
    """As users of Great Expectations find it: `silver.images.pets`."""
    return f"{table}.{dataset}"


def flag_column(rule: str) -> str:
    """The column that is 1 in a row that a rule flags or refuses."""
    return f"flagged_{rule.replace('.', '_')}"


def table_suite(spec: TableSpec, dataset: str, settings: DatasetSettings, rows: int, judged: int) -> Suite:
    """The suite of a table.

    rows: how many rows Delta's log counts in the table; judged: images, annotations and open rejections together, of
    which `gate.rules` allows shares. ConfigError for a severity that a rule does not take.
    """
    parts = (_shape(spec, rows), _values(spec), _rows(spec, settings), _thresholds(spec, settings, judged))
    return Suite(suite_name(spec.name, dataset), tuple(expected for part in parts for expected in part))


def _shape(spec: TableSpec, rows: int) -> Iterator[Expected]:
    """What every table has: the rows of its log, its columns, a key."""
    yield row_count(rows, rows, f"the log of {spec.name} counts {rows} rows, and others are read", spec.name)
    yield columns(spec.names, spec.name)
    for name in spec.key:
        yield never_null(name, spec.name)
    if rows:  # of no values the library finds no share to be unique
        yield unique(spec.key[-1], spec.name)


def _values(spec: TableSpec) -> Iterator[Expected]:
    """What a table's own columns hold."""
    if spec is silver.IMAGES:
        for side in ("width", "height", "length"):
            yield never_null(side, spec.name)
        yield between("width", 1, None, spec.name)
        yield between("height", 1, None, spec.name)
        yield between("orientation", 1, 8, spec.name)
        yield never_null("content_hash", spec.name)
    elif spec is silver.ANNOTATIONS:
        yield never_null("image_key", spec.name)
        yield never_null("kind", spec.name)
        yield one_of("kind", checks.KINDS, spec.name)
        yield one_of("box_space", checks.BOX_SPACES, spec.name)
    elif spec is silver.CATEGORIES:
        yield between("train_index", 0, None, spec.name)
        yield Expected(
            "expect_column_values_to_be_unique",
            {"column": "train_index"},
            "several categories have one train_index",
            spec.name,
        )
    else:
        yield one_of("entity", checks.ENTITIES, spec.name)
        yield never_null("rule", spec.name)
        yield never_null("message", spec.name)


def _rows(spec: TableSpec, settings: DatasetSettings) -> Iterator[Expected]:
    """No stored row breaks a rule that refuses, or what tables promise each other."""
    effective = severities(settings)
    for check in checks.rule_checks(spec.name):
        if effective[check.origin] in REFUSING:
            yield always_null(check.column, check.meaning, check.origin)
    for check in checks.RELATIONS.get(spec.name, ()):
        yield always_null(check.column, check.meaning, check.origin)


def _thresholds(spec: TableSpec, settings: DatasetSettings, judged: int) -> Iterator[Expected]:
    """The settings of the gate: images there must be, and rows that may break a rule."""
    gate = settings.gate
    if spec is silver.IMAGES:
        meaning = f"gate.min_images asks for {gate.min_images} images"
        yield row_count(gate.min_images, None, meaning, "gate.min_images")
    if not {"flags", "rule"} & set(spec.names):
        return
    for rule, allowed in sorted(gate.rules.items()):
        rule_named("gate.rules", rule)
        column = flag_column(rule)
        if allowed.max_count is not None:
            meaning = f"more rows break {rule} than gate.rules allows, {allowed.max_count}"
            yield sum_at_most(column, allowed.max_count, meaning, f"gate.rules.{rule}.max_count")
        if allowed.max_share is not None:
            most = math.floor(allowed.max_share * judged)
            meaning = f"more rows break {rule} than gate.rules allows, {allowed.max_share:.1%} of {judged}, {most}"
            yield sum_at_most(column, most, meaning, f"gate.rules.{rule}.max_share")

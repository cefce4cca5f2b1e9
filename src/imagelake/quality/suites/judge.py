"""Whole-table suites run on a dataset's silver: ours and its own, in one session, each result kept by the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.dataset_settings import DatasetSettings
from imagelake.quality import expectations
from imagelake.quality.gate import SuiteResult
from imagelake.quality.project import in_project
from imagelake.quality.suites.expected import Suite
from imagelake.quality.suites.frames import frames_of
from imagelake.quality.suites.own import OwnSuites
from imagelake.quality.suites.state import TABLES
from imagelake.quality.suites.tables import table_suite
from imagelake.tables import silver
from imagelake.tables.files import dataset_files


def judge_tables(
    ctx: Context, dataset: str, settings: DatasetSettings, own: OwnSuites
) -> tuple[tuple[SuiteResult, ...], tuple[str, ...]]:
    """What the suites of a dataset's silver tables find, and notices; results go to Data Docs.

    The caller holds the dataset's lease, so that the tables are of one build. ConfigError for a suite or a severity
    that is none.
    """
    frames = frames_of(ctx.tables, dataset, settings)
    judged = _judged(dataset, settings, frames, _logged_rows(ctx, dataset), own)
    return in_project(ctx.storage, dataset, partial(expectations.check_tables, judged=judged))


def _judged(
    dataset: str,
    settings: DatasetSettings,
    frames: Mapping[str, DataFrame],
    rows: Mapping[str, int],
    own: OwnSuites,
) -> Sequence[tuple[Suite, DataFrame]]:
    open_rejections = frames[silver.REJECTIONS.name].where(F.col("closed_at").isNull()).count()
    total = rows[silver.IMAGES.name] + rows[silver.ANNOTATIONS.name] + open_rejections
    ours = [(table_suite(spec, dataset, settings, rows[spec.name], total), frames[spec.name]) for spec in TABLES]
    theirs = [(suite, frames[spec.name]) for spec in TABLES for suite in own.of(spec.name)]
    return [*ours, *theirs]


def _logged_rows(ctx: Context, dataset: str) -> dict[str, int]:
    """Rows of the dataset by Delta's log; counted where the log does not say."""
    rows = {}
    for spec in TABLES:
        files = dataset_files(ctx.storage, spec).get(dataset)
        logged = 0 if files is None else files.rows
        rows[spec.name] = ctx.tables.read(spec, dataset).count() if logged is None else logged
    return rows

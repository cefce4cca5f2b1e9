"""Whole-table suites run on a dataset's silver: ours and its own, in one session, each result kept by the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings, load_dataset_settings
from imagelake.quality.expectations import validate
from imagelake.quality.expectations.project import in_project
from imagelake.quality.gate import SuiteResult
from imagelake.quality.suites.expected import Suite
from imagelake.quality.suites.own import OwnSuites, own_suites
from imagelake.quality.suites.state import TABLES, silver_states
from imagelake.quality.suites.suite_frames import frames_of
from imagelake.quality.suites.table_suites import table_suite
from imagelake.runs.context import Context
from imagelake.tables import silver
from imagelake.tables.delta.active_files import dataset_files


@dataclass(frozen=True)
class Judged:
    """What the suites of a dataset's tables found, the state they were run on (`silver_states`), and notices."""

    state: str
    suites: tuple[SuiteResult, ...]
    notices: tuple[str, ...]


def judge_tables(ctx: Context, dataset: str) -> Judged:
    """Run the suites of a dataset's silver tables, ours and its own; results go to Data Docs.

    The caller holds the dataset's lease, so that the tables are of one build. ConfigError for a suite, a setting or a
    severity that is none.
    """
    state = silver_states(ctx.storage, [dataset])[dataset]
    settings, own = load_dataset_settings(ctx.storage, dataset), own_suites(ctx.storage, dataset)
    frames = frames_of(ctx.tables, dataset, settings)
    judged = _judged(dataset, settings, frames, _logged_rows(ctx, dataset), own)
    suites, notices = in_project(ctx.storage, dataset, partial(validate.check_tables, judged=judged))
    return Judged(state, suites, notices)


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

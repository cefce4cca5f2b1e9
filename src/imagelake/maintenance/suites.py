"""The nightly judgement of whole tables: dataset by dataset, one that fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from imagelake.errors import Conflict, GateFailed, ImagelakeError
from imagelake.quality.record import judgement_rows
from imagelake.quality.suites.judge import Judged, judge_tables
from imagelake.runs.context import Context, RunReport
from imagelake.runs.writer import writing
from imagelake.tables import ops
from imagelake.tables.build_rows import half_built

log = logging.getLogger(__name__)


def judge_datasets(ctx: Context, datasets: Sequence[str]) -> tuple[RunReport, ...]:
    """Run the suites of each dataset's silver tables and keep the results in ops.quality; a report a dataset.

    Its status is passed, refused (exit code 4) or failed.
    """
    return tuple(_reported(ctx, dataset) for dataset in datasets)


def _reported(ctx: Context, dataset: str) -> RunReport:
    ctx.progress(f"judging the tables of {dataset}")
    try:
        return _judge(ctx, dataset)
    except ImagelakeError as error:
        log.warning("%s: %s", dataset, error.message)
        return RunReport(dataset, "failed", problem=error.message, hint=error.hint, exit_code=error.exit_code)
    except Exception as error:
        log.exception("%s", dataset)  # whatever it is, the other datasets must not wait for it
        problem = f"{type(error).__name__}: {error}"
        return RunReport(dataset, "failed", problem=problem, exit_code=ImagelakeError.exit_code)


def _judge(ctx: Context, dataset: str) -> RunReport:
    with writing(ctx, dataset):
        if half_built(ctx.tables, dataset):
            raise Conflict(f"the draft of {dataset} is half-built", hint=f"imagelake build {dataset}")
        tables = judge_tables(ctx, dataset)
        _keep(ctx, dataset, tables)
    problems = [problem for suite in tables.suites for problem in suite.problems]
    if not problems:
        return RunReport(dataset, "passed", notices=tables.notices)
    return RunReport(
        dataset, "refused", problem="; ".join(problems), notices=tables.notices, exit_code=GateFailed.exit_code
    )


def _keep(ctx: Context, dataset: str, tables: Judged) -> None:
    same = {
        "dataset": dataset,
        "run_id": ctx.run_id,
        "verdict": "refused" if any(suite.problems for suite in tables.suites) else "passed",
        "at": ctx.clock(),
        "judged": tables.state,
    }
    ctx.tables.append_rows(ops.QUALITY, judgement_rows(same, (), tables.suites))

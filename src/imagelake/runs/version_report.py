"""The page about a version that publishing leaves in the lake, where the dataset's settings say `report: true`."""

from __future__ import annotations

import logging
from dataclasses import replace

from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.errors import ImagelakeError
from imagelake.runs.context import Context, RunReport

log = logging.getLogger(__name__)


def report_path(version: str) -> str:
    """Where the page of a version lies in the lake: `pets@v3.2` is `reports/pets/v3.2.html`."""
    dataset, _, number = version.partition("@")
    return f"reports/{dataset}/{number}.html"


def with_report(ctx: Context, run: RunReport) -> RunReport:
    """The run's report with `report_path`, where the settings ask for a page; a version that has one keeps it.

    The version is published already, whatever happens here: a page that cannot be made is a notice.
    """
    if run.version is None:
        return run
    try:
        path = _written(ctx, run.version, is_new=run.published)
    except ImagelakeError as error:
        return _without(run, error.message)
    except Exception as error:
        log.exception("the report of %s was not written", run.version)  # whatever it is, the version stands
        return _without(run, f"{type(error).__name__}: {error}")
    return replace(run, report_path=path)


def _without(run: RunReport, reason: str) -> RunReport:
    notice = f"the report of {run.version} was not written: {reason}; imagelake report {run.version} makes one"
    return replace(run, notices=(*run.notices, notice))


def _written(ctx: Context, version: str, *, is_new: bool) -> str | None:
    """The path of a version's page, which is there now; None where no page is asked for."""
    if not load_dataset_settings(ctx.storage, version.partition("@")[0]).report:
        return None
    path = report_path(version)
    if is_new or ctx.storage.stat(path) is None:
        from imagelake.client.delta.tables import Tables
        from imagelake.report import build_report

        ctx.progress(f"drawing the report of {version}")
        ctx.storage.put(path, build_report.report(Tables(ctx.storage), ctx.storage, version).bytes)
        ctx.reached("report:written")
    return path

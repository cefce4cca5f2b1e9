"""The verb maintain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from imagelake.cli.flags import lake_of
from imagelake.cli.reports import exit_code, worst
from imagelake.cli.shell import Shell, complain, emit, progress
from imagelake.cli.text import safe
from imagelake.cli.write import perform
from imagelake.errors import ConfigError, GateFailed

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.context import RunReport
    from imagelake.maintenance.unjudged import Due
    from imagelake.storage.base import Storage

_LABELS = {"uploads": "unfinished uploads", "files": "temporary files", "locks": "leases of killed runs"}


def maintain(
    context: typer.Context,
    only: Annotated[
        Literal["uploads", "locks", "suites"] | None,
        typer.Option(
            "--only",
            help="uploads: unfinished uploads in parts, and files that never got their name. locks: leases of runs. "
            "suites: judge the tables of datasets that changed.",
        ),
    ] = None,
) -> int:
    """Keep the lake in order: remove what killed runs left behind, once it is a day old or the run has surely ended.
    Then judge the whole tables of every draft that has changed since, which starts Java; 4 when one is refused.
    """
    from imagelake.storage.lake import open_lake

    storage = open_lake(*lake_of(context.obj.flags)).storage
    removed = _remove(storage, only)
    document: dict[str, Any] = {"only": only, **removed}
    judgements: list[dict[str, Any]] = []
    if only in (None, "suites"):
        judgements = _judge(context.obj, storage)
        document["suites"] = judgements
    emit(context.obj, document, lambda to: _show(to, removed, judgements))
    return worst([judgement["exit_code"] for judgement in judgements])


def _remove(storage: Storage, only: str | None) -> dict[str, Any]:
    """What was removed, as paths by kind."""
    from imagelake.context import system_clock
    from imagelake.maintenance.leftovers import remove_leftovers, remove_run_locks

    removed: dict[str, Any] = {}
    if only in (None, "uploads"):
        removed |= remove_leftovers(storage, system_clock).as_json()
    if only in (None, "locks"):
        removed["locks"] = list(remove_run_locks(storage, system_clock))
    return removed


def _judge(shell: Shell, storage: Storage) -> list[dict[str, Any]]:
    """A judgement a dataset: those that are due now, of the others what was said when they were judged last."""
    from imagelake.maintenance.unjudged import due

    work = due(storage)
    reports = _run(shell, work.datasets) if work.datasets else ()
    new = [_judgement(r.dataset, r.status, exit_code(r), [r.problem] if r.problem else [], r.notices) for r in reports]
    return sorted((*new, *_said_before(work)), key=lambda judgement: str(judgement["dataset"]))


def _run(shell: Shell, datasets: Sequence[str]) -> tuple[RunReport, ...]:
    try:
        from imagelake.maintenance.suites import judge_datasets
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"{len(datasets)} datasets are to be judged, and {missing.name} is not installed",
            hint='pip install "imagelake[spark]", or name what else is to be done with --only',
        ) from None
    with progress(shell) as tell:
        return perform(shell, "maintain", None, tell, lambda ctx: judge_datasets(ctx, datasets))


def _said_before(work: Due) -> list[dict[str, Any]]:
    """Judgements of datasets that have not changed: one that was refused stays refused."""
    judgements = []
    for dataset, last in work.unchanged.items():
        refused = bool(last.problems)
        notice = f"unchanged since it was judged at {last.at:%Y-%m-%d %H:%M} UTC"
        code = GateFailed.exit_code if refused else 0
        judgements.append(_judgement(dataset, "refused" if refused else "passed", code, last.problems, (notice,)))
    return judgements


def _judgement(
    dataset: str, verdict: str, code: int, problems: Sequence[str], notices: Sequence[str]
) -> dict[str, Any]:
    said = {"problems": list(problems), "notices": list(notices)}
    return {"dataset": dataset, "verdict": verdict, "exit_code": code, **said}


def _show(to: Console, removed: Mapping[str, Any], judgements: Sequence[Mapping[str, Any]]) -> None:
    for kind, paths in removed.items():
        to.print(f"{_LABELS[kind]} removed: {len(paths):,}")
        for path in paths:
            to.print(f"  {safe(path)}", soft_wrap=True)
    for judgement in judgements:
        to.print(f"tables of {judgement['dataset']}: {judgement['verdict']}", soft_wrap=True)
        for problem in judgement["problems"]:
            complain(problem, None)
        for notice in judgement["notices"]:
            to.print(f"  {safe(notice)}", soft_wrap=True)

"""The verb maintain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagelake.cli.flags import lake_of, load_settings
from imagelake.cli.plain import safe
from imagelake.cli.render.lifecycle_tables import size
from imagelake.cli.render.reports import exit_code, worst
from imagelake.cli.shell import Shell, complain, emit, progress
from imagelake.cli.verbs import packing
from imagelake.cli.verbs.write import perform, spark_for
from imagelake.errors import GateFailed, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.maintenance.compaction import Compaction
    from imagelake.maintenance.partitions import CrowdedPartition
    from imagelake.maintenance.unjudged import Due
    from imagelake.runs.context import Context, RunReport
    from imagelake.storage.base import Storage

_KINDS = ("uploads", "locks", "landing", "pack", "gc", "optimize", "vacuum", "suites")
_LABELS = {
    "uploads": "unfinished uploads",
    "files": "temporary files",
    "locks": "leases of killed runs",
    "landing": "expired uploads of landing/.done and landing/.rejected",
}
_TABLE_WORK = {
    "optimize": ("compacted", "nothing to compact: no table has many small files"),
    "vacuum": ("vacuumed", "nothing to vacuum: no table has unused files older than delta.deleted_file_retention"),
}


def maintain(
    context: typer.Context,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="KIND,…",
            help="uploads: unfinished uploads in parts, and files that never got their name. locks: leases of runs. "
            "landing: uploads that were taken or refused, after lifecycle.done_days and rejected_days; on a disk only. "
            "pack: images into packages, where it is worth it. gc: objects whose bytes lie elsewhere now. "
            "optimize: many small files of a table into few. vacuum: files that no table uses, once "
            "delta.deleted_file_retention has passed. suites: judge the tables of datasets that changed.",
        ),
    ] = None,
) -> int:
    """Keep the lake in order and its tables fast: remove what killed runs left behind, once it is a day old or the run
    has surely ended; compact tables that have many small files, and remove files that no table uses any more.
    Then judge the whole tables of every draft that has changed since; 4 when one is refused. Compacting and judging
    start Java, and only where there is something to do.
    """
    from imagelake.storage.open_lake import open_lake

    kinds = parse_kinds(only)
    storage = open_lake(*lake_of(context.obj.flags)).storage
    removed = _remove(context.obj, storage, kinds)
    document: dict[str, Any] = {"only": only, **removed}
    tables = {
        kind: work(context.obj, storage)
        for kind, work in (("optimize", _compact), ("vacuum", _vacuum))
        if kind in kinds
    }
    document |= tables
    if "pack" in kinds:
        document["packed"] = packing.pack(context.obj, storage)
    if "gc" in kinds:
        document["collected"] = packing.collect(context.obj, storage)
    judgements: list[dict[str, Any]] = []
    if "suites" in kinds:
        judgements = _judge(context.obj, storage)
        document["suites"] = judgements
    emit(context.obj, document, lambda to: _show(to, removed, document, tables, judgements))
    return worst([judgement["exit_code"] for judgement in judgements])


def parse_kinds(only: str | None) -> tuple[str, ...]:
    """The kinds of work that --only names, separated by commas; all of them for None. UsageError names a wrong one."""
    if only is None:
        return _KINDS
    kinds = tuple(kind.strip() for kind in only.split(","))
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(
                f"--only {only!r}: {kind!r} is no kind of maintenance", hint=f"kinds are {', '.join(_KINDS)}"
            )
    return kinds


def _remove(shell: Shell, storage: Storage, kinds: Sequence[str]) -> dict[str, Any]:
    """What was removed, as paths by kind."""
    from imagelake.maintenance.landing_expiry import remove_expired
    from imagelake.maintenance.leftovers import remove_leftovers, remove_run_locks
    from imagelake.runs.context import system_clock

    removed: dict[str, Any] = {}
    if "uploads" in kinds:
        removed |= remove_leftovers(storage, system_clock).as_json()
    if "locks" in kinds:
        removed["locks"] = list(remove_run_locks(storage, system_clock))
    if "landing" in kinds:
        removed["landing"] = list(remove_expired(storage, load_settings(shell.flags).lifecycle, system_clock))
    return removed


def _compact(shell: Shell, storage: Storage) -> dict[str, Any]:
    """The tables that were compacted, and notices on partitions that were skipped."""
    from imagelake.maintenance.partitions import survey_tables

    survey = survey_tables(storage)
    if not survey.crowded:
        return {"tables": [], "notices": []}
    compaction = _run_compaction(shell, survey.crowded)
    return {
        "tables": [table.as_json() for table in compaction.tables(survey)],
        "notices": list(compaction.notices),
    }


def _run_compaction(shell: Shell, crowded: Sequence[CrowdedPartition]) -> Compaction:
    with spark_for(f"{len(crowded)} partitions of tables are to be compacted"):
        from imagelake.maintenance.compaction import compact_tables
    compactions: list[Compaction] = []

    def work(ctx: Context) -> Sequence[RunReport]:
        compactions.append(compact_tables(ctx, crowded))
        return compactions[0].reports()

    with progress(shell) as tell:
        perform(shell, "maintain", None, tell, work)
    return compactions[0]


def _vacuum(shell: Shell, storage: Storage) -> dict[str, Any]:
    """The tables that lost files, and notices on tables that were skipped."""
    from imagelake.maintenance.vacuum import parse_retention, vacuum_tables
    from imagelake.runs.context import system_clock

    retention = parse_retention(load_settings(shell.flags).delta.deleted_file_retention)
    vacuum = vacuum_tables(storage, retention, system_clock)
    return {"tables": [table.as_json() for table in vacuum.tables], "notices": list(vacuum.notices)}


def _judge(shell: Shell, storage: Storage) -> list[dict[str, Any]]:
    """A judgement a dataset: those that are due now, of the others what was said when they were judged last."""
    from imagelake.maintenance.unjudged import due

    work = due(storage)
    reports = _run_suites(shell, work.datasets) if work.datasets else ()
    new = [_judgement(r.dataset, r.status, exit_code(r), [r.problem] if r.problem else [], r.notices) for r in reports]
    return sorted((*new, *_said_before(work)), key=lambda judgement: str(judgement["dataset"]))


def _run_suites(shell: Shell, datasets: Sequence[str]) -> tuple[RunReport, ...]:
    with spark_for(f"{len(datasets)} datasets are to be judged"):
        from imagelake.maintenance.suites import judge_datasets
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


def _show(
    to: Console,
    removed: Mapping[str, Any],
    document: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]],
    judgements: Sequence[Mapping[str, Any]],
) -> None:
    for kind, paths in removed.items():
        to.print(f"{_LABELS[kind]} removed: {len(paths):,}")
        for path in paths:
            to.print(f"  {safe(path)}", soft_wrap=True)
    packing.show(to, document)
    for kind, work in tables.items():
        _show_tables(to, kind, work)
    for judgement in judgements:
        to.print(f"tables of {judgement['dataset']}: {judgement['verdict']}", soft_wrap=True)
        for problem in judgement["problems"]:
            complain(problem, None)
        for notice in judgement["notices"]:
            to.print(f"  {safe(notice)}", soft_wrap=True)


def _show_tables(to: Console, kind: str, work: Mapping[str, Any]) -> None:
    done, nothing = _TABLE_WORK[kind]
    if not (work["tables"] or work["notices"]):
        to.print(nothing, soft_wrap=True)
    for row in work["tables"]:
        files = f"{row['files_before']:,} files of {size(row['bytes_before'])}"
        after = f"{row['files_after']:,} files of {size(row['bytes_after'])}"
        to.print(f"{done} {row['table']}: {files}, now {after}", soft_wrap=True)
    for notice in work["notices"]:
        to.print(f"  {safe(notice)}", soft_wrap=True)

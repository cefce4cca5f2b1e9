"""The verb gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagelake.cli import options
from imagelake.cli.flags import command, lake_of
from imagelake.cli.plain import safe
from imagelake.cli.shell import Shell, complain, emit, progress
from imagelake.cli.verbs.write import perform
from imagelake.errors import GateFailed, NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.quality.gate import Verdict
    from imagelake.runs.context import Context, RunReport


def gate(
    context: typer.Context,
    dataset: options.Dataset,
    full: Annotated[
        bool, typer.Option("--full", help="Run the suites of whole tables on Spark too: every row of silver.")
    ] = False,
) -> int:
    """Judge the draft as publish would, and publish nothing: measures, thresholds, suites. 4 when it is refused."""
    from imagelake.runs import pipeline

    verdicts: list[Verdict] = []

    def work(ctx: Context) -> list[RunReport]:
        verdicts.append(pipeline.gate_draft(ctx, dataset, full=full))
        return [_report(dataset, verdicts[0])]

    with progress(context.obj) as tell:
        (report,) = perform(context.obj, "gate", dataset, tell, work)
    document = _document(dataset, verdicts[0], full)
    emit(context.obj, document, lambda to: _show(to, context.obj, document))
    return report.exit_code


def _report(dataset: str, verdict: Verdict) -> RunReport:
    from imagelake.runs.context import RunReport

    if verdict.passed:
        return RunReport(dataset, "passed", notices=verdict.notices)
    problem = "; ".join(verdict.problems)
    return RunReport(dataset, "refused", problem=problem, notices=verdict.notices, exit_code=GateFailed.exit_code)


def _document(dataset: str, verdict: Verdict, full: bool) -> dict[str, Any]:
    from imagelake.quality.expectations.project import docs_path
    from imagelake.quality.record import threshold_row

    suites = [{"suite": s.suite, "expectations": s.expectations, "problems": list(s.problems)} for s in verdict.suites]
    return {
        "dataset": dataset,
        "verdict": verdict.word,
        "full": full,
        "measures": [threshold_row(threshold) for threshold in verdict.thresholds],
        "suites": suites,
        "problems": list(verdict.problems),
        "notices": [*verdict.notices, *verdict.warned],
        "docs": docs_path(dataset),
    }


def _show(to: Console, shell: Shell, document: Mapping[str, Any]) -> None:
    from imagelake.cli.render.grid import grid

    kind = "measures and whole tables" if document["full"] else "measures"
    to.print(f"{document['dataset']}: {document['verdict']}, by {kind}", style="bold")
    rows = [row | {"allowed": _allowed(row), "holds": bool(row["holds"])} for row in document["measures"]]
    grid(to, rows, ("measure", "value", "allowed", "setting", "severity", "holds"), drop=("severity", "setting"))
    suites = [suite | {"broken": len(suite["problems"])} for suite in document["suites"]]
    grid(to, suites, ("suite", "expectations", "broken"))
    for problem in document["problems"]:
        complain(problem, None)
    for notice in document["notices"]:
        to.print(f"  {safe(notice)}", soft_wrap=True)
    to.print(f"  Data Docs, in the lake: {document['docs']}", soft_wrap=True)
    for line in _after(shell, document):
        to.print(f"  next: {command(shell.flags, line)}", soft_wrap=True)


def _after(shell: Shell, document: Mapping[str, Any]) -> tuple[str, ...]:
    """What to do about a draft that is refused; publish for another one, where that would make a version."""
    from imagelake.client.delta.tables import Tables
    from imagelake.client.inspect.listing import draft_differs
    from imagelake.storage.open_lake import open_lake

    dataset = document["dataset"]
    if document["verdict"] == "refused":
        return (f"rejections {dataset}", f"report {dataset}@draft")
    try:
        tables = Tables(open_lake(*lake_of(shell.flags)).storage)
    except NotFound:
        return ()
    return (f"publish {dataset}",) if draft_differs(tables, dataset) else ()


def _allowed(row: Mapping[str, Any]) -> str:
    least = [] if row["least"] is None else [f"at least {row['least']:g}"]
    most = [] if row["most"] is None else [f"at most {row['most']:g}"]
    return " and ".join([*least, *most])

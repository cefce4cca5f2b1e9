"""The verb demo: the steps of demo/script.py, shown as they are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagelake.cli.flags import command
from imagelake.cli.plain import safe
from imagelake.cli.render import answers, reports
from imagelake.cli.shell import Progress, Shell, console, progress, write_json
from imagelake.cli.verbs.write import perform
from imagelake.errors import NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.demo.script import Step
    from imagelake.runs.context import Context, RunReport

_EXAMPLE = "select image_key, width, height from images limit 5"
_FEW = 6
_PAYLOAD = 240
_RARE_FIRST = ("changed", "renamed", "moved", "removed", "added")


def _diff(to: Console, document: Mapping[str, Any]) -> None:
    """The counts and a few rows, changes before what merely came."""
    answers.diff_counts(to, document)
    rows = sorted(document["rows"], key=lambda row: (_RARE_FIRST.index(row["change"]), row["entity"] != "image"))
    to.print()
    answers.diff_rows(to, rows[:_FEW])
    if len(rows) > _FEW:
        to.print(f"and {len(rows) - _FEW} more: imagelake diff {document['from']} {document['to']} --rows")


def _rejection(to: Console, document: Mapping[str, Any]) -> None:
    """One rejection, whole: the others were named when the upload was taken."""
    rejections = document["rejections"]
    if not rejections:
        to.print("nothing is refused")
        return
    for name in ("path", "locator", "rule", "message", "raw"):
        on_one_line = " ".join(str(rejections[0][name] or "").split())
        to.print(f"{name:<9}{safe(on_one_line, _PAYLOAD)}", soft_wrap=True)
    if len(rejections) > 1:
        to.print(f"and {len(rejections) - 1:,} more")


_VIEWS = {"show": answers.version, "diff": _diff, "rejections": _rejection, "sql": answers.sql}


def demo(
    context: typer.Context,
    upload: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="An upload of your own instead of the generated sample.")
    ] = None,
) -> int:
    """The whole way: upload, checks, two versions, their difference, a question in SQL; into ./lake."""
    from imagelake.demo import sample_dataset, script

    if upload is not None and not upload.exists():
        raise NotFound(f"there is no upload at {upload}")
    shell: Shell = context.obj
    dataset = script.dataset_of(upload) if upload else sample_dataset.DATASET
    done: list[Step] = []

    def work(ctx: Context) -> list[RunReport]:
        steps = script.own_steps(ctx, upload, dataset) if upload else script.sample_steps(ctx)
        done.extend(_shown(shell, tell, steps))
        return [step.report for step in done if isinstance(step, script.Ran)]

    with progress(shell) as tell:
        runs = perform(shell, "demo", dataset, tell, work, create=True)
    _end(shell, dataset, done, runs)
    return reports.worst([run.exit_code for run in runs])


def _shown(shell: Shell, tell: Progress, steps: Iterator[Step]) -> Iterator[Step]:
    from imagelake.demo.script import Ran

    for step in steps:
        if not shell.flags.as_json:
            tell.pause()
            to = console(shell.out)
            to.print(f"\n── {step.title}", style="bold", soft_wrap=True)
            if isinstance(step, Ran):
                (report,) = reports.with_versions(shell, [step.report])
                reports.show(to, shell, report, suggest=False)
            else:
                _VIEWS[step.kind](to, step.document)
        yield step


def _end(shell: Shell, dataset: str, steps: Sequence[Step], runs: Sequence[RunReport]) -> None:
    """The document, or what to try next; a demo that found everything done says so."""
    changed = any(run.published for run in runs)
    if shell.flags.json_layout is not None:
        listed = [_plain(step) for step in steps]
        version = runs[-1].version if runs else None
        document = {"dataset": dataset, "version": version, "changed": changed, "steps": listed}
        write_json(shell.out, document, shell.flags.json_layout)
        return
    to = console(shell.out)
    if not changed and not any(run.exit_code for run in runs):
        to.print(f"\nNothing changed: the lake held all of this already, and {dataset} is at the version it was.")
    to.print("\nTry next", style="bold")
    for words in (
        f"show {dataset}",
        f'sql "{_EXAMPLE}" --at {dataset}@v1',
        f"verify {dataset}@v1",
        "run YOUR.zip --dataset NAME",
    ):
        to.print(f"  {command(shell.flags, words)}", soft_wrap=True)


def _plain(step: Step) -> dict[str, Any]:
    from imagelake.demo.script import Ran

    if isinstance(step, Ran):
        return {"title": step.title, "kind": "run", "answer": step.report.as_json()}
    return {"title": step.title, "kind": step.kind, "answer": step.document}

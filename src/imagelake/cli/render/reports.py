"""What a run did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from imagelake.cli.flags import command, lake_of
from imagelake.cli.plain import safe
from imagelake.cli.render.grid import print_table
from imagelake.cli.shell import Shell, complain, emit
from imagelake.errors import GateFailed, NotFound, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.runs.context import Before, Counts, RunReport

_COUNTS = ("read", "accepted", "unchanged", "rejected", "ignored", "removed")
_ALWAYS = frozenset(("read", "accepted", "rejected"))
_WORST_FIRST = (1, 5, 4, 3)
_FAILED = 1
_SAID = {
    "landed": "landed in bronze, to be built",
    "built": "the draft is built; {now}",
    "accepted": "the draft is built; {now}",
    "published": "nothing changed; {now}",
    "unchanged": "nothing changed; {now}",
    "superseded": "applied before, and newer uploads have changed what it brought; {now}",
}
_NAMED_PER_RULE = 3
_FIRST = f"""
with refused as (
  select false as flagged, rule, path, locator, message
  from rejections where dataset = '{{dataset}}' and upload_id = '{{upload}}' and closed_at is null
), flags as (
  select unnest(flags) as rule, image_key as path, null as locator from images where upload_id = '{{upload}}'
  union all
  select unnest(flags), image_key, concat_ws(' ', category, source_id) from annotations where upload_id = '{{upload}}'
), named as (
  select * from refused union all select true, rule, path, locator, null from flags
)
select rule, path, locator, message, n, place, flagged from (
  select *, count(*) over (partition by flagged, rule) as n,
    row_number() over (partition by flagged, rule order by path, locator) as place
  from named
) where place <= {_NAMED_PER_RULE} order by flagged, n desc, rule, place
"""  # noqa: S608  a dataset id and a sha256, both checked when they were made
_MESSAGE = 140


def worst(codes: Sequence[int]) -> int:
    """The exit code of a batch: the worst in the order 1, 5, 4, 3; then any other; then 0."""
    failures = set(codes) - {0}
    return next((code for code in _WORST_FIRST if code in failures), min(failures, default=0))


def exit_code(report: RunReport) -> int:
    """The exit code of a run; a failed upload is never 0."""
    return report.exit_code or (_FAILED if report.status == "failed" else 0)


def finish(shell: Shell, report: RunReport) -> int:
    """Report one run and return its exit code."""
    (versioned,) = with_versions(shell, [report])
    emit(shell, versioned.as_json(), lambda to: show(to, shell, versioned))
    return exit_code(report)


def finish_all(shell: Shell, batch: Sequence[RunReport], nothing: str, *, one_is_flat: bool) -> int:
    """Report a batch, `nothing` when it was empty; `one_is_flat`: a batch of one is reported as that run alone."""
    if one_is_flat and len(batch) == 1:
        return finish(shell, batch[0])
    versioned = with_versions(shell, batch)

    def show_all(to: Console) -> None:
        if not versioned:
            to.print(nothing)
        for report in versioned:
            show(to, shell, report)

    emit(shell, {"uploads": [report.as_json() for report in versioned]}, show_all)
    return worst([exit_code(report) for report in batch])


def with_versions(shell: Shell, batch: Sequence[RunReport]) -> list[RunReport]:
    """The reports with the version that is current now: the stages before gold do not know it."""
    unknown = sorted({report.dataset for report in batch if report.version is None})
    current = {dataset: _current(shell, dataset) for dataset in unknown}
    return [r if r.version else replace(r, version=current[r.dataset]) for r in batch]


def _current(shell: Shell, dataset: str) -> str | None:
    from imagelake.client import lake

    try:
        with lake.open(*lake_of(shell.flags)) as opened:
            latest: str | None = opened.show(dataset).as_json()["latest"]
    except (NotFound, UsageError):
        return None
    return latest


def show(to: Console, shell: Shell, report: RunReport, *, suggest: bool = True) -> None:
    """The run for people: what happened, counts, rejections and warnings by rule, and what to do next."""
    to.print(headline(report), style="bold", soft_wrap=True)
    if report.problem and exit_code(report):
        complain(report.problem, report.hint)
    elif report.problem:
        to.print(f"  {safe(report.problem)}", soft_wrap=True)
    if shell.flags.quiet:
        return
    show_counts(to, report)
    if report.before:
        to.print(f"  {comparison(report, report.before)}", soft_wrap=True)
    rows = _named_rows(shell, report) if report.upload_id and (report.rejections or report.warnings) else []
    if report.rejections:
        show_rejections(to, shell, report, [row for row in rows if not row.get("flagged")])
    if report.warnings:
        named = ", ".join(f"{count:,} {rule}" for rule, count in sorted(report.warnings.items()))
        to.print(f"  warnings, rows kept: {safe(named)}", soft_wrap=True)
        _show_flagged(to, shell, report, [row for row in rows if row.get("flagged")])
    for notice in report.notices:
        to.print(f"  {safe(notice)}", soft_wrap=True)
    _show_places(to, shell, report)
    for line in after(report) if suggest else ():
        to.print(f"  next: {command(shell.flags, line)}", soft_wrap=True)


def _show_places(to: Console, shell: Shell, report: RunReport) -> None:
    """What was kept as single objects, and where the page about the version is."""
    if report.objects:
        objects = f"{report.objects.count:,} files kept as objects of their own, {report.objects.bytes:,} bytes"
        to.print(f"  {objects} (browse: true): each can have a URL", soft_wrap=True)
    if report.report_path:
        root, _ = lake_of(shell.flags)
        to.print(f"  report: {safe(root.rstrip('/'))}/{report.report_path}", soft_wrap=True)


def headline(report: RunReport) -> str:
    """One sentence: what became of it, and which version is the current one."""
    now = f"the current version is {report.version}" if report.version else "nothing is published yet"
    if report.published:
        said = f"published {report.version}"
    elif report.status == "rejected":
        said = f"the upload is rejected; {now}"
    elif report.status == "failed":
        said = f"{'the upload failed and is set aside' if report.upload_id else 'failed'}; {now}"
    elif report.exit_code:
        said = f"not published; {now}"
    else:
        said = _SAID.get(report.status, report.status).format(now=now)
    return f"{named(report)}: {said}{_duration(report)}"


def named(report: RunReport) -> str:
    """The dataset; of an upload from landing/ its file's name too."""
    if report.source is None:
        return safe(report.dataset)
    name = report.source.rstrip("/").rpartition("/")[2]
    return safe(f"{report.dataset}/{unquote(name) if report.source.startswith('file:') else name}")


def show_counts(to: Console, report: RunReport) -> None:
    """Files, images and annotations by what became of them; columns that are zero throughout are left out."""
    from rich.table import Table

    rows = [(name, vars(getattr(report, name))) for name in ("files", "images", "annotations")]
    rows = [(name, counts) for name, counts in rows if any(counts.values())]
    if not rows:
        return
    columns = [c for c in _COUNTS if c in _ALWAYS or any(counts[c] for _, counts in rows)]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, counts in rows:
        table.add_row(f"  {name}", *(f"{counts[column]:,}" for column in columns))
    print_table(to, table)


def comparison(report: RunReport, before: Before) -> str:
    """What an upload had come to when it was built before, and what it comes to now."""
    now = _come_to(report.status, report.images, report.annotations, report.rejections)
    return f"before: {_come_to(before.state, before.images, before.annotations, before.rejections)}; now: {now}"


def _come_to(state: str, images: Counts, annotations: Counts, rejections: int) -> str:
    if state in ("rejected", "failed"):
        return state
    totals = (images.accepted + images.unchanged, annotations.accepted + annotations.unchanged)
    return f"{totals[0]:,} images and {totals[1]:,} annotations taken, {rejections:,} rejections"


def _named_rows(shell: Shell, report: RunReport) -> list[dict[str, Any]]:
    """The first three rows of this upload that each rule refuses or has flagged, in the draft as it is now."""
    from imagelake.client import lake

    query = _FIRST.format(dataset=report.dataset, upload=report.upload_id)
    with lake.open(*lake_of(shell.flags)) as opened:
        answer = opened.sql(query, at=f"{report.dataset}@draft").as_json()
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]


def _show_flagged(to: Console, shell: Shell, report: RunReport, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows that a warning is about: the first three of each rule."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row["rule"] in report.warnings:
            names.setdefault(row["rule"], []).append(where(row))
    for rule, first in sorted(names.items()):
        to.print(f"    {safe(rule)}: {', '.join(first)}", soft_wrap=True)
    if names:
        every = command(shell.flags, f"rejections {report.dataset} --warnings")
        to.print(f"    all of them: {every}", soft_wrap=True)


def show_rejections(to: Console, shell: Shell, report: RunReport, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rejections of this upload by rule, the first three of each named."""
    repeated = report.rejections - sum(row["n"] for row in rows if row["place"] == 1)
    to.print(
        f"  rejected, by rule; all of them: {command(shell.flags, f'rejections {report.dataset}')}", soft_wrap=True
    )
    for row in rows:
        if row["place"] == 1:
            to.print(f"    {row['n']:,} {safe(row['rule'])}", style="bold")
        to.print(f"      {where(row)}  {safe(row['message'], _MESSAGE)}", soft_wrap=True)
        if row["place"] == _NAMED_PER_RULE < row["n"]:
            to.print(f"      and {row['n'] - _NAMED_PER_RULE:,} more")
    if repeated > 0:
        to.print(f"    {repeated:,} refused as in an earlier upload")


def where(row: Mapping[str, Any]) -> str:
    """Where a rejected row is: path, and locator when there is one."""
    return " ".join(safe(row[name]) for name in ("path", "locator") if row.get(name))


def after(report: RunReport) -> tuple[str, ...]:
    """Commands that make sense now, without the program's name."""
    d = report.dataset
    if report.status == "failed" and report.upload_id:
        return (f"build {d} --upload {report.upload_id}",)
    if exit_code(report) == GateFailed.exit_code:
        return (*((f"rejections {d}",) if report.rejections else ()), f"report {d}@draft")
    if exit_code(report):
        return ()
    if report.status == "landed":
        return (f"build {d}",)
    if report.status == "superseded":
        return (f"show {d}",)
    if report.published and report.version:
        return (f"show {report.version}", f"get {report.version} FOLDER", f"verify {report.version}")
    if report.mode == "remove" and (report.images.removed or report.annotations.removed):
        return (f"publish {d}",)
    if report.status == "built":
        return (f"gate {d}", f"publish {d}")
    return (f"show {report.version}",) if report.version else (f"publish {d}",)


def _duration(report: RunReport) -> str:
    return f"  ({report.seconds:.1f} s)" if report.seconds else ""

"""The verbs that write: each opens one run, calls one stage or the pipeline over them, and reports. They need Java."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagelake.cli import options, selection_options
from imagelake.cli.flags import lake_of, load_settings
from imagelake.cli.render import reports
from imagelake.cli.shell import Progress, Shell, aside, progress
from imagelake.cli.user import user_name
from imagelake.errors import ConfigError, NotFound, UsageError
from imagelake.storage.uri import is_s3

if TYPE_CHECKING:
    from imagelake.bronze.request import IngestRequest
    from imagelake.config.settings import LogSettings, Settings
    from imagelake.runs.context import Context, RunReport
    from imagelake.runs.open_run import Work

_TARGET = re.compile(r"^(?P<dataset>[^@]+)(?:@v(?P<number>[1-9]\d*)(?:\.\d+)?)?\Z")


def perform(
    shell: Shell, verb: str, dataset: str | None, tell: Progress, work: Work, *, create: bool = False
) -> tuple[RunReport, ...]:
    """Do the work of a verb on the lake that the flags name, as a run that records what it reports."""
    from imagelake.core.log import configure
    from imagelake.runs.open_run import run_verb
    from imagelake.storage import open_storage
    from imagelake.storage.open_lake import MARKER

    settings = load_settings(shell.flags)
    configure(_log_settings(shell, settings))
    new = create and open_storage(settings.lake, settings.s3).stat(MARKER) is None

    def announced(ctx: Context) -> Sequence[RunReport]:
        if new:
            tell.pause()
            aside(shell, f"a new lake: {ctx.storage.root}")
        return work(ctx)

    return run_verb(settings, verb, dataset, announced, create=create, progress=tell)


def _log_settings(shell: Shell, settings: Settings) -> LogSettings:
    flags = shell.flags
    level = "INFO" if flags.verbose else "ERROR" if flags.quiet else settings.log.level
    return settings.log.model_copy(update={"level": level})


@contextmanager
def spark_for(work: str) -> Iterator[None]:
    """For the import of what needs Spark: ConfigError says what it is needed for where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"{work}, and {missing.name} is not installed",
            hint='pip install "imagelake[spark]"; or name what else is to be done with --only',
        ) from None


def ingest(  # noqa: PLR0913  the options of a verb are its arguments
    context: typer.Context,
    upload: options.Upload,
    dataset: options.ForDataset,
    format: options.Format = None,
    mode: options.UploadMode = "append",
    note: options.Note = None,
    again: options.Again = False,
    rehash: options.Rehash = False,
) -> int:
    """Take an upload into bronze: its bytes are kept, hashed and probed."""
    _present(context.obj, upload)
    from imagelake.bronze.request import IngestRequest
    from imagelake.runs import pipeline

    request = IngestRequest(dataset, upload, format, mode, note, again, rehash)
    with progress(context.obj) as tell:
        (report,) = perform(
            context.obj, "ingest", dataset, tell, lambda ctx: [pipeline.land_upload(ctx, request)], create=True
        )
    return reports.finish(context.obj, report)


def build(
    context: typer.Context,
    dataset: options.Dataset,
    upload: Annotated[
        str | None,
        typer.Option("--upload", metavar="U", help="Build this upload again, under today's rules; the id's beginning."),
    ] = None,
    again: options.Again = False,
) -> int:
    """Turn what bronze has landed into validated rows of silver, the draft."""
    from imagelake.runs import pipeline

    if again and upload is None:
        raise UsageError("--again applies an upload once more, and none is named", hint="name it with --upload U")
    with progress(context.obj) as tell:
        built = perform(
            context.obj, "build", dataset, tell, lambda ctx: pipeline.build_dataset(ctx, dataset, upload, again=again)
        )
    return reports.finish_all(context.obj, built, f"{dataset}: nothing waits to be built", one_is_flat=True)


def publish(  # noqa: PLR0913  the options of a verb are its arguments
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="D", help="Dataset id; D@v3 adds a split recipe to that version.")],
    split: options.Split = None,
    group_by: options.GroupBy = None,
    stratify: options.Stratify = None,
    note: options.Note = None,
    alias: options.Alias = None,
    author: Annotated[str | None, typer.Option("--author", help="Who publishes; you by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Publish what the gate refuses; --note says why.")] = False,
    pack: options.Pack = None,
) -> int:
    """Publish the draft as the next version in gold; nothing happens when nothing differs."""
    from imagelake.gold.plan import PublishRequest
    from imagelake.runs import pipeline

    if force and not note:
        raise UsageError("--force publishes what the gate refuses, and no --note says why", hint="add --note 'why'")
    dataset, number = parse_target(target)
    shares = parse_shares(split)
    request = PublishRequest(dataset, number, shares, group_by, stratify, note, alias, author or user_name(), force)
    shell = _packing(context.obj, pack)
    with progress(shell) as tell:
        (report,) = perform(shell, "publish", dataset, tell, lambda ctx: [pipeline.publish_draft(ctx, request)])
    return reports.finish(shell, report)


def run(  # noqa: PLR0913  the options of a verb are its arguments
    context: typer.Context,
    upload: Annotated[
        str | None, typer.Argument(metavar="[UPLOAD]", help="A zip, a folder, or an annotation file.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", metavar="D", help="The dataset; with --landing its uploads only.")
    ] = None,
    format: options.Format = None,
    mode: options.UploadMode = "append",
    note: options.Note = None,
    again: options.Again = False,
    rehash: options.Rehash = False,
    landing: Annotated[bool, typer.Option("--landing", help="Take everything that waits under landing/.")] = False,
    pack: options.Pack = None,
) -> int:
    """Ingest, build and publish an upload in one session; or with --landing everything that waits."""
    if landing:
        if upload is not None:
            raise UsageError("--landing takes what lies under landing/<dataset>/, not an upload")
        if format is not None or note is not None or mode != "append" or again or rehash:
            raise UsageError(
                "--landing goes with --dataset and --pack, not with the options of one upload",
                hint='an upload has its own in its .ready file: {"mode": "update", "format": "voc", "note": "weekly"}',
            )
        return _run_landing(_packing(context.obj, pack), dataset)
    if upload is None or dataset is None:
        raise UsageError("run needs an UPLOAD and --dataset D, or --landing", hint="imagelake run --help")
    _present(context.obj, upload)
    from imagelake.bronze.request import IngestRequest

    request = IngestRequest(dataset, upload, format, mode, note, again, rehash)
    return _run_upload(_packing(context.obj, pack), request)


def _packing(shell: Shell, pack: bool | None) -> Shell:
    """The shell with the setting that --pack or --no-pack stands for."""
    if pack is None:
        return shell
    overrides = (*shell.flags.overrides, f"pack.when={'always' if pack else 'never'}")
    return replace(shell, flags=replace(shell.flags, overrides=overrides))


def _run_upload(shell: Shell, request: IngestRequest) -> int:
    from imagelake.runs import pipeline

    with progress(shell) as tell:
        dataset = request.dataset
        (report,) = perform(shell, "run", dataset, tell, lambda ctx: [pipeline.run_upload(ctx, request)], create=True)
    return reports.finish(shell, report)


def _run_landing(shell: Shell, dataset: str | None) -> int:
    from imagelake.cli.render.landing_reports import finish_landing
    from imagelake.core.upload_paths import check_dataset_id
    from imagelake.runs.context import system_clock
    from imagelake.runs.landing import run_landing
    from imagelake.runs.landing_folder import not_taken
    from imagelake.storage import open_storage

    folder = f"landing/{check_dataset_id(dataset)}/" if dataset is not None else "landing/"
    storage = open_storage(*lake_of(shell.flags))
    waiting = next(iter(storage.list(folder)), None) is not None
    with progress(shell) as tell:
        reports = perform(shell, "run", dataset, tell, lambda ctx: run_landing(ctx, dataset), create=waiting)
    return finish_landing(shell, reports, not_taken(storage, system_clock(), dataset), folder)


def remove(
    context: typer.Context,
    dataset: options.Dataset,
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help="A condition on the draft's view images.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="FILE", help="A file of image keys, one a line; - is stdin.")
    ] = None,
    ignore_missing: Annotated[
        bool, typer.Option("--ignore-missing", help="Skip keys of --images that the draft does not have.")
    ] = False,
    note: options.Note = None,
) -> int:
    """Take images out of the draft, as an upload of its own; publish then makes a version without them."""
    from imagelake.runs import pipeline

    if ignore_missing and images is None:
        raise UsageError("--ignore-missing skips keys of a list, and there is none", hint="name it with --images FILE")
    keys = selection_options.image_keys(context.obj.flags, dataset, where, images)

    def work(ctx: Context) -> list[RunReport]:
        return [pipeline.remove_images(ctx, dataset, keys, note, ignore_missing=ignore_missing)]

    with progress(context.obj) as tell:
        (report,) = perform(context.obj, "remove", dataset, tell, work)
    return reports.finish(context.obj, report)


def parse_target(text: str) -> tuple[str, int | None]:
    """`D` or `D@v3` as dataset and number; UsageError otherwise."""
    match = _TARGET.match(text)
    if match is None:
        raise UsageError(f"{text!r} cannot be published", hint="D publishes the draft; D@v3 --split … adds a recipe")
    number = match["number"]
    return match["dataset"], int(number) if number else None


def parse_shares(text: str | None) -> dict[str, float] | None:
    """`train=0.8,val=0.2` as shares by split name, in that order; UsageError names what is wrong."""
    if text is None:
        return None
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        share = _number(value)
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or share is None or not 0 <= share <= 1 or name in shares:
            raise UsageError(f"--split {text!r}: {part!r} is no share", hint="--split train=0.8,val=0.1,test=0.1")
        shares[name] = share
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise UsageError(f"--split {text!r} sums to {sum(shares.values()):g}, not to 1")
    return shares


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _present(shell: Shell, upload: str) -> None:
    """NotFound when there is no such upload: asked before Spark starts, and before a lake is made for it."""
    if is_s3(upload):
        from imagelake.uploads.bucket_source import check_there

        check_there(upload, load_settings(shell.flags).s3)
    elif not upload.startswith("file:") and "://" not in upload and not Path(upload).exists():
        raise NotFound(f"there is no upload at {upload}")

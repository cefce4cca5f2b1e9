"""Packages of a version that was just published, where it is worth it: trainers then read few large files."""

from __future__ import annotations

import logging
from dataclasses import replace

from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.errors import ImagelakeError
from imagelake.gold.live import published
from imagelake.maintenance.packing.pack import pack_dataset
from imagelake.runs.context import Context, RunReport
from imagelake.storage.leases.lease import Lease

log = logging.getLogger(__name__)


def with_packages(ctx: Context, run: RunReport, lease: Lease) -> RunReport:
    """The run's report, with a notice when the version's images were put into packages.

    The version is published already, whatever happens here: what keeps it from being packed is a notice.
    """
    pack = ctx.settings.pack
    if not run.published or run.version is None or pack.when == "never":
        return run
    if pack.when == "auto" and not _may_be_worth_it(ctx, run.dataset):
        return run
    try:
        packed = pack_dataset(ctx, run.dataset, lease, label=run.version, force=pack.when == "always")
    except ImagelakeError as error:
        return _with_notice(run, f"{run.version} was not packed: {error.message}")
    except Exception as error:
        log.exception("%s was not packed", run.version)  # whatever it is, the version stands
        return _with_notice(run, f"{run.version} was not packed: {type(error).__name__}: {error}")
    log.info("%s: %s", run.version, packed.reason)
    if not packed.packages:
        return run
    return _with_notice(run, f"{packed.blobs:,} files put into {packed.packages:,} packages ({packed.reason})")


def _may_be_worth_it(ctx: Context, dataset: str) -> bool:
    """False where the number of images alone says that it is not: then nothing needs to be looked at."""
    if load_dataset_settings(ctx.storage, dataset).storage == "packages":
        return True
    pack = ctx.settings.pack
    newest = max(published(ctx.tables, dataset).rows, key=lambda row: row["sequence"])
    return bool(newest["images"] >= min(pack.min_small_images, pack.min_images))


def _with_notice(run: RunReport, notice: str) -> RunReport:
    return replace(run, notices=(*run.notices, notice))

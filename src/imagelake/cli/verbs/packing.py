"""The kinds pack and gc of the verb maintain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagelake.cli.flags import load_settings
from imagelake.cli.plain import safe
from imagelake.cli.render.lifecycle_tables import size
from imagelake.cli.shell import Shell, progress
from imagelake.cli.verbs.write import perform, spark_for
from imagelake.errors import Locked

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.maintenance.packing.pack import Packed
    from imagelake.runs.context import Context, RunReport
    from imagelake.storage.base import Storage


def pack(shell: Shell, storage: Storage) -> dict[str, Any]:
    """The datasets that were packed or unpacked, and notices on those that were skipped. Java starts for work only."""
    datasets = _due(shell, storage)
    if not datasets:
        return {"datasets": [], "notices": []}
    with spark_for(f"{len(datasets)} datasets are to be packed"):
        from imagelake.maintenance.packing.pack import convert_dataset
    packed: list[Packed] = []
    notices: list[str] = []

    def work(ctx: Context) -> Sequence[RunReport]:
        from imagelake.runs.context import RunReport
        from imagelake.runs.writer import writing

        for dataset in datasets:
            try:
                with writing(ctx, dataset) as lease:
                    packed.append(convert_dataset(ctx, dataset, lease))
            except Locked as error:
                notices.append(f"{dataset} not packed: {error.message}")
        return [RunReport(each.dataset, "packed", notices=(each.reason,)) for each in packed]

    with progress(shell) as tell:
        perform(shell, "maintain", None, tell, work)
    return {"datasets": [each.as_json() for each in packed], "notices": notices}


def _due(shell: Shell, storage: Storage) -> list[str]:
    """Datasets with something to pack or to unpack; each is looked at without Spark."""
    from imagelake.config.dataset_settings import load_dataset_settings
    from imagelake.maintenance.packing.package_plan import plan_objects, plan_pack, survey_blobs

    pack = load_settings(shell.flags).pack
    due = []
    fewest, may = min(pack.min_small_images, pack.min_images), pack.when != "never"
    for blobs in survey_blobs(storage):
        settings = load_dataset_settings(storage, blobs.dataset)
        if settings.storage == "objects":
            plan = plan_objects(storage, blobs.dataset)
        elif blobs.has_unpacked and (settings.storage == "packages" or (may and blobs.count >= fewest)):
            plan = plan_pack(storage, blobs.dataset, settings, pack)
        else:
            continue
        if len(plan.sources) or len(plan.replaced):
            due.append(blobs.dataset)
    return due


def collect(shell: Shell, storage: Storage) -> dict[str, Any]:
    """The objects that were removed."""
    from imagelake.maintenance.packing.collect import collect_objects
    from imagelake.runs.context import system_clock

    grace = timedelta(hours=load_settings(shell.flags).pack.grace_hours)
    return collect_objects(storage, grace, system_clock).as_json()


def show(to: Console, document: Mapping[str, Any]) -> None:
    """What was packed, and what was removed."""
    packed = document.get("packed")
    if packed is not None:
        for row in packed["datasets"]:
            what = f"{row['blobs']:,} files of {size(row['bytes'])} into {row['packages']:,} packages"
            to.print(f"{row['dataset']}: {what} ({safe(row['reason'])})", soft_wrap=True)
        if not packed["datasets"]:
            to.print("nothing to pack", soft_wrap=True)
        for notice in packed["notices"]:
            to.print(f"  {safe(notice)}", soft_wrap=True)
    collected = document.get("collected")
    if collected is not None:
        what = f"{len(collected['paths']):,} objects of {size(collected['bytes'])}"
        waiting = f"; {collected['waiting']:,} wait for pack.grace_hours to pass" if collected["waiting"] else ""
        to.print(f"objects removed whose bytes lie elsewhere: {what}{waiting}", soft_wrap=True)

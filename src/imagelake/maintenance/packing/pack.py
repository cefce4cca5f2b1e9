"""Packing a dataset: payload first, then where it lies, and last what it no longer needs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.bronze.locations import LOCATIONS, make_objects_of, state_rows
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.maintenance.packing.package_plan import PackPlan, plan_objects, plan_pack
from imagelake.maintenance.packing.write import write_packages
from imagelake.runs.context import Context
from imagelake.storage.blobs.zip_package import cut
from imagelake.storage.leases.lease import Lease
from imagelake.tables import bronze

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Packed:
    """What packing did: new packages, images and bytes in them, and places that were given up; `reason` says why."""

    dataset: str
    reason: str
    packages: int = 0
    blobs: int = 0
    bytes: int = 0
    ended: int = 0

    def as_json(self) -> dict[str, Any]:
        """The counts as plain data."""
        return asdict(self)


def pack_dataset(ctx: Context, dataset: str, lease: Lease, *, label: str, force: bool = False) -> Packed:
    """Put what lies outside packages into packages, if it is worth it, under the dataset's lease.

    A kill at any point loses nothing: new places are added after their package was read back, old ones end after that,
    and the same call again packs what is left. `label` is what progress calls the work, `force` packs at any size.
    """
    settings = load_dataset_settings(ctx.storage, dataset)
    plan = plan_pack(ctx.storage, dataset, settings, ctx.settings.pack, force=force)
    if not len(plan.sources) and not len(plan.replaced):
        return Packed(dataset, plan.reason)
    new = _written(ctx, plan, label)
    ended = _move(ctx, Move(dataset, pa.concat_tables([new, plan.borrowed.cast(new.schema)]), plan.replaced), lease)
    packages = len(pc.unique(new["uri"])) if len(new) else 0
    return Packed(dataset, plan.reason, packages, len(new), pc.sum(new["size"]).as_py() or 0, ended)


def unpack_dataset(ctx: Context, dataset: str, lease: Lease) -> Packed:
    """Make each image of a dataset an object of its own; nothing is lost at a kill, as in `pack_dataset`."""
    plan = plan_objects(ctx.storage, dataset)
    if not len(plan.sources) and not len(plan.replaced):
        return Packed(dataset, plan.reason)
    new = make_objects_of(ctx, plan.sources) if len(plan.sources) else LOCATIONS.empty_table()
    ended = _move(ctx, Move(dataset, new.select(LOCATIONS.names).cast(LOCATIONS), plan.replaced), lease)
    return Packed(dataset, plan.reason, 0, len(new), pc.sum(new["size"]).as_py() or 0, ended)


def convert_dataset(ctx: Context, dataset: str, lease: Lease) -> Packed:
    """Bring a dataset's bytes to where its settings want them."""
    if load_dataset_settings(ctx.storage, dataset).storage == "objects":
        return unpack_dataset(ctx, dataset, lease)
    return pack_dataset(ctx, dataset, lease, label=dataset)


@dataclass(frozen=True, eq=False)
class Move:
    """Places (LOCATIONS) that a dataset's bytes get, and those that end then."""

    dataset: str
    added: pa.Table
    replaced: pa.Table


def _move(ctx: Context, move: Move, lease: Lease) -> int:
    """Write where bytes lie now, then what they have left; how many places have ended."""
    ctx.storage.flush()
    lease.check()
    ctx.reached("pack:payload")
    attempt = f"pack-{ctx.run_id}"
    if len(move.added):
        ctx.tables.append_table(bronze.BLOBS, state_rows(ctx, move.dataset, attempt, move.added, "live"))
    ctx.reached("pack:places")
    lease.check()
    ended = _without(move.replaced, move.added)
    if len(ended):
        ctx.tables.append_table(bronze.BLOBS, state_rows(ctx, move.dataset, attempt, ended, "ended"))
    ctx.reached("pack:ended")
    return len(ended)


def _written(ctx: Context, plan: PackPlan, label: str) -> pa.Table:
    """LOCATIONS rows of the new packages."""
    if not len(plan.sources):
        return LOCATIONS.empty_table()
    package_bytes = ctx.settings.pack.package_megabytes << 20
    total = len(cut(plan.sources["size"].to_pylist(), package_bytes))
    with _progress(ctx, total, label):
        packed = write_packages(ctx, plan.sources, package_bytes)
    places = packed.join(plan.sources.select(["content_hash", "size", "crc32"]), "content_hash", join_type="inner")
    codec = pa.array(["stored"] * len(places), pa.string())
    columns = [places[name] for name in ("content_hash", "uri", "offset", "size", "size")]
    return pa.table([*columns, codec, places["crc32"]], names=LOCATIONS.names).cast(LOCATIONS)


def _without(places: pa.Table, others: pa.Table) -> pa.Table:
    """The places that are none of the others: a package is not ended by the run that names it once more."""
    key = ["content_hash", "uri", "offset"]
    return places.join(others.select(key), key, join_type="left anti").select(LOCATIONS.names)


@contextmanager
def _progress(ctx: Context, total: int, label: str) -> Iterator[None]:
    """Say how many packages are written while Spark writes them: a task writes one or a few."""
    tracker, group, done = ctx.spark.sparkContext.statusTracker(), f"pack-{ctx.run_id}", threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            jobs = [
                job for number in tracker.getJobIdsForGroup(group) if (job := tracker.getJobInfo(number)) is not None
            ]
            stages = [stage for job in jobs for stage in job.stageIds]
            written = [info.numCompletedTasks for s in stages if (info := tracker.getStageInfo(s)) is not None]
            ctx.progress(f"package {min(max(written, default=0) + 1, total)}/{total} uploading {label}")

    ctx.progress(f"package 1/{total} uploading {label}")
    ctx.spark.sparkContext.setJobGroup(group, f"packing {label}")
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        ctx.spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]  # None removes it

"""Compaction of crowded partitions, beside running writers: under the lease of the dataset, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from imagelake.errors import Conflict, Locked
from imagelake.maintenance.partitions import MOST_BYTES, ChangedTable, CrowdedPartition, Survey, TableFiles
from imagelake.runs.context import Context, RunReport
from imagelake.storage.leases.lease import Lease, acquire
from imagelake.tables.delta.upkeep import Rewritten, compact
from imagelake.tables.spec import TableSpec

_MOST_DATASETS = 50
"""Datasets compacted by one commit a table: a lease is a file and a thread each."""


@dataclass
class Compaction:
    """What has been compacted so far: by table name, the datasets it was done for, and why others were skipped."""

    rewritten: dict[str, Rewritten] = field(default_factory=dict)
    datasets: set[str] = field(default_factory=set)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def notices(self) -> list[str]:
        """A sentence for each partition that was skipped."""
        return [sentence for name in sorted(self.skipped) for sentence in self.skipped[name]]

    def tables(self, survey: Survey) -> list[ChangedTable]:
        """The tables that have changed; `after` leaves aside what others have written since the survey."""
        return [
            ChangedTable(name, before, _after(before, self.rewritten[name]))
            for name, before in survey.tables.items()
            if name in self.rewritten
        ]

    def reports(self) -> tuple[RunReport, ...]:
        """A report a dataset: compacted, or skipped where nothing was."""
        return tuple(
            RunReport(
                name, "compacted" if name in self.datasets else "skipped", notices=tuple(self.skipped.get(name, ()))
            )
            for name in sorted({*self.datasets, *self.skipped})
        )

    def add(self, spec: TableSpec, datasets: Collection[str], rewritten: Rewritten) -> None:
        """Count one OPTIMIZE; one that committed nothing does not count."""
        if not rewritten.files_removed:
            return
        self.datasets.update(datasets)
        total = asdict(self.rewritten.get(spec.name, Rewritten()))
        self.rewritten[spec.name] = Rewritten(
            **{name: count + getattr(rewritten, name) for name, count in total.items()}
        )

    def skip(self, name: str, reason: str) -> None:
        """Say of a dataset, or of a table that has none, why it was not compacted."""
        self.skipped.setdefault(name, []).append(f"{name} not compacted: {reason}")


def compact_tables(ctx: Context, crowded: Sequence[CrowdedPartition]) -> Compaction:
    """Compact these partitions. A writer has the way: a dataset that one holds is skipped, and so is a conflict.

    A writer that comes meanwhile waits for the dataset's lease, some seconds.
    """
    compaction = Compaction()
    for partition in (partition for partition in crowded if partition.dataset is None):  # only ever appended to
        _compact(ctx, [partition], compaction)
    for group in _groups([partition for partition in crowded if partition.dataset is not None]):
        _compact_group(ctx, group, compaction)
    return compaction


def _groups(crowded: Sequence[CrowdedPartition]) -> Iterator[Mapping[str, Sequence[CrowdedPartition]]]:
    """The partitions by dataset, in portions that a lease has time for."""
    by_dataset: dict[str, list[CrowdedPartition]] = {}
    for partition in crowded:
        by_dataset.setdefault(str(partition.dataset), []).append(partition)
    group: dict[str, list[CrowdedPartition]] = {}
    total = 0
    for dataset, partitions in sorted(by_dataset.items()):
        size = sum(partition.files.bytes for partition in partitions)
        if group and (len(group) == _MOST_DATASETS or total + size > MOST_BYTES):
            yield group
            group, total = {}, 0
        group[dataset] = partitions
        total += size
    if group:
        yield group


def _compact_group(ctx: Context, group: Mapping[str, Sequence[CrowdedPartition]], compaction: Compaction) -> None:
    with ExitStack() as stack:
        leases: dict[str, Lease] = {}
        for dataset in group:
            try:
                leases[dataset] = stack.enter_context(_free_lease(ctx, dataset))
            except Locked as error:
                compaction.skip(dataset, error.message)
        for partitions in _by_table([partition for dataset in leases for partition in group[dataset]]):
            try:
                for partition in partitions:
                    leases[str(partition.dataset)].check()
            except Locked as error:
                compaction.skip(str(partition.dataset), error.message)
                continue
            _compact(ctx, partitions, compaction)


def _by_table(partitions: Sequence[CrowdedPartition]) -> list[list[CrowdedPartition]]:
    """The partitions that one OPTIMIZE can take."""
    together: dict[tuple[str, int], list[CrowdedPartition]] = {}
    for partition in partitions:
        together.setdefault((partition.spec.name, partition.below), []).append(partition)
    return list(together.values())


def _free_lease(ctx: Context, dataset: str) -> Lease:
    """The dataset's lease if nobody has it; Locked too where its last holder may be asleep and wake up to write."""
    at_once = ctx.settings.lease.model_copy(update={"wait_seconds": 0})
    lease = acquire(ctx.storage, dataset, ctx.holder, at_once, ctx.clock)
    if not lease.maybe_paused:
        return lease
    lease.release()
    raise Locked("its last writer may be asleep", hint=f"imagelake build {dataset}")


def _compact(ctx: Context, partitions: Sequence[CrowdedPartition], compaction: Compaction) -> None:
    """One OPTIMIZE of partitions of one table."""
    first = partitions[0]
    datasets = [partition.dataset for partition in partitions if partition.dataset is not None]
    ctx.progress(f"compacting {first.spec.name} of {', '.join(datasets[:3]) or 'all runs'}")
    try:
        rewritten = compact(ctx.spark, ctx.tables.uri(first.spec), datasets, first.below, first.target)
    except Conflict as error:
        for name in datasets or [first.spec.name]:
            compaction.skip(name, f"{first.spec.name}: {error.message}" if datasets else error.message)
        return
    compaction.add(first.spec, datasets, rewritten)


def _after(before: TableFiles, rewritten: Rewritten) -> TableFiles:
    return TableFiles(
        before.files - rewritten.files_removed + rewritten.files_added,
        before.bytes - rewritten.bytes_removed + rewritten.bytes_added,
    )

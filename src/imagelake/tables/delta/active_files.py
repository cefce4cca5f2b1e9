"""A dataset's active files and row counts from Delta's log, without Spark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from imagelake.storage.base import Storage
from imagelake.tables.delta.delta_log import delta_table, is_delta_table
from imagelake.tables.spec import TableSpec


@dataclass(frozen=True)
class DatasetFiles:
    """The active files of one dataset in a table, as paths below it, sorted; `rows` is None where a file says none."""

    paths: tuple[str, ...] = ()
    rows: int | None = 0


def dataset_files(storage: Storage, spec: TableSpec) -> Mapping[str, DatasetFiles]:
    """The files of each dataset that has some in the newest state of a table partitioned by dataset."""
    if not is_delta_table(storage, spec.path):
        return {}
    added = pa.table(delta_table(storage, spec.path).get_add_actions(flatten=True))
    paths: dict[str, list[str]] = defaultdict(list)
    rows: dict[str, list[int | None]] = defaultdict(list)
    columns = (added.column(name).to_pylist() for name in ("partition.dataset", "path", "num_records"))
    for dataset, path, count in zip(*columns, strict=True):
        paths[dataset].append(path)
        rows[dataset].append(count)
    return {name: DatasetFiles(tuple(sorted(paths[name])), _total(rows[name])) for name in paths}


def _total(counts: list[int | None]) -> int | None:
    numbers = [count for count in counts if count is not None]
    return sum(numbers) if len(numbers) == len(counts) else None

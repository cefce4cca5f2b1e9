"""Tables of few rows, read and appended to by this process alone: no Java, and no pyspark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from imagelake.storage.base import Storage
from imagelake.tables.delta.commit import FileChange, Txn, commit, write_files
from imagelake.tables.delta.delta_log import delta_table, write_checkpoint
from imagelake.tables.delta.types import table_of, with_all_columns
from imagelake.tables.spec import TableSpec


@dataclass(frozen=True)
class SmallTables:
    """Reads and appends rows as DeltaStore does, without Spark; a checkpoint every `checkpoint_interval` commits."""

    storage: Storage
    checkpoint_interval: int

    def collect(self, spec: TableSpec, dataset: str) -> list[dict[str, Any]]:
        """All rows of one dataset."""
        rows = declared_rows(spec, delta_table(self.storage, spec.path), dataset)
        return cast(list[dict[str, Any]], rows.to_pylist())

    def append_rows(self, spec: TableSpec, rows: Sequence[Mapping[str, Any]], txn: Txn | None = None) -> bool:
        """Append rows; a name a row lacks is null. False when the transaction is not new: nothing was appended."""
        added = write_files(self.storage, spec, table_of(spec, rows))
        version = commit(self.storage, spec, txn, lambda _: FileChange("WRITE", added))
        if version is not None and version % self.checkpoint_interval == 0:
            write_checkpoint(self.storage, spec.path)
        return version is not None


def declared_rows(spec: TableSpec, log: DeltaTable, dataset: str | None) -> pa.Table:
    """All rows with the spec's columns; one that the table did not have yet is null."""
    there = {field.name for field in log.schema().fields}
    return with_all_columns(spec, select_rows(log, dataset, [name for name in spec.names if name in there], None))


def select_rows(log: DeltaTable, dataset: str | None, columns: Sequence[str], where: pc.Expression | None) -> pa.Table:
    """These columns of the rows that meet the condition, of one dataset if given."""
    partitions = [("dataset", "=", dataset)] if dataset is not None else None
    return log.to_pyarrow_dataset(file_pruning_predicate=partitions).to_table(columns=list(columns), filter=where)

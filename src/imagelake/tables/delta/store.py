"""The lake's Delta tables: the only importer of delta, and where it is decided who reads and writes.

Rows that are on the driver, and small changes, are committed by this process (`commit`, `upsert`); a dataset's few rows
are read by it too. Bulk rows are Spark's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from delta.exceptions import ConcurrentTransactionException
from delta.tables import DeltaTable
from deltalake import DeltaTable as DeltaLog
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.config.settings import DeltaSettings
from imagelake.errors import LakeFormatError
from imagelake.storage.base import Storage
from imagelake.tables.delta.commit import FileChange, Txn, commit, write_files
from imagelake.tables.delta.delta_log import add_columns, create_delta_table, delta_table, is_delta_table, place
from imagelake.tables.delta.small_tables import declared_rows, select_rows
from imagelake.tables.delta.types import arrow_schema, delta_schema, table_of
from imagelake.tables.delta.upsert import CHANGE, TooManyRows, active_files, upsert
from imagelake.tables.frames import FEW_ROWS, Counted, LocalRows, frame_of, in_files, run_parallel
from imagelake.tables.spec import SCHEMA_NUMBER, TableSpec

log = logging.getLogger(__name__)

_APP_ID = "spark.databricks.delta.write.txnAppId"
_APP_VERSION = "spark.databricks.delta.write.txnVersion"


@dataclass(frozen=True)
class TableChanges:
    """Rows to put into a table and to drop from it, with its columns and CHANGE."""

    spec: TableSpec
    rows: Counted


class DeltaStore:
    """Reads and writes the tables declared in `imagelake.tables` of one lake."""

    def __init__(self, spark: SparkSession, storage: Storage, settings: DeltaSettings) -> None:
        self._spark = spark
        self._storage = storage
        self._settings = settings

    def location(self, path: str) -> str:
        """A table's place, as Spark wants it: a local path needs its scheme, for a cluster's default may differ."""
        location = place(self._storage, path)
        return f"file:{location}" if location.startswith("/") else location.replace("s3://", "s3a://", 1)

    def uri(self, spec: TableSpec) -> str:
        """Where the table is."""
        return self.location(spec.path)

    def is_table(self, path: str) -> bool:
        """Whether a Delta table is at this path of the lake."""
        return is_delta_table(self._storage, path)

    def exists(self, spec: TableSpec) -> bool:
        """Whether the table has been created."""
        return self.is_table(spec.path)

    def ensure(self, *specs: TableSpec) -> None:
        """Create what does not exist yet, add columns that an older imagelake did not know; refuse a newer table."""
        missing = [s for s in specs if not self.exists(s)]
        for spec in missing:
            create_delta_table(self._storage, spec, json.dumps(delta_schema(spec)), self._properties(spec))
        grown = [s for s in specs if s not in missing and self._grow(s)]
        if missing or grown:
            self._storage.flush()

    def read(self, spec: TableSpec, dataset: str | None = None, version: int | None = None) -> DataFrame:
        """The table's declared columns, of one dataset if given, at a Delta version if given.

        A column that the table did not have at that version is null. A dataset's rows are read here and now where they
        are few: for each query over a Delta table Spark looks for its files anew.
        """
        if dataset is not None:
            log = self._log(spec, version)
            if sum(file.rows or FEW_ROWS for file in active_files(log, dataset)) <= FEW_ROWS:
                return self.frame_of(spec, declared_rows(spec, log, dataset))
        return self._scan(spec, dataset, version)

    def _scan(self, spec: TableSpec, dataset: str | None, version: int | None) -> DataFrame:
        reader = self._spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = reader.load(self.uri(spec))
        if dataset is not None:
            frame = frame.where(F.col("dataset") == F.lit(dataset))
        absent = {c.name: F.lit(None).cast(c.type) for c in spec.columns if c.name not in frame.columns}
        return frame.withColumns(absent).select(*spec.names) if absent else frame.selectExpr(*spec.names)

    def collect(self, spec: TableSpec, dataset: str | None = None, version: int | None = None) -> list[dict[str, Any]]:
        """All rows of a small table, or of one dataset in it, at a Delta version if given; without a Spark job."""
        return cast(list[dict[str, Any]], declared_rows(spec, self._log(spec, version), dataset).to_pylist())

    def table(self, spec: TableSpec, dataset: str, version: int | None = None) -> pa.Table:
        """All rows of a dataset with few of them, at a Delta version if given; without a Spark job."""
        return declared_rows(spec, self._log(spec, version), dataset)

    def arrow(
        self, spec: TableSpec, dataset: str | None, columns: Sequence[str], where: pc.Expression | None = None
    ) -> pa.Table:
        """These columns of the rows that meet the condition, of one dataset if given, without a Spark job."""
        return select_rows(self._log(spec, None), dataset, columns, where)

    def scan(self, spec: TableSpec, dataset: str, version: int | None = None) -> ds.Dataset:
        """A dataset's rows at a Delta version if given, for queries that read columns piece by piece."""
        return self._log(spec, version).to_pyarrow_dataset(file_pruning_predicate=[("dataset", "=", dataset)])

    def frame(self, spec: TableSpec, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few rows as a frame of the table; a name a row lacks is null."""
        return self.frame_of(spec, table_of(spec, rows))

    def frame_of(self, spec: TableSpec, table: pa.Table) -> DataFrame:
        """An Arrow table with the spec's columns as a frame."""
        return frame_of(self._spark, table, from_arrow_schema(arrow_schema(spec)))

    def append_rows(self, spec: TableSpec, rows: Sequence[Mapping[str, Any]], txn: Txn | None = None) -> bool:
        """Append rows that are on the driver; a name a row lacks is null. False when the transaction is not new."""
        return self.append_table(spec, table_of(spec, rows), txn)

    def append_table(self, spec: TableSpec, table: pa.Table, txn: Txn | None = None) -> bool:
        """Append the rows of an Arrow table that has the spec's columns. False when the transaction is not new."""
        added = write_files(self._storage, spec, table.select(spec.names))
        version = commit(self._storage, spec, txn, lambda _: FileChange("WRITE", added))
        self._committed(spec, version)
        return version is not None

    def append(self, spec: TableSpec, frame: DataFrame, txn: Txn | None = None) -> None:
        """Append a frame's rows by Spark; with a transaction what is not newer is silently skipped (`transaction`)."""
        writer = frame.selectExpr(*spec.names).write.format("delta").mode("append")
        if txn is not None:
            writer = writer.option("txnAppId", txn.app_id).option("txnVersion", txn.version)
        try:
            writer.save(self.uri(spec))
        except ConcurrentTransactionException:
            if txn is None:
                raise
            log.info("%s: another writer committed transaction %s first", spec.name, txn)  # as good as skipped
        log.debug("appended to %s", spec.name)

    def append_counted(self, spec: TableSpec, rows: Counted | LocalRows) -> None:
        """Append rows that have all columns of the spec."""
        if isinstance(rows, Counted) and rows.count > FEW_ROWS:
            self.append(spec, in_files(rows.frame, rows.count))
        else:
            self.append_table(spec, rows.collected().select(spec.names).cast(arrow_schema(spec)))

    def rows(self, spec: TableSpec, dataset: str, version: int | None = None) -> int:
        """How many rows a dataset has in a table, as far as the log says; a file that says nothing counts as many."""
        return sum(file.rows or FEW_ROWS for file in active_files(self._log(spec, version), dataset))

    def merge(self, changed: Sequence[TableChanges], dataset: str, txn: Txn, done: Callable[[TableSpec], None]) -> None:
        """Apply changes to one dataset's rows of several tables at the same time.

        `done` is told of each table that has them, from a thread of its own.
        """
        many = [changes for changes in changed if not self._upserted(changes, dataset, txn, done)]
        if many:
            with self._transaction(txn):
                run_parallel(*(partial(self._apply, c, dataset, txn, done) for c in many))

    def _upserted(self, changes: TableChanges, dataset: str, txn: Txn, done: Callable[[TableSpec], None]) -> bool:
        """Apply a small change here; False when it is none."""
        if changes.rows.count > FEW_ROWS:
            return False
        table = changes.rows.collected().cast(arrow_schema(changes.spec).append(pa.field(CHANGE, pa.string())))
        try:
            version = upsert(self._storage, changes.spec, dataset, table, txn)
        except TooManyRows:
            return False
        self._committed(changes.spec, version)
        done(changes.spec)
        return True

    def _committed(self, spec: TableSpec, version: int | None) -> None:
        """Keep the log short: Spark writes a checkpoint of it only after commits of its own."""
        if version is not None and version % self._settings.checkpoint_interval == 0:
            jvm: Any = self._spark._jvm
            place = self.uri(spec)
            logs, session = jvm.org.apache.spark.sql.delta.DeltaLog, self._spark._jsparkSession
            logs.invalidateCache(session, jvm.org.apache.hadoop.fs.Path(place))  # it does not know of our commits
            logs.forTable(session, place).checkpoint()

    def _apply(self, changes: TableChanges, dataset: str, txn: Txn, done: Callable[[TableSpec], None]) -> None:
        spec, rows = changes.spec, changes.rows
        if self.rows(spec, dataset):
            self._merge(spec, rows.frame, dataset)
        else:  # nothing to find by its key: writing is a fraction of the work
            self.append(spec, in_files(rows.frame.where(F.col(CHANGE) == "put"), rows.count), txn)
        done(spec)

    def _merge(self, spec: TableSpec, changes: DataFrame, dataset: str) -> None:
        """By the spec's key. The dataset is a literal, so that Delta's conflict check sees one partition only."""
        literal = dataset.replace("'", "''")
        on = " AND ".join([f"t.dataset = '{literal}'", *(f"t.{k} = s.{k}" for k in spec.key if k != "dataset")])
        values: dict[str, str | Column] = {name: f"s.{name}" for name in spec.names}
        merge = (
            DeltaTable.forPath(self._spark, self.uri(spec))
            .alias("t")
            .merge(changes.alias("s"), on)
            .whenMatchedDelete(f"s.{CHANGE} = 'drop'")
            .whenMatchedUpdate(set=values)
            .whenNotMatchedInsert(f"s.{CHANGE} = 'put'", values=values)
        )
        merge.execute()
        log.debug("merged into %s for %s", spec.name, dataset)

    def version(self, spec: TableSpec) -> int:
        """The newest Delta version of the table."""
        return int(self._log(spec, None).version())

    def transaction(self, spec: TableSpec, app_id: str) -> int | None:
        """The last transaction version this table has seen of an application id."""
        version = self._log(spec, None).transaction_version(app_id)
        return None if version is None else int(version)

    @contextmanager
    def _transaction(self, txn: Txn) -> Iterator[None]:
        """MERGE takes its transaction from the session; left set, it would make later writes vanish."""
        conf = self._spark.conf
        conf.set(_APP_ID, txn.app_id)
        conf.set(_APP_VERSION, str(txn.version))
        try:
            yield
        finally:
            conf.unset(_APP_ID)
            conf.unset(_APP_VERSION)

    def _log(self, spec: TableSpec, version: int | None) -> DeltaLog:
        log = delta_table(self._storage, spec.path)
        if version is not None and version != log.version():
            log.load_as_version(version)
        return log

    def _grow(self, spec: TableSpec) -> bool:
        """Add the columns that the table does not have yet; LakeFormatError for a table of a newer imagelake."""
        log = self._log(spec, None)
        number = int(log.metadata().configuration.get("imagelake.schema", SCHEMA_NUMBER))
        if number > SCHEMA_NUMBER:
            raise LakeFormatError(
                f"table {spec.name} has schema {number}; this imagelake writes up to {SCHEMA_NUMBER}",
                hint="update imagelake before writing to this lake",
            )
        if {field.name for field in log.schema().fields} >= set(spec.names):
            return False
        add_columns(self._storage, spec, json.dumps(delta_schema(spec)))
        return True

    def _properties(self, spec: TableSpec) -> dict[str, str]:
        properties = {
            "delta.logRetentionDuration": self._settings.log_retention,
            "delta.deletedFileRetentionDuration": self._settings.deleted_file_retention,
            "delta.checkpointInterval": str(self._settings.checkpoint_interval),
            "delta.enableDeletionVectors": "false",
            "imagelake.schema": str(SCHEMA_NUMBER),
        }
        if spec.append_only:
            properties["delta.appendOnly"] = "true"
        if spec.stats:
            properties["delta.dataSkippingStatsColumns"] = ",".join(spec.stats)
        else:  # Delta would take the first 32 columns, at half a second a commit on wide tables
            properties["delta.dataSkippingNumIndexedCols"] = "0"
        return properties

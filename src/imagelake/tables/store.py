"""The lake's Delta tables through Spark: the only place that writes them, and the only importer of delta."""

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
from delta.exceptions import ConcurrentTransactionException
from delta.tables import DeltaTable
from deltalake import DeltaTable as DeltaLog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from imagelake.errors import LakeFormatError
from imagelake.settings import DeltaSettings
from imagelake.storage.base import Storage
from imagelake.tables.delta_rs import add_columns, create_delta_table, delta_table, is_delta_table, place
from imagelake.tables.frames import in_files, together
from imagelake.tables.spec import SCHEMA_NUMBER, TableSpec

log = logging.getLogger(__name__)

CHANGE = "_change"
"""Column of a merge source: `put` writes the row, `drop` removes it."""

_APP_ID = "spark.databricks.delta.write.txnAppId"
_APP_VERSION = "spark.databricks.delta.write.txnVersion"


@dataclass(frozen=True)
class Txn:
    """A Delta application transaction: a write whose version is not above the last one seen is skipped.

    Ids are one a dataset and purpose, never one an upload: they live in every snapshot of the table.
    """

    app_id: str
    version: int


class DeltaStore:
    """Reads and writes the tables declared in `imagelake.tables` of one lake."""

    def __init__(self, spark: SparkSession, storage: Storage, settings: DeltaSettings) -> None:
        self._spark = spark
        self._storage = storage
        self._settings = settings

    def location(self, path: str) -> str:
        """A table's place, as Spark wants it: a local path needs its scheme, for a cluster's default may differ."""
        found = place(self._storage, path)
        return f"file:{found}" if found.startswith("/") else found.replace("s3://", "s3a://", 1)

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
            create_delta_table(self._storage, spec, _schema(spec), self._properties(spec))
        grown = [s for s in specs if s not in missing and self._grow(s)]
        if missing or grown:
            self._storage.flush()

    def read(self, spec: TableSpec, dataset: str | None = None, version: int | None = None) -> DataFrame:
        """The table's declared columns, of one dataset if given, at a Delta version if given.

        A column that the table did not have at that version is null.
        """
        reader = self._spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = reader.load(self.uri(spec))
        if dataset is not None:
            frame = frame.where(F.col("dataset") == F.lit(dataset))
        absent = {c.name: F.lit(None).cast(c.type) for c in spec.columns if c.name not in frame.columns}
        return frame.withColumns(absent).select(*spec.names) if absent else frame.select(*spec.names)

    def collect(self, spec: TableSpec, dataset: str | None = None, version: int | None = None) -> list[dict[str, Any]]:
        """All rows of a small table, or of one dataset in it, at a Delta version if given; without a Spark job."""
        log = self._log(spec)
        if version is not None:
            log.load_as_version(version)
        there = {field.name for field in log.schema().fields}
        rows = _rows(log, dataset, [name for name in spec.names if name in there], None).to_pylist()
        absent = dict.fromkeys(name for name in spec.names if name not in there)
        return [{**row, **absent} for row in rows] if absent else cast(list[dict[str, Any]], rows)

    def arrow(
        self, spec: TableSpec, dataset: str | None, columns: Sequence[str], where: pc.Expression | None = None
    ) -> pa.Table:
        """These columns of the rows that meet the condition, of one dataset if given, without a Spark job."""
        return _rows(self._log(spec), dataset, columns, where)

    def frame(self, spec: TableSpec, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few rows as a frame of the table; a name a row lacks is null."""
        schema = StructType.fromDDL(spec.ddl)
        data = [{name: row.get(name) for name in spec.names} for row in rows]
        table = pa.Table.from_pylist(data, schema=to_arrow_schema(schema, timezone="UTC"))
        return self._spark.createDataFrame(table, schema).coalesce(1)

    def append(self, spec: TableSpec, frame: DataFrame, txn: Txn | None = None) -> None:
        """Append rows; with a transaction Delta silently skips what is not newer (see `transaction`)."""
        writer = frame.select(*spec.names).write.format("delta").mode("append")
        if txn is not None:
            writer = writer.option("txnAppId", txn.app_id).option("txnVersion", txn.version)
        try:
            writer.save(self.uri(spec))
        except ConcurrentTransactionException:
            if txn is None:
                raise
            log.info("%s: another writer committed transaction %s first", spec.name, txn)  # as good as skipped
        log.debug("appended to %s", spec.name)

    def append_table(self, spec: TableSpec, table: pa.Table) -> None:
        """Append the rows of an Arrow table that has the spec's columns, in files worth having."""
        # in one chunk: Spark loses the rows that follow an empty chunk
        self.append(spec, in_files(self._spark.createDataFrame(table.combine_chunks(), spec.ddl), len(table)))

    def merge(
        self, changed: Sequence[tuple[TableSpec, DataFrame]], dataset: str, txn: Txn, done: Callable[[TableSpec], None]
    ) -> None:
        """Apply changes (the spec's columns and CHANGE) to one dataset's rows of several tables at the same time.

        `done` is told of each table that has them, from a thread of its own.
        """
        with self._transaction(txn):
            together(*(partial(self._merge, spec, changes, dataset, done) for spec, changes in changed))

    def _merge(self, spec: TableSpec, changes: DataFrame, dataset: str, done: Callable[[TableSpec], None]) -> None:
        """By the spec's key. The dataset is a literal, so that Delta's conflict check sees one partition only."""
        literal = dataset.replace("'", "''")
        on = " AND ".join([f"t.dataset = '{literal}'", *(f"t.{k} = s.{k}" for k in spec.key if k != "dataset")])
        values = {name: f"s.{name}" for name in spec.names}
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
        done(spec)

    def version(self, spec: TableSpec) -> int:
        """The newest Delta version of the table."""
        return int(self._log(spec).version())

    def transaction(self, spec: TableSpec, app_id: str) -> int | None:
        """The last transaction version this table has seen of an application id."""
        found = self._log(spec).transaction_version(app_id)
        return None if found is None else int(found)

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

    def _log(self, spec: TableSpec) -> DeltaLog:
        return delta_table(self._storage, spec.path)

    def _grow(self, spec: TableSpec) -> bool:
        """Add the columns that the table does not have yet; LakeFormatError for a table of a newer imagelake."""
        log = self._log(spec)
        number = int(log.metadata().configuration.get("imagelake.schema", SCHEMA_NUMBER))
        if number > SCHEMA_NUMBER:
            raise LakeFormatError(
                f"table {spec.name} has schema {number}; this imagelake writes up to {SCHEMA_NUMBER}",
                hint="update imagelake before writing to this lake",
            )
        if {field.name for field in log.schema().fields} >= set(spec.names):
            return False
        add_columns(self._storage, spec, _schema(spec))
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


def _schema(spec: TableSpec) -> str:
    """The schema in Delta's JSON."""
    fields = StructType.fromDDL(spec.ddl).jsonValue()["fields"]
    described = [{**f, "metadata": {"comment": spec.column(f["name"]).doc}} for f in fields]
    return json.dumps({"type": "struct", "fields": described})


def _rows(log: DeltaLog, dataset: str | None, columns: Sequence[str], where: pc.Expression | None) -> pa.Table:
    partitions = [("dataset", "=", dataset)] if dataset is not None else None
    return log.to_pyarrow_table(partitions=partitions, columns=list(columns), filters=where)

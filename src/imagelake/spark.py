"""For people who work in Spark: tables of one's own in the lake, and published versions as DataFrames.

    lake = Lakehouse(spark, "./lake")
    lake.write_silver("features", frame, partition_by="day", cluster_by="image_key")
    lake.upsert("silver", "features", changed, keys=["image_key"])
    lake.time_travel("silver", "features", version=0)
    lake.snapshot("pets@v3").images
    lake.suite_frame("silver.images.pets")

One's own tables lie under `tables/own/<layer>/<name>`; the lake's own tables are never written here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from imagelake.client import catalog, refs
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import UNASSIGNED
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.config.settings import DeltaSettings, S3Settings
from imagelake.errors import IntegrityError, NotFound, UsageError
from imagelake.gold.live import live, published
from imagelake.quality.suites.state import TABLES
from imagelake.quality.suites.suite_frames import frames_of
from imagelake.storage.open_lake import open_lake
from imagelake.tables import gold, silver, upload_rows
from imagelake.tables.delta.delta_log import delta_table
from imagelake.tables.delta.store import DeltaStore

LAYERS = ("bronze", "silver", "gold")
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}\Z")


@dataclass(frozen=True)
class Snapshot:
    """A version as DataFrames; `splits` has image_key and split."""

    images: DataFrame
    annotations: DataFrame
    categories: DataFrame
    splits: DataFrame


@dataclass(frozen=True)
class _Table:
    """A table of one's own."""

    layer: str
    name: str

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}"


@dataclass(frozen=True)
class _Placement:
    """Columns by whose values rows go to folders, and columns by which they go to files and are sorted."""

    partition_by: tuple[str, ...]
    cluster_by: tuple[str, ...]


class Lakehouse:
    """A lake seen from Spark. The session must have Delta (imagelake.engine.session.open_session gives one)."""

    def __init__(self, spark: SparkSession, lake: str, s3: S3Settings | None = None) -> None:
        self._spark = spark
        self._storage = open_lake(lake, s3).storage
        self._tables = DeltaStore(spark, self._storage, DeltaSettings())

    def write_bronze(
        self,
        name: str,
        frame: DataFrame,
        mode: str = "append",
        partition_by: str | Sequence[str] = (),
        cluster_by: str | Sequence[str] = (),
    ) -> None:
        """Append to (or with mode `overwrite` replace) a table of one's own in the bronze layer.

        `partition_by`: columns whose values get folders; the first write decides, and UsageError names another choice.
        `cluster_by`: columns by whose ranges this write's rows are spread over files and sorted in them, so that
        queries skip files by the minima and maxima in Delta's log. It is no liquid clustering, which would shut out
        readers without Spark: OPTIMIZE does not know of it, and every write says it anew.
        """
        self._write(_Table("bronze", name), frame, mode, _Placement(_names(partition_by), _names(cluster_by)))

    def write_silver(
        self,
        name: str,
        frame: DataFrame,
        mode: str = "append",
        partition_by: str | Sequence[str] = (),
        cluster_by: str | Sequence[str] = (),
    ) -> None:
        """Append to (or with mode `overwrite` replace) a table in the silver layer; as `write_bronze`."""
        self._write(_Table("silver", name), frame, mode, _Placement(_names(partition_by), _names(cluster_by)))

    def write_gold(
        self,
        name: str,
        frame: DataFrame,
        mode: str = "append",
        partition_by: str | Sequence[str] = (),
        cluster_by: str | Sequence[str] = (),
    ) -> None:
        """Append to (or with mode `overwrite` replace) a table in the gold layer; as `write_bronze`."""
        self._write(_Table("gold", name), frame, mode, _Placement(_names(partition_by), _names(cluster_by)))

    def read(self, layer: str, name: str) -> DataFrame:
        """A table of one's own; NotFound when there is none."""
        return self._spark.read.format("delta").load(self._existing(layer, name))

    def upsert(self, layer: str, name: str, frame: DataFrame, keys: Sequence[str]) -> None:
        """Update the rows with these keys and insert the others. The frame must hold each key once."""
        path = self._existing(layer, name)
        unknown = [k for k in keys if k not in frame.columns]
        if not keys or unknown:
            raise UsageError(f"upsert needs keys among {', '.join(frame.columns)}, not {', '.join(unknown) or 'none'}")
        view = f"imagelake_{uuid.uuid4().hex}"
        frame.createOrReplaceTempView(view)
        on = " AND ".join(f"t.{_quoted(k)} <=> s.{_quoted(k)}" for k in keys)
        columns = [_quoted(c) for c in frame.columns]
        assignments = ", ".join(f"t.{c} = s.{c}" for c in columns)
        values = ", ".join(f"s.{c}" for c in columns)
        try:
            self._spark.sql(
                f"MERGE INTO delta.{_quoted(path)} t USING {view} s ON {on} "  # noqa: S608  names are quoted, none is a value
                f"WHEN MATCHED THEN UPDATE SET {assignments} "
                f"WHEN NOT MATCHED THEN INSERT ({', '.join(columns)}) VALUES ({values})"
            )
        finally:
            self._spark.catalog.dropTempView(view)

    def time_travel(self, layer: str, name: str, version: int | None = None, timestamp: str | None = None) -> DataFrame:
        """A table of one's own as it was at a Delta version, or at a time (ISO 8601)."""
        if (version is None) == (timestamp is None):
            raise UsageError("time_travel needs either a version or a timestamp")
        reader = self._spark.read.format("delta")
        reader = (
            reader.option("versionAsOf", version) if timestamp is None else reader.option("timestampAsOf", timestamp)
        )
        return reader.load(self._existing(layer, name))

    def vacuum(self, layer: str, name: str) -> None:
        """Delete files a table of one's own no longer uses and whose retention has passed."""
        self._spark.sql(f"VACUUM delta.{_quoted(self._existing(layer, name))}")

    def snapshot(self, ref: str) -> Snapshot:
        """A version (`pets@v3`), or `pets@draft`, as DataFrames; NotFound when there is none, or it was retired."""
        target = catalog.resolve(Tables(self._storage), refs.parse_ref(ref))
        catalog.require_readable(target)
        version = target.version
        if version is None:
            return self._draft(target.dataset)
        history, number, recipe = published(self._tables, target.dataset), version.number, version.recipe
        images, annotations, categories = (
            live(self._tables, history, entity, number) for entity in ("image", "annotation", "category")
        )
        counts = images.count(), annotations.count()
        expected = version.images, version.annotations
        if counts != expected:
            raise IntegrityError(
                f"{ref}: found {counts} images and annotations, the version was published with {expected}"
            )
        splits = live(self._tables, history, "split", number).where(F.col("recipe") == recipe)
        return Snapshot(images, annotations, categories, splits.select("image_key", "split"))

    def register(self, ref: str) -> None:
        """Temporary views images, annotations, categories and splits that show a version."""
        shown = self.snapshot(ref)
        shown.images.createOrReplaceTempView("images")
        shown.annotations.createOrReplaceTempView("annotations")
        shown.categories.createOrReplaceTempView("categories")
        shown.splits.createOrReplaceTempView("splits")

    def suite_frame(self, suite: str) -> DataFrame:
        """What a suite of whole tables is judged on, by the suite's name: the rows of `silver.images.pets`, say.

        It has the columns of the table, `breaks_…` with what is wrong with a row (null when nothing is), and
        `flagged_…` (0 or 1) of rules with a threshold. UsageError for a name that is of no table, NotFound for a
        dataset without upload.
        """
        table = next((spec.name for spec in TABLES if suite.startswith(f"{spec.name}.")), None)
        if table is None:
            raise UsageError(
                f"{suite!r} is no suite of a table", hint=f"{', '.join(f'{spec.name}.D' for spec in TABLES)}"
            )
        dataset = suite.rpartition(".")[2]
        if not upload_rows.newest(self._tables, dataset):
            raise NotFound(f"there is no dataset {dataset!r} in this lake")
        return frames_of(self._tables, dataset, load_dataset_settings(self._storage, dataset))[table]

    def _draft(self, dataset: str) -> Snapshot:
        """Its splits are the newest published ones of recipe 1, which a publish keeps."""
        images, annotations, categories = (
            self._tables.read(spec, dataset) for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES)
        )
        is_first = (F.col("recipe") == 1) & F.col("publish_id").isin(published(self._tables, dataset).publish_ids)
        placed = self._tables.read(gold.SPLIT_LOG, dataset).where(is_first)
        newest = placed.groupBy("image_key").agg(F.max_by("split", "added_in").alias("split"))
        splits = images.select("image_key").join(newest, "image_key", "left").fillna(UNASSIGNED, ["split"])
        return Snapshot(images, annotations, categories, splits)

    def _write(self, table: _Table, frame: DataFrame, mode: str, placement: _Placement) -> None:
        if mode not in ("append", "overwrite"):
            raise UsageError(f"mode {mode!r} is not append or overwrite")
        path, partitions = self._path(table.layer, table.name), self._partitions(table)
        _check_columns(frame, placement)
        if partitions is not None and placement.partition_by not in ((), partitions):
            raise UsageError(
                f"{table} is partitioned by {_listed(partitions)}, not by {_listed(placement.partition_by)}",
                hint="leave partition_by out, or write a table of another name",
            )
        folders = partitions or placement.partition_by
        if placement.cluster_by:
            order = [F.col(_quoted(column)) for column in dict.fromkeys((*folders, *placement.cluster_by))]
            frame = frame.repartitionByRange(*order).sortWithinPartitions(*order)
        frame.write.format("delta").mode(mode).partitionBy(*folders).save(path)

    def _partitions(self, table: _Table) -> tuple[str, ...] | None:
        """What a table of one's own is partitioned by; None when there is no such table yet."""
        path = f"tables/own/{table.layer}/{table.name}"
        if not self._tables.is_table(path):
            return None
        return tuple(delta_table(self._storage, path).metadata().partition_columns)

    def _path(self, layer: str, name: str) -> str:
        if layer not in LAYERS or not _NAME.match(name):
            raise UsageError(
                f"{layer}.{name} names no table of one's own",
                hint=f"layers are {', '.join(LAYERS)}; a name is a-z, 0-9 and _, starting with a letter",
            )
        return self._tables.location(f"tables/own/{layer}/{name}")

    def _existing(self, layer: str, name: str) -> str:
        path = self._path(layer, name)
        if not self._tables.is_table(f"tables/own/{layer}/{name}"):
            raise NotFound(f"there is no table {layer}.{name}", hint=f"write_{layer}({name!r}, frame) makes it")
        return path


def _check_columns(frame: DataFrame, placement: _Placement) -> None:
    for option, columns in vars(placement).items():
        absent = [column for column in columns if column not in frame.columns]
        if absent:
            raise UsageError(
                f"{option}: the frame has no column {_listed(absent)}", hint=f"columns: {_listed(frame.columns)}"
            )


def _names(columns: str | Sequence[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns) or "no column"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"

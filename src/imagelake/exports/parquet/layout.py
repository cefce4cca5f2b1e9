"""`parquet`: the rows of a selection as four files, or as hive folders by what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from imagelake.client.data.sample_tables import choose
from imagelake.client.data.samples import Samples, WholeTables
from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import select
from imagelake.errors import Conflict, IntegrityError, UsageError
from imagelake.exports.base import ExportContent
from imagelake.exports.folder import ExportFolder
from imagelake.exports.parquet import hive, parquet_files, snapshot_rows
from imagelake.exports.parquet.keys import PartitionKey
from imagelake.exports.parquet.snapshot import exact_ref

_PARTITIONED = frozenset(("images", "annotations"))


@dataclass(frozen=True)
class Parquet:
    """Rows without images. `partition_by`: the levels of the folders of images and annotations, outermost first."""

    name: ClassVar[str] = "parquet"
    has_unlabelled: ClassVar[bool] = True
    oriented: ClassVar[bool] = False
    partition_by: tuple[PartitionKey, ...] = ()

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write the four tables; of a whole version without folders they are the files of its snapshot."""
        samples = content.samples
        if samples.oriented:
            raise UsageError("--format parquet has coordinates of the raw image", hint="take ?oriented=1 off")
        source, ref = _selected(samples)
        counts = {table: self._write(source, table, folder, ref) for table in snapshot_rows.TABLES}
        _check_counts(samples, counts)
        folder.progress(len(samples), len(samples))
        folder.lose("images: the format holds rows only", len(samples))

    def _write(self, source: snapshot_rows.RowSource, table: str, folder: ExportFolder, ref: str) -> int:
        """Write a table, as one file or as folders; the number of its rows."""
        if self.partition_by and table in _PARTITIONED:
            keys = [key for key in self.partition_by if table == "annotations" or key.splits_images]
            count, parts = hive.write_tree(source, table, keys, folder, ref)
            files_by = f"{parts} files by {', '.join(key.column for key in keys)}" if keys else "one file"
            folder.note(f"{table}/ has {files_by}")
            return count
        with folder.open(f"{table}.parquet") as out:
            return parquet_files.write(out, snapshot_rows.schema(table), ref, snapshot_rows.batches(source, table))


def _selected(samples: Samples) -> tuple[snapshot_rows.RowSource, str]:
    """Where the rows of samples are read from, and the reference that names them."""
    tables, target = Tables(samples.storage), samples.target
    version = target.version
    if version is not None and len(samples) == version.images:
        return snapshot_rows.RowSource(tables, target), exact_ref(tables, version)
    source = snapshot_rows.RowSource(tables, target, choose(tables, samples.rows.column("image_key")))
    if samples.whole is not None:
        _check_draft(source, samples.whole)
    return source, samples.ref


def _check_draft(source: snapshot_rows.RowSource, whole: WholeTables) -> None:
    """Conflict when the draft is no longer the one that was loaded: uploads, splits or labels came in between."""
    compared = {
        "images": ("image_key", "content_hash", "delivery", "split"),
        "annotations": ("annotation_key", "delivery"),
    }
    for table, loaded in (("images", whole.images), ("annotations", whole.annotations)):
        columns = select(compared[table])
        source.tables.con.register("_loaded", loaded)
        before, now = f"SELECT {columns} FROM _loaded", f"SELECT {columns} FROM {snapshot_rows.query(source, table)}"
        differing = f"({before} EXCEPT ALL {now}) UNION ALL ({now} EXCEPT ALL {before})"
        if source.tables.query(f"SELECT 1 FROM ({differing}) LIMIT 1"):
            _changed(source.target.name)
        source.tables.con.unregister("_loaded")


def _check_counts(samples: Samples, counts: Mapping[str, int]) -> None:
    """IntegrityError, or Conflict for a draft, when rows were written that are not those of the samples."""
    loaded = {"images": len(samples), "annotations": samples.boxes.rows.num_rows}
    for table, count in loaded.items():
        if counts[table] == count:
            continue
        if samples.target.version is None:
            _changed(samples.target.name)
        raise IntegrityError(
            f"{samples.target.name}: {count} rows of {table} were loaded, then {counts[table]} were read",
            hint="verify the version; restore the lake's tables from a copy",
        )


def _changed(draft: str) -> NoReturn:
    raise Conflict(f"{draft} changed while it was read", hint="run the same command again")

"""Folders as Hive names them: `split=train/category=cat/part-0.parquet`, one file a folder.

The rows come sorted by the folders' values, so one file is open at a time, however many folders there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from imagelake.client.sql_text import name
from imagelake.errors import UsageError
from imagelake.exports.folder import ExportFolder
from imagelake.exports.parquet import parquet_files, snapshot_rows
from imagelake.exports.parquet.keys import PartitionKey, landed_days

if TYPE_CHECKING:
    import pyarrow as pa

NULL = "__HIVE_DEFAULT_PARTITION__"
"""The folder of rows without a value, and, as in Hive, of rows whose value is empty."""

_ESCAPED = frozenset("\"#%'*/:=?\\{[]^\x7f") | {chr(code) for code in range(32)}
_LONGEST = 255
"""Bytes of a name in most file systems."""

Values = tuple[str | None, ...]


def escape(value: str | None) -> str:
    """A value as part of a folder's name: as Hive and Spark write it, and every reader of hive folders undoes it."""
    if not value:
        return NULL
    if value == NULL:
        raise UsageError(f"{NULL} is what a folder of rows without a value is called", hint="rename that value")
    return "".join(f"%{ord(char):02X}" if char in _ESCAPED else char for char in value)


def write_tree(
    source: snapshot_rows.RowSource, table: str, keys: Sequence[PartitionKey], folder: ExportFolder, ref: str
) -> tuple[int, int]:
    """Write the rows of a table below a folder of its name; how many rows in how many files.

    What the folders say is no column of the files; without rows there is one file, with every column. UsageError when
    a value makes too long a name.
    """
    columns = [key.column for key in keys]
    fields = [field for field in snapshot_rows.schema(table) if field.name not in columns]
    schema = snapshot_rows.schema(table).empty_table().select([field.name for field in fields]).schema
    count = parts = 0
    batches = snapshot_rows.sorted_batches(source, _query(source, table, keys, schema.names))
    for values, pieces in groupby(_pieces(batches, len(keys)), key=itemgetter(0)):
        path = "/".join((table, *map(_folder, columns, values), "part-0.parquet"))
        with folder.open(path) as out:
            count += parquet_files.write(out, schema, ref, (piece for _, piece in pieces))
        parts += 1
    if not parts:
        with folder.open(f"{table}/part-0.parquet") as out:
            parquet_files.write(out, snapshot_rows.schema(table), ref, ())
    return count, max(parts, 1)


def _query(source: snapshot_rows.RowSource, table: str, keys: Sequence[PartitionKey], columns: Sequence[str]) -> str:
    """The columns of a table, then the values of the keys, sorted by these."""
    image = "r" if table == "images" else "i"
    values = [f"nullif({key.value.format(row='r', image=image)}, '')" for key in keys]
    tables, target = source.tables, source.target
    joins = "" if table == "images" else f" JOIN {_images(source)} AS i USING (image_key)"
    if any(key.column == "date" for key in keys):
        joins += f" LEFT JOIN {landed_days(tables, target.dataset)} AS landed USING (delivery)"
    items = ", ".join((*(f"r.{name(column)}" for column in columns), *(f"{v} AS _{i}" for i, v in enumerate(values))))
    by = ", ".join((*(f"_{i} NULLS LAST" for i in range(len(values))), snapshot_rows.order(table)))
    return f"SELECT {items} FROM {snapshot_rows.query(source, table)} AS r{joins} ORDER BY {by}"


def _images(source: snapshot_rows.RowSource) -> str:
    """A table of the images' split and content hash, by their keys."""
    images = snapshot_rows.query(source, "images")
    return source.tables.once("_images_of_rows", f"SELECT image_key, split, content_hash FROM {images}")


def _pieces(batches: Iterable[pa.RecordBatch], keys: int) -> Iterator[tuple[Values, pa.RecordBatch]]:
    """The batches cut where a value changes, with the values, which are their last columns."""
    import pyarrow.compute as pc

    for batch in (batch for batch in batches if batch.num_rows):
        width = batch.num_columns - keys
        columns = [batch.column(i) for i in range(width, batch.num_columns)]
        changes = {end for column in columns for end in pc.run_end_encode(column).run_ends.to_pylist()}
        ends = sorted({*changes, batch.num_rows})
        rest = batch.select(range(width))
        for start, end in zip([0, *ends], ends, strict=False):
            values = tuple(column[start].as_py() for column in columns)
            yield values, rest.slice(start, end - start)


def _folder(column: str, value: str | None) -> str:
    text = f"{column}={escape(value)}"
    if len(text.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise UsageError(
            f"{column} {str(value)[:40]!r}… makes a name of more than {_LONGEST} bytes",
            hint=f"partition by other keys than {column}",
        )
    return text

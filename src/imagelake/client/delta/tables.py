"""The one seam to the lake's tables: Delta's log through delta-rs, the rows through DuckDB.

DuckDB reads the active files of a snapshot by itself: for local files that is four times faster than any Arrow route.
Those of a bucket never change either: they are fetched once into a cache on this machine (client/delta/file_cache.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from imagelake.client.delta.connection import connect, stream
from imagelake.client.delta.file_cache import FileCache
from imagelake.client.sql_text import Prune, Row, name, no_glob, sql_type, text, texts
from imagelake.errors import ConfigError, IntegrityError
from imagelake.storage.base import Storage
from imagelake.tables.spec import SCHEMA_NUMBER, TableSpec

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable

_DATASET_OF_FILE = "regexp_extract(filename, 'dataset=([^/]*)/[^/]*$', 1)"
_UNREADABLE = frozenset("%[]\\")


@dataclass(frozen=True)
class File:
    """An active file: path in the lake, its dataset (None in an unpartitioned table), and its row of Delta's log."""

    path: str
    dataset: str | None
    log: Row


class Tables:
    """One look at a lake: every table is opened once, when first asked for, and stays at that Delta version.

    Ask for gold.versions before the logs: a writer appends the logs first, so what a version needs is then there.
    """

    def __init__(self, storage: Storage) -> None:
        self._folder = None if storage.folder is None else str(storage.folder)
        root = self._folder or storage.root
        bad = sorted(_UNREADABLE & set(root))
        if bad:
            raise ConfigError(
                f"the lake's path {root} holds {' '.join(bad)}, which the Delta reader cannot open",
                hint="move or rename the folder; a lake may be moved as a whole",
            )
        self._storage = storage
        self._logs: dict[str, DeltaTable | None] = {}
        self._files: dict[str, tuple[File, ...]] = {}
        self._used: set[str] = set()
        self._made: set[str] = set()

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB connection of this look."""
        return connect()

    def log(self, spec: TableSpec) -> DeltaTable | None:
        """The table's snapshot; None when the table does not exist yet."""
        if spec.name not in self._logs:
            from deltalake.exceptions import DeltaError, TableNotFoundError

            from imagelake.tables.delta.delta_log import delta_table

            try:
                self._logs[spec.name] = delta_table(self._storage, spec.path)
            except TableNotFoundError:
                self._logs[spec.name] = None
            except (DeltaError, OSError) as error:
                message = next(iter(str(error).splitlines()), "")  # the store's own answer follows
                raise IntegrityError(f"table {spec.name} cannot be read: {message}") from None
        return self._logs[spec.name]

    def files(self, spec: TableSpec, dataset: str | None = None, prune: Prune | None = None) -> list[File]:
        """The active files, of one dataset if given, in a fixed order."""
        if spec.name not in self._files:
            self._files[spec.name] = self._list(spec)
        active = self._files[spec.name]
        return [
            f for f in active if (dataset is None or f.dataset in (None, dataset)) and (prune is None or prune(f.log))
        ]

    def open_together(self, specs: Collection[TableSpec]) -> None:
        """Open tables side by side: of a bucket each takes four answers, one after the other."""
        if self._folder is None:
            unique = {spec.name: spec for spec in specs}
            with ThreadPoolExecutor(len(unique)) as pool:
                list(pool.map(self.files, unique.values()))

    def fetch_together(self, files: Sequence[File]) -> None:
        """Have files of several tables on this machine, fetched side by side."""
        self._local(files)

    def counts(self, spec: TableSpec, null: str | None = None) -> dict[str, int]:
        """Rows per dataset (with `null`, those where that column is null), from Delta's log where it knows."""
        counts: dict[str, int] = {}
        measure = "num_records" if null is None else f"null_count.{null}"
        if any(f.log.get(measure) is None for f in self.files(spec)):
            where = "" if null is None else f" WHERE {name(null)} IS NULL"
            source = self.relation(spec, ("dataset",) if null is None else ("dataset", null))
            rows = self.query(f"SELECT dataset, count(*) AS n FROM {source}{where} GROUP BY dataset")
            return {r["dataset"]: r["n"] for r in rows}
        for file in self.files(spec):
            counts[str(file.dataset)] = counts.get(str(file.dataset), 0) + file.log[measure]
        return counts

    def facts(self, spec: TableSpec, columns: Sequence[str], stamp: str, dataset: str | None = None) -> list[Row]:
        """Rows as `rows` gives them, but from Delta's log where a file holds one row, as a small commit's does.

        Minimum and maximum of one row are its value: a thousand files need not be opened. Also gives `dataset`, and
        `written` in milliseconds since 1970: when the file was written; the column `stamp` where rows share a file.
        """
        entries, unknown = [], set()
        for file in self.files(spec, dataset):
            row = {c: file.log.get(f"min.{c}") for c in columns}
            if file.log["num_records"] == 1 and all(
                v is not None and v == file.log[f"max.{c}"] for c, v in row.items()
            ):
                entries.append(row | {"dataset": file.dataset, "written": file.log["modification_time"]})
            else:
                unknown.add(file.log["path"])
        if unknown:
            selected = ("dataset", stamp, *columns)
            source = self.relation(spec, selected, dataset, lambda f: f["path"] in unknown)
            entries += self.query(f"SELECT *, epoch_ms({name(stamp)}) AS written FROM {source}")
        return entries

    def relation(
        self, spec: TableSpec, columns: Sequence[str], dataset: str | None = None, prune: Prune | None = None
    ) -> str:
        """SQL for the rows of a table, in brackets: the named columns, of one dataset if given.

        A column that this lake's table does not have yet is null; columns this program does not know are left out.
        """
        files = self.files(spec, dataset, prune)
        if not files:
            return self.empty(spec, columns)
        return f"(SELECT {self._items(spec, files, columns, dataset)} FROM {self._reader(spec, files)})"

    def numbered(
        self, spec: TableSpec, columns: Sequence[str], dataset: str | None = None, prune: Prune | None = None
    ) -> str:
        """As `relation`, with `row_index`, from 0: a plain SELECT reads the rows in that order, a join in any."""
        files = self.files(spec, dataset, prune)
        if not files:
            return f"(SELECT *, NULL::BIGINT AS row_index FROM {self.empty(spec, columns)})"
        items, reader = self._items(spec, files, columns, dataset), self._reader(spec, files)
        rows = self.query(f"SELECT file_index, count(*) AS n FROM {reader} GROUP BY file_index")
        counts = {row["file_index"]: row["n"] for row in rows}
        starts = list(accumulate((counts.get(i, 0) for i in range(len(files) - 1)), initial=0))
        start = f"list_extract({starts}::BIGINT[], (file_index + 1)::BIGINT)"
        return f"(SELECT {items}, {start} + file_row_number AS row_index FROM {reader})"

    def empty(self, spec: TableSpec, columns: Sequence[str]) -> str:
        """SQL, in brackets, for no rows of a table."""
        items = ", ".join(f"NULL::{sql_type(spec.column(c).type)} AS {name(c)}" for c in columns)
        return f"(SELECT {items} WHERE false)"

    def rows(self, spec: TableSpec, columns: Sequence[str], dataset: str | None = None, tail: str = "") -> list[Row]:
        """The rows themselves; `tail` is SQL after FROM, such as a WHERE."""
        if not self.files(spec, dataset):
            return []
        return self.query(f"SELECT * FROM {self.relation(spec, columns, dataset)} {tail}")

    def query(self, sql: str) -> list[Row]:
        """The result of our own SQL as dicts; IntegrityError when a file the log names cannot be read."""
        import duckdb

        try:
            cursor = self.con.execute(sql)
            names = [d[0] for d in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise IntegrityError(f"a table file cannot be read: {str(error).splitlines()[0]}") from None

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The result of our own SQL bit by bit; no other query may run before its end."""
        import duckdb

        try:
            # `yield from` would close the reader, which in a forked worker waits for ever
            for batch in stream(self.con, sql):  # noqa: UP028
                yield batch
        except (duckdb.IOException, duckdb.InvalidInputException, OSError) as error:
            raise IntegrityError(f"a table file cannot be read: {str(error).splitlines()[0]}") from None

    def arrow(self, sql: str, compact: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None) -> pa.Table:
        """The result of our own SQL as an Arrow table; IntegrityError when a file the log names cannot be read.

        It comes as a stream, whose batches `compact` makes smaller; a type that they do not share is that of the rest.
        """
        import duckdb

        try:
            reader = stream(self.con, sql)
            batches = [compact(batch) if compact else batch for batch in reader]
        except (duckdb.IOException, duckdb.InvalidInputException, OSError) as error:
            raise IntegrityError(f"a table file cannot be read: {str(error).splitlines()[0]}") from None
        return _joined(batches, reader.schema)

    def once(self, table: str, select: str, parameters: Sequence[Any] = ()) -> str:
        """A temporary table made from a SELECT when it is first asked for; its name, quoted."""
        if table not in self._made:
            self._made.add(table)
            self.con.execute(f"CREATE TEMP TABLE {name(table)} AS {select}", list(parameters))
        return name(table)

    def has(self, table: str) -> bool:
        """Whether `once` has made that table."""
        return table in self._made

    def lock(self) -> None:
        """From here on the connection opens only the files that relations were made of, and its settings stay."""
        allowed = texts(sorted({p for path in self._used for p in (path, no_glob(path))}))
        self.con.execute(f"SET allowed_paths = [{allowed}]")
        self.con.execute("SET enable_external_access = false; SET lock_configuration = true")

    def _list(self, spec: TableSpec) -> tuple[File, ...]:
        log = self.log(spec)
        if log is None:
            return ()
        actions = log.get_add_actions(flatten=True)
        names = actions.column_names
        columns = [actions.column(n).to_pylist() for n in names]
        rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
        rows.sort(key=lambda r: r["path"])
        base = f"{spec.path}/"
        return tuple(File(base + unquote(r["path"]), r.get("partition.dataset"), r) for r in rows)

    def _evolved(self, spec: TableSpec) -> bool:
        """Whether files of this table may differ in their columns."""
        from imagelake.tables.delta.delta_log import ADDED

        log = self.log(spec)
        assert log is not None
        number = int(log.metadata().configuration.get("imagelake.schema", SCHEMA_NUMBER))
        fields = log.schema().fields
        has_grown = any(ADDED in f.metadata for f in fields)
        return number > SCHEMA_NUMBER or has_grown or {f.name for f in fields} != set(spec.names)

    def _items(self, spec: TableSpec, files: Sequence[File], columns: Sequence[str], dataset: str | None) -> str:
        """Columns as the list of a SELECT from the files."""
        have = self._columns(spec, files)
        items = []
        for column in map(spec.column, columns):
            if column.name == "dataset" and spec.partition_by:
                value = _DATASET_OF_FILE if dataset is None else text(dataset)
            elif column.name not in have:
                value = f"NULL::{sql_type(column.type)}"
            elif column.type == "timestamp":
                # Parquet holds times with and without a zone, by writer; both are microseconds in UTC
                value = f"make_timestamp(epoch_us({name(column.name)}))"
            else:
                value = name(column.name)
            items.append(f"{value} AS {name(column.name)}")
        return ", ".join(items)

    def _columns(self, spec: TableSpec, files: Sequence[File]) -> set[str]:
        if not self._evolved(spec):
            return set(spec.names)
        cursor = self.con.execute(f"SELECT * FROM {self._reader(spec, files)} LIMIT 0")
        return {d[0] for d in cursor.description or ()}

    def _local(self, files: Sequence[File]) -> list[str]:
        """Where DuckDB finds the files."""
        if self._folder is not None:
            return [f"{self._folder}/{f.path}" for f in files]
        sizes = [(f.path, int(f.log["size_bytes"])) for f in files]
        return [str(path) for path in FileCache.of(self._storage).local(sizes)]

    def _reader(self, spec: TableSpec, files: Sequence[File]) -> str:
        local = self._local(files)
        self._used.update(local)
        paths = texts([no_glob(path) for path in local])
        union = ", union_by_name = true" if self._evolved(spec) else ""
        return f"read_parquet([{paths}], hive_partitioning = false{union})"


def _joined(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Batches as one table: a column is null in type where it is so in all of them."""
    import pyarrow as pa

    columns = []
    for number, of in enumerate(schema):
        chunks = [batch.column(number) for batch in batches]
        kinds = {chunk.type for chunk in chunks if chunk.type != pa.null()}
        kind = kinds.pop() if kinds else pa.null() if chunks else of.type
        columns.append(pa.chunked_array([c if c.type == kind else pa.nulls(len(c), kind) for c in chunks], kind))
    return pa.table(columns, names=schema.names).unify_dictionaries()

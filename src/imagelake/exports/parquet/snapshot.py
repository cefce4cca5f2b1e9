"""The files of a version in the lake: snapshots/<D>/<vN>/*.parquet, made once, when somebody first asks.

Each file is put where there is none; `snapshot.json` comes last and makes them a snapshot. Makers that meet write the
same bytes, or, with another release of pyarrow, take the files of who was first.
"""

from __future__ import annotations

import errno
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from imagelake.client.catalog import Target, Version, digest_of
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import check_count
from imagelake.client.query.views import CONTENT
from imagelake.errors import ConfigError, IntegrityError, NotFound, UsageError
from imagelake.exports.parquet import parquet_files as files
from imagelake.exports.parquet import snapshot_rows as rows
from imagelake.storage.base import Denied, Storage
from imagelake.storage.local import path_from_uri

FOLDER = "snapshots"
RECORD = "snapshot.json"

_FORMAT = 1
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class ParquetFile:
    """A file of a snapshot: its table, number of rows, size in bytes, and the sha256 of its bytes."""

    table: str
    uri: str
    rows: int
    bytes: int
    sha256: str

    @property
    def location(self) -> str:
        """What every reader opens: the path of a file of this machine, else the URI."""
        return str(path_from_uri(self.uri)) if self.uri.startswith("file:") else self.uri


@dataclass(frozen=True)
class ParquetSnapshot:
    """The files of a version. `ref` names it with its digest; `is_new` is False when they were there already.

    `images`, `annotations`, `categories` and `splits` are what pandas, Polars, DuckDB or Spark opens.
    """

    ref: str
    uri: str
    files: tuple[ParquetFile, ...]
    is_new: bool

    def file(self, table: str) -> ParquetFile:
        """The file of a table; KeyError when there is none."""
        return {file.table: file for file in self.files}[table]

    @property
    def images(self) -> str:
        """Where the images' rows are."""
        return self.file("images").location

    @property
    def annotations(self) -> str:
        """Where the annotations are."""
        return self.file("annotations").location

    @property
    def categories(self) -> str:
        """Where the categories are."""
        return self.file("categories").location

    @property
    def splits(self) -> str:
        """Where the splits are."""
        return self.file("splits").location

    def as_json(self) -> dict[str, Any]:
        """{"ref", "uri", "files": [{"table", "uri", "rows", "bytes", "sha256"}], "is_new"}."""
        return {"ref": self.ref, "uri": self.uri, "files": [asdict(file) for file in self.files], "is_new": self.is_new}


@dataclass(frozen=True)
class _Bytes:
    """What tells one file of rows from another."""

    size: int
    sha256: str
    footer: files.Footer | None


def snapshot(tables: Tables, storage: Storage, target: Target) -> ParquetSnapshot:
    """The snapshot of a version, made when there is none yet.

    UsageError for a draft. IntegrityError when what is there belongs to another digest or has lost a file, ConfigError
    when this role may not write below snapshots/.
    """
    if target.version is None:
        raise UsageError(f"{target.name} has no snapshot: a draft changes", hint="publish it, or get --format parquet")
    ref = exact_ref(tables, target.version)
    folder = f"{FOLDER}/{target.dataset}/{target.version.name.partition('@')[2]}"
    there = _read(storage, folder, ref)
    if there is not None:
        return there
    made = [_make(storage, folder, rows.RowSource(tables, target), ref, table) for table in rows.TABLES]
    storage.flush()
    record = {"format": _FORMAT, "ref": ref, "files": made}
    with _writing(storage, folder):
        is_new = storage.put(f"{folder}/{RECORD}", json.dumps(record, indent=1).encode() + b"\n", if_absent=True)
    return _read(storage, folder, ref, is_new) or _damaged(storage, folder, f"{RECORD} is gone")


def exact_ref(tables: Tables, version: Version) -> str:
    """A version with its digest: pets@v3.1#d1:…"""
    return f"{version.dataset}@v{version.number}.{version.recipe}#{digest_of(tables, version)}"


def _make(storage: Storage, folder: str, source: rows.RowSource, ref: str, table: str) -> dict[str, Any]:
    """Put the file of a table, or take the one that is there; its entry in the record."""
    with tempfile.TemporaryDirectory(prefix="imagelake-") as temporary:
        local = Path(temporary) / f"{table}.parquet"
        with local.open("wb") as out:
            count = files.write(out, rows.schema(table), ref, rows.batches(source, table))
        check_count(source.target, CONTENT[table], count)
        with _writing(storage, folder):
            content = _put(storage, folder, local)
    if content.footer is None or content.footer.ref != ref:
        _damaged(storage, folder, f"{table}.parquet has not the rows of {ref}")
    return {"table": table, "rows": count, "bytes": content.size, "sha256": content.sha256}


def _put(storage: Storage, folder: str, local: Path) -> _Bytes:
    """Put a file where there is none; what is there then."""
    path = f"{folder}/{local.name}"
    with local.open("rb") as stream:
        ours = _bytes_of(stream)
    if storage.put_file(local, path, if_absent=True):
        return ours
    with storage.open(path) as stream:
        there = _bytes_of(stream)
    if there != ours and there.footer in (None, ours.footer):
        storage.put_file(local, path)  # one program makes one file of these rows: a power cut left another
        return ours
    return there


def _bytes_of(stream: BinaryIO) -> _Bytes:
    sha256 = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        sha256.update(chunk)
    return _Bytes(stream.tell(), sha256.hexdigest(), files.footer(stream))


def _read(storage: Storage, folder: str, ref: str, is_new: bool = False) -> ParquetSnapshot | None:
    """The snapshot in a folder; None when it is not complete. IntegrityError when it is not that of a reference."""
    try:
        record = json.loads(storage.read(f"{folder}/{RECORD}"))
        entries = [{**entry, "uri": storage.uri(f"{folder}/{entry['table']}.parquet")} for entry in record["files"]]
        snapshot = ParquetSnapshot(record["ref"], storage.uri(folder), tuple(ParquetFile(**e) for e in entries), is_new)
    except NotFound:
        return None
    except (ValueError, KeyError, TypeError):
        _damaged(storage, folder, f"{RECORD} is not a record of a snapshot")
    if snapshot.ref != ref:
        _damaged(storage, folder, f"it holds {snapshot.ref}, and the version is {ref}")
    sizes = {stat.path.rpartition("/")[2]: stat.length for stat in storage.list(folder)}
    for file in snapshot.files:
        if sizes.get(f"{file.table}.parquet") != file.bytes:
            _damaged(storage, folder, f"{file.table}.parquet is not there with its {file.bytes} bytes")
    return snapshot


def _damaged(storage: Storage, folder: str, what: str) -> NoReturn:
    raise IntegrityError(
        f"{storage.uri(folder)} is not the snapshot of this version: {what}",
        hint="verify the version; then remove that folder and ask for the snapshot again",
    )


@contextmanager
def _writing(storage: Storage, folder: str) -> Iterator[None]:
    """Says which permission a role lacks to make a snapshot."""
    try:
        yield
    except (Denied, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _REFUSED:
            raise
        raise ConfigError(
            f"no snapshot can be made at {storage.uri(folder)}: {error}",
            hint=f"this role needs to write below {FOLDER}/ (s3:PutObject), or ask somebody who may: docs/snapshots.md",
        ) from None

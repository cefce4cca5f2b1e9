"""Delta's log without Spark: a table of the lake through delta-rs, wherever the lake is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from deltalake import DeltaTable, Field, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError

from imagelake.errors import Conflict
from imagelake.storage.base import Storage
from imagelake.tables.delta.store_errors import store_errors
from imagelake.tables.spec import TableSpec

ADDED = "imagelake.added"
"""Marks a field of a schema that the table got later: files from before do not have the column."""

_TRIES = 10
_VARIABLE = "SSL_CERT_FILE"


@dataclass
class _Trust:
    """How many threads need the authorities that the environment names now, and what it named before them."""

    threads: int = 0
    before: str | None = None


_changing = threading.Condition()
_trust = _Trust()


def delta_table(storage: Storage, path: str) -> DeltaTable:
    """The newest snapshot of the table at this path of the lake.

    ConfigError says what a store refuses: its certificate, the region, these credentials. Others are deltalake's.
    """
    with _trusting(storage.ca_bundle), store_errors(place(storage, path)):
        return DeltaTable(place(storage, path), storage_options=storage.delta_options())


def is_delta_table(storage: Storage, path: str) -> bool:
    """Whether a Delta table is at this path of the lake; errors as of `delta_table`."""
    with _trusting(storage.ca_bundle), store_errors(place(storage, path)):
        return bool(DeltaTable.is_deltatable(place(storage, path), storage.delta_options()))


def create_delta_table(storage: Storage, spec: TableSpec, schema: str, properties: Mapping[str, str]) -> None:
    """Create a table unless it is there, with a schema in Delta's JSON, by one commit that only one program can make.

    Spark would refuse a folder in which another program has just begun, or has died.
    """
    try:
        with _trusting(storage.ca_bundle):
            DeltaTable.create(
                place(storage, spec.path),
                Schema.from_json(schema),
                mode="ignore",
                partition_by=list(spec.partition_by),
                description=spec.doc,
                configuration=properties,
                storage_options=storage.delta_options(),
                raise_if_key_not_exists=False,
            )
    except DeltaError:
        if not is_delta_table(storage, spec.path):
            raise


def add_columns(storage: Storage, spec: TableSpec, schema: str) -> None:
    """Add the columns of a schema in Delta's JSON that a table does not have; programs may do so at the same time."""
    options = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
    for _ in range(_TRIES):
        log = delta_table(storage, spec.path)
        there = {field.name for field in log.schema().fields}
        new = [field for field in Schema.from_json(schema).fields if field.name not in there]
        fields = [Field(f.name, f.type, nullable=True, metadata={**f.metadata, ADDED: "true"}) for f in new]
        if not fields:
            return
        try:
            with _trusting(storage.ca_bundle):
                log.alter.add_columns(fields, post_commithook_properties=options)
        except CommitFailedError:
            continue  # another writer was faster: look anew
        return
    raise Conflict(f"table {spec.name}: others wrote to it {_TRIES} times while columns were added to it")


def write_checkpoint(storage: Storage, path: str) -> None:
    """Write a checkpoint of the newest version, so that readers open one file instead of every commit."""
    with _trusting(storage.ca_bundle):
        delta_table(storage, path).create_checkpoint()


def place(storage: Storage, path: str) -> str:
    """A path of the lake as delta-rs takes it: a file URI as a plain path, for it would not decode one."""
    root = storage.root
    return f"{unquote(root.removeprefix('file://')) if root.startswith('file:') else root}/{path}"


@contextmanager
def _trusting(bundle: str | None) -> Iterator[None]:
    """delta-rs takes authorities only from the environment, when it makes a client; others here keep theirs.

    Threads that need the same go on side by side.
    """
    if bundle is None:
        yield
        return
    with _changing:
        _changing.wait_for(lambda: not _trust.threads or os.environ.get(_VARIABLE) == bundle)
        if not _trust.threads:
            _trust.before = os.environ.get(_VARIABLE)
            os.environ[_VARIABLE] = bundle
        _trust.threads += 1
    try:
        yield
    finally:
        with _changing:
            _trust.threads -= 1
            if not _trust.threads:
                _restore(_trust.before)
            _changing.notify_all()


def _restore(before: str | None) -> None:
    if before is None:
        del os.environ[_VARIABLE]
    else:
        os.environ[_VARIABLE] = before

"""What an upload's files are: hashed and probed in parallel, leaving out those bronze has read before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.bronze.probe.probe_files import PROBE_ROWS, ProbeLimits, describe_all, probe_members
from imagelake.bronze.probe.probe_image import READABLE
from imagelake.bronze.probe.probe_unread import UNSUPPORTED
from imagelake.bronze.spread import collected, spread
from imagelake.runs.context import Context
from imagelake.storage import store_of
from imagelake.tables import bronze
from imagelake.tables.delta.delta_log import delta_table
from imagelake.uploads.member_rows import Members
from imagelake.uploads.source import UploadSource
from imagelake.uploads.source_rows import BATCH, sum_of

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage

_KNOWN = (
    "content_hash", "crc32", "media_type", "width", "height", "mode", "orientation", "frames", "bit_depth",
    "phash", "brightness_p5", "brightness_p99", "contrast", "entropy", "sharpness", "problem_rule", "problem",
)  # fmt: skip


def probe_archive(ctx: Context, source: UploadSource) -> pa.Table:
    """PROBE_ROWS of all members of an archive."""
    return _probed(ctx, source, source.members)


def probe_loose_files(ctx: Context, source: UploadSource, reused: pa.Table) -> pa.Table:
    """PROBE_ROWS of all loose files; those that are known (`unchanged_files`) are not read."""
    is_known = pc.is_in(source.members.table["path"], reused["path"].cast(pa.large_string()))
    unknown = Members(source.members.table.filter(pc.invert(is_known)))
    return pa.concat_tables([_probed(ctx, source, unknown), reused])


def first_rows(table: pa.Table, *columns: str) -> pa.Table:
    """The first row of each combination of values in these columns."""
    numbered = table.append_column("_row", pa.array(range(len(table)), pa.int64()))
    first = numbered.group_by(list(columns)).aggregate([("_row", "min")])
    return table.take(first["_row_min"])


def _probed(ctx: Context, source: UploadSource, members: Members) -> pa.Table:
    if not members:
        return PROBE_ROWS.empty_table()
    frame = spread(ctx, describe_all(source, members), sum_of(members.table["length"]))
    sandbox = _sandbox(ProbeLimits.of(ctx.settings.ingest), store_of(source.uri, ctx.settings.s3))
    return collected(frame.mapInArrow(sandbox, from_arrow_schema(PROBE_ROWS))).cast(PROBE_ROWS)


def unchanged_files(ctx: Context, dataset: str, source: UploadSource) -> pa.Table:
    """PROBE_ROWS of the loose files that are in bronze already, as they were found then.

    What tells that a file is the same: its place, its size, and its mtime, or its ETag in a bucket.
    """
    members = source.members.table
    remote = members["etag"].null_count < len(members)
    stamp = "source_etag" if remote else "source_mtime_ns"
    place = ("source", "length", stamp)
    stamps = members["etag" if remote else "mtime_ns"]
    here = pa.table(
        [members["path"].cast(pa.string()), source.uris(source.members), members["length"], stamps], ["path", *place]
    )
    read = pc.field("content_hash").is_valid() & pc.field(stamp).is_valid()
    is_unread = pc.field("problem_rule").is_valid() & (pc.field("problem_rule") == UNSUPPORTED)
    outdated = is_unread & pc.field("media_type").isin(sorted(READABLE))  # since then its kind can be decoded
    seen = pc.starts_with(pc.field("source"), source.uri) & read & ~outdated
    files = delta_table(ctx.storage, bronze.FILES.path).to_pyarrow_dataset(
        file_pruning_predicate=[("dataset", "=", dataset)]
    )
    before = _first_of_each(files.to_batches(columns=[*place, *_KNOWN], filter=seen), here.select(place))
    if before is None:
        return PROBE_ROWS.empty_table()
    joined = here.join(before, list(place), join_type="inner")
    columns = {name: joined[name] for name in ("path", "length", *_KNOWN)}
    columns |= {"uri": joined["source"], "stored": joined["length"]}
    count = len(joined)
    columns |= {"codec": pa.array(["stored"] * count, pa.string()), "offset": pa.array([0] * count, pa.int64())}
    columns["etag"] = joined[stamp] if remote else pa.nulls(count, pa.string())
    return pa.table([columns[name] for name in PROBE_ROWS.names], names=PROBE_ROWS.names).cast(PROBE_ROWS)


def _first_of_each(rows: Iterable[pa.RecordBatch], keys: pa.Table) -> pa.Table | None:
    """The first of the rows with each of these keys; None for no rows. In memory are no more than there are keys.

    A dataset's files are in bronze once a night, and only one row of each is asked for.
    """
    names = keys.column_names
    first_rows_so_far: pa.Table | None = None
    for portion in _portions(rows, max(len(keys), BATCH)):
        first = first_rows(portion.cast(_plain(portion.schema)), *names)
        first = first.join(keys, names, join_type="left semi")
        if first_rows_so_far is not None:
            first = pa.concat_tables(
                [first_rows_so_far, first.join(first_rows_so_far.select(names), names, join_type="left anti")]
            )
        first_rows_so_far = first
        if len(first_rows_so_far) == len(keys):
            break
    return first_rows_so_far


def _portions(batches: Iterable[pa.RecordBatch], count: int) -> Iterator[pa.Table]:
    """The rows in tables of some `count` rows."""
    portion: list[pa.RecordBatch] = []
    for batch in batches:
        portion.append(batch)
        if sum(map(len, portion)) >= count:
            yield pa.Table.from_batches(portion)
            portion = []
    if portion:
        yield pa.Table.from_batches(portion)


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema with plain strings: a join wants the same kind of them on both sides."""
    texts = (pa.large_string(), pa.string_view())
    return pa.schema([f.with_type(pa.string()) if f.type in texts else f for f in schema])


def _sandbox(
    limits: ProbeLimits, store: S3Storage | None
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return probe_members(batches, limits, store=store)

    return run

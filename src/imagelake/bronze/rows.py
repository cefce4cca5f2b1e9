"""What an upload's members become in bronze: the rows of bronze.files, the upload id, the counts."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context, Counts
from imagelake.formats.detect import Choice
from imagelake.keys import is_image_name
from imagelake.storage.source import Source
from imagelake.tables import bronze

_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again without a new mtime: its mtime proves nothing."""

_META_STEMS = ("license", "licence", "readme", "notice", "citation", "changelog", "meta")


def upload_id(facts: DataFrame) -> str:
    """sha256 over the sorted lines `path NUL content hash`; a file that cannot be read counts with its problem."""
    content = F.coalesce("content_hash", F.concat(F.lit("!"), F.coalesce("problem_rule", F.lit("unreadable"))))
    table = facts.select("path", content.alias("content")).toArrow()
    digest = hashlib.sha256()
    for path, value in sorted(zip(table["path"].to_pylist(), table["content"].to_pylist(), strict=True)):
        digest.update(f"{path}\0{value}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def files(ctx: Context, dataset: str, attempt_id: str, source: Source, choice: Choice, facts: DataFrame) -> DataFrame:
    """Rows of bronze.files: every member with its role and facts, and what was ignored."""
    documents, meta = frozenset(choice.detection.documents), frozenset(choice.detection.meta)
    known = []
    for m in source.members:
        loose = m.entry is None
        place = (source.member_uri(m), trusted_mtime(ctx, m.mtime_ns)) if loose else (None, None)
        known.append((m.path, _role(m.path, documents, meta), *place))
    named = ctx.spark.createDataFrame(known, "path string, role string, source string, source_mtime_ns bigint")
    is_image = F.coalesce(F.col("media_type").startswith("image/"), F.lit(False)) & (F.col("role") == "unknown")
    columns = {
        "dataset": F.lit(dataset),
        "attempt_id": F.lit(attempt_id),
        "source_etag": F.lit(None).cast("string"),
        "role": F.when(is_image, "image").otherwise(F.col("role")),
    }
    taken = facts.join(named, "path").withColumns(columns).select(*bronze.FILES.names)
    base = {"dataset": dataset, "attempt_id": attempt_id, "role": "ignored"}
    ignored = [{**base, "path": i.path, "length": i.length, "problem": i.reason} for i in source.ignored]
    return taken.unionByName(ctx.tables.frame(bronze.FILES, ignored))


def landed_counts(rows: DataFrame) -> Counts:
    """File counts as far as ingest can tell: unknown files are ignored, files with a problem rejected."""
    ignored = F.col("role").isin("ignored", "unknown")
    rejected = ~ignored & F.col("problem_rule").isNotNull()
    read, left, bad = rows.agg(F.count("*"), F.count(F.when(ignored, 1)), F.count(F.when(rejected, 1))).first() or (
        0,
        0,
        0,
    )
    return Counts(read=read, ignored=left, rejected=bad, accepted=read - left - bad)


def trusted_mtime(ctx: Context, mtime_ns: int | None) -> int | None:
    """The mtime, unless it is so recent that the file may change again without a new one."""
    if mtime_ns is None or mtime_ns > ctx.clock().timestamp() * 1e9 - _RACY_NS:
        return None
    return mtime_ns


def _role(path: str, documents: frozenset[str], meta: frozenset[str]) -> str:
    """The role by name and by what the format's reader uses; bytes may still turn unknown into image."""
    if path in documents:
        return "annotation"
    if path in meta or PurePosixPath(path).name.lower().partition(".")[0] in _META_STEMS:
        return "meta"
    return "image" if is_image_name(path) else "unknown"

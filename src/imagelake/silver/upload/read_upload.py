"""An upload as records: its files, its images with keys, what its documents say, and which image each record means."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.errors import UploadRejected
from imagelake.formats import reader
from imagelake.formats.records import DOCUMENT_KINDS, EVERY_KIND
from imagelake.runs.context import Context
from imagelake.silver.image_frames import text_array
from imagelake.silver.rows.images import with_keys
from imagelake.silver.rows.match_images import match
from imagelake.silver.rows.waiting import with_waiting_kinds
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.parse import large_documents, parse
from imagelake.silver.upload.silver_upload import current_detection, files_of, upload_tree
from imagelake.silver.upload.space import with_space
from imagelake.tables.frames import checkpointed, parted

_BOX = "box"


@dataclass(frozen=True)
class ParsedUpload:
    """The content of an upload: the files that bronze has `listed`, and the records of its documents.

    `labels` are their annotation records, by far the most; `records` all others. All are checkpointed.
    """

    listed: DataFrame
    labels: DataFrame
    records: DataFrame


@dataclass(frozen=True)
class UploadRecords:
    """Frames of one upload: `listed` by bronze, `files` not ignored, `images` with keys, `labels`, other `records`.

    All are checkpointed, as are the `matched` image records, which have image_key, status, by_name, waits_for,
    waiting_kinds, space and the image's raw size.
    """

    listed: DataFrame
    files: DataFrame
    images: DataFrame
    labels: DataFrame
    records: DataFrame
    matched: DataFrame


def parse_upload(ctx: Context, upload: LandedUpload) -> ParsedUpload:
    """Parse an upload's documents; UploadRejected when none of them can be read."""
    listed = files_of(ctx, upload)
    tree = upload_tree(ctx, upload.dataset, upload.attempt_id)
    detection = current_detection(upload, tree)
    units = reader(detection.format).plan(tree, detection)
    labels, records = parted(checkpointed(_scoped(parse(ctx, tree, units))), "type", "annotation")
    _check_documents(upload, listed.where("role <> 'ignored'"), records)
    if upload.format in _FORMATS_WITH_EVERY_KIND:
        records = _with_kinds(labels, records)
    documents = large_documents(tree, units)
    return ParsedUpload(listed, labels, _with_document_kinds(labels, records, documents) if documents else records)


def read_upload(parsed: ParsedUpload, draft_images: DataFrame, by_name: bool) -> UploadRecords:
    """Match an upload's records with images.

    draft_images: silver.images of the draft. by_name: labels may find an image of the draft by its base name.
    """
    listed, labels, records = parsed.listed, parsed.labels, parsed.records
    files = listed.where("role <> 'ignored'")
    images = checkpointed(with_keys(files.where("role = 'image'"), draft_images.select("image_key")))
    named = match(records.where("type = 'image'"), images, draft_images.select("image_key"), by_name)
    size = ("image_key", "width", "height", "orientation")
    others = draft_images.select(*size).join(images.select("image_key"), "image_key", "left_anti")
    spaced = with_space(named, images.select(*size).unionByName(others))
    matched = checkpointed(with_waiting_kinds(spaced, labels, records))
    return UploadRecords(listed, files, images, labels, records, matched)


def _scoped(records: DataFrame) -> DataFrame:
    none = {"_upload_id": F.lit(None).cast("string"), "_delivery": F.lit(None).cast("bigint")}
    return records.withColumns({"_scope": F.lit("now"), "doc": F.col("document"), **none})


def _check_documents(upload: LandedUpload, files: DataFrame, records: DataFrame) -> None:
    """An upload none of whose documents can be read says nothing: it is refused, with the first reason."""
    documents = set(upload.detection.documents)
    if not documents:
        return
    issues = records.where("type = 'issue' AND entity = 'file'").select("document", "message", "rule")
    damaged = files.where("problem_rule IS NOT NULL AND role <> 'image'").select(
        F.col("path").alias("document"), F.col("problem").alias("message"), F.col("problem_rule").alias("rule")
    )
    broken = issues.unionByName(damaged).orderBy("document").collect()
    if documents <= {row["document"] for row in broken}:
        first = next(row for row in broken if row["document"] in documents)
        raise UploadRejected(
            f"{first['document']}: {first['message']}",
            hint="no annotation document of this upload can be read; mend it and deliver again",
            rule=first["rule"],
        )


def _with_kinds(labels: DataFrame, records: DataFrame) -> DataFrame:
    """The records with EVERY_KIND replaced by the kinds that the upload's annotations have, refused ones too."""
    kinds = sorted(set().union(*_kinds(labels, records).values())) or [_BOX]
    every = F.array_contains("kinds", EVERY_KIND)
    return records.withColumn("kinds", F.when(every, text_array(*kinds)).otherwise(F.col("kinds")))


def _with_document_kinds(labels: DataFrame, records: DataFrame, documents: frozenset[str]) -> DataFrame:
    """The records with DOCUMENT_KINDS replaced by the kinds that the annotations of the same document have."""
    kinds = _kinds(labels, records)
    pairs = ((F.lit(path), text_array(*sorted(kinds.get(path, {_BOX})))) for path in documents)
    of_document = F.create_map(*chain.from_iterable(pairs))[F.col("document")]
    marked = F.array_contains("kinds", DOCUMENT_KINDS)
    return records.withColumn("kinds", F.when(marked, of_document).otherwise(F.col("kinds")))


def _kinds(labels: DataFrame, records: DataFrame) -> dict[str, set[str]]:
    """The kinds that a document's annotations have, refused ones too."""
    pairs = labels.select("document", "kind").unionByName(records.where("type = 'issue'").select("document", "kind"))
    kinds: dict[str, set[str]] = {}
    for row in pairs.where("kind IS NOT NULL").distinct().collect():
        kinds.setdefault(row["document"], set()).add(row["kind"])
    return kinds


_FORMATS_WITH_EVERY_KIND = frozenset(("yolo",))
"""Formats of many small documents, of which one without annotations says that there are none of any kind."""

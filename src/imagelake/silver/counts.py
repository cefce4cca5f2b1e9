"""What an upload did, counted: nothing may be read without being accounted for.

What was read is counted from the upload's own files and records; what became of it from the rows that came out. So the
two can differ, and then the upload fails.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.core.wording import NAMED, listed
from imagelake.runs.context import Counts
from imagelake.silver.apply_upload import AppliedUpload, DraftFrames
from imagelake.silver.rows.annotations import BOX_SAVED
from imagelake.silver.rows.images import LABELS_REJECTED
from imagelake.silver.rows.match_images import FOUND
from imagelake.silver.upload.upload_counts import UploadCounts
from imagelake.tables.frames import SEPARATOR, count_by_joined_labels

_FLAG, _CHANGED, _CAME, _CONTRADICTS, _SPLIT = "flag ", "changed of ", "came of ", "contradicts ", "split "
"""Labels of the one query that counts everything: they end in a rule, an upload id, a name, or a split."""


_ARCHIVES = r"\.(zip|tar|tgz|gz|bz2|xz|7z|rar)$"

_SPLIT_ORDER = {"train": 0, "val": 1, "test": 2}


def count_upload(applied: AppliedUpload) -> UploadCounts:
    """The counts of an applied upload, not `judged` yet; AssertionError when they do not add up."""
    n = count_by_joined_labels(
        *_read(applied), *_accepted(applied), *_refused(applied), *_outcomes(applied), *_said(applied)
    )
    counts = {entity: _counts(entity, n) for entity in ("images", "annotations")}
    counts["files"] = _files(n, counts["images"])
    for entity, entity_counts in counts.items():
        entity_counts.check(entity)
    warnings = {label.removeprefix(_FLAG): count for label, count in n.items() if label.startswith(_FLAG)}
    contradictions = sorted(label.removeprefix(_CONTRADICTS) for label in n if label.startswith(_CONTRADICTS))
    if contradictions:
        warnings["split.contradicts"] = n["contradiction"]
    warnings |= applied.broken_by_categories
    return UploadCounts(
        files=counts["files"],
        images=counts["images"],
        annotations=counts["annotations"],
        rejections=n.get("rejection", 0),
        warnings=warnings,
        supersedes=_ends(_CHANGED, n),
        confirms=_ends(_CAME, n),
        notices=_notices(n, contradictions),
    )


def count_removal(before: DraftFrames, after: DraftFrames) -> UploadCounts:
    """The counts of a removal: nothing is read, images and annotations go."""
    pairs = (
        ("images", "image_key", before.images, after.images),
        ("annotations", "annotation_key", before.annotations, after.annotations),
    )
    removed = [(entity, old.join(new.select(key), key, "left_anti")) for entity, key, old, new in pairs]
    n = count_by_joined_labels(
        *(_marked(rows, F.lit(f"{entity} removed"), F.concat(F.lit(_CHANGED), "upload_id")) for entity, rows in removed)
    )
    images, annotations = (Counts(removed=n.get(f"{entity} removed", 0)) for entity in ("images", "annotations"))
    return UploadCounts(Counts(read=1, accepted=1), images, annotations, 0, {}, _ends(_CHANGED, n), ())


def _marked(frame: DataFrame, *labels: Column) -> DataFrame:
    """The labels of each row, as far as they are not null, joined."""
    return frame.select(F.concat_ws(SEPARATOR, *labels))


def _counts(entity: str, n: Mapping[str, int]) -> Counts:
    return Counts(**{name: n.get(f"{entity} {name}", 0) for name in Counts.__dataclass_fields__})


def _ends(prefix: str, n: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(label.removeprefix(prefix) for label in n if label.startswith(prefix)))


def _read(applied: AppliedUpload) -> list[DataFrame]:
    """What there was to read, from the upload alone: its files, and its documents' records."""
    files, records = applied.upload.listed, applied.upload.records
    refused = (F.col("type") == "issue") & (F.col("entity") == "annotation")
    listed = (F.col("type") == "issue") & (F.col("entity") == "image")
    left_out = F.col("role").isin("ignored", "mask") | ((F.col("role") == "unknown") & F.col("problem_rule").isNull())
    return [
        _marked(
            files,
            F.lit("files read"),
            F.when(left_out, F.lit("files ignored")),
            F.when(F.col("role") == "image", F.lit("images read")),
        ),
        _marked(applied.upload.labels, F.lit("annotations read")),
        _marked(records, F.when(refused, F.lit("annotations read")), F.when(listed, F.lit("images read"))),
        _marked(_unknown(applied), F.lit("images read")),
        _marked(_apart(applied), F.lit("annotations read")),
    ]


def _apart(applied: AppliedUpload) -> DataFrame:
    """Outlines that were refused while their box was not: one entry of a document has become two."""
    return applied.labels.annotations.rejected.where((F.col("_scope") == "now") & F.col(BOX_SAVED))


def _unknown(applied: AppliedUpload) -> DataFrame:
    """Listed images that neither upload nor draft has, without members of split lists."""
    missing = applied.upload.matched.where((F.col("status") != FOUND) & (F.size("kinds") > 0))
    return missing.select("document", "ref").distinct()


def _accepted(applied: AppliedUpload) -> list[DataFrame]:
    """Accepted or unchanged, for rows of the upload itself; and the warnings on rows it changed."""
    now = F.col("_scope") == "now"
    labels = applied.labels.annotations.accepted
    return [
        _accepted_rows("images", applied.images, F.col("_from_upload")),
        _accepted_rows("annotations", labels, now),
        _marked(labels.where(~now), F.lit("entered")),
        _marked(applied.upload.listed, _file_rule()),
        _marked(applied.upload.records.where("type = 'note'"), F.concat(F.lit(_FLAG), "rule")),
        _marked(
            applied.upload.files.where("role IN ('annotation', 'meta') AND problem_rule IS NULL").join(
                _broken_documents(applied), F.col("path") == F.col("document"), "left_anti"
            ),
            F.lit("files accepted"),
        ),
    ]


def _file_rule() -> Column:
    """The label of the rule that says what a file is, where it is neither image nor label."""
    unused = (F.col("role") == "unknown") & F.col("problem_rule").isNull()
    rule = (
        F.when(F.col("role") == "mask", "file.mask")
        .when((F.col("role") == "ignored") & (F.col("problem") == "junk"), "file.junk")
        .when(unused & F.lower("path").rlike(_ARCHIVES), "file.nested_archive")
        .when(unused, "file.unknown")
    )
    return F.concat(F.lit(_FLAG), rule)


def _accepted_rows(entity: str, rows: DataFrame, counted: Column) -> DataFrame:
    outcome = F.when(counted, F.when(F.col("_same"), f"{entity} unchanged").otherwise(f"{entity} accepted"))
    flags = F.when(~F.col("_same"), F.transform("flags", lambda flag: F.concat(F.lit(_FLAG), flag)))
    return _marked(rows, outcome, flags)


def _broken_documents(applied: AppliedUpload) -> DataFrame:
    return applied.upload.records.where("type = 'issue' AND entity = 'file'").select("document").distinct()


def _refused(applied: AppliedUpload) -> list[DataFrame]:
    now = F.col("_scope") == "now"
    issues = applied.upload.records.where("type = 'issue' AND entity IN ('image', 'annotation')")
    damaged = applied.upload.files.where("role NOT IN ('image', 'mask') AND problem_rule IS NOT NULL")
    return [
        _marked(applied.rejected_images, F.lit("images rejected"), F.lit("image file")),
        _marked(_unknown(applied), F.lit("images rejected")),
        _marked(applied.labels.annotations.rejected.where(now), F.lit("annotations rejected")),
        _marked(issues, F.concat("entity", F.lit("s rejected"))),
        _marked(_broken_documents(applied), F.lit("document")),
        _marked(damaged, F.lit("document")),
        _marked(applied.rejections, F.lit("rejection")),
    ]


def _outcomes(applied: AppliedUpload) -> list[DataFrame]:
    """Outcomes of the draft's rows (removed, changed or confirmed), with the upload that owned each.

    Of an image only other bytes count as a change: labels have rows of their own.
    """
    uploaded = applied.images.select("image_key", "_same", "_same_bytes")
    labels = applied.labels.annotations.accepted.select("annotation_key", "_same")
    before, after = applied.before, applied.after
    return [
        _outcome("image", before.images.join(uploaded, "image_key", "left"), after.images, ~F.col("_same_bytes")),
        _outcome(
            "annotation", before.annotations.join(labels, "annotation_key", "left"), after.annotations, ~F.col("_same")
        ),
    ]


def _outcome(entity: str, before: DataFrame, after: DataFrame, changed: Column) -> DataFrame:
    key = f"{entity}_key"
    rows = before.join(after.select(key, F.lit(True).alias("_there")), key, "left")
    removed = F.col("_there").isNull()
    return _marked(
        rows,
        F.when(removed, f"{entity}s removed"),
        F.when(removed | (F.col("_same").isNotNull() & changed), F.concat(F.lit(_CHANGED), "upload_id")),
        F.when(F.col("_same"), F.concat(F.lit(_CAME), "upload_id")),
    )


def _said(applied: AppliedUpload) -> list[DataFrame]:
    """Images some of whose labels are refused since this upload; and those that it puts into another split than the
    published one, counted, and some of them by name."""
    other = F.col("published_split").isNotNull() & (F.col("asked_split") != F.col("published_split"))
    odd = applied.images.where(other)
    name = F.concat(F.lit(_CONTRADICTS), "image_key", F.lit(" is "), "published_split", F.lit(", not "), "asked_split")
    partly = F.array_contains("flags", LABELS_REJECTED)
    since = applied.after.images.where(partly).join(applied.before.images.where(partly), "image_key", "left_anti")
    return [
        _marked(since, F.lit(f"{_FLAG}{LABELS_REJECTED}")),
        _marked(odd, F.lit("contradiction")),
        _marked(odd.orderBy("image_key").limit(NAMED), name),
        _marked(applied.images, F.concat(F.lit(_SPLIT), "asked_split")),
    ]


def _notices(n: Mapping[str, int], contradictions: list[str]) -> tuple[str, ...]:
    notices = []
    splits = {label.removeprefix(_SPLIT): count for label, count in n.items() if label.startswith(_SPLIT)}
    if splits:
        shown = sorted(splits.items(), key=lambda split: (_SPLIT_ORDER.get(split[0], 3), split))
        notices.append(f"uploaded splits: {', '.join(f'{name} {count:,}' for name, count in shown)}")
    if contradictions:
        named = listed(contradictions, n["contradiction"])
        notices.append(f"published images stay in their split: {named}")
    if n.get("entered"):
        notices.append(f"{n['entered']} annotations that waited for their image have entered the draft")
    return tuple(notices)


def _files(n: Mapping[str, int], images: Counts) -> Counts:
    """Files fare as their images do; a document that cannot be read is rejected, any other that is used accepted."""
    return Counts(
        read=n.get("files read", 0),
        accepted=images.accepted + n.get("files accepted", 0),
        unchanged=images.unchanged,
        rejected=n.get("image file", 0) + n.get("document", 0),
        ignored=n.get("files ignored", 0),
    )

"""Apply one upload to the draft: frames in, frames out, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.runs.context import Context
from imagelake.silver.rows import categories as cat
from imagelake.silver.rows import images as img
from imagelake.silver.rows import rejections as rej
from imagelake.silver.rows.judge_labels import JudgedLabels, judge_labels
from imagelake.silver.rows.match_images import FOUND, MISSING
from imagelake.silver.rows.units import UNIT, changed_units
from imagelake.silver.upload.answered import StandIns, answered, read_receipt, stand_ins
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.read_upload import ParsedUpload, UploadRecords, read_upload
from imagelake.tables.frames import all_checkpointed, checkpointed, distinct_values, is_empty, is_on_driver


@dataclass(frozen=True)
class DraftFrames:
    """The silver rows of one dataset, or the part of them that an upload may touch.

    Categories are few and stay on the driver; `rejections` are the open ones; `published_splits` has image_key and
    published_split; `used_elsewhere` names the categories of annotations that are not in the part.
    """

    images: DataFrame
    annotations: DataFrame
    categories: Sequence[Mapping[str, Any]]
    rejections: DataFrame
    published_splits: DataFrame
    used_elsewhere: frozenset[str] = frozenset()

    def checkpointed(self) -> DraftFrames:
        """The same draft, cut from its lineage, for the next upload to build on."""
        images, annotations, rejections = all_checkpointed(self.images, self.annotations, self.rejections)
        return replace(self, images=images, annotations=annotations, rejections=rejections)


@dataclass(frozen=True)
class UploadRules:
    """What an upload is judged by beside the draft, all of it pinned before the first write of a build.

    `published_index` is the training index each category name has had in any version; `lineages` gives each sequence
    the sequences of its lineage, `sequences` each upload id its own.
    """

    settings: DatasetSettings
    severities: Mapping[str, str]
    published_index: Mapping[str, int]
    lineages: Mapping[int, tuple[int, ...]]
    sequences: Mapping[str, tuple[int, ...]]
    now: datetime


@dataclass(frozen=True)
class AppliedUpload:
    """The draft after an upload, its number, and the frames its counts are drawn from (all checkpointed).

    `images` are the rows of accepted images, uploaded ones and those its documents speak of.
    """

    before: DraftFrames
    after: DraftFrames
    sequence: int
    upload: UploadRecords
    images: DataFrame
    rejected_images: DataFrame
    labels: JudgedLabels
    rejections: DataFrame
    broken_by_categories: Mapping[str, int]


def apply(
    ctx: Context, draft: DraftFrames, upload: LandedUpload, parsed: ParsedUpload, rules: UploadRules
) -> AppliedUpload:
    """The draft with this upload's images, annotations, categories and rejections; UploadRejected as a whole."""
    records = read_upload(parsed, draft.images, rules.settings.match == "name")
    listed = img.listed(records.matched.where(F.col("status") == FOUND))
    images = img.incoming(upload, records.images, listed, draft.images, draft.published_splits, rules.severities)
    was_open = not is_empty(draft.rejections)  # mostly nothing is, and much need not be asked
    answers = _answers(ctx, upload, parsed.listed, rules) if was_open else _Answers(rules.lineages[upload.sequence])
    before = (draft.annotations, draft.rejections if was_open else None)
    labels = judge_labels(upload, records, images, before, (rules.settings, rules.severities))
    replaced_boxes = _stand_ins(draft, labels, answers.lineage)
    accepted = _with_waited(
        img.without_boxes(images.accepted, replaced_boxes.images) if replaced_boxes else images.accepted, labels
    )
    merged = img.merged(upload, accepted, labels.uploaded_units)
    judged = _Judged(upload, draft, records, images, labels, merged, replaced_boxes)
    refused = checkpointed(rej.stamped(upload, _refused(judged), rules.now))
    rej.check_rejecting(upload, refused, rules.severities)
    rejections, new_images = refused, _images_after(judged)
    if was_open:
        effects = _upload_effects(judged, answers)
        rejections = checkpointed(rej.after(upload, draft.rejections, refused, effects, rules.now))
    if was_open or not is_empty(refused):
        new_images = img.with_labels_rejected(new_images, rej.refused_labels(rejections))
    if not is_on_driver(draft.annotations) and is_empty(draft.annotations):
        # the judged rows are checkpointed already: a second copy would be of no use
        new_images, annotations = checkpointed(new_images), _first_annotations(judged)
    else:
        new_images, annotations = all_checkpointed(new_images, _annotations_after(judged))
    categories, broken = _categories_after(judged, annotations, rules)
    after = replace(draft, images=new_images, annotations=annotations, categories=categories, rejections=rejections)
    return AppliedUpload(
        draft, after, upload.sequence, records, judged.merged, images.rejected, labels, refused, broken
    )


def remove(draft: DraftFrames, upload: LandedUpload, keys: DataFrame, now: datetime) -> DraftFrames:
    """The draft without these image keys, their annotations, and what was open about them."""
    images = draft.images.join(keys, "image_key", "left_anti")
    annotations = draft.annotations.join(keys, "image_key", "left_anti")
    marked = draft.rejections.join(keys.withColumn("_removed", F.lit(True)), "image_key", "left")
    closed = rej.closed_by(upload, marked, F.col("_removed").isNotNull(), now)
    return replace(
        draft, images=images, annotations=annotations, rejections=closed.selectExpr(*draft.rejections.columns)
    )


@dataclass(frozen=True)
class _Judged:
    """An upload judged against the draft before it.

    `merged`: the rows of its accepted images. `replaced_boxes`: boxes of the draft that its outlines replace.
    """

    landed_upload: LandedUpload
    draft: DraftFrames
    upload: UploadRecords
    images: img.Incoming
    labels: JudgedLabels
    merged: DataFrame
    replaced_boxes: StandIns | None


@dataclass(frozen=True)
class _Answers:
    """Sequences of the uploads an upload succeeds (its lineage), and the rejections that its receipt names."""

    lineage: tuple[int, ...]
    rejections: DataFrame | None = None


def _answers(ctx: Context, upload: LandedUpload, files: DataFrame, rules: UploadRules) -> _Answers:
    slip = read_receipt(ctx, upload.dataset, files)
    named = rules.sequences.get(slip.upload_id, ()) if slip else ()
    return _Answers((*rules.lineages[upload.sequence], *named), answered(ctx, slip))


def _stand_ins(draft: DraftFrames, labels: JudgedLabels, lineage: tuple[int, ...]) -> StandIns | None:
    """None without asking for an upload that is the first of its lineage: none of its labels can be there."""
    if len(lineage) < 2:
        return None
    return stand_ins(draft.annotations, labels.annotations.accepted, labels.uploaded_units, lineage)


def _with_waited(accepted: DataFrame, labels: JudgedLabels) -> DataFrame:
    if labels.entering is None:
        return accepted
    said = labels.entering.said.withColumn("space", F.lit(None).cast("string"))
    return img.with_waited(accepted, img.listed(said))


def _refused(judged: _Judged) -> DataFrame:
    files, records, matched = judged.upload.files, judged.upload.records, judged.upload.matched
    damaged = files.where("problem_rule IS NOT NULL AND role NOT IN ('image', 'mask')")
    refused = (
        rej.of_images(judged.images.rejected)
        .unionByName(rej.of_files(damaged))
        .unionByName(rej.of_image_records(matched))
        .unionByName(rej.of_annotations(judged.labels.annotations.rejected))
        .unionByName(rej.of_issues(records.where("type = 'issue'"), matched))
    )
    entering = judged.labels.entering
    if entering is None:
        return refused
    waited = entering.records.where("listed").withColumn("waiting_kinds", F.col("kinds"))
    return refused.unionByName(rej.of_image_records(waited))


def _upload_effects(judged: _Judged, answers: _Answers) -> rej.UploadEffects:
    labels, matched = judged.labels, judged.upload.matched
    accepted = labels.annotations.accepted
    return rej.UploadEffects(
        labels.uploaded_units,
        changed_units(labels.uploaded_units, judged.draft.annotations, accepted, judged.images.accepted),
        judged.merged.where("_from_upload").select("image_key", "_same_bytes"),
        judged.upload.files.where("problem_rule IS NULL"),
        matched.where(F.col("status") == MISSING).withColumn("kinds", F.col("waiting_kinds")),
        labels.entering,
        answers.lineage,
        answers.rejections,
    )


def _images_after(judged: _Judged) -> DataFrame:
    before, merged = judged.draft.images, judged.merged
    changed = merged.where(~F.col("_same")).selectExpr(*before.columns)
    unchanged = before.join(merged.where("_same").select("image_key"), "image_key", "left_semi")
    if judged.landed_upload.mode == "replace":
        return unchanged.unionByName(changed)
    untouched = before.join(merged.select("image_key"), "image_key", "left_anti")
    return unchanged.unionByName(untouched).unionByName(changed)


def _first_annotations(judged: _Judged) -> DataFrame:
    return judged.labels.annotations.accepted.selectExpr(*judged.draft.annotations.columns)


def _annotations_after(judged: _Judged) -> DataFrame:
    before, labels = judged.draft.annotations, judged.labels
    accepted = labels.annotations.accepted
    changed = accepted.where(~F.col("_same")).selectExpr(*before.columns)
    unchanged = before.join(accepted.where("_same").select("annotation_key"), "annotation_key", "left_semi")
    rows = unchanged.unionByName(changed)
    if judged.landed_upload.mode != "replace":
        others = before.join(labels.uploaded_units, [*UNIT], "left_anti")
        # labels of bytes that have another size now mean nothing any more
        resized = judged.merged.where("_resized").select("image_key")
        if judged.replaced_boxes is not None:
            others = others.join(judged.replaced_boxes.boxes, "annotation_key", "left_anti")
        rows = rows.unionByName(others.join(resized, "image_key", "left_anti"))
    return rows.selectExpr(*before.columns)


def _categories_after(
    judged: _Judged, annotations: DataFrame, rules: UploadRules
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    draft = judged.draft
    before, after = (
        draft.used_elsewhere | (distinct_values(rows, "category") - {None}) for rows in (draft.annotations, annotations)
    )
    declared = cat.declared(judged.upload.records, rules.settings.renames)
    usage = (before, after)
    rows = cat.categories_after(
        judged.landed_upload, draft.categories, declared, usage, rules.published_index, rules.settings
    )
    return rows, cat.broken_rules(declared, rows, after)

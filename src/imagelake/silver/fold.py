"""Apply one delivery to the draft: frames in, frames out, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.dataset_settings import DatasetSettings
from imagelake.errors import UploadRejected
from imagelake.formats import reader
from imagelake.silver import annotations as ann
from imagelake.silver import categories as cat
from imagelake.silver import images as img
from imagelake.silver import rejections as rej
from imagelake.silver.delivery import Delivery
from imagelake.silver.parse import parse
from imagelake.silver.resolve import FOUND, resolve
from imagelake.silver.space import MISMATCH, with_space
from imagelake.silver.upload import files_of, upload_tree
from imagelake.tables.frames import all_settled, settled, tally


@dataclass(frozen=True)
class Draft:
    """The silver rows of one dataset; categories are few and stay on the driver, `rejections` are the open ones."""

    images: DataFrame
    annotations: DataFrame
    categories: Sequence[Mapping[str, Any]]
    rejections: DataFrame

    def settled(self) -> Draft:
        """The same draft, cut from its lineage, for the next delivery to build on."""
        images, annotations, rejections = all_settled(self.images, self.annotations, self.rejections)
        return Draft(images, annotations, self.categories, rejections)


@dataclass(frozen=True)
class Rules:
    """What the dataset decides about judging rows."""

    settings: DatasetSettings
    severities: Mapping[str, str]
    published_index: Mapping[str, int]


@dataclass(frozen=True)
class Applied:
    """The draft after a delivery, and the frames its accounts are drawn from (all settled)."""

    before: Draft
    after: Draft
    files: DataFrame
    records: DataFrame
    resolved: DataFrame
    images: img.Incoming
    annotations: ann.IncomingAnnotations
    rejections: DataFrame


def apply(ctx: Context, draft: Draft, delivery: Delivery, rules: Rules) -> Applied:
    """The draft with this delivery's images, annotations, categories and rejections; UploadRejected as a whole."""
    files = files_of(ctx, delivery.dataset, delivery.attempt_id)
    keyed = img.with_keys(files.where("role = 'image'"))
    records, uploaded = all_settled(_records(ctx, draft, delivery), keyed)
    _check_documents(delivery, records)
    resolved = settled(_resolved(records, uploaded, draft))
    found = resolved.where(F.col("status") == FOUND)
    images = img.incoming(delivery, uploaded, img.listed(found), draft.images, rules.severities)
    names = _names(records, rules.settings)
    frame = ann.joined(_annotation_records(records, rules.settings), resolved, images.accepted, names)
    frame = _outdated_left_out(frame, found)
    annotations = ann.judge(delivery, frame, draft.annotations, rules.severities)
    brought = _brought(found, images.accepted, annotations.accepted)
    refused, new_images = all_settled(
        _refused(delivery, images, resolved, annotations, records, ctx),
        _images_after(delivery, draft, images.accepted),
    )
    new_annotations, rejections = all_settled(
        _annotations_after(delivery, draft, new_images, annotations.accepted, brought),
        rej.after(delivery, draft.rejections, refused, rej.Taken(brought, images.accepted, files, ctx.clock())),
    )
    categories = _categories_after(delivery, draft, records, new_annotations, rules)
    after = Draft(new_images, new_annotations, categories, rejections)
    return Applied(draft, after, files, records, resolved, images, annotations, refused)


def remove(ctx: Context, draft: Draft, delivery: Delivery, keys: DataFrame) -> Draft:
    """The draft without these image keys, their annotations, and what was open about them."""
    images = draft.images.join(keys, "image_key", "left_anti")
    annotations = draft.annotations.join(keys, "image_key", "left_anti")
    gone = keys.withColumn("_gone", F.lit(True))
    now = ctx.clock()
    closing = draft.rejections.join(gone, "image_key", "left")
    ends = F.col("_gone").isNotNull() & F.col("closed_at").isNull()
    rejections = closing.withColumns(
        {
            "closed_at": F.when(ends, F.lit(now)).otherwise(F.col("closed_at")),
            "closed_by": F.when(ends, F.lit(delivery.upload_id)).otherwise(F.col("closed_by")),
        }
    ).select(*draft.rejections.columns)
    return Draft(images, annotations, draft.categories, rejections)


def _records(ctx: Context, draft: Draft, delivery: Delivery) -> DataFrame:
    """The delivery's records and those that waited for an image, told apart by the prefix of `doc`."""
    tree = upload_tree(ctx, delivery.dataset, delivery.attempt_id)
    units = reader(delivery.detection.format).plan(tree, delivery.detection)
    fresh = parse(ctx, tree, units).withColumn("_scope", F.lit("now"))
    waiting = rej.waiting_records(draft.rejections)
    everything = fresh.unionByName(waiting)
    return everything.withColumn("doc", F.concat_ws("|", "_scope", "document"))


def _check_documents(delivery: Delivery, records: DataFrame) -> None:
    """An upload none of whose documents can be read says nothing: it is refused, with the first reason."""
    documents = set(delivery.detection.documents)
    if not documents:
        return
    broken = records.where("_scope = 'now' AND type = 'issue' AND entity = 'file'").orderBy("document").collect()
    if documents <= {row["document"] for row in broken}:
        first = broken[0]
        raise UploadRejected(
            f"{first['document']}: {first['message']}",
            hint="no annotation document of this upload can be read; mend it and deliver again",
            rule=first["rule"],
        )


def _resolved(records: DataFrame, uploaded: DataFrame, draft: Draft) -> DataFrame:
    own = uploaded.select("path", "image_key", "split")
    others = draft.images.join(own.select("image_key"), "image_key", "left_anti")
    candidates = own.unionByName(others.select(F.col("image_key").alias("path"), "image_key", "split"))
    sizes = uploaded.select("image_key", "width", "height", "orientation").unionByName(
        others.select("image_key", "width", "height", "orientation")
    )
    return with_space(resolve(records.where("type = 'image'"), candidates), sizes)


def _names(records: DataFrame, settings: DatasetSettings) -> DataFrame:
    declared = records.where("type = 'category'").select(
        "doc", F.col("ref").alias("category_ref"), F.trim("category").alias("_name")
    )
    return _renamed(declared.dropDuplicates(["doc", "category_ref"]), "_name", settings)


def _annotation_records(records: DataFrame, settings: DatasetSettings) -> DataFrame:
    return _renamed(records.where("type = 'annotation'"), "category", settings)


def _renamed(frame: DataFrame, column: str, settings: DatasetSettings) -> DataFrame:
    if not settings.renames:
        return frame
    pairs = F.create_map(*(F.lit(word) for pair in settings.renames.items() for word in pair))
    return frame.withColumn(column, F.coalesce(F.try_element_at(pairs, F.trim(column)), F.trim(column)))


def _outdated_left_out(frame: DataFrame, found: DataFrame) -> DataFrame:
    """Without annotations that waited for an image this upload labels itself: the newer labels count."""
    newer = _units(found.where("_scope = 'now'"))
    waiting = frame.where("_scope <> 'now'").join(newer, ["image_key", "kind"], "left_anti")
    return frame.where("_scope = 'now'").unionByName(waiting)


def _units(found: DataFrame) -> DataFrame:
    """(image_key, kind): what documents label, by the records that found their image in the right size."""
    fitting = found.where(F.col("space") != MISMATCH)
    return fitting.select("image_key", F.explode("kinds").alias("kind")).distinct()


def _brought(found: DataFrame, images: DataFrame, annotations: DataFrame) -> DataFrame:
    """(image_key, kind): the units of replacement this delivery brings labels for."""
    held = _units(found).join(images.select("image_key"), "image_key", "left_semi")
    return held.unionByName(annotations.select("image_key", "kind")).distinct()


def _refused(
    delivery: Delivery,
    images: img.Incoming,
    resolved: DataFrame,
    annotations: ann.IncomingAnnotations,
    records: DataFrame,
    ctx: Context,
) -> DataFrame:
    found = (
        rej.of_files(images.rejected)
        .unionByName(rej.of_image_records(resolved))
        .unionByName(rej.of_annotations(annotations.rejected))
        .unionByName(rej.of_issues(records.where("type = 'issue'"), resolved))
    )
    return rej.stamped(delivery, found, ctx.clock())


def _images_after(delivery: Delivery, draft: Draft, accepted: DataFrame) -> DataFrame:
    changed = accepted.where(~F.col("_same")).select(*draft.images.columns)
    unchanged = draft.images.join(accepted.where("_same").select("image_key"), "image_key", "left_semi")
    untouched = draft.images.join(accepted.select("image_key"), "image_key", "left_anti")
    kept = unchanged if delivery.mode == "replace" else unchanged.unionByName(untouched)
    return kept.unionByName(changed)


def _annotations_after(
    delivery: Delivery, draft: Draft, images: DataFrame, accepted: DataFrame, brought: DataFrame
) -> DataFrame:
    changed = accepted.where(~F.col("_same")).select(*draft.annotations.columns)
    unchanged = draft.annotations.join(accepted.where("_same").select("annotation_key"), "annotation_key", "left_semi")
    untouched = draft.annotations.join(brought, ["image_key", "kind"], "left_anti")
    kept = unchanged if delivery.mode == "replace" else unchanged.unionByName(untouched)
    rows = kept.unionByName(changed)
    return rows.join(images.select("image_key"), "image_key", "left_semi").select(*draft.annotations.columns)


def _categories_after(
    delivery: Delivery, draft: Draft, records: DataFrame, annotations: DataFrame, rules: Rules
) -> list[dict[str, Any]]:
    used = tally(
        draft.annotations.select(F.concat(F.lit("-"), "category")).distinct(),
        annotations.select(F.concat(F.lit("+"), "category")).distinct(),
    )
    before, after = (frozenset(name[1:] for name in used if name[0] == sign) for sign in "-+")
    brought = cat.declared(records, rules.settings.renames)
    return cat.fold(delivery, draft.categories, brought, (before, after), rules.published_index, rules.settings)

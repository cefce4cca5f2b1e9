"""Rules on annotations and on the categories they name."""

from __future__ import annotations

from imagelake.quality.catalogue.rule import FAR, Rule, judgements, refusals

ANNOTATIONS: tuple[Rule, ...] = (
    *refusals(
        "annotation",
        ("annotation.row_malformed", "not a readable object or line"),
        ("annotation.image_id_invalid", "names no image"),
        ("annotation.image_orphan", "names an image id its document does not list"),
        ("annotation.image_unknown", "its image has not arrived yet; it enters with the image"),
        ("annotation.image_ambiguous", "several images fit what it names"),
        ("annotation.image_rejected", "its image, or the image's row in its document, was rejected in this upload"),
        ("annotation.size_mismatch", "the declared image size is not the file's"),
        ("annotation.category_unknown", "names a category its upload does not declare"),
        ("annotation.bbox_invalid", "the box is not four numbers"),
        ("annotation.bbox_not_finite", "a number of the box is null, NaN or infinite"),
        ("annotation.box_degenerate", "a box side is zero or negative"),
        ("annotation.box_outside", "a box shares no pixel with its image"),
        ("annotation.polygon_invalid", "no part of the polygon is a list of at least three finite points"),
        ("annotation.rle_invalid", "the mask's run lengths cannot be read, or do not fill its size"),
    ),
    *judgements(
        "annotation",
        "quarantine",
        ("annotation.bbox_missing", "a box, polygon or mask has no box and none could be derived"),
        ("annotation.polygon_out_of_bounds", f"a polygon coordinate lies further than {FAR} image sides away"),
        ("annotation.box_out_of_bounds", f"a box corner lies further than {FAR} image sides away"),
        ("annotation.rle_size", "a mask has another size than its image"),
    ),
    *judgements(
        "annotation",
        "warn",
        ("annotation.id_coerced", "an id was not written as a whole number"),
        ("annotation.id_missing", "the annotation has no id"),
        ("annotation.id_duplicate", "an earlier annotation of the document has this id"),
        ("annotation.bbox_coerced", "a number of the box was written as text"),
        ("annotation.bbox_dropped", "the box could not be used; it was taken from polygon or mask"),
        ("annotation.bbox_derived", "no box was given; it was taken from polygon or mask"),
        ("annotation.polygon_part_dropped", "a part of the polygon is not a list of at least three finite points"),
        ("annotation.polygon_flat", "the polygon was one list of numbers instead of a list of parts"),
        ("annotation.area_missing", "no area was given (COCO); it has been computed from mask, polygon or box"),
        ("annotation.area_invalid", "the area is not a finite number and counts as not given"),
        ("annotation.crowd_missing", "no iscrowd was given (COCO); it counts as 0"),
        ("annotation.crowd_invalid", "the crowd mark is neither 0 nor 1 and counts as 0"),
        ("annotation.value_not_finite", "an attribute held a number JSON cannot hold; it became null"),
        (
            "annotation.duplicate",
            "same image, kind, category and geometry as another; quarantine refuses all but the first of them",
        ),
        ("annotation.box_overhang", "a box reached outside its image by more than a pixel, and was cut to it"),
        ("annotation.box_disagrees", "an edge of the box is not that of its outline, by 2 pixels and 5 % of its side"),
        (
            "annotation.box_space_assumed",
            "its image is turned (EXIF), and nothing says whether the box is of raw or of shown pixels; YOLO shares "
            "are taken as of the shown picture (dataset setting yolo_space)",
        ),
        ("annotation.box_tiny", "a box side is shorter than a pixel"),
        ("annotation.box_normalised", "all coordinates lie in 0..1 although they should be pixels"),
        ("annotation.area_above_box", "the given area is larger than the box"),
        ("annotation.area_recomputed", "the given area was not positive and has been computed from the box"),
    ),
    *judgements(
        "annotation",
        "info",
        (
            "annotation.box_clipped",
            "a box reached outside its image and was cut to it; the upload's own numbers stay in bronze",
        ),
        ("annotation.crowd_alias", "the crowd mark was called is_crowd instead of iscrowd"),
        ("annotation.crowd_polygon", "a crowd is outlined by a polygon; COCO gives crowds as run lengths"),
        (
            "annotation.self_intersecting",
            "an edge of the polygon crosses another; parts of over 300 points are not asked",
        ),
    ),
)

CATEGORIES: tuple[Rule, ...] = (
    *refusals(
        "category",
        ("category.row_malformed", "not a readable object"),
        ("category.id_invalid", "the category has no id"),
        ("category.name_missing", "the category has no name"),
        ("category.duplicate_id", "an earlier category has this id; the first one counts"),
    ),
    *judgements(
        "category",
        "warn",
        ("category.similar_name", "differs from an earlier category only by case or spaces"),
        ("category.unused", "declared, and no annotation of the draft has it"),
    ),
    *judgements(
        "category",
        "info",
        ("category.root", "the parent of another category, without annotations; outside the training index"),
        ("category.no_parent", "declared without a supercategory, which others of its upload have"),
    ),
)

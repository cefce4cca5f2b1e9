"""Every rule id the readers report: as an issue (reject) or as a warning on a record (warn)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FormatRule:
    """A rule: id, entity (file, image, annotation or category), severity (reject or warn), meaning."""

    id: str
    entity: str
    severity: str
    doc: str


_REJECTED: tuple[tuple[str, str], ...] = (
    ("document.invalid_json", "the document is no JSON, or is cut off"),
    ("document.invalid_xml", "the document is no XML"),
    ("document.invalid_yaml", "the document is no YAML"),
    ("document.not_utf8", "the document is not UTF-8"),
    ("document.too_large", "the document is larger than one of its format may be"),
    ("document.too_many_items", "the document holds more items than one may"),
    ("document.too_deep", "the document is nested too deep"),
    ("document.wrong_shape", "the document is not built as its format asks"),
    ("document.xml_forbidden", "the document declares a DTD or entities"),
    ("image.row_malformed", "the image is no readable object"),
    ("image.id_invalid", "the image has no whole number as id"),
    ("image.duplicate_id", "several images of the document have this id"),
    ("image.file_name_missing", "the image names no file"),
    ("image.path_hostile", "the file name is a URL, reaches outside the upload, or holds control characters"),
    ("split.member_malformed", "an entry of a split list is not the name of an image"),
    ("annotation.row_malformed", "the annotation is no readable object or line"),
    ("annotation.image_id_invalid", "the annotation names no image"),
    ("annotation.image_ambiguous", "several images fit what the annotation names"),
    ("annotation.category_unknown", "the annotation names a category its upload does not declare"),
    ("annotation.bbox_invalid", "the box is not four numbers"),
    ("annotation.bbox_not_finite", "a number of the box is null, NaN or infinite"),
    ("annotation.box_degenerate", "a box side is zero or negative"),
    ("annotation.polygon_invalid", "no part of the polygon is a list of at least three finite points"),
    ("annotation.rle_invalid", "the mask's run lengths cannot be read, or do not fill its size"),
    ("category.row_malformed", "the category is no readable object"),
    ("category.id_invalid", "the category has no id"),
    ("category.name_missing", "the category has no name"),
    ("category.duplicate_id", "an earlier category has this id; the first one counts"),
)

_WARNED: tuple[tuple[str, str], ...] = (
    ("image.id_coerced", "the id was not written as a whole number"),
    ("image.backslash", "the file name was written with backslashes"),
    ("image.size_invalid", "the declared width or height is no whole number and counts as not given"),
    ("image.value_not_finite", "an attribute held a number JSON cannot hold; it became null"),
    ("annotation.id_coerced", "an id was not written as a whole number"),
    ("annotation.id_missing", "the annotation has no id"),
    ("annotation.id_duplicate", "an earlier annotation of the document has this id"),
    ("annotation.bbox_coerced", "a number of the box was written as text"),
    ("annotation.bbox_derived", "no box was given; it was taken from polygon or mask"),
    ("annotation.polygon_part_dropped", "a part of the polygon was no list of at least three finite points"),
    ("annotation.polygon_flat", "the polygon was one list of numbers instead of a list of parts"),
    ("annotation.area_invalid", "the area is no finite number and counts as not given"),
    ("annotation.crowd_invalid", "the crowd mark is neither 0 nor 1 and counts as 0"),
    ("annotation.value_not_finite", "an attribute held a number JSON cannot hold; it became null"),
)


def _rules(severity: str, entries: tuple[tuple[str, str], ...]) -> tuple[FormatRule, ...]:
    return tuple(FormatRule(rule, _entity(rule), severity, doc) for rule, doc in entries)


def _entity(rule: str) -> str:
    subject = rule.partition(".")[0]
    return {"document": "file", "split": "image"}.get(subject, subject)


FORMAT_RULES: tuple[FormatRule, ...] = (*_rules("reject", _REJECTED), *_rules("warn", _WARNED))
"""All rules of all readers, rejecting ones first."""

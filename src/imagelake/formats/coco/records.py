"""Items of COCO documents as records: one item in, one record or one issue out, whatever the item holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagelake.formats.coco import shapes, values
from imagelake.formats.names import FileName, category_name, file_name
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Issue
from imagelake.formats.refused import Refused, shown

IMAGE_FIELDS = frozenset(("id", "file_name", "width", "height"))
CATEGORY_FIELDS = frozenset(("id", "name", "supercategory"))
ANNOTATION_FIELDS = frozenset(("id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd", "is_crowd"))


@dataclass(frozen=True)
class Item:
    """An item of one of the lists: its document, the list's name, its place in it, its bytes."""

    document: str
    section: str
    place: int
    data: bytes

    def locator(self, own_id: str | None) -> str:
        """`annotations[17] id 23`."""
        return f"{self.section}[{self.place}]" + (f" id {own_id}" if own_id is not None else "")


@dataclass
class Seen:
    """Ids that earlier items of a document used, and image ids shared by several images."""

    repeated_images: frozenset[str] = frozenset()
    ids: set[str] = field(default_factory=set)

    def is_new(self, own_id: str) -> bool:
        """Whether the id comes for the first time; it is known from now on."""
        before = len(self.ids)
        self.ids.add(own_id)
        return len(self.ids) > before

    def add_new(self, own_ids: Sequence[str]) -> bool:
        """Know these ids from now on if all of them come for the first time; else none of them, and False."""
        new = set(own_ids)
        if len(new) < len(own_ids) or not new.isdisjoint(self.ids):
            return False
        self.ids |= new
        return True


def image(item: Item, seen: Seen, split: str | None, kinds: tuple[str, ...]) -> ImageRecord | Issue:
    """An image, labelled for `kinds`."""
    value = _object(item, "image")
    if isinstance(value, Issue):
        return value
    own_id, coerced = values.reference(value.get("id"))
    warnings = ["image.id_coerced"] if coerced else []
    try:
        name = _image_name(value, own_id, seen)
    except Refused as problem:
        return _issue(item, "image", problem, own_id, image_ref=own_id)
    width, height = (_side(value.get(side), warnings) for side in ("width", "height"))
    left = _attributes(value, IMAGE_FIELDS, "image", warnings)
    return ImageRecord(
        document=item.document,
        ref=str(own_id),
        file=name.file,
        locator=item.locator(own_id),
        absolute=name.absolute,
        width=width,
        height=height,
        split=split,
        kinds=kinds,
        source_id=own_id,
        attributes=left,
        warnings=(*warnings, "image.backslash") if name.backslash else tuple(warnings),
    )


def category(item: Item, seen: Seen) -> CategoryRecord | Issue:
    """A category; the first of several with one id wins."""
    value = _object(item, "category")
    if isinstance(value, Issue):
        return value
    own_id, _ = values.reference(value.get("id"))
    name, parent = _category_name(value.get("name")), _category_name(value.get("supercategory"))
    try:
        if own_id is None:
            raise Refused("category.id_invalid", f"category id {shown(value.get('id'))}; a number is needed")
        if not name:
            shown_name = shown(value.get("name"))
            raise Refused("category.name_missing", f"category {own_id} has the name {shown_name}; a text is needed")
        if not seen.is_new(own_id):
            raise Refused("category.duplicate_id", f"category id {own_id} was given before; the first one counts")
    except Refused as problem:
        return _issue(item, "category", problem, own_id)
    return CategoryRecord(
        document=item.document,
        ref=own_id,
        name=name,
        order=item.place,
        supercategory=parent or None,
        source_id=own_id,
        attributes=values.attributes(value, CATEGORY_FIELDS)[0],
    )


def annotation(item: Item, seen: Seen) -> Iterator[AnnotationRecord | Issue]:
    """An annotation: box, polygon or mask. One whose outline is no good is an issue, and a box if it has a good one."""
    value = _object(item, "annotation")
    if isinstance(value, Issue):
        yield value
        return
    warnings: list[str] = []
    own_id = _own_id(value.get("id"), seen, warnings)
    image_ref, coerced = values.reference(value.get("image_id"))
    category_ref, category_coerced = values.reference(value.get("category_id"))
    if (coerced or category_coerced) and "annotation.id_coerced" not in warnings:
        warnings.append("annotation.id_coerced")
    kind = shapes.kind_of(value.get("segmentation"))
    try:
        _check_image(value.get("image_id"), image_ref, seen)
        outlined = shapes.outlined(value.get("segmentation"), value.get("bbox"), warnings)
    except Refused as problem:
        yield _issue(item, "annotation", problem, own_id, image_ref=image_ref, kind=kind)
        return
    if outlined.refused is not None:
        yield _issue(item, "annotation", outlined.refused, own_id, image_ref=image_ref, kind=kind)
    shape = outlined.shape
    yield AnnotationRecord(
        document=item.document,
        image_ref=str(image_ref),
        locator=item.locator(own_id),
        kind=shape.kind,
        raw=values.raw(item.data),
        category_ref=category_ref,
        bbox=outlined.box,
        polygons=shape.polygons,
        rle_size=shape.rle_size,
        rle_counts=shape.rle_counts,
        area=_area(value.get("area"), warnings),
        is_crowd=_crowd(value, shape.kind, warnings),
        source_id=own_id,
        attributes=_attributes(value, ANNOTATION_FIELDS, "annotation", warnings),
        warnings=tuple(warnings),
    )


def _object(item: Item, entity: str) -> dict[str, Any] | Issue:
    try:
        value = values.decode(item.data)
    except ValueError as problem:
        refused = Refused(f"{entity}.row_malformed", f"no JSON: {problem}")
        return _issue(item, entity, refused, None)
    if not isinstance(value, dict):
        return _issue(item, entity, Refused(f"{entity}.row_malformed", f"{shown(value)} is no JSON object"), None)
    return value


def _issue(
    item: Item,
    entity: str,
    problem: Refused,
    own_id: str | None,
    *,
    image_ref: str | None = None,
    kind: str | None = None,
) -> Issue:
    return Issue(
        document=item.document,
        entity=entity,
        locator=item.locator(own_id),
        rule=problem.rule,
        message=problem.message,
        raw=values.raw(item.data),
        image_ref=image_ref,
        kind=kind,
    )


def _category_name(written: Any) -> str:
    """The name of a category; empty when there is none."""
    return category_name(written) if isinstance(written, str) else ""


def _image_name(value: Mapping[str, Any], own_id: str | None, seen: Seen) -> FileName:
    name = value.get("file_name")
    if own_id is None:
        raise Refused("image.id_invalid", f"image id {shown(value.get('id'))}; a number or a text is needed")
    if own_id in seen.repeated_images:
        raise Refused("image.duplicate_id", f"image id {own_id} stands for several images of this document")
    if not isinstance(name, str) or not name.strip():
        raise Refused("image.file_name_missing", f"file_name {shown(name)}; a path is needed")
    try:
        return file_name(name)
    except ValueError as problem:
        raise Refused("image.path_hostile", str(problem)) from None


def _check_image(value: Any, image_ref: str | None, seen: Seen) -> None:
    if image_ref is None:
        raise Refused("annotation.image_id_invalid", f"image_id {shown(value)}; a number or a text is needed")
    if image_ref in seen.repeated_images:
        raise Refused("annotation.image_ambiguous", f"image id {image_ref} stands for several images of its document")


def _own_id(value: Any, seen: Seen, warnings: list[str]) -> str | None:
    own_id, coerced = values.reference(value)
    if own_id is None:
        warnings.append("annotation.id_missing")
        return None
    if coerced:
        warnings.append("annotation.id_coerced")
    if not seen.is_new(own_id):
        warnings.append("annotation.id_duplicate")
    return own_id


def _side(value: Any, warnings: list[str]) -> int | None:
    side = values.side(value)
    if side is None and value is not None and "image.size_invalid" not in warnings:
        warnings.append("image.size_invalid")
    return side


def _area(value: Any, warnings: list[str]) -> float | None:
    area = values.number(value)
    if area is not None and abs(area) < float("inf"):
        return area
    warnings.append("annotation.area_missing" if value is None else "annotation.area_invalid")
    return None


def _crowd(value: Mapping[str, Any], kind: str, warnings: list[str]) -> bool:
    mark = value.get("iscrowd", value.get("is_crowd"))
    if mark is not None and "iscrowd" not in value:
        warnings.append("annotation.crowd_alias")
    flag = values.number_in_text(mark) if isinstance(mark, str) else mark
    if flag not in (0, 1):
        warnings.append("annotation.crowd_missing" if mark is None else "annotation.crowd_invalid")
        return False
    if flag and kind == "polygon":
        warnings.append("annotation.crowd_polygon")
    return bool(flag)


def _attributes(value: Mapping[str, Any], fields: Collection[str], entity: str, warnings: list[str]) -> dict[str, Any]:
    left, lost = values.attributes(value, fields)
    if lost:
        warnings.append(f"{entity}.value_not_finite")
    return left

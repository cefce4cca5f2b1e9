"""A COCO document with only what is refused of it: the images concerned, whole, and everything that was refused.

An upload that labels an image replaces the image's labels. So an image with one refused label comes with all labels
that its document has for it; the refused ones alone would take the others away when they are delivered again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass

from imagelake.core.upload_paths import take_apart
from imagelake.formats.coco import values
from imagelake.formats.coco.detect import LISTS
from imagelake.formats.coco.scan import NotSplit
from imagelake.formats.coco.split import Outline, split
from imagelake.formats.names import file_name
from imagelake.formats.text_documents import utf8

_PLACE = re.compile(r"(images|annotations|categories)\[(\d{1,12})\]")


@dataclass(frozen=True)
class RefusedPart:
    """The part of a document, and where refused items are in it: `annotations[3]` by `annotations[1200]`.

    `images` is the part without its labels, a document as well.
    """

    data: bytes
    places: dict[str, str]
    images: bytes


def refused_part(data: bytes, document: str, locators: Iterable[str], pictures: Set[str]) -> RefusedPart:
    """What is refused of a document, item by item as it was delivered; all of a document that cannot be taken apart.

    locators: of its rejections; pictures: keys of refused image files, whose entries come along.
    """
    try:
        outline = split(utf8(data))
    except NotSplit:
        return RefusedPart(data, {}, b"")
    if any(name in outline.members and outline.members[name].kind != "list" for name in LISTS):
        return RefusedPart(data, {}, b"")
    refused = {place for text in locators if (place := _place(text)) is not None}
    images = _refs(outline, refused) | _of_pictures(outline, document, pictures)
    sections = {name: list(_section_items(outline, name, refused, images)) for name in LISTS if name in outline.members}
    places = {
        f"{name}[{old}]": f"{name}[{new}]"
        for name, items in sections.items()
        for new, (old, _) in enumerate(items)
        if (name, old) in refused
    }
    images_alone = b'{"images": ' + _list(sections.get("images", [])) + b"}"
    return RefusedPart(_joined(outline, sections), places, images_alone)


def place_of(locator: str) -> str | None:
    """`annotations[17]` of the locator `annotations[17] id 23`; None for one that names no item."""
    match = _PLACE.match(locator)
    return match.group() if match else None


def _place(locator: str) -> tuple[str, int] | None:
    match = _PLACE.match(locator)
    return (match[1], int(match[2])) if match else None


def _items(outline: Outline, section: str) -> Iterator[tuple[int, bytes]]:
    value = outline.members.get(section)
    if value is not None and value.kind == "list":
        yield from enumerate(value.items())


def _reference(item: bytes, name: str) -> str | None:
    """The id of an item, or of the image it names; None where it has none."""
    try:
        value = values.decode(item)
    except ValueError:
        return None
    return values.reference(value.get(name))[0] if isinstance(value, dict) else None


def _refs(outline: Outline, refused: Collection[tuple[str, int]]) -> set[str]:
    """The ids of images that are refused, or some of whose labels are."""
    named = (("images", "id"), ("annotations", "image_id"))
    refs = (
        _reference(item, name)
        for section, name in named
        for place, item in _items(outline, section)
        if (section, place) in refused
    )
    return {ref for ref in refs if ref is not None}


def _of_pictures(outline: Outline, document: str, pictures: Set[str]) -> set[str]:
    """The ids of images that have one of these keys."""
    folder = document.rpartition("/")[0]
    refs: set[str] = set()
    for _, item in _items(outline, "images") if pictures else ():
        name, ref = _file_name(item), _reference(item, "id")
        beside = f"{folder}/{name}" if folder else name
        if ref is not None and name and pictures & _keys(name, beside):
            refs.add(ref)
    return refs


def _keys(*names: str) -> set[str]:
    return {key for name in names for parts in (take_apart(name),) for key in (parts.key, parts.split_key)}


def _file_name(item: bytes) -> str:
    try:
        value = values.decode(item)
        name = value.get("file_name") if isinstance(value, dict) else None
        return file_name(name).file if isinstance(name, str) else ""
    except ValueError:
        return ""


def _section_items(
    outline: Outline, section: str, refused: Collection[tuple[str, int]], images: Collection[str]
) -> Iterator[tuple[int, bytes]]:
    """The items of a list that belong to the part, with their old places; all categories."""
    name = {"images": "id", "annotations": "image_id"}.get(section)
    for place, item in _items(outline, section):
        if name is None or (section, place) in refused or _reference(item, name) in images:
            yield place, item


def _joined(outline: Outline, sections: dict[str, list[tuple[int, bytes]]]) -> bytes:
    """The members of the document in their order, the lists with the items that were kept, byte for byte."""
    members = []
    for name, value in outline.members.items():
        whole = value.data[value.start : value.end]
        if name in sections:
            whole = _list(sections[name])
        members.append(json.dumps(name).encode() + b": " + whole)
    return b"{\n" + b",\n".join(members) + b"\n}\n"


def _list(items: list[tuple[int, bytes]]) -> bytes:
    return b"[\n" + b",\n".join(item for _, item in items) + b"\n]"

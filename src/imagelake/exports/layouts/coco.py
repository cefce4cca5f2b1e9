"""`coco`: a document of instances for each split, beside its images (cocodataset.org, data format).

Read back by this lake, the documents give the rows they were made from: ids are counted anew, all else stays. The
documents are written image by image; the annotations wait in a file of their own until the images are all there.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, ClassVar

from imagelake.client.data.sample import Annotation
from imagelake.exports import unique_names
from imagelake.exports.base import About, Category, ExportContent
from imagelake.exports.entries import ExportEntry, entries, note_renamed, note_space
from imagelake.exports.folder import ExportFolder

_KINDS = frozenset(("box", "polygon", "rle", "keypoints"))
_IMAGE = frozenset(("id", "file_name", "width", "height"))
_CATEGORY = frozenset(("id", "name", "supercategory"))
_ANNOTATION = frozenset(("id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd", "is_crowd"))
_WITHOUT_SPLIT = "images"
_LICENCE_ID = 0
"""No document counts its licences from 0, so no image's own `license` comes to mean this one."""


class Coco:
    """`annotations/instances_<split>.json`, and the images in `<split>/`."""

    name: ClassVar[str] = "coco"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = False

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write documents and images; `file_name` is the path below the split's folder."""
        samples = content.samples
        keys, splits = samples.rows["image_key"].to_pylist(), samples.rows["split"].to_pylist()
        folders = unique_names.split_folders(set(splits), _WITHOUT_SPLIT)
        proposals = [f"{folders[split]}/{key}" for split, key in zip(splits, keys, strict=True)]
        paths = unique_names.paths(proposals, keys)
        note_renamed(folder, proposals, paths)
        note_space(samples, folder)
        head = _head(content, folder)
        with ExitStack() as stack:
            documents = {
                split: stack.enter_context(_document(folder, split, folders, head))
                for split in sorted(set(splits), key=lambda split: split or "")
            }
            for entry in entries(samples):
                file_name = paths[entry.index].partition("/")[2]
                documents[entry.split].add(entry, file_name, folder)
        folder.write_images(samples, paths)


@dataclass
class _Document:
    """A document that grows: images in their place, annotations aside; both counted from 1."""

    images: BinaryIO
    annotations: IO[bytes]
    image_count: int = 0
    annotation_count: int = 0

    def add(self, entry: ExportEntry, file_name: str, folder: ExportFolder) -> None:
        """Write an image and its annotations."""
        self.image_count += 1
        own = {"id": self.image_count, "file_name": file_name, "width": entry.width, "height": entry.height}
        _put(self.images, self.image_count, _with(own, entry.attributes, _IMAGE, folder))
        for annotation in entry.annotations:
            if annotation.kind not in _KINDS or annotation.class_index is None:
                folder.lose(f"{annotation.kind} annotations: the format holds boxes, polygons, masks and keypoints")
                continue
            self.annotation_count += 1
            made = _annotation(annotation, self.annotation_count, self.image_count)
            _put(self.annotations, self.annotation_count, _with(made, annotation.attributes, _ANNOTATION, folder))


@contextmanager
def _document(
    folder: ExportFolder, split: str | None, folders: Mapping[str | None, str], head: Mapping[str, Any]
) -> Iterator[_Document]:
    name = "instances" if split is None else f"instances_{folders[split]}"
    with (
        folder.open(f"annotations/{name}.json") as out,
        tempfile.TemporaryFile(dir=folder.root) as aside,
    ):
        members = "".join(f"{json.dumps(key)}:{_text(value)},\n" for key, value in head.items())
        out.write(b"{" + members.encode() + b'"images":[')
        yield _Document(out, aside)
        out.write(b'],\n"annotations":[')
        aside.seek(0)
        shutil.copyfileobj(aside, out, 1 << 20)
        out.write(b"]}\n")


def _put(out: IO[bytes], count: int, item: Mapping[str, Any]) -> None:
    out.write((("\n" if count == 1 else ",\n") + _text(item)).encode())


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _head(content: ExportContent, folder: ExportFolder) -> dict[str, Any]:
    """info, licenses and categories."""
    about = content.about
    indexed = [category for category in content.categories if category.train_index is not None]
    roots = len(content.categories) - len(indexed)
    folder.lose("root categories, which no object has: trainers would count them as classes", roots)
    return {
        "info": _info(about),
        "licenses": [] if about.licence is None else [{"id": _LICENCE_ID, "name": about.licence, "url": ""}],
        "categories": [_category(category, folder) for category in indexed],
    }


def _info(about: About) -> dict[str, Any]:
    return {
        "description": about.title or about.dataset,
        "version": about.version,
        "year": about.published.year,
        "date_created": about.published.isoformat(),
    }


def _category(category: Category, folder: ExportFolder) -> dict[str, Any]:
    """A category; its id follows from its training index, so that it stays from version to version."""
    own = {
        "id": category_id(category.train_index),
        "name": category.name,
        "supercategory": category.supercategory or "",
    }
    return _with(own, category.attributes, _CATEGORY, folder)


def category_id(train_index: int | None) -> int:
    """The id of a category: from 1, for several tools take 0 for the background."""
    assert train_index is not None
    return train_index + 1


def _annotation(annotation: Annotation, number: int, image_id: int) -> dict[str, Any]:
    made: dict[str, Any] = {"id": number, "image_id": image_id, "category_id": category_id(annotation.class_index)}
    if annotation.bbox is not None:
        made["bbox"] = list(annotation.bbox)
    if annotation.area is not None:
        made["area"] = annotation.area
    made["iscrowd"] = int(annotation.is_crowd)
    if annotation.polygons is not None:
        made["segmentation"] = [list(part) for part in annotation.polygons]
    elif annotation.rle is not None:
        height, width, counts = annotation.rle
        made["segmentation"] = {"size": [height, width], "counts": counts}
    if annotation.keypoints is not None:
        made["keypoints"] = list(annotation.keypoints)
        made["num_keypoints"] = _visible(annotation.keypoints)
    return made


def _visible(keypoints: Sequence[float]) -> int:
    return sum(v > 0 for v in keypoints[2::3])


def _with(own: dict[str, Any], attributes: Mapping[str, Any], fields: Set[str], folder: ExportFolder) -> dict[str, Any]:
    """The object with what the upload said beyond the fields that COCO defines, as it said it."""
    reserved = fields | own.keys()
    folder.lose("attributes named like fields of COCO", len(reserved & attributes.keys()))
    return {**own, **{name: value for name, value in attributes.items() if name not in reserved}}

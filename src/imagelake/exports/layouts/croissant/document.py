"""The description of a `croissant` export (docs.mlcommons.org/croissant, format specification 1.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagelake.core.upload_paths import SUFFIX_TYPES
from imagelake.exports.base import About, Category, ExportContent
from imagelake.exports.layouts.croissant.tables import CLASSES, IMAGES, OBJECTS, CroissantColumn, Table
from imagelake.exports.unique_names import stem

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

_IMAGE_FILES = "image-files"
_SPLITS = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format"),
    *("includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
    *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
"""Croissant's own words. Its readers compare the context as a whole, so those that are not used here are in it too."""


@dataclass(frozen=True)
class FileEntry:
    """A file of the export: path, bytes, sha256."""

    path: str
    size: int
    sha256: str


def document(content: ExportContent, files: Sequence[FileEntry], images: Sequence[str]) -> dict[str, Any]:
    """The description as JSON-LD. files: the label tables; images: the paths of the images."""
    splits = sorted(set(content.samples.rows["split"].drop_null().to_pylist()))
    paths = {file.path for file in files}
    tables = [table for table in (IMAGES, OBJECTS, CLASSES) if table.path in paths]
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        **_described(content),
        "distribution": [*map(_file_object, files), _file_set(images)],
        "recordSet": [
            *([_splits(splits)] if splits else []),
            _categories(content.categories),
            _files(),
            *(_record_set(table, has_splits=bool(splits)) for table in tables),
        ],
    }


def version_of(about: About) -> str:
    """A semantic version: 3.1.0 for v3.1, and one before any other for a draft."""
    number, dot, recipe = about.version.partition(".")
    return f"{number}.{recipe}.0" if dot else f"0.0.0-{about.version}"


def _context() -> dict[str, Any]:
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "rai": "http://mlcommons.org/croissant/RAI/",
        **{term: f"cr:{term}" for term in _TERMS},
    }


def _described(content: ExportContent) -> dict[str, Any]:
    about, count = content.about, len(content.samples)
    title = about.title or about.dataset
    space = "the image as EXIF shows it" if content.samples.oriented else "the stored image, before EXIF turns it"
    what = f"{title}, version {about.version} of the data set {about.dataset}: {count} images."
    described = {
        "name": title,
        "description": f"{what} Sizes and coordinates are those of {space}.",
        "version": version_of(about),
        "datePublished": about.published.isoformat(),
        "citeAs": f"{title}, version {about.version} ({about.published.year}), {content.ref}",
        "isLiveDataset": False,
    }
    if about.licence is not None:
        described["license"] = about.licence
    return described | ({"keywords": list(about.tags)} if about.tags else {})


def _file_object(file: FileEntry) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _file_set(images: Sequence[str]) -> dict[str, Any]:
    types = sorted({kinds[0] for suffix in map(_suffix, images) if (kinds := SUFFIX_TYPES.get(suffix))})
    return {
        "@type": "cr:FileSet",
        "@id": _IMAGE_FILES,
        "name": _IMAGE_FILES,
        "description": "The images, in the folder of this document.",
        "encodingFormat": types if len(types) > 1 else (types or ["application/octet-stream"])[0],
        "includes": "images/*",
    }


def _suffix(path: str) -> str:
    return path[len(stem(path)) :].lower()


def _splits(splits: Sequence[str]) -> dict[str, Any]:
    rows = [{"splits/name": split, "splits/url": _SPLITS.get(split)} for split in splits]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _inline("splits/name", "sc:Text", "The name of the split."),
            _inline("splits/url", "sc:URL", "What the split is for."),
        ],
        "data": [{name: value for name, value in split.items() if value is not None} for split in rows],
    }


def _categories(categories: Sequence[Category]) -> dict[str, Any]:
    rows: list[Mapping[str, Any]] = [
        {
            "categories/name": category.name,
            "categories/train_index": category.train_index,
            "categories/supercategory": category.supercategory,
        }
        for category in categories
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "categories",
        "name": "categories",
        "dataType": "sc:Enumeration",
        "key": {"@id": "categories/name"},
        "field": [
            _inline("categories/name", "sc:Text", "The name of the category."),
            _inline(
                "categories/train_index", "sc:Integer", "Its number for training; none for one that has no objects."
            ),
            _inline("categories/supercategory", "sc:Text", "The category above it."),
        ],
        "data": rows,
    }


def _files() -> dict[str, Any]:
    properties = {"path": ("sc:Text", "fullpath"), "content": ("sc:ImageObject", "content")}
    return {
        "@type": "cr:RecordSet",
        "@id": "files",
        "name": "files",
        "description": "The bytes of the images.",
        "key": {"@id": "files/path"},
        "field": [
            {
                **_inline(f"files/{name}", kind, f"The {name} of the image."),
                "source": {"fileSet": {"@id": _IMAGE_FILES}, "extract": {"fileProperty": file_property}},
            }
            for name, (kind, file_property) in properties.items()
        ],
    }


def _inline(own_id: str, kind: str, doc: str) -> dict[str, Any]:
    name = own_id.rpartition("/")[2]
    return {"@type": "cr:Field", "@id": own_id, "name": name, "description": doc, "dataType": kind}


def _record_set(table: Table, *, has_splits: bool) -> dict[str, Any]:
    columns = [column for column in table.columns if has_splits or column.name != "split"]
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.doc,
        **({"key": {"@id": f"{table.name}/{table.key}"}} if table.key else {}),
        "field": [_field(table, column) for column in columns],
    }


def _field(table: Table, column: CroissantColumn) -> dict[str, Any]:
    source = _source(table.path, column.name)
    if column.format is not None:
        source["format"] = column.format
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table.name}/{column.name}",
        "name": column.name,
        "description": column.doc,
        "dataType": list(column.types) if len(column.types) > 1 else column.types[0],
        "source": source,
    }
    if column.repeated:
        field["repeated"] = True
    if column.references is not None:
        field["references"] = {"field": {"@id": column.references}}
    if column.joins is not None:
        field["references"] = _source(*column.joins)
    return field


def _source(path: str, column: str) -> dict[str, Any]:
    return {"fileObject": {"@id": path}, "extract": {"column": column}}

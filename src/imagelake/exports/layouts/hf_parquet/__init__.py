"""`hf`: Parquet files with images and labels, and a dataset card (Hugging Face datasets and their hub).

Coordinates are those of the image as EXIF shows it: `datasets` turns images when it decodes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from imagelake.client.data.sample import Annotation
from imagelake.exports import unique_names
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import ExportEntry, entry, note_space
from imagelake.exports.folder import ExportFolder
from imagelake.exports.layouts.hf_parquet.card import card
from imagelake.exports.layouts.hf_parquet.features import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from imagelake.client.data.samples import Samples

_WITHOUT_SPLIT = "unassigned"
_ROW_GROUP_BYTES = 64 << 20
_FILE_BYTES = 500 << 20
_MOST_ROWS = 1000
"""Of a row group: pages of few images are read quickly."""

_KIND = "class"
_NO_WORD = re.compile(r"\W", re.ASCII)


class HuggingFace:
    """`data/<split>-00000-of-00001.parquet` and `README.md`."""

    name: ClassVar[str] = "hf"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = True

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write Parquet files of some 500 MB, row group by row group, and the card."""
        samples = content.samples
        note_space(samples, folder)
        schema = arrow_schema(unique_names.class_names(samples.classes))
        files = _files(samples)
        images = folder.read_images(samples, [index for file in files for index in file.indexes])
        for file in files:
            with folder.open(file.path) as out:
                _write_file(out, schema, samples, islice(images, len(file.indexes)), folder)
        counts: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for file in files:
            counts[file.split] = counts.get(file.split, 0) + len(file.indexes)
            sizes[file.split] = sizes.get(file.split, 0) + folder.path(file.path).stat().st_size
        folder.write("README.md", card(content, counts, sizes))


@dataclass(frozen=True)
class _File:
    """A Parquet file: its split as Hugging Face may call it, its path, the indexes of its samples."""

    split: str
    path: str
    indexes: Sequence[int]


def _files(samples: Samples) -> list[_File]:
    splits, sizes = samples.rows["split"].to_pylist(), samples.places["size"].to_pylist()
    files = []
    for split, word in _split_words(set(splits)).items():
        parts = list(_parts([index for index, own in enumerate(splits) if own == split], sizes))
        for number, indexes in enumerate(parts):
            files.append(_File(word, f"data/{word}-{number:05}-of-{len(parts):05}.parquet", indexes))
    return files


def _split_words(splits: set[str | None]) -> dict[str | None, str]:
    """A name for each split; Hugging Face takes letters, digits and `_`."""
    words: dict[str | None, str] = {}
    for split in sorted(splits, key=lambda split: split or ""):
        word = _NO_WORD.sub("_", _WITHOUT_SPLIT if split is None else split) or "_"
        while word.lower() in (other.lower() for other in words.values()):
            word += "_"
        words[split] = word
    return words


def _parts(indexes: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    part: list[int] = []
    size = 0
    for index in indexes:
        if part and size + sizes[index] > _FILE_BYTES:
            yield part
            part, size = [], 0
        part.append(index)
        size += sizes[index]
    if part:
        yield part


def _write_file(
    out: BinaryIO, schema: pa.Schema, samples: Samples, images: Iterator[tuple[int, bytes]], folder: ExportFolder
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(out, schema, use_dictionary=["image_key"]) as writer:
        rows: list[dict[str, Any]] = []
        size = 0
        for index, data in images:
            rows.append(_row(entry(samples, index), data, folder))
            size += len(data)
            if size >= _ROW_GROUP_BYTES or len(rows) == _MOST_ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows, size = [], 0
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _row(own: ExportEntry, data: bytes, folder: ExportFolder) -> dict[str, Any]:
    classes = [a for a in own.annotations if a.kind == _KIND and a.class_index is not None]
    objects = [a for a in own.annotations if a.kind != _KIND and a.bbox is not None and a.class_index is not None]
    lost = len(own.annotations) - len(classes) - len(objects)
    folder.lose("annotations without a box, which are no class of their image", lost)
    folder.lose("attributes of classes", sum(len(a.attributes) for a in classes))
    return {
        "image": {"bytes": data, "path": unique_names.flat(unique_names.portable(own.key))},
        "image_key": own.key,
        "content_hash": own.content_hash,
        "width": own.width,
        "height": own.height,
        "labelled": own.labelled,
        "attributes": _json(own.attributes),
        "classes": [a.class_index for a in classes],
        "objects": _objects(objects),
    }


def _objects(objects: Sequence[Annotation]) -> dict[str, list[Any]]:
    return {
        "bbox": [a.bbox for a in objects],
        "category": [a.class_index for a in objects],
        "kind": [a.kind for a in objects],
        "area": [a.area for a in objects],
        "is_crowd": [a.is_crowd for a in objects],
        "polygons": [a.polygons or () for a in objects],
        "mask_size": [() if a.rle is None else a.rle[:2] for a in objects],
        "mask_counts": [None if a.rle is None else a.rle[2] for a in objects],
        "keypoints": [a.keypoints or () for a in objects],
        "attributes": [_json(a.attributes) for a in objects],
    }


def _json(attributes: Any) -> str | None:
    return json.dumps(dict(attributes)) if attributes else None

"""`webdataset`: tar shards to stream from (github.com/webdataset/webdataset, the format of its tar files).

Equal content gives equal bytes: samples lie in the order of their content hashes, which is no order of anything a
trainer cares for, and members carry no times and no owners.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from imagelake.exports import unique_names
from imagelake.exports.annotation_json import categories_as_json, entry_as_json
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import entry, note_space
from imagelake.exports.folder import ExportFolder

if TYPE_CHECKING:
    from imagelake.client.data.samples import Samples

_WITHOUT_SPLIT = "unassigned"
_MOST_SAMPLES = 10_000
_MOST_BYTES = 256 << 20
_SUFFIX = re.compile(r"[a-z0-9]{1,8}")
_DIGITS = 32
"""Of the sha256 of a key: enough for every image there will ever be."""


class WebDataset:
    """`<split>-000000.tar`, …, each sample an image and a JSON document, and `classes.json`."""

    name: ClassVar[str] = "webdataset"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = False

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write shards of up to 10,000 samples or some 256 MB of images."""
        samples = content.samples
        note_space(samples, folder)
        shards = list(_shards(samples))
        images = folder.read_images(samples, [index for _, indexes in shards for index in indexes])
        for path, indexes in shards:
            with folder.open(path) as out:
                _write_shard(out, samples, islice(images, len(indexes)))
        classes = json.dumps(categories_as_json(content.categories), indent=2)
        folder.write("classes.json", f"{classes}\n".encode())


def sample_key(image_key: str) -> str:
    """The key of a sample: without dots, which end it, and the same in every version."""
    return hashlib.sha256(image_key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _shards(samples: Samples) -> Iterator[tuple[str, list[int]]]:
    """The shards by path, with the indexes of their samples."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: samples.rows.column(name) for name in ("split", "content_hash", "image_key")}
    order = pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns]).to_pylist()
    splits, sizes = samples.rows["split"].to_pylist(), samples.places["size"].to_pylist()
    folders = unique_names.split_folders(set(splits), _WITHOUT_SPLIT)
    number, size, indexes = 0, 0, list[int]()
    for index in order:
        is_other = bool(indexes) and splits[index] != splits[indexes[0]]
        if indexes and (is_other or len(indexes) == _MOST_SAMPLES or size + sizes[index] > _MOST_BYTES):
            yield f"{folders[splits[indexes[0]]]}-{number:06}.tar", indexes
            number, size, indexes = 0 if is_other else number + 1, 0, []
        indexes.append(index)
        size += sizes[index]
    if indexes:
        yield f"{folders[splits[indexes[0]]]}-{number:06}.tar", indexes


def _write_shard(out: BinaryIO, samples: Samples, images: Iterator[tuple[int, bytes]]) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for index, data in images:
            own = entry(samples, index)
            key = sample_key(own.key)
            _add(archive, f"{key}.{_suffix(own.key)}", data)
            document = json.dumps(entry_as_json(own, samples.oriented), separators=(",", ":"))
            _add(archive, f"{key}.json", document.encode())


def _suffix(image_key: str) -> str:
    """The suffix of an image, which says how to decode it."""
    suffix = image_key.rpartition(".")[2].lower()
    return suffix if _SUFFIX.fullmatch(suffix) and suffix != "json" else "bin"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))

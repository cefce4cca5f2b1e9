"""`croissant`: images, label tables in Parquet, and a description of both in JSON-LD (Croissant 1.1, MLCommons).

Coordinates are pixels of the stored image, and `orientation` says how EXIF turns it: readers of the description get the
bytes as they are.
"""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar

from imagelake.exports import unique_names
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import note_renamed, note_space
from imagelake.exports.folder import ExportFolder
from imagelake.exports.layouts.croissant.document import FileEntry, document
from imagelake.exports.layouts.croissant.tables import CLASSES, IMAGES, OBJECTS, write_tables


class Croissant:
    """`croissant.json`, `images/`, `images.parquet`; `objects.parquet` and `classes.parquet` where there are any."""

    name: ClassVar[str] = "croissant"
    has_unlabelled: ClassVar[bool] = True
    oriented: ClassVar[bool] = False

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write the tables and the images, then what describes them. `labelled` tells images that nobody labelled."""
        samples = content.samples
        proposals = [f"images/{key}" for key in samples.rows["image_key"].to_pylist()]
        paths = unique_names.paths(proposals, samples.rows["image_key"].to_pylist())
        note_renamed(folder, proposals, paths)
        note_space(samples, folder)
        written = write_tables(samples, paths, folder)
        files = [_file(folder, table.path) for table in (IMAGES, OBJECTS, CLASSES) if table in written]
        text = json.dumps(document(content, files, paths), indent=2)
        folder.write("croissant.json", f"{text}\n".encode())
        folder.write_images(samples, paths)


def _file(folder: ExportFolder, path: str) -> FileEntry:
    with folder.path(path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileEntry(path, folder.path(path).stat().st_size, digest)

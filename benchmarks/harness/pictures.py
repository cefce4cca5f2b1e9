"""Lakes whose images have bytes: in packages, or as objects."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from dataclasses import dataclass
from pathlib import Path

from imagelake.bronze.store.blob import SourceBlob
from imagelake.maintenance.packing.write import write_package
from imagelake.storage.blobs.local_writer import blob_path
from imagelake.storage.blobs.zip_package import cut
from imagelake.storage.local import LocalStorage
from imagelake.tables import bronze
from lakes import LakeMaker

PACKAGE_BYTES = 128 << 20


@dataclass(frozen=True)
class Pictures:
    """So many images of so many bytes; not pictures, for nobody decodes them."""

    count: int
    size: int

    @property
    def total(self) -> int:
        """Bytes of all."""
        return self.count * self.size


def make_objects(folder: Path, pictures: Pictures) -> list[SourceBlob]:
    """The images as objects of a lake at a folder, in the order of their hashes; made unless they are there."""
    lake = LocalStorage(folder)
    facts = folder / "blobs.json"
    if not facts.exists():
        noise = random.Random(7).randbytes(pictures.size + pictures.count)
        rows = []
        for start in range(pictures.count):
            data = noise[start : start + pictures.size]
            name = hashlib.sha256(data).hexdigest()
            path = lake.local_path(blob_path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            rows.append((name, zlib.crc32(data)))
        facts.write_text(json.dumps(sorted(rows)))
    size = pictures.size
    return [
        SourceBlob(lake.uri(blob_path(name)), 0, size, "stored", size, name, crc32)
        for name, crc32 in json.loads(facts.read_text())
    ]


def write_packages(folder: Path, blobs: list[SourceBlob]) -> list[tuple[str, str, int]]:
    """Packages of these images, written by this process: content hash, path and offset of each."""
    lake = LocalStorage(folder)
    runs = cut([blob.length for blob in blobs], PACKAGE_BYTES)
    return [place for start, end in runs for place in write_package(lake, None, blobs[start:end])]


def make_lake(folder: Path, pictures: Pictures, packed: bool) -> Path:
    """A lake with a version `big@v1` of these images, a box each, packed or as objects; made unless it is there."""
    root = folder / "lake"
    if (folder / "done").exists():
        return root
    maker = LakeMaker(root)
    blobs = make_objects(root, pictures)
    for number, blob in enumerate(blobs):
        row = {"content_hash": blob.content_hash, "length": blob.length, "width": 64, "height": 64, "split": "train"}
        maker.image("big", f"{number:07}.jpg", None, **row)
        maker.box("big", f"{number:07}.jpg", f"class{number % 10}", (1, 2, 3, 4))
    places = write_packages(root, blobs) if packed else [(b.content_hash, blob_path(b.content_hash), 0) for b in blobs]
    crcs = {blob.content_hash: blob.crc32 for blob in blobs}
    common = {"dataset": "big", "length": pictures.size, "size": pictures.size, "codec": "stored", "state": "live"}
    common["at"] = maker.now()
    maker.add(
        bronze.BLOBS,
        *(common | {"content_hash": h, "uri": path, "offset": offset, "crc32": crcs[h]} for h, path, offset in places),
    )
    maker.deliver("big")
    maker.publish("big")
    maker.flush()
    (folder / "done").touch()
    return root

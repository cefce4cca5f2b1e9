"""Abstract uploads as real ones: pictures, COCO and VOC documents, split lists, in a zip or a folder."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from tests.model.uploads import Document, File, Image, Label, Lines, Other, Upload

CUT, CRC = "image.unreadable", "file.crc_mismatch"
"""The two ways in which a member may be damaged: a truncated image, a checksum that does not hold."""

_PIXELS: dict[Image, bytes] = {}
_CODE: dict[Image, str] = {}


@cache
def picture(seed: int, size: tuple[int, int], orientation: int = 1, problem: str | None = None) -> Image:
    """A small JPEG, the same for the same arguments; `bytes_of` has its bytes."""
    rng = random.Random(f"{seed} {size}")
    image = Pillow.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=f"{seed}")
    data = out.getvalue() if problem != CUT else out.getvalue()[: len(out.getvalue()) // 2]
    made = Image(hashlib.sha256(data).hexdigest(), *size, orientation, problem)
    _PIXELS[made] = data
    _CODE[made] = f"picture({seed}, {size}, {orientation}, {problem!r})"
    return made


def as_code(value: object) -> str:
    """A value as Python that makes it, pictures by their seeds."""
    text = repr(value)
    for image, code in _CODE.items():
        text = text.replace(repr(image), code)
    return text


def bytes_of(file: File) -> bytes:
    """The bytes of a file."""
    if isinstance(file, Image):
        return _PIXELS[file]
    if isinstance(file, Document):
        assert file.form != "save", "saves are made by the client"
        if file.form == "voc":
            return _voc(file).encode()
        return b'{"images": [], "categories": [], "annotations": [{' if file.broken else _json(_coco(file))
    if isinstance(file, Lines):
        return "\n".join(file.lines).encode()
    return file.text.encode()


def write(upload: Upload, path: Path) -> Path:
    """The upload at the path: a zip, a folder, or the one document that it is, by the path's suffix."""
    files = {name: bytes_of(file) for name, file in upload.files}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        _write_zip(path, files, [name for name, file in upload.files if _has_bad_crc(file)])
    elif path.suffix == ".json":
        (data,) = files.values()
        path.write_bytes(data)
    else:
        shutil.rmtree(path, ignore_errors=True)
        for name, data in files.items():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return path


def suffix_of(upload: Upload) -> str:
    """How the upload may be given: a lone document as a file, damaged checksums in a zip, all else as either."""
    if len(upload.files) == 1 and getattr(upload.files[0][1], "form", None) == "coco":
        return ".json"
    folder = not any(_has_bad_crc(file) for _, file in upload.files) and len(upload.files) % 3 == 0
    return "" if folder else ".zip"


def _has_bad_crc(file: File) -> bool:
    return isinstance(file, Image | Other) and file.problem == CRC


def _write_zip(path: Path, files: dict[str, bytes], damaged: list[str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
        ends = {i.filename: i.header_offset + 30 + len(i.filename.encode()) + i.file_size for i in archive.infolist()}
    data = bytearray(path.read_bytes())
    for name in damaged:
        data[ends[name] - 1] ^= 0xFF
    path.write_bytes(data)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _coco(document: Document) -> dict[str, Any]:
    names = [name for name, _ in document.categories]
    images = [
        {"id": n + 1, "file_name": e.name, **_size(e.size), **dict(e.attributes)}
        for n, e in enumerate(document.entries)
    ]
    categories = [
        {"id": n + 1, "name": name, **({"supercategory": parent} if parent else {})}
        for n, (name, parent) in enumerate(document.categories)
    ]
    labels = [{"id": n + 1, **_label(label, names)} for n, label in enumerate(document.labels)]
    return {"images": images, "annotations": labels, "categories": categories}


def _size(size: tuple[int, int] | None) -> dict[str, int]:
    return {} if size is None else {"width": size[0], "height": size[1]}


def _label(label: Label, names: list[str]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "image_id": 9999 if label.entry is None else label.entry + 1,
        "category_id": 999 if label.category is None else names.index(label.category) + 1,
    }
    if label.shape is None:
        return {**item, "bbox": [None, 1, 1, 1]}
    if label.kind == "box":
        return {**item, "bbox": list(label.shape), "area": label.shape[2] * label.shape[3]}
    xs, ys = label.shape[::2], label.shape[1::2]
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    return {**item, "segmentation": [list(label.shape)], "bbox": box}


def _voc(file: Document) -> str:
    """Corners count pixels from 1, and both belong to the object."""
    objects = "".join(
        f"<object><name>{label.category}</name><bndbox><xmin>{x + 1:g}</xmin><ymin>{y + 1:g}</ymin>"
        f"<xmax>{x + w:g}</xmax><ymax>{y + h:g}</ymax></bndbox></object>"
        for label in file.labels
        for x, y, w, h in [label.shape or (0, 0, 0, 0)]
    )
    (entry,) = file.entries
    size = entry.size
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    return f"<annotation><filename>{entry.name}</filename>{sides}{objects}</annotation>"

"""COCO uploads of any size, made from a seed."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

SIZE = (64, 48)
CLASSES = 5
_SCENES = 64


@dataclass(frozen=True)
class Labels:
    """What a document says: numbers of the images, boxes an image, and the seed of the boxes."""

    images: Sequence[int]
    boxes: int
    seed: int


def upload(path: Path, labels: Labels) -> Path:
    """A zip of images with the document that labels them, unless it is there."""
    return _write(path, labels, labels.images)


def relabelling(path: Path, labels: Labels) -> Path:
    """A zip with a document alone, which labels images that were delivered before."""
    return _write(path, labels, ())


def _write(path: Path, labels: Labels, pictures: Iterable[int]) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with zipfile.ZipFile(partial, "w") as out:
            for number in pictures:
                out.writestr(f"images/{_name(number)}", picture(number))
            out.writestr("annotations.json", document(labels))
        partial.rename(path)
    return path


def document(labels: Labels) -> str:
    """The COCO document."""
    rng = random.Random(labels.seed)
    width, height = SIZE
    images = [{"id": n + 1, "file_name": _name(n), "width": width, "height": height} for n in labels.images]
    boxes = []
    for image in images:
        for _ in range(labels.boxes):
            w, h = rng.randrange(4, 12), rng.randrange(4, 12)
            box = [rng.randrange(width - w), rng.randrange(height - h), w, h]
            category = 1 + rng.randrange(CLASSES)
            number = len(boxes) + 1
            boxes.append({"id": number, "image_id": image["id"], "category_id": category, "bbox": box, "iscrowd": 0})
    categories = [{"id": c + 1, "name": f"c{c}"} for c in range(CLASSES)]
    return json.dumps({"images": images, "annotations": boxes, "categories": categories})


def picture(number: int) -> bytes:
    """A JPEG file of about a kilobyte; its number is in a comment, so that no two are alike."""
    data, comment = _scene(number % _SCENES), f"{number:010d}".encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


@lru_cache
def _scene(seed: int) -> bytes:
    rng = random.Random(seed)
    image = Image.frombytes("RGB", (8, 6), rng.randbytes(8 * 6 * 3)).resize(SIZE, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def _name(number: int) -> str:
    return f"{number:08d}.jpg"

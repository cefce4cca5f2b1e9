"""One upload with a row, a file or a class for nearly every rule: each of them breaks one rule, and one is good."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from typing import Any

from PIL import Image
from tests.spark.helpers import picture

WIDTH, HEIGHT = 64, 48
GOOD_BOX = [10, 10, 20, 16]
SQUARE = [10, 10, 30, 10, 30, 26, 10, 26]

CATEGORIES: tuple[Mapping[str, Any], ...] = (
    {"id": 1, "name": "cat", "supercategory": "pets"},
    {"id": 2, "name": "pets", "supercategory": "none"},
    {"id": 3, "name": "Cat ", "supercategory": "pets"},
    {"id": 4, "name": "dog", "supercategory": "pets"},
    {"id": 5, "name": "fish"},
    {"id": None, "name": "nameless"},
    {"id": 6, "name": ""},
    {"id": 1, "name": "again"},
    "no object",
)
"""cat has all annotations but one, which `fish` has; dog has none."""

ANNOTATIONS: dict[str, Mapping[str, Any]] = {
    "good": {},
    "annotation.id_coerced": {"id": "1000", "bbox": [11, 1, 20, 16]},
    "annotation.id_missing": {"id": None, "bbox": [12, 1, 20, 16]},
    "annotation.id_duplicate": {"id": 1, "bbox": [13, 1, 20, 16]},
    "annotation.bbox_coerced": {"bbox": ["10", 10, 20, 15]},
    "annotation.bbox_derived": {"bbox": None, "segmentation": [SQUARE]},
    "annotation.bbox_dropped": {"bbox": [1, 2, 3], "segmentation": [[10, 10, 31, 10, 31, 26, 10, 26]]},
    "annotation.polygon_part_dropped": {
        "bbox": [10, 10, 22, 16],
        "segmentation": [[10, 10, 32, 10, 32, 26, 10, 26], [1]],
    },
    "annotation.polygon_flat": {"bbox": [10, 10, 23, 16], "segmentation": [10, 10, 33, 10, 33, 26, 10, 26]},
    "annotation.area_missing": {"bbox": [1, 1, 20, 16], "area": None},
    "annotation.area_invalid": {"bbox": [2, 1, 20, 16], "area": "wide"},
    "annotation.area_above_box": {"bbox": [3, 1, 20, 16], "area": 9000},
    "annotation.area_recomputed": {"bbox": [4, 1, 20, 16], "area": -1},
    "annotation.crowd_missing": {"bbox": [5, 1, 20, 16], "iscrowd": None},
    "annotation.crowd_invalid": {"bbox": [6, 1, 20, 16], "iscrowd": 7},
    "annotation.crowd_alias": {"bbox": [8, 1, 20, 16], "iscrowd": None, "is_crowd": 1},
    "annotation.crowd_polygon": {
        "bbox": [10, 10, 24, 16],
        "segmentation": [[10, 10, 34, 10, 34, 26, 10, 26]],
        "iscrowd": 1,
    },
    "annotation.box_clipped": {"bbox": [43.5, 10, 21, 16]},
    "annotation.box_overhang": {"bbox": [50, 10, 40, 16]},
    "annotation.box_tiny": {"bbox": [20, 20, 0.5, 16], "area": 8},
    "annotation.box_normalised": {"bbox": [0.1, 0.1, 0.8, 0.8], "area": 0.6},
    "annotation.box_disagrees": {"bbox": [30, 20, 10, 16], "segmentation": [[10, 10, 40, 10, 40, 36, 10, 36]]},
    "annotation.self_intersecting": {"bbox": [10, 10, 20, 16], "segmentation": [[10, 10, 30, 26, 30, 10, 10, 26]]},
    "annotation.duplicate": {},
    "annotation.value_not_finite": {"bbox": [7, 1, 20, 16], "score": float("nan")},
    "annotation.image_id_invalid": {"image_id": None},
    "annotation.image_orphan": {"image_id": 999},
    "annotation.image_ambiguous": {"image_id": 21},
    "annotation.image_rejected": {"image_id": 23},
    "annotation.category_unknown": {"category_id": 77},
    "annotation.bbox_invalid": {"bbox": [1, 2, 3]},
    "annotation.bbox_not_finite": {"bbox": [1, 2, 3, float("inf")]},
    "annotation.box_degenerate": {"bbox": [1, 2, 0, 4]},
    "annotation.box_outside": {"bbox": [500, 10, 20, 16]},
    "annotation.box_out_of_bounds": {"bbox": [-9000, 10, 9030, 16]},
    "annotation.polygon_invalid": {"bbox": None, "segmentation": [[1, 2]]},
    "annotation.polygon_out_of_bounds": {"bbox": None, "segmentation": [[10, 10, 90000, 10, 30, 26]]},
    "annotation.rle_invalid": {"bbox": None, "segmentation": {"size": [HEIGHT, WIDTH], "counts": "no"}},
    "annotation.rle_size": {"bbox": None, "segmentation": {"size": [4, 6], "counts": [5, 10, 9]}},
}
"""Changes of a good annotation, by the rule that it then breaks."""


def files() -> dict[str, bytes]:
    """Path to bytes of the whole upload, in a wrapper folder."""
    members = {"annotations.json": b"\xef\xbb\xbf" + json.dumps(document()).encode(), **_images(), **_others()}
    return {f"delivery/{path}": data for path, data in members.items()}


def document() -> dict[str, Any]:
    """The COCO document, with one entry for each rule."""
    return {
        "images": [*_listed(), "no object"],
        "categories": list(CATEGORIES),
        "annotations": [_annotation(n, rule, change) for n, (rule, change) in enumerate(ANNOTATIONS.items(), 1)]
        + [_on_image(500, 3), _on_image(501, 5), _on_image(502, 2), _on_image(503, 6, category=5), "no object"],
    }


def _annotation(number: int, rule: str, change: Mapping[str, Any]) -> dict[str, Any]:
    good = {"id": number, "image_id": 1, "category_id": 1, "bbox": GOOD_BOX, "area": 100, "iscrowd": 0}
    entry = {**good, "segmentation": [], **change}
    if rule == "annotation.duplicate":
        entry |= {"bbox": GOOD_BOX}
    return {name: value for name, value in entry.items() if value is not None or name in ("id", "image_id")}


def _on_image(number: int, image: int, category: int = 1) -> dict[str, Any]:
    box = {"bbox": [5, 5, 10, 10], "area": 100, "iscrowd": 0, "segmentation": []}
    return {"id": number, "image_id": image, "category_id": category, **box}


def _listed() -> list[dict[str, Any]]:
    size = {"width": WIDTH, "height": HEIGHT}
    return [
        {"id": 1, "file_name": "good.png", **size},
        {"id": 2, "file_name": "swapped.png", "width": HEIGHT, "height": WIDTH},
        {"id": 3, "file_name": "other_size.png", "width": 640, "height": 480},
        {"id": 4, "file_name": "copy.png", **size},
        {"id": 5, "file_name": "missing.png", **size},
        {"id": 6, "file_name": "turned.jpg"},
        {"id": "7", "file_name": "text_id.png", **size},
        {"id": 8, "file_name": "sub\\\\back.png".replace("\\\\", "\\"), **size},
        {"id": 9, "file_name": "wide.png", "width": "wide", "height": HEIGHT},
        {"id": 10, "file_name": "Füße.png", **size},
        {"id": 11, "file_name": "small.png", "width": 8, "height": 8},
        {"id": 12, "file_name": "suffix.png", **size},
        {"id": 13, "file_name": "palette.png", **size},
        {"id": 14, "file_name": "train/one.png", **size},
        {"id": 15, "file_name": "val/two.png", **size},
        {"id": 16, "file_name": "odd.png", **size, "score": float("inf")},
        {"id": None, "file_name": "good.png"},
        {"id": 18},
        {"id": 19, "file_name": "../outside.png"},
        {"id": 20, "file_name": "twice.png"},
        {"id": 20, "file_name": "twice_too.png"},
        {"id": 21, "file_name": "two_ids.png"},
        {"id": 22, "file_name": "two_ids.png"},
        {"id": 23, "file_name": "cut.png", **size},
        {"id": 24, "file_name": "empty.png", **size},
        {"id": 25, "file_name": "animated.gif", **size},
    ]


def _images() -> dict[str, bytes]:
    plain = {name: picture(seed, form="PNG") for seed, name in enumerate(_PLAIN, 700)}
    exif = Image.Exif()
    exif[0x0112] = 6
    others = {
        "copy.png": plain["good.png"],
        "train/one.png": picture(790, form="PNG"),
        "val/two.png": picture(790, form="PNG"),
        "turned.jpg": picture(791, exif=exif),
        "small.png": picture(792, (8, 8), "PNG"),
        "suffix.png": picture(793),
        "palette.png": _saved(Image.open(io.BytesIO(picture(794))).convert("P"), "PNG"),
        "cut.png": picture(795, form="PNG")[:80],
        "empty.png": b"",
        "animated.gif": _saved(
            Image.new("L", (WIDTH, HEIGHT)), "GIF", save_all=True, append_images=[Image.new("L", (WIDTH, HEIGHT), 200)]
        ),
    }
    return {f"images/{name}": data for name, data in (plain | others | _looks()).items()}


def _looks() -> dict[str, bytes]:
    """Pictures that look odd, and two that hold more than a picture of 8 bits."""
    gradient = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    noise = Image.frombytes("L", (WIDTH, HEIGHT), random.Random(7).randbytes(WIDTH * HEIGHT))
    return {
        "dark.png": _saved(noise.point(lambda v: v // 5), "PNG"),
        "bright.png": _saved(noise.point(lambda v: 248 + v // 40), "PNG"),
        "blurry.png": _saved(gradient, "PNG"),
        "blank.png": _saved(Image.new("L", (WIDTH, HEIGHT), 127), "PNG"),
        "narrow.png": _saved(noise.crop((0, 0, WIDTH, 12)), "PNG"),
        "deep.png": _saved(noise.convert("I").convert("I;16"), "PNG"),
        "pair.jpg": _saved(noise.convert("RGB"), "MPO", save_all=True, append_images=[noise.convert("RGB")]),
    }


_PLAIN = (
    "good.png", "swapped.png", "other_size.png", "text_id.png", "sub/back.png", "wide.png", "Füße.png", "odd.png",
    "twice.png", "twice_too.png", "two_ids.png", "unlisted.png",
)  # fmt: skip


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _others() -> dict[str, bytes]:
    """Files that are neither images nor labels."""
    return {".DS_Store": b"junk", "more.zip": b"PK\x05\x06" + bytes(18), "model.bin": bytes(40)}

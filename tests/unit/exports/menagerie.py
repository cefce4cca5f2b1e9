"""A lake of random labels, odd ones among them: what comes in must come out or be counted."""

from __future__ import annotations

import json
import random
from typing import Any

from imagelake.client import lake
from imagelake.client.lake import Lake
from imagelake.geometry.run_lengths import write_runs
from lakes import LakeMaker

WIDTH, HEIGHT = 40, 30
KINDS = ("box", "box", "polygon", "rle", "keypoints", "class", "caption")


def menagerie(maker: LakeMaker, seed: int, images: int = 25) -> Lake:
    """Images with up to eight annotations each, of kinds that exist and of one that does not yet."""
    chance = random.Random(seed)
    contents = []
    for number in range(images):
        key = f"{chance.choice(('', 'x/', 'X/', 'x/images/'))}{number}.{chance.choice(('jpg', 'png'))}"
        contents.append(f"{seed}/{number}".encode())
        maker.image(
            "d",
            key,
            contents[-1],
            width=WIDTH,
            height=HEIGHT,
            orientation=chance.choice((1, 1, 1, 3, 6, 7)),
            split=chance.choice(("train", "val", "fold-1")),
            labelled=["box"],
        )
        used_class = chance.choice("abc")
        for _ in range(chance.randrange(9)):
            annotate(maker, key, used_class, chance)
    maker.keep("d", contents)
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    return lake.open(str(maker.root))


def annotate(maker: LakeMaker, key: str, image_class: str, chance: random.Random) -> None:
    """An annotation of any kind; that of a class is always the same for an image."""
    kind = chance.choice(KINDS)
    values: dict[str, Any] = {"kind": kind, "is_crowd": chance.random() < 0.1}
    x, y = chance.uniform(0, WIDTH - 1), chance.uniform(0, HEIGHT - 1)
    bbox: tuple[float, ...] | None = (x, y, chance.uniform(0.1, WIDTH - x), chance.uniform(0.1, HEIGHT - y))
    if kind == "polygon":
        count = chance.choice((1, 1, 2, 3))
        values["polygons"] = [[chance.uniform(-1, 31) for _ in range(2 * chance.randint(3, 6))] for _ in range(count)]
    elif kind == "rle":
        start = chance.randrange(WIDTH * HEIGHT)
        length = chance.randint(0, WIDTH * HEIGHT - start)
        values |= {
            "rle_size": [HEIGHT, WIDTH],
            "rle_counts": write_runs([start, length, WIDTH * HEIGHT - start - length]),
        }
    elif kind in ("class", "caption"):
        bbox = None
    if kind == "keypoints" or (kind == "box" and chance.random() < 0.2):
        values["keypoints"] = [chance.choice((0.0, 1.0, 2.0, 29.0)) for _ in range(3 * chance.randint(1, 4))]
    attributes: dict[str, Any] = {}
    if chance.random() < 0.3:
        attributes["keypoints"] = chance.choice(([1, 2, 2], [1, 2, 0], [1, 2], "none", [], [1, 2, None]))
    if chance.random() < 0.3:
        attributes[chance.choice(("id", "name", "occluded", "pose", "a b", "é"))] = chance.choice(
            (1, True, None, "x", [], {"y": [1]})
        )
    values["attributes"] = json.dumps(attributes) if attributes else None
    maker.box("d", key, image_class if kind == "class" else chance.choice("abc"), bbox, **values)

"""Lakes of a size, for measurements: many images, many datasets, many publishes."""

from __future__ import annotations

import random
from pathlib import Path

from lakes import LakeMaker

CLASSES = ("cat", "dog", "bird", "horse", "sheep")


def fill(lake: LakeMaker, dataset: str, images: int, boxes: int, seed: int = 0) -> None:
    """Put images with boxes into a draft."""
    draw = random.Random(f"{dataset}/{seed}")
    for i in range(images):
        key = f"{seed:03d}/{i:06d}.jpg"
        lake.image(dataset, key, width=640, height=480)
        for j in range(boxes):
            box = (draw.randrange(600), draw.randrange(440), draw.randrange(1, 40), draw.randrange(1, 40))
            lake.box(dataset, key, CLASSES[j % len(CLASSES)], box, source_id=str(i * boxes + j))


def wide(root: Path, datasets: int = 10, images: int = 5_000, boxes: int = 5) -> LakeMaker:
    """Datasets with many images each, two versions a dataset."""
    lake = LakeMaker(root)
    for n in range(datasets):
        name = f"d{n:02d}"
        fill(lake, name, images, boxes)
        lake.deliver(name)
        lake.publish(name)
        key = "000/000000.jpg"
        lake.draft(name).drop_image(key)
        lake.image(name, "new.jpg", width=640, height=480)
        lake.box(name, "new.jpg", "cat", (1, 2, 3, 4))
        lake.deliver(name)
        lake.publish(name)
        for i in range(50):
            lake.reject(name, "annotation.degenerate", path="a.json", locator=str(i), raw="{}", closed=i % 2 == 0)
        lake.flush()
    return lake


def many(root: Path, datasets: int = 1_000, images: int = 20, commit_every: int = 7) -> LakeMaker:
    """Many small datasets with one version each, as a log of many small commits."""
    lake = LakeMaker(root)
    for n in range(datasets):
        name = f"d{n:04d}"
        fill(lake, name, images, 2)
        lake.deliver(name)
        lake.publish(name)
        lake.reject(name, "annotation.degenerate", path="a.json", locator="1", raw="{}")
        if n % commit_every == commit_every - 1:
            lake.flush()
    lake.flush()
    return lake


def long(root: Path, publishes: int = 300, images: int = 5) -> LakeMaker:
    """One dataset published many times, each adding a few images and changing one, without OPTIMIZE."""
    lake = LakeMaker(root)
    for n in range(publishes):
        fill(lake, "pets", images, 3, seed=n)
        if n:
            lake.image("pets", f"{n - 1:03d}/000000.jpg", f"new {n}".encode(), width=640, height=480)
        lake.deliver("pets")
        lake.publish("pets")
        lake.flush()
    return lake

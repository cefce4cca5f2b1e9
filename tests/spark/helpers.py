"""What the Spark tests share: contexts on fresh lakes, uploads made on the spot, and what a lake holds."""

from __future__ import annotations

import atexit
import io
import json
import random
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from pyspark.sql import SparkSession

from imagelake.bronze.request import IngestRequest
from imagelake.config.settings import Settings, load
from imagelake.runs import pipeline
from imagelake.runs.context import Context, RunReport, system_clock
from imagelake.storage.leases.lease_record import this_process
from imagelake.storage.open_lake import create_lake, open_lake
from imagelake.tables import ALL
from imagelake.tables.delta.store import DeltaStore
from imagelake.tables.spec import TableSpec

Box = tuple[float, float, float, float]

BCCD_DIGEST = "d1:37d2cb32fe643ec05b0435db6b74c85da9f2cd3f7847732d4b6ce744e9075e2a"
"""Of the version that bccd-voc.zip makes: on whatever disk or server, by whatever release."""


def settings(lake: Path, *overrides: str) -> Settings:
    """Laptop settings for that lake; writers wait only shortly."""
    return load(None, [f"lake={lake}", "lease.wait_seconds=20", *overrides])


def context(spark: SparkSession, lake: Path, **given: Any) -> Context:
    """A context on a lake, an empty one where there is none, in the shared session."""
    chosen = given.pop("settings", None) or settings(lake)
    if not lake.exists():
        shutil.copytree(_empty_lake(spark), lake)
    made = open_lake(str(lake))
    tables = DeltaStore(spark, made.storage, chosen.delta)
    run_id = uuid.uuid4().hex
    return Context(chosen, made.storage, spark, tables, run_id, this_process(run_id), **given)


@cache
def _empty_lake(spark: SparkSession) -> Path:
    """A lake with all its tables, made once a session: creating them takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="imagelake-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = create_lake(str(folder / "lake"), system_clock)
    DeltaStore(spark, made.storage, settings(folder / "lake").delta).ensure(*ALL)
    return folder / "lake"


def begun(spark: SparkSession, lake: Path) -> Context:
    """A context on a new lake in which pets@v1 is small(3): copied, for the way there takes ten seconds."""
    shutil.copytree(_begun_lake(spark), lake)
    return context(spark, lake)


@cache
def _begun_lake(spark: SparkSession) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="imagelake-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    upload = write_zip(folder / "a.zip", small(3).files())
    pipeline.run_upload(context(spark, folder / "lake"), IngestRequest("pets", str(upload)))
    return folder / "lake"


def again(ctx: Context) -> Context:
    """The same lake as another run."""
    run_id = uuid.uuid4().hex
    return replace(ctx, run_id=run_id, holder=this_process(run_id), reports=[])


def into_draft(ctx: Context, dataset: str, path: Path, **options: Any) -> RunReport:
    """Take an upload into the draft, which is all that tests of drafts need: a publish takes as long again."""
    return pipeline.take_uploads(again(ctx), dataset, [IngestRequest(dataset, str(path), **options)], auto=False)[-1]


def picture(seed: int, size: tuple[int, int] = (64, 48), form: str = "JPEG", **options: Any) -> bytes:
    """A small image, the same for the same seed, different for another."""
    rng = random.Random(seed)
    image = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    for _ in range(20):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        image.putpixel((x, y), tuple(rng.randrange(256) for _ in range(3)))
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@dataclass(frozen=True)
class Coco:
    """A COCO upload in the making: images by name, boxes by name, categories."""

    images: Mapping[str, bytes]
    boxes: Mapping[str, list[tuple[str, Box]]]
    categories: tuple[str, ...] = ("cat", "dog")
    size: tuple[int, int] = (64, 48)

    def document(self) -> dict[str, Any]:
        """The annotation document; ids are numbered from 1 in every document."""
        names = sorted(self.boxes)
        annotations = [
            {
                "image_id": i + 1,
                "category_id": self.categories.index(c) + 1,
                "bbox": list(b),
                "area": b[2] * b[3],
                "iscrowd": 0,
                "segmentation": [],
            }
            for i, name in enumerate(names)
            for c, b in self.boxes[name]
        ]
        return {
            "images": [
                {"id": i + 1, "file_name": n, "width": self.size[0], "height": self.size[1]}
                for i, n in enumerate(names)
            ],
            "annotations": [{"id": k + 1, **a} for k, a in enumerate(annotations)],
            "categories": [{"id": k + 1, "name": c} for k, c in enumerate(self.categories)],
        }

    def files(self) -> dict[str, bytes]:
        """Path to bytes."""
        document = json.dumps(self.document()).encode()
        return {"annotations.json": document, **{f"images/{n}": data for n, data in self.images.items()}}


def write_zip(path: Path, files: Mapping[str, bytes], *, reverse: bool = False, year: int = 2020) -> Path:
    """A stored zip of these files, in either order, with any time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files, reverse=reverse):
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), files[name])
    return path


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """The files as a folder."""
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return path


def versions(ctx: Context, *specs: TableSpec) -> dict[str, int]:
    """The Delta version of each table."""
    return {spec.name: ctx.tables.version(spec) for spec in specs or ALL}


def commits(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """How many commits each table got."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def small(count: int = 4, *, start: int = 0) -> Coco:
    """An upload of `count` pictures with two boxes each."""
    names = [f"p{start + i:03d}.jpg" for i in range(count)]
    return Coco(
        {n: picture(start + i) for i, n in enumerate(names)},
        {n: [("cat", (5.0, 6.0, 20.0, 10.0 + i)), ("dog", (30.0, 8.0, 12.5, 9.25))] for i, n in enumerate(names)},
    )


class RealUploads:
    """The real uploads in one lake on the local disk, each taken the whole way when it is first asked for."""

    def __init__(self, spark: SparkSession, lake: Path, data: Path) -> None:
        self.path = lake
        self.ctx = context(spark, lake)
        self._data = data
        self._taken: dict[str, tuple[RunReport, int]] = {}

    def take(self, name: str) -> tuple[RunReport, int]:
        """The report of an upload, and how many commits it made; its dataset is the first word of its name."""
        if name not in self._taken:
            before = versions(self.ctx)
            request = IngestRequest(name.partition("-")[0], str(self._data / f"{name}.zip"))
            report = pipeline.run_upload(again(self.ctx), request)
            self._taken[name] = report, sum(commits(before, versions(self.ctx)).values())
        return self._taken[name]

"""Every call into the product, and what a dataset looks like from outside, in the words of the comparison."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession
from tests.model.draft import WAITING, Settings
from tests.model.uploads import Label
from tests.spark import helpers

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.errors import ImagelakeError
from imagelake.maintenance.packing.collect import collect_objects
from imagelake.maintenance.packing.pack import pack_dataset, unpack_dataset
from imagelake.runs import pipeline
from imagelake.runs.context import RunReport
from imagelake.runs.landing import run_landing
from imagelake.runs.writer import writing
from imagelake.tables import bronze, gold, silver

STICKY = ("image.bytes_changed", "image.labels_rejected")
_SAVE = re.compile(r"^([0-9a-f]{32}/)?\d{20}-[0-9a-f]+\.json$")
_SETTLED = 2.2
"""Seconds after which a save can no longer be withdrawn."""


class Killed(BaseException):
    """The run ends at a boundary, as if its process had been killed."""


@dataclass(frozen=True)
class Answer:
    """What a verb said: exit code (of an error as well), and its reports."""

    exit_code: int
    reports: tuple[RunReport, ...] = ()
    problem: str = ""


@dataclass
class Product:
    """One dataset of a lake; `kill_at` counts boundaries down to the one at which the next verb ends."""

    spark: SparkSession
    lake: Path
    dataset: str
    kill_at: int = 0
    boundary: str = ""
    _saved: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.ctx = helpers.context(self.spark, self.lake)

    def settings(self, s: Settings) -> None:
        """Write the dataset's settings."""
        shares = ("max_rejected_share", "max_rejected_images_share", "max_rejected_upload_share")
        document = {
            "publish": "auto" if s.auto else "manual",
            "severities": dict(s.severities),
            "match": "name" if s.match_by_name else "exact",
            "unlisted_images": s.unlisted,
            "gate": {
                **dict.fromkeys((*shares, "max_rejected_annotations_share"), s.max_rejected),
                **dict.fromkeys(("max_new_classes", "max_vanished_classes"), s.max_class_changes),
                "max_unannotated_images_share": s.max_unannotated,
            },
            "splits": {
                "fractions": dict(s.fractions), "group_by": s.group_by, "stratify": s.stratify, "seed": s.seed,
            },
        }  # fmt: skip
        path = self.lake / "datasets" / f"{self.dataset}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def run(self, path: Path, mode: str, again: bool) -> Answer:
        """`run UPLOAD`: ingest, build, publish."""
        request = IngestRequest(self.dataset, str(path), mode=mode, again=again)
        return self._answer(lambda ctx: [pipeline.run_upload(ctx, request)])

    def landing(self) -> Answer:
        """`run --landing`: all that waits."""
        return self._answer(lambda ctx: [r for r in run_landing(ctx) if r.dataset == self.dataset])

    def build(self, upload_id: str | None) -> Answer:
        """`build D --upload U`."""
        build = getattr(pipeline, "build_dataset", None) or pipeline.build.run
        return self._answer(lambda ctx: build(ctx, self.dataset, upload_id))

    def remove(self, keys: Sequence[str]) -> Answer:
        """`remove D`."""
        return self._answer(lambda ctx: [pipeline.remove_images(ctx, self.dataset, list(keys))])

    def publish(self, **options: Any) -> Answer:
        """`publish D [--split …]`."""
        request = pipeline.PublishRequest(self.dataset, **options)
        return self._answer(lambda ctx: [pipeline.publish_draft(ctx, request)])

    def move(self, storage: str) -> Answer:
        """Into packages or objects, as `maintain --only pack` does, and then what `maintain --only gc` does."""

        def verb(ctx: Any) -> Sequence[RunReport]:
            with writing(ctx, self.dataset) as lease:
                if storage == "objects":
                    unpack_dataset(ctx, self.dataset, lease)
                else:
                    pack_dataset(ctx, self.dataset, lease, label=self.dataset, force=True)
            collect_objects(ctx.storage, timedelta(0), ctx.clock)
            return ()

        return self._answer(verb)

    def save(self, key: str, kinds: tuple[str, ...], labels: Sequence[Label]) -> None:
        """A labelling tool saves an image's labels."""
        lake = imagelake.open(str(self.lake))
        pages = {p.key: p.etag for p in lake.images(f"{self.dataset}@draft").images}
        entries = [_entry(label) for label in labels]
        lake.save_labels(f"{self.dataset}@draft", key, entries, "ann", base=pages[key], kinds=kinds)
        self._saved = time.monotonic()

    def clear(self) -> None:
        """Leave nothing that a later `run --landing` would take."""
        for place in ("labels", "landing"):
            shutil.rmtree(self.lake / place / self.dataset, ignore_errors=True)

    def _answer(self, verb: Callable[[Any], Sequence[RunReport]]) -> Answer:
        time.sleep(max(0.0, self._saved + _SETTLED - time.monotonic()))
        self._saved = 0.0
        try:
            reports = tuple(verb(replace(helpers.again(self.ctx), reached=self._reached)))
        except ImagelakeError as error:
            return Answer(error.exit_code, (), error.message)
        except Exception as error:  # noqa: BLE001  whatever else ends a command is a difference as well
            return Answer(1, (), f"{type(error).__name__}: {str(error)[:500]}")
        codes = {r.exit_code for r in reports} - {0}
        problems = "; ".join(r.problem for r in reports if r.problem)
        return Answer(next((c for c in (1, 5, 4, 3, 2, 6) if c in codes), 0), reports, problems)

    def _reached(self, boundary: str) -> None:
        self.kill_at -= 1
        if self.kill_at == 0:
            self.boundary = boundary
            raise Killed(boundary)

    def observe(self) -> dict[str, Any]:
        """The draft and the open rejections, comparable."""
        images = {
            r["image_key"]: (
                r["content_hash"][:12], r["width"], r["height"], r["orientation"], r["split"],
                tuple(sorted(r["labelled"] or ())), json.loads(r["attributes"] or "{}"),
                tuple(flag for flag in r["flags"] or () if flag in STICKY),
            )
            for r in self._rows(silver.IMAGES)
        }  # fmt: skip
        labels = Counter(_annotation(r) for r in self._rows(silver.ANNOTATIONS))
        categories = {r["name"]: (r["supercategory"], r["train_index"]) for r in self._rows(silver.CATEGORIES)}
        refused = [r for r in self._rows(silver.REJECTIONS) if r["closed_at"] is None]
        rejections = Counter(  # of what waits the key is a name that no image has yet
            (
                r["entity"], r["rule"], None if r["rule"] in WAITING else r["image_key"], r["kind"],
                _SAVE.sub("save", r["path"] or ""),
            )
            for r in refused
        )  # fmt: skip
        return {"images": images, "annotations": labels, "categories": categories, "rejections": rejections}

    def versions(self) -> dict[str, Any]:
        """Version to digest, uploads and splits; aliases."""
        rows = sorted(self._rows(gold.VERSIONS), key=lambda r: r["sequence"])
        logs, ends = self._rows(gold.SPLIT_LOG), self._rows(gold.CLOSINGS)
        ids = {r["publish_id"] for r in rows}
        closed = {r["row_id"]: r["removed_in"] for r in ends if r["entity"] == "split" and r["publish_id"] in ids}
        versions = {
            f"v{v['number']}.{v['recipe']}": {
                "digest": v["digest"],
                "uploads": sorted(v["upload_ids"] or ()) if v["recipe"] == 1 else [],
                "splits": {
                    r["image_key"]: r["split"]
                    for r in logs
                    if r["publish_id"] in ids and r["recipe"] == v["recipe"] and r["added_in"] <= v["number"]
                    and closed.get(r["row_id"], v["number"] + 1) > v["number"]
                },
            }
            for v in rows
        }  # fmt: skip
        aliases = {r["alias"]: f"v{r['number']}.{r['recipe']}" for r in self._by_sequence(gold.ALIASES)}
        return {"versions": versions, "aliases": aliases}

    def states(self) -> list[tuple[str, str]]:
        """Upload id and newest state of each delivery."""
        newest: dict[int, tuple[str, str]] = {}
        for r in sorted(self._rows(bronze.UPLOADS), key=lambda r: (r["sequence"], r["state"] != "landed")):
            newest[r["sequence"]] = (r["upload_id"], r["state"])
        return [newest[n] for n in sorted(newest)]

    def verify(self, ref: str) -> dict[str, Any]:
        """`verify D@ref`."""
        return dict(imagelake.open(str(self.lake)).verify(f"{self.dataset}@{ref}").as_json())

    def diff(self, before: str, after: str) -> dict[str, Any]:
        """`diff D@before D@after`."""
        return dict(
            imagelake.open(str(self.lake)).diff(f"{self.dataset}@{before}", f"{self.dataset}@{after}").as_json()
        )

    def draft_splits(self) -> dict[str, str]:
        """The view splits of the draft."""
        result = imagelake.open(str(self.lake)).sql("select image_key, split from splits", at=f"{self.dataset}@draft")
        return {row[0]: row[1] for row in result.rows}

    def _rows(self, spec: Any) -> list[dict[str, Any]]:
        return list(self.ctx.tables.collect(spec, self.dataset))

    def _by_sequence(self, spec: Any) -> list[dict[str, Any]]:
        return sorted(self._rows(spec), key=lambda r: r["sequence"])


def _annotation(r: dict[str, Any]) -> tuple[Any, ...]:
    box = None if r["bbox"] is None else tuple(float(r["bbox"][c]) for c in "xywh")
    polygon = None if r["polygons"] is None else tuple(map(float, r["polygons"][0]))
    return r["image_key"], r["kind"], r["category"], box, polygon


def _entry(label: Label) -> dict[str, Any]:
    shape = list(label.shape or ())
    outline = {"bbox": shape} if label.kind == "box" else {"polygons": [shape]}
    return {"kind": label.kind, "category": label.category, **outline}

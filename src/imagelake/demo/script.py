"""The demo as steps: each does a part of the work and says what came of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imagelake.bronze.request import IngestRequest
from imagelake.client import lake
from imagelake.demo import sample_dataset
from imagelake.gold.plan import PublishRequest
from imagelake.runs import pipeline
from imagelake.runs.context import Context, RunReport

PER_CLASS = "select category, count(*) as objects from annotations group by category order by objects desc, category"
_AUTHOR = "demo"


@dataclass(frozen=True)
class Ran:
    """A step that ran a stage: its title and its report."""

    title: str
    report: RunReport


@dataclass(frozen=True)
class Answered:
    """A step that asked the client: its title, which answer it is, and the answer as data."""

    title: str
    kind: Literal["show", "diff", "rejections", "sql"]
    document: Mapping[str, Any]


Step = Ran | Answered


def sample_steps(ctx: Context) -> Iterator[Step]:
    """The whole way on the generated sample: two uploads, two versions, their difference."""
    d = sample_dataset.DATASET
    with tempfile.TemporaryDirectory(prefix="imagelake-demo-") as folder:
        ctx.progress("drawing 60 pictures")
        first = IngestRequest(d, str(sample_dataset.first_upload(Path(folder))), note="the first pictures")
        yield Ran("An upload of 60 pictures: taken in, checked, published", pipeline.run_upload(ctx, first))
        second = IngestRequest(d, str(sample_dataset.second_upload(Path(folder))), note="more pictures, a label mended")
        landed = pipeline.land_upload(ctx, second)
    removed = pipeline.remove_images(ctx, d, [sample_dataset.REMOVED], "out of the demo")
    built = {report.sequence: report for report in ctx.reports}
    ctx.reports.clear()  # what is yielded is what is recorded of the run
    yield Ran("A second upload: 5 new pictures and one mended label", built.get(landed.sequence, landed))
    yield Ran(f"One picture taken out: {sample_dataset.REMOVED}", removed)
    request = PublishRequest(d, note="five more, one mended, one removed", author=_AUTHOR)
    yield Ran("The draft published as the next version", pipeline.publish_draft(ctx, request))
    with lake.open(ctx.storage.root, ctx.settings.s3) as opened:
        yield Answered("What changed from v1 to v2", "diff", opened.diff(f"{d}@v1", f"{d}@v2", rows=True).as_json())
        yield from _answers(opened, d)


def own_steps(ctx: Context, upload: Path, dataset: str) -> Iterator[Step]:
    """The way of one's own upload: one run, and a look at what it gave."""
    report = pipeline.run_upload(ctx, IngestRequest(dataset, str(upload)))
    yield Ran(f"{upload.name}: taken in, checked, published", report)
    if report.version is None:
        return
    with lake.open(ctx.storage.root, ctx.settings.s3) as opened:
        yield Answered("The version", "show", opened.show(report.version).as_json())
        yield from _answers(opened, dataset)


def dataset_of(upload: Path) -> str:
    """A dataset id made from a file's or folder's name."""
    words = re.findall(r"[a-z0-9]+", (upload.stem if upload.is_file() else upload.resolve().name).lower())
    return "-".join(words)[:63].rstrip("-") or "upload"


def _answers(opened: Any, dataset: str) -> Iterator[Step]:
    yield Answered("A row that was refused", "rejections", opened.rejections(dataset).as_json())
    yield Answered(
        f'A question: imagelake sql "{PER_CLASS}" --at {dataset}', "sql", opened.sql(PER_CLASS, at=dataset).as_json()
    )

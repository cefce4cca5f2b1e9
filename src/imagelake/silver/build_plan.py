"""What a build was computed from, laid down before its first write: a build that is cut short is finished from it.

`locks/build-<D>.<number>.plan` holds the uploads of the batch, the Delta version of each silver table before the first
write, settings and time. Whoever finishes the build computes the same rows, whatever the settings have become. The
first to lay it down wins, and it is never changed; it goes when the uploads are marked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.runs.context import Context
from imagelake.tables.spec import TableSpec

_NAME = re.compile(r"\.(\d{1,18})\.plan$")


@dataclass(frozen=True)
class BuildPlan:
    """A batch: its number (the newest of its sequences), the pinned versions by table, and uploads that had failed.

    `failed` maps a sequence to the reason it was set aside for: it stays so when the build is finished later.
    """

    number: int
    sequences: tuple[int, ...]
    versions: Mapping[str, int]
    settings: DatasetSettings
    now: datetime
    failed: Mapping[int, str]

    def version(self, spec: TableSpec) -> int:
        """The Delta version of a silver table before the first write."""
        return self.versions[spec.name]


def unfinished(ctx: Context, dataset: str, pending: Sequence[Mapping[str, Any]]) -> BuildPlan | None:
    """The plan of the oldest build that has begun to write and whose uploads are not marked; None without one."""
    waiting = {int(row["sequence"]) for row in pending}
    for number in sorted(_numbers(ctx, dataset)):
        plan = _read(ctx, dataset, number)
        if waiting.intersection(plan.sequences):
            return plan
    return None


def lay_down(ctx: Context, dataset: str, plan: BuildPlan) -> BuildPlan:
    """Store the plan unless there is one of that number; the one that counts."""
    document = asdict(plan) | {
        "settings": plan.settings.model_dump(),
        "now": plan.now.isoformat(),
        "failed": {str(sequence): reason for sequence, reason in plan.failed.items()},
    }
    data = json.dumps(document, ensure_ascii=False).encode("utf-8")
    ctx.storage.put(_path(dataset, plan.number), data, if_absent=True)
    return _read(ctx, dataset, plan.number)


def clear(ctx: Context, dataset: str, number: int) -> None:
    """Remove the plans up to a number, whose uploads are marked."""
    for old in (n for n in _numbers(ctx, dataset) if n <= number):
        ctx.storage.delete(_path(dataset, old))  # one by one: RGW refuses a batch to a role of some prefixes


def _numbers(ctx: Context, dataset: str) -> list[int]:
    paths = (stat.path for stat in ctx.storage.list("locks/") if stat.path.startswith(f"locks/build-{dataset}."))
    return [int(match.group(1)) for match in map(_NAME.search, paths) if match]


def _read(ctx: Context, dataset: str, number: int) -> BuildPlan:
    document = json.loads(ctx.storage.read(_path(dataset, number)))
    return BuildPlan(
        number=document["number"],
        sequences=tuple(document["sequences"]),
        versions=document["versions"],
        settings=DatasetSettings.model_validate(document["settings"]),
        now=datetime.fromisoformat(document["now"]),
        failed={int(sequence): reason for sequence, reason in document["failed"].items()},
    )


def _path(dataset: str, number: int) -> str:
    return f"locks/build-{dataset}.{number}.plan"

"""The row that makes a version exist: digests, counts, statistics, and what it was made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.core import digest
from imagelake.gold.difference import Difference
from imagelake.gold.live import LOGS, Published
from imagelake.gold.measures.version_statistics import as_json
from imagelake.gold.plan import CONTRADICTS, PublishPlan, PublishRequest
from imagelake.runs.context import Context
from imagelake.tables import gold

_PLURAL = {"image": "images", "annotation": "annotations", "category": "categories", "split": "splits"}


def version_row(
    ctx: Context, request: PublishRequest, settings: DatasetSettings, past_versions: Published, plan: PublishPlan
) -> dict[str, Any]:
    """A row of gold.versions for the plan, whose log rows have been appended."""
    sets = plan.digests
    content_digest = digest.content_digest(sets.images, sets.annotations, sets.categories)
    return {
        "dataset": request.dataset,
        "sequence": past_versions.sequence + 1,
        "number": plan.attempt.number,
        "recipe": plan.recipe_number,
        "state": "published",
        "parent": plan.parent,
        "publish_id": plan.attempt.publish_id,
        "digest": digest.version_digest(content_digest, sets.splits),
        "content_digest": content_digest,
        "images": sets.images.count,
        "annotations": sets.annotations.count,
        "categories": sets.categories.count,
        "added": _added(plan.differences),
        "log_versions": _log_versions(ctx),
        "split_stats": as_json(plan.statistics.splits),
        "class_stats": as_json(plan.statistics.classes),
        "changes": json.dumps(_changes(plan), sort_keys=True),
        "recipe_spec": plan.recipe.as_json(),
        "settings": settings.model_dump_json(),
        "quality": json.dumps(plan.verdict.as_json()) if plan.verdict else None,
        "upload_ids": plan.uploads.ids,
        "note": request.note,
        "author": request.author,
        "run_id": ctx.run_id,
        "at": ctx.clock(),
        "last_sequence": plan.uploads.last_sequence,
        "set_digests": sets.as_json(),
    }


def _added(differences: Sequence[Difference]) -> dict[str, int]:
    """Rows appended to each log."""
    counts = dict.fromkeys((*_PLURAL.values(), "closings"), 0)
    for entity_difference in differences:
        counts[_PLURAL[entity_difference.entity]] = entity_difference.added + entity_difference.changed
        counts["closings"] += entity_difference.removed + entity_difference.changed
    return counts


def _log_versions(ctx: Context) -> dict[str, int]:
    logs = {_PLURAL[entity]: spec for entity, spec in LOGS.items()} | {"closings": gold.CLOSINGS}
    return {name: ctx.tables.version(spec) for name, spec in logs.items()}


def _changes(plan: PublishPlan) -> dict[str, Any]:
    """Counts against the parent, and what the splits could not follow."""
    counts: dict[str, Any] = {
        _PLURAL[d.entity]: {"added": d.added, "removed": d.removed, "changed": d.changed} for d in plan.differences
    }
    counts["split_contradictions"] = plan.remarks.warnings.get(CONTRADICTS, 0)
    return counts

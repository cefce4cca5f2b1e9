"""Categories of the draft: names, parents, and a training index that is never reused.

Categories are few (thousands at most), so they are folded in Python on the driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.core import digest
from imagelake.quality.category_names import root_names, similar_names, without_parent
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.tables.frames import rows_with

COMPARED = ("row_hash", "attributes")
"""Columns that make a changed row: attributes are in no digest."""


@dataclass(frozen=True)
class Declared:
    """A category a document declares, or a name that annotations use without declaration."""

    name: str
    supercategory: str | None
    source_id: str | None
    attributes: str | None


def declared(records: DataFrame, renames: Mapping[str, str]) -> list[Declared]:
    """The declared categories in the order of document and place; the first declaration of a name counts."""
    names = ("document", "locator", "category", "supercategory", "source_id", "attributes")
    rows = rows_with(records, {"type": "category"}, names)
    rows.sort(key=lambda row: (row["document"], int(row["locator"])))
    by_name: dict[str, Declared] = {}
    for row in rows:
        name = rename(row["category"], renames)
        if name:
            by_name.setdefault(name, Declared(name, row["supercategory"], row["source_id"], row["attributes"]))
    return list(by_name.values())


def rename(name: str | None, renames: Mapping[str, str]) -> str:
    """The category name as the dataset wants it."""
    return renames.get(name or "", name or "")


def broken_rules(
    declared: Sequence[Declared], rows: Sequence[Mapping[str, Any]], used: frozenset[str]
) -> dict[str, int]:
    """How many categories of an upload break each rule on categories. rows: those of the draft after it."""
    mine = {c.name for c in declared}
    order = sorted((row["name"] for row in rows), key=lambda name: (name in mine, name))
    parents = {c.name: c.supercategory for c in declared}
    roots = root_names(parents, used)
    broken = {
        "category.root": roots,
        "category.similar_name": similar_names(order).keys() & mine,
        "category.unused": mine - used - roots,
        "category.no_parent": without_parent(parents) - roots,
    }
    return {rule: len(names) for rule, names in broken.items() if names}


def categories_after(
    upload: LandedUpload,
    old: Sequence[Mapping[str, Any]],
    declared_now: Sequence[Declared],
    usage: tuple[frozenset[str], frozenset[str]],
    published: Mapping[str, int],
    settings: DatasetSettings,
) -> list[dict[str, Any]]:
    """The draft's categories after an upload, as rows of silver.categories.

    `usage` are the names annotations use before and after it, `published` the index each name has had in any version.
    A name keeps its index for good. A category leaves with its last annotation, unless this upload declares it or
    only took images away.
    """
    before, after = usage
    names = {c.name: c for c in declared_now}
    for name in sorted(after - names.keys() - {r["name"] for r in old}):
        names[name] = Declared(name, None, None, None)
    root = root_names({c.name: c.supercategory for c in declared_now}, after)
    remaining = [r for r in old if _stays(upload, r["name"], names, before, after)]
    index = dict(published)
    index.update({r["name"]: r["train_index"] for r in remaining if r["train_index"] is not None})
    for name in _in_order(names, settings.classes):
        if name not in root and name not in index:
            index[name] = max(index.values(), default=-1) + 1
    rows = {r["name"]: _grown(upload, dict(r), index) for r in remaining}
    for name, category in names.items():
        rows[name] = _row(upload, rows.get(name), category, None if name in root else index.get(name))
    return list(rows.values())


def _stays(
    upload: LandedUpload, name: str, names: Mapping[str, Declared], before: frozenset[str], after: frozenset[str]
) -> bool:
    if name in names or name in after or upload.mode == "remove":
        return True
    return upload.mode != "replace" and name not in before


def _in_order(names: Mapping[str, Declared], classes: Sequence[str]) -> list[str]:
    index_of = {name: place for place, name in enumerate(classes)}
    return sorted(names, key=lambda name: index_of.get(name, len(index_of)))


def _grown(upload: LandedUpload, row: dict[str, Any], index: Mapping[str, int]) -> dict[str, Any]:
    """An old root that has annotations by now gets its index."""
    return row if row["train_index"] == index.get(row["name"]) else _stamped(upload, row, index.get(row["name"]))


def _row(
    upload: LandedUpload, old: dict[str, Any] | None, category: Declared, train_index: int | None
) -> dict[str, Any]:
    new = {
        "dataset": upload.dataset,
        "name": category.name,
        "supercategory": category.supercategory,
        "source_id": category.source_id,
        "attributes": category.attributes,
    }
    if old is not None:
        for field in ("supercategory", "source_id", "attributes"):
            new[field] = new[field] if new[field] is not None else old[field]
    made = _stamped(upload, new, train_index)
    unchanged = old is not None and all(old[name] == made[name] for name in COMPARED)
    return old if old is not None and unchanged else made


def _stamped(upload: LandedUpload, row: dict[str, Any], train_index: int | None) -> dict[str, Any]:
    made = {**row, "train_index": train_index, "upload_id": upload.upload_id, "delivery": upload.sequence}
    return {**made, "row_hash": digest.category_hash(made)}

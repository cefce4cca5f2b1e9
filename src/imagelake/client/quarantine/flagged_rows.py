"""Rows of a draft that were let in with a flag: counts by rule, and rows as examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.delta.tables import Tables
from imagelake.client.quarantine.chosen import Chosen, fitting_rules, limits
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import UsageError
from imagelake.quality.catalogue import BY_ID
from imagelake.quality.severities import severities
from imagelake.storage.base import Storage
from imagelake.tables import silver

_ROW = ("entity", "image_key", "category", "source_id", "upload_id")
_ORDER = "image_key, entity DESC, category, length(source_id), source_id"


@dataclass(frozen=True)
class FlaggedRow:
    """An image or annotation with a flag; category and source id are those of an annotation."""

    rule: str
    entity: str
    image_key: str
    category: str | None
    source_id: str | None
    upload_id: str


@dataclass(frozen=True)
class FlagCount:
    """How many rows carry a rule's flag, on how many images; its severity in the dataset, and what the rule means."""

    rule: str
    severity: str | None
    count: int
    images: int
    doc: str | None


@dataclass(frozen=True)
class FlaggedRows:
    """The flags of a draft: `count` and `rules` (warnings before infos, most frequent first) of all that were chosen.

    `flagged` are all of them or, with a limit, examples of every rule. A row counts once for each of its flags.
    """

    dataset: str
    count: int
    rules: tuple[FlagCount, ...]
    flagged: tuple[FlaggedRow, ...]

    def as_json(self) -> dict[str, Any]:
        """{"count", "rules": [...], "flagged": [...]}."""
        rules, rows = [asdict(rule) for rule in self.rules], [asdict(row) for row in self.flagged]
        return {"count": self.count, "rules": rules, "flagged": rows}


def flagged_rows(tables: Tables, storage: Storage, dataset: str, chosen: Chosen, limit: int) -> FlaggedRows:
    """The chosen flags on rows of the draft, at most `limit` as rows; patterns of paths are of image keys.

    NotFound when there is no such dataset; UsageError for a limit below 0, and as `rejections` says.
    """
    check_dataset_id(dataset)
    if limit < 0:
        raise UsageError(f"a limit of {limit} rows", hint="0 shows counts only")
    flags = f"(SELECT * FROM {_flags(tables, dataset)} WHERE {_condition(tables, dataset, chosen)})"
    counts = tables.query(f"SELECT rule, count(*) AS n, count(DISTINCT image_key) AS images FROM {flags} GROUP BY rule")
    if not counts:
        catalog.require_dataset(tables, dataset)
    effective = severities(load_dataset_settings(storage, dataset)) if counts else {}
    rules = [FlagCount(r["rule"], effective.get(r["rule"]), r["n"], r["images"], _doc(r["rule"])) for r in counts]
    rules.sort(key=lambda rule: (rule.severity != "warn", -rule.count, rule.rule))
    rows = tables.query(
        f"SELECT rule, {', '.join(_ROW)} FROM (SELECT *, row_number() OVER (PARTITION BY rule ORDER BY {_ORDER}) "
        f"AS turn FROM {flags} QUALIFY turn <= {limit}) ORDER BY turn, rule LIMIT {limit}"
    )
    return FlaggedRows(dataset, sum(r.count for r in rules), tuple(rules), tuple(FlaggedRow(**row) for row in rows))


def _flags(tables: Tables, dataset: str) -> str:
    """A row for each flag of each row of the draft."""
    images = tables.relation(silver.IMAGES, ("image_key", "flags", "upload_id"), dataset)
    columns = ("image_key", "category", "source_id", "flags", "upload_id")
    annotations = tables.relation(silver.ANNOTATIONS, columns, dataset)
    return (
        "(SELECT 'image' AS entity, image_key, NULL::VARCHAR AS category, NULL::VARCHAR AS source_id, upload_id, "
        f"unnest(flags) AS rule FROM {images} UNION ALL "
        f"SELECT 'annotation', image_key, category, source_id, upload_id, unnest(flags) FROM {annotations})"
    )


def _condition(tables: Tables, dataset: str, chosen: Chosen) -> str:
    rules = {rule for pattern in chosen.rules for rule in fitting_rules(pattern, BY_ID)} if chosen.rules else None
    names = None if rules is None else sorted(rules)
    return " AND ".join(("true", *limits(tables, dataset, chosen, names, "image_key")))


def _doc(rule: str) -> str | None:
    return BY_ID[rule].doc if rule in BY_ID else None

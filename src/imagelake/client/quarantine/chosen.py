"""Which rejections are meant: by rule, path, upload and entity, as a condition in SQL."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.upload_states import furthest
from imagelake.client.sql_text import text, texts
from imagelake.errors import NotFound, UsageError
from imagelake.quality.catalogue import BY_ID
from imagelake.tables import silver

ENTITIES = ("file", "image", "annotation", "category")

_NEAREST = 3
_WILD = re.compile(r"[*?\[]")
_UPLOAD_ID = re.compile(r"[0-9A-Za-z]{1,64}")


@dataclass(frozen=True)
class Chosen:
    """Conditions that hold together; an empty one holds for every row.

    `rules` are rule ids or patterns such as `annotation.*`, `paths` patterns of paths in the upload (`*` stands for `/`
    too), of which one must fit; `upload` is the beginning of an upload id. `closed`: those accepted since, and not the
    open ones.
    """

    rules: Sequence[str] = ()
    paths: Sequence[str] = ()
    upload: str | None = None
    entities: Sequence[str] = ()
    closed: bool = False


def condition(tables: Tables, dataset: str, chosen: Chosen) -> str:
    """The condition in SQL over silver.rejections.

    UsageError names the nearest rules for one that does not exist, and the entities there are; NotFound when no upload
    of the dataset begins so.
    """
    state = f"closed_at IS {'NOT NULL' if chosen.closed else 'NULL'}"
    rules = _rules(tables, dataset, chosen.rules) if chosen.rules else None
    return " AND ".join((state, *limits(tables, dataset, chosen, rules, "path")))


def limits(tables: Tables, dataset: str, chosen: Chosen, rules: Sequence[str] | None, path: str) -> list[str]:
    """What is chosen as conditions in SQL over rows with rule, upload_id and entity; `path` names the patterns' column.

    Errors as of `condition`; `rules` are those that the patterns mean, None for all.
    """
    parts = []
    if rules is not None:
        parts.append(f"rule IN ({texts(rules)})")
    if chosen.paths:
        parts.append("(" + " OR ".join(f"{path} GLOB {text(pattern)}" for pattern in chosen.paths) + ")")
    if chosen.upload is not None:
        parts.append(f"upload_id IN ({texts(upload_ids(tables, dataset, chosen.upload))})")
    if chosen.entities:
        parts.append(f"entity IN ({texts(checked_entities(chosen.entities))})")
    return parts


def _rules(tables: Tables, dataset: str, patterns: Sequence[str]) -> list[str]:
    """The rules that the patterns mean: of the catalogue, and those that older releases have left in the table."""
    source = tables.relation(silver.REJECTIONS, ("rule",), dataset)
    stored = {str(row["rule"]) for row in tables.query(f"SELECT DISTINCT rule FROM {source} WHERE rule IS NOT NULL")}
    names = sorted(stored | BY_ID.keys())
    return sorted({rule for pattern in patterns for rule in fitting_rules(pattern, names)})


def fitting_rules(pattern: str, names: Collection[str]) -> list[str]:
    """The rules that a name or pattern means; UsageError with the nearest names when there is none."""
    if not _WILD.search(pattern):
        fitting = [pattern] if pattern in names else []
    else:
        fitting = [name for name in names if fnmatchcase(name, pattern)]
    if fitting:
        return fitting
    nearest = difflib.get_close_matches(pattern, names, n=_NEAREST, cutoff=0.5)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else "docs/checks.md lists all rules"
    raise UsageError(f"there is no rule {pattern!r}", hint=hint)


def upload_ids(tables: Tables, dataset: str, beginning: str) -> list[str]:
    """The uploads whose ids begin so; NotFound when there is none, UsageError for what is no beginning of an id."""
    if not _UPLOAD_ID.fullmatch(beginning):
        raise UsageError(f"{beginning!r} is no upload id", hint="give its first letters and digits")
    source = furthest(tables, ("upload_id",), dataset)
    rows = tables.query(f"SELECT DISTINCT upload_id FROM {source} WHERE starts_with(upload_id, {text(beginning)})")
    if not rows:
        raise NotFound(f"{dataset} has no upload {beginning}", hint='imagelake sql "select * from uploads" lists them')
    return sorted(str(row["upload_id"]) for row in rows)


def checked_entities(entities: Sequence[str]) -> Sequence[str]:
    """The entities themselves; UsageError names those there are."""
    for entity in entities:
        if entity not in ENTITIES:
            raise UsageError(f"there is no entity {entity!r}", hint=f"one of {', '.join(ENTITIES)}")
    return entities

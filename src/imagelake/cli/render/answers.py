"""The answers of the client for people. Each takes the document that --json prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelake.cli.plain import safe
from imagelake.cli.render.grid import cell, filled, grid, grid_or_records

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]

_VERSION = ("version", "state", "images", "annotations", "parent", "created_at", "aliases", "note", "author", "digest")
_DROP_OF_VERSIONS = ("digest", "author", "parent", "note", "aliases", "state", "annotations", "created_at")
_DROP_OF_DATASETS = (
    *("tags", "title", "draft_annotations", "draft_images", "waiting_saves", "problem_uploads", "draft_differs"),
    *("pending_uploads", "rejections", "annotations"),
)
_DROP_OF_RUNS = ("seconds", "run_id", "problem", "dataset")
_DROP_OF_CHANGES = ("what", "before", "after")
_DROP_OF_COMMITS = ("files_removed", "files_added", "rows_added")
"""Columns that are left out where a table is too wide, the least important one first."""
_SHORT_HASH = 12
_PROBLEM = 200
_PROBLEMS = 5
"""Uploads that failed, shown to people: the newest ones."""
_ONLY_SOME = ("problem_uploads", "waiting_saves")
"""Counts that are shown where one of them is not zero."""

_TIMES = ("created_at", "started_at", "ended_at", "at", "oldest_at")
_RUN_DETAILS = ("ended_at", "pid", "host", "program")


def datasets(to: Console, document: Document) -> None:
    """Every dataset of the lake."""
    rows = document["datasets"]
    if not rows:
        to.print("the lake holds no dataset yet: imagelake run UPLOAD --dataset D")
        return
    columns = [c for c in rows[0] if c not in _ONLY_SOME or any(row[c] for row in rows)]
    grid(to, [_readable(row) for row in rows], filled(rows, columns), drop=_DROP_OF_DATASETS)


def dataset(to: Console, document: Document) -> None:
    """One dataset's versions, newest first, and its aliases; then what failed and what waits."""
    versions = [_readable(v) for v in document["versions"]]
    if versions:
        newest_first = sorted(versions, key=lambda v: (v["number"], v["recipe"]), reverse=True)
        grid(to, newest_first, filled(versions, _VERSION), document["dataset"], _DROP_OF_VERSIONS)
    else:
        to.print(
            f"{document['dataset']}: nothing is published yet: imagelake publish {document['dataset']}", soft_wrap=True
        )
    for row in document.get("aliases") or ():
        author = f" by {safe(row['author'])}" if row["author"] else ""
        to.print(f"alias {row['alias']}: {row['version']}, set {_second(row['set_at'])}{author}", soft_wrap=True)
    problem_uploads(to, document)
    _waiting_saves(to, document)


def problem_uploads(to: Console, document: Document) -> None:
    """A line for each of the newest uploads that failed or were rejected."""
    problems = document.get("problems") or ()
    for upload in problems[-_PROBLEMS:]:
        source = f" ({safe(upload['source'])})" if upload["source"] else ""
        reason = safe(upload["problem"] or "no reason was recorded", _PROBLEM)
        to.print(f"upload {upload['sequence']} {upload['state']}{source}: {reason}", soft_wrap=True)
    if len(problems) > _PROBLEMS:
        to.print(f"and {len(problems) - _PROBLEMS:,} earlier uploads: --json prints all of them")


def _waiting_saves(to: Console, document: Document) -> None:
    """How many saves of labels wait; nothing when none does."""
    count = document.get("waiting_saves")
    if count:
        noun = "save of labels waits" if count == 1 else "saves of labels wait"
        to.print(f"{count:,} {noun}: the next build puts them into the draft")


def version(to: Console, document: Document) -> None:
    """One version: its row, its splits, its categories."""
    grid(to, [_readable(document)], filled([document], _VERSION[:-1]), drop=_DROP_OF_VERSIONS)
    to.print(f"digest {document.get('digest') or 'none: not published'}", soft_wrap=True)
    _waiting_saves(to, document)
    splits = [{"split": name, **counts} for name, counts in (document.get("splits") or {}).items()]
    if splits:
        to.print()
        grid(to, splits, ("split", "images", "annotations"))
    categories = document.get("categories") or ()
    if categories:
        to.print()
        grid(to, [{"category": c["name"], **c} for c in categories], ("category", "images", "annotations"))
    quality = document.get("quality")
    if quality:
        to.print()
        measures = ", ".join(_measure(k, v) for k, v in quality.items() if not (isinstance(v, list) or _is_empty(v)))
        to.print(f"gate: {measures}", soft_wrap=True)


def _is_empty(value: Any) -> bool:
    """Whether a measure of several names has none for any of them."""
    return isinstance(value, Mapping) and not any(value.values())


def _measure(name: str, value: Any) -> str:
    shown = f"{value:.2%}" if name.endswith("_share") else cell(value)
    return f"{safe(name.replace('_', ' '))} {shown}"


def runs(to: Console, document: Document) -> None:
    """What ran, newest first."""
    entries = document["runs"]
    if not entries:
        to.print("nothing has run on this lake yet")
        return
    columns = [c for c in entries[0] if c not in _RUN_DETAILS]
    rows = [{**_readable(run), "run_id": run["run_id"][:_SHORT_HASH]} for run in entries]
    grid(to, rows, filled(entries, columns), drop=_DROP_OF_RUNS)


def table(to: Console, document: Document) -> None:
    """A table's history, and how far back it reaches."""
    for name, value in _readable(document).items():
        if not isinstance(value, list) and value not in (None, ""):
            to.print(f"{safe(name.replace('_', ' '))}: {cell(value)}", soft_wrap=True)
    for name, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            grid(to, [_readable(row) for row in value], list(value[0]), name, _DROP_OF_COMMITS)


def diff(to: Console, document: Document) -> None:
    """What changed: first what happened to test, then counts, what waits, then rows."""
    diff_counts(to, document)
    _waiting_saves(to, document)
    rows = document.get("rows") or ()
    if rows:
        to.print()
        diff_rows(to, rows)


def diff_counts(to: Console, document: Document) -> None:
    """What changed, counted."""
    splits = document["splits"]
    to.print(_split_sentence("test", splits.get("test")), style="bold", soft_wrap=True)
    for name in sorted(set(splits) - {"test"}):
        to.print(_split_sentence(name, splits[name]), soft_wrap=True)
    for entity in ("images", "annotations", "categories"):
        to.print(f"{entity}: {_changes(document[entity])}", soft_wrap=True)


def diff_rows(to: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """What changed, one line a change."""
    shown = [{**row, **{side: _side(row, row[side]) for side in ("before", "after")}} for row in rows]
    grid(to, shown, filled(shown, ("entity", "change", "what", "image_key", "before", "after")), drop=_DROP_OF_CHANGES)


def _side(change: Mapping[str, Any], row: Mapping[str, Any] | None) -> str:
    """One side of a change in a few words."""
    entity = change["entity"]
    if row is None:
        return ""
    if entity == "image" and change["change"] == "renamed":
        return str(row["image_key"])
    if entity == "image":
        return f"{row['width']}×{row['height']} {row['content_hash'][:_SHORT_HASH]}"  # noqa: RUF001  width by height
    if entity == "annotation":
        box = row.get("bbox")
        place = f" at {', '.join(f'{n:g}' for n in box)}" if box else ""
        return f"{row['category']}, {row['kind']}{place}"
    return ", ".join(str(value) for value in row.values() if value is not None)


def _split_sentence(name: str, counts: Mapping[str, int] | None) -> str:
    if not counts or not any(counts.values()):
        return f"{safe(name)}: unchanged"
    parts = [f"+{counts['added']:,} −{counts['removed']:,} images"]  # noqa: RUF001  the sign for minus
    moved = {"moved_in": "moved in", "moved_out": "moved out"}
    parts += [f"{counts[key]:,} {words}" for key, words in moved.items() if counts.get(key)]
    return f"{safe(name)}: {', '.join(parts)}"


def _changes(counts: Mapping[str, Any]) -> str:
    """Counts, or the names where the document lists them."""
    said = [f"{cell(value)} {name}" for name, value in counts.items() if value]
    return ", ".join(said) or "unchanged"


def sql(to: Console, document: Document) -> None:
    """A query's result: a table, or where that is too wide records, one field a line."""
    names = document["columns"]
    unique = [f"{name}_{i}" if name in names[:i] else name for i, name in enumerate(names)]
    rows = [dict(zip(unique, row, strict=True)) for row in document["rows"]]
    if not rows:
        to.print(f"no rows ({', '.join(safe(name) for name in names)})", soft_wrap=True)
        return
    grid_or_records(to, rows, unique)


def verify(to: Console, document: Document) -> None:
    """Whether a version reads back as it was published."""
    verdict = "reads back as published" if document["ok"] else "does NOT read back as published"
    to.print(f"{document['version']}: {verdict}", style="bold", soft_wrap=True)
    counts = f"{document['images_checked']:,} images, {document['bytes_checked']:,} bytes read"
    to.print(f"{counts}, {document['digest']}", soft_wrap=True)
    for problem in document["problems"]:
        to.print(f"  {safe(problem)}", soft_wrap=True)


def config(to: Console, document: Document) -> None:
    """The settings in force, as YAML."""
    import yaml

    to.print(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True).rstrip(), soft_wrap=True)


def dataset_settings(to: Console, document: Document) -> None:
    """Every setting of a dataset, and whether it is the default or set."""
    rows = [{**row, "value": _inline(row["value"])} for row in document["settings"]]
    grid(to, rows, ("key", "value", "source"), document["dataset"])


def _inline(value: Any) -> str:
    """A value as `set` takes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def checks(to: Console, document: Document) -> None:
    """One line a check."""
    for check in document["checks"]:
        mark = "ok  " if check["ok"] else "FAIL"
        to.print(f"{mark}  {safe(check['name'])}: {safe(check['message'])}", soft_wrap=True)
        if check.get("hint"):
            to.print(f"      {safe(check['hint'])}", soft_wrap=True)


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with times to the second, and its parent v1 where the table says v1.1."""
    short = {"parent": row["parent"].removesuffix(".1")} if row.get("parent") else {}
    return {**row, **short, **{name: _second(row[name]) for name in _TIMES if row.get(name)}}


def _second(time: str) -> str:
    """2030-01-02T03:04:05.678Z as 2030-01-02 03:04:05; all times of a lake are UTC."""
    return time[:19].replace("T", " ")

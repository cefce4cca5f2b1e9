"""Lakes made without Spark, row for row as the stages write them: for tests and measurements of the client.

`LakeMaker` holds a draft per dataset in memory. `deliver` writes it to silver with an upload row, `publish` appends
what changed to the gold logs and then the version row. Writes are collected until `flush`, one commit a table.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from imagelake.core import digest
from imagelake.tables import ALL, bronze, gold, ops, silver
from imagelake.tables.spec import TableSpec
from lake_bytes import keep
from lake_draft import Draft
from lake_tables import Row, create_table, replace_rows, write_rows

_LOGS = {"image": gold.IMAGE_LOG, "annotation": gold.ANNOTATION_LOG, "category": gold.CATEGORY_LOG}
_DRAFTS = {"image": silver.IMAGES, "annotation": silver.ANNOTATIONS, "category": silver.CATEGORIES}


class LakeMaker:
    """Makes a lake at a folder; `now` rises by one second at every use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.drafts: dict[str, Draft] = {}
        self.pending: dict[str, list[Row]] = {}
        self._silver: set[str] = set()
        self._ticks = itertools.count()
        root.mkdir(parents=True, exist_ok=True)
        mark = {"format": 1, "lake_id": uuid.uuid4().hex, "created": "2026-01-01T00:00:00+00:00", "needs": "0.1.0"}
        (root / "imagelake.json").write_text(json.dumps(mark))
        for spec in ALL:
            create_table(root, spec)

    def now(self) -> datetime:
        """A time in UTC, later than the one before."""
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=next(self._ticks))

    def draft(self, dataset: str) -> Draft:
        """The dataset's draft, empty at first."""
        return self.drafts.setdefault(dataset, Draft(dataset))

    def image(self, dataset: str, key: str, content: bytes | None = None, **values: Any) -> Row:
        """Put an image into the draft; `keep` stores bytes."""
        return self.draft(dataset).image(key, content, **values)

    def box(self, dataset: str, image_key: str, category: str, bbox: Sequence[float] | None, **values: Any) -> Row:
        """Put an annotation into the draft, and its category when it is new."""
        return self.draft(dataset).box(image_key, category, bbox, **values)

    def keep(self, dataset: str, contents: Sequence[bytes], codec: str = "stored") -> str:
        """Keep bytes as one zip, or with codec `object` as objects, and say where; the last one's path."""
        rows = keep(self.root, contents, codec)
        self.add(bronze.BLOBS, *(r | {"dataset": dataset, "at": self.now()} for r in rows))
        return str(rows[-1]["uri"])

    def deliver(self, dataset: str, state: str = "built", **values: Any) -> str:
        """Write an upload row, `landed` and then this state; `built` writes the draft to silver as well."""
        draft = self.draft(dataset)
        draft.deliveries += 1
        upload = str(values.get("upload_id") or hashlib.sha256(f"{dataset}#{draft.deliveries}".encode()).hexdigest())
        counts = dict.fromkeys(("read", "accepted", "unchanged", "rejected", "ignored", "removed"), 0)
        row: Row = {"dataset": dataset, "sequence": draft.deliveries, "upload_id": upload, "mode": "append"}
        row |= {"files": counts, "images": counts, "annotations": counts, "rejections": 0, **values}
        draft.uploads[draft.deliveries] = row
        for step in dict.fromkeys(("landed", state)):
            self.again(dataset, draft.deliveries, step)
        if state == "built":
            self._silver.add(dataset)
            draft.fresh_uploads.append(upload)
        return upload

    def again(self, dataset: str, sequence: int, state: str) -> None:
        """A later state row of an upload."""
        self.add(bronze.UPLOADS, {**self.draft(dataset).uploads[sequence], "state": state, "at": self.now()})

    def publish(self, dataset: str, *, crash: bool = False, **values: Any) -> int:
        """Append the difference of draft and live rows, then the version row; a crash leaves the version row out."""
        draft, publish_id, number = self.draft(dataset), uuid.uuid4().hex, self.draft(dataset).number + 1
        live = {entity: dict(rows) for entity, rows in draft.live.items()}
        splits = {recipe: dict(rows) for recipe, rows in draft.splits.items()}
        stamp = {"dataset": dataset, "added_in": number, "publish_id": publish_id}
        for entity, spec in _LOGS.items():
            self._difference(spec, entity, live[entity], draft.rows(entity), stamp)
        wanted = draft.placement()
        self._difference(gold.SPLIT_LOG, "split", splits[1], wanted, stamp)
        if crash:
            return number
        draft.live, draft.splits, draft.number = live, splits, number
        draft.placed |= wanted
        self._version(dataset, number, 1, publish_id, values | {"upload_ids": draft.fresh_uploads})
        draft.fresh_uploads = []
        return number

    def add_recipe(self, dataset: str, recipe: int, splits: Mapping[str, str]) -> None:
        """Another split recipe of the newest version's content: image key to split."""
        draft, publish_id = self.draft(dataset), uuid.uuid4().hex
        stamp = {"dataset": dataset, "added_in": draft.number, "publish_id": publish_id}
        row = {"dataset": dataset, "recipe": recipe, "origin": "hashed"}
        groups = {k: draft.images[k]["content_hash"] for k in splits}
        wanted = {k: {**row, "image_key": k, "split": s, "group_key": groups[k]} for k, s in splits.items()}
        self._difference(gold.SPLIT_LOG, "split", draft.splits.setdefault(recipe, {}), wanted, stamp)
        self._version(dataset, draft.number, recipe, publish_id, {})

    def state(self, dataset: str, number: int, state: str, recipe: int = 1) -> None:
        """A later state row of a version."""
        rows = [r for r in self.versions(dataset) if (r["number"], r["recipe"]) == (number, recipe)]
        draft = self.draft(dataset)
        draft.sequence += 1
        self.add(gold.VERSIONS, rows[-1] | {"state": state, "sequence": draft.sequence, "at": self.now()})

    def versions(self, dataset: str) -> list[Row]:
        """The version rows written so far (after a flush)."""
        rows = DeltaTable(str(self.root / gold.VERSIONS.path)).to_pyarrow_table().to_pylist()
        return sorted((r for r in rows if r["dataset"] == dataset), key=lambda r: r["sequence"])

    def alias(self, dataset: str, name: str, number: int | None, recipe: int = 1) -> None:
        """Give, move or (number None) take away a name."""
        draft = self.draft(dataset)
        draft.alias_sequence += 1
        row = {"dataset": dataset, "sequence": draft.alias_sequence, "alias": name, "number": number}
        self.add(gold.ALIASES, row | {"recipe": None if number is None else recipe, "at": self.now()})

    def reject(self, dataset: str, rule: str, *, closed: bool = False, **values: Any) -> None:
        """A rejection row."""
        row = {"dataset": dataset, "rejection_id": uuid.uuid4().hex, "entity": "annotation", "rule": rule}
        row |= {"severity": "quarantine", "message": f"{rule} broken", "opened_at": self.now(), "delivery": 1, **values}
        self.add(silver.REJECTIONS, row | {"closed_at": self.now() if closed else None})

    def run(self, run_id: str, verb: str, status: str | None, dataset: str | None = None) -> None:
        """A run's start row and, with a status, its end row."""
        row = {"run_id": run_id, "verb": verb, "dataset": dataset, "host": "h", "pid": 1, "program": "0.1.0"}
        self.add(ops.RUNS, row | {"phase": "start", "status": "running", "at": self.now()})
        if status is not None:
            problem = "it broke" if status == "failed" else None
            end = {"phase": "end", "status": status, "seconds": 1.5, "problem": problem, "at": self.now()}
            self.add(ops.RUNS, row | end)

    def add(self, spec: TableSpec, *rows: Row) -> None:
        """Collect rows for the next flush."""
        self.pending.setdefault(spec.name, []).extend(rows)

    def flush(self) -> None:
        """Write what was collected: silver partitions anew, everything else as appends, gold.versions last."""
        for dataset in sorted(self._silver):
            self._write_silver(dataset)
        self._silver.clear()
        for spec in sorted(ALL, key=lambda s: s is gold.VERSIONS):
            rows = self.pending.pop(spec.name, [])
            landed = [r for r in rows if spec is bronze.UPLOADS and r["state"] == "landed"]
            for part in (landed, [r for r in rows if r not in landed]):
                if part:
                    write_rows(self.root, spec, part)

    def _write_silver(self, dataset: str) -> None:
        draft = self.drafts[dataset]
        for entity, spec in _DRAFTS.items():
            replace_rows(self.root, spec, dataset, draft.rows(entity).values())

    def _difference(
        self, spec: TableSpec, entity: str, live: dict[str, Row], wanted: Mapping[str, Row], stamp: Row
    ) -> None:
        for key in [k for k, r in live.items() if k not in wanted or not _same(r, wanted[k])]:
            row = live.pop(key)
            closing = {"entity": entity, "row_id": row["row_id"], "removed_in": stamp["added_in"]}
            self.add(gold.CLOSINGS, closing | {"dataset": stamp["dataset"], "publish_id": stamp["publish_id"]})
        for key, row in wanted.items():
            if key not in live:
                live[key] = row | stamp | {"row_id": uuid.uuid4().hex}
                self.add(spec, live[key])

    def _version(self, dataset: str, number: int, recipe: int, publish_id: str, values: Row) -> None:
        draft = self.draft(dataset)
        draft.sequence += 1
        sets = [digest.set_digest(r["row_hash"] for r in draft.live[e].values()) for e in _LOGS]
        content = digest.content_digest(*sets)
        splits = digest.set_digest(digest.split_hash(r) for r in draft.splits[recipe].values())
        row: Row = {"dataset": dataset, "sequence": draft.sequence, "number": number, "recipe": recipe}
        row |= {"state": "published", "parent": f"v{number - 1}.{recipe}" if number > 1 else None, "quality": "{}"}
        row |= {"publish_id": publish_id, "content_digest": content, "digest": digest.version_digest(content, splits)}
        row |= {"images": sets[0].count, "annotations": sets[1].count, "categories": sets[2].count}
        row |= {
            "split_stats": json.dumps(draft.split_stats(recipe)),
            "class_stats": json.dumps(draft.class_stats()),
        }
        self.add(gold.VERSIONS, row | {"upload_ids": [], "at": self.now(), "settings": "{}"} | values)


def _same(live: Row, wanted: Row) -> bool:
    return bool(live["split"] == wanted["split"] if "row_hash" not in live else live["row_hash"] == wanted["row_hash"])

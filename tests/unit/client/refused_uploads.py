"""Uploads in a lake made without Spark, with the rejections that their own readers find: for tests of exports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from imagelake.core.upload_paths import is_dataset_image, take_apart
from imagelake.formats import reader
from imagelake.formats.detect import choose
from imagelake.formats.records import Issue, Record
from imagelake.formats.trees import DictTree
from imagelake.tables import bronze
from lakes import LakeMaker


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def records(files: Mapping[str, bytes], format: str | None = None) -> list[Record]:
    """What the reader of the format, or of the one that is detected, makes of the files."""
    tree = DictTree(files)
    choice = choose(tree, format)
    chosen = reader(choice.reader)
    return [r for unit in chosen.plan(tree, choice.detection) for r in chosen.parse(unit, tree.read)]


def deliver(maker: LakeMaker, dataset: str, files: Mapping[str, bytes], **values: str) -> str:
    """Put an upload into bronze, and what its reader refuses into the rejections; the upload's id."""
    tree = DictTree(files)
    choice = choose(tree, None)
    upload = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    detection = choice.detection
    for path, data in files.items():
        role = "annotation" if path in detection.documents else "meta" if path in detection.meta else "unknown"
        role = "image" if is_dataset_image(path) else role
        row = {"dataset": dataset, "attempt_id": upload[:8], "path": path, "role": role, "length": len(data)}
        maker.add(bronze.FILES, row | {"content_hash": hashlib.sha256(data).hexdigest()})
    maker.keep(dataset, list(files.values()))
    maker.deliver(dataset, upload_id=upload, attempt_id=upload[:8], format=choice.reader, source="up.zip", **values)
    for issue in _issues(records(files)):
        refuse(maker, dataset, issue.rule, upload_id=upload, path=issue.document, locator=issue.locator,
               entity=issue.entity, raw=issue.raw, message=issue.message, image_key=None, kind=issue.kind)  # fmt: skip
    return upload


def refuse(maker: LakeMaker, dataset: str, rule: str, **values: object) -> str:
    """A rejection row with the id that the build gives it."""
    parts = [str(values.get(name) or "") for name in ("entity", "path", "locator")]
    rejection_id = hashlib.sha256("\0".join([*parts, rule, str(values.get("raw") or "")]).encode()).hexdigest()
    maker.reject(dataset, rule, rejection_id=rejection_id, **values)
    return rejection_id


def refuse_picture(maker: LakeMaker, dataset: str, rule: str, upload: str, path: str) -> str:
    """The rejection of an image file."""
    key = take_apart(path).key
    raw = json.dumps({"path": path})
    return refuse(
        maker, dataset, rule, upload_id=upload, path=path, locator="file", entity="image", raw=raw, image_key=key
    )


def _issues(made: list[Record]) -> Iterator[Issue]:
    return (record for record in made if isinstance(record, Issue))

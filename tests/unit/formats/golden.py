"""Golden cases: a folder tests/golden/<format>/<case>/ with upload/ and what reading it must give, expected.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from folder_tree import FolderTree
from imagelake.errors import UploadRejected
from imagelake.formats import reader
from imagelake.formats.base import Unread
from imagelake.formats.detect import choose
from imagelake.formats.records import Record
from imagelake.formats.unread.kinds import other_labels

ROOT = Path(__file__).parents[2] / "golden"


def cases() -> list[Path]:
    return sorted(p.parent for p in ROOT.glob("*/*/expected.json"))


def reading(case: Path) -> dict[str, Any]:
    """What an upload is recognised as and all its records; or why it is refused."""
    tree = FolderTree(case / "upload")
    try:
        choice = choose(tree, None)
        chosen = reader(choice.reader)
        units = chosen.plan(tree, choice.detection)
    except UploadRejected as problem:
        detection = reader(case.parent.name).detect(tree)
        unread = (*detection.unread, *other_labels(tree, frozenset(file.path for file in detection.unread)))
        return {"refused": problem.rule, "lacks": list(detection.lacks), **_named(unread, detection.seen)}
    chosen_as = {name: value for name, value in choice.as_json()["chosen"].items() if name != "masks" or value}
    return {
        **chosen_as,
        **_named(choice.unread, choice.detection.seen),
        "records": [plain(r) for unit in units for r in chosen.parse(unit, tree.read)],
    }


def _named(unread: Sequence[Unread], seen: Sequence[str]) -> dict[str, Any]:
    """The files that are not read, with their kinds, and what documents declare besides labels; nothing when empty."""
    files = [[file.path, file.kind] for file in unread]
    return {name: value for name, value in (("unread", files), ("seen", list(seen))) if value}


def plain(record: Record) -> dict[str, Any]:
    """A record as JSON, without the fields that say nothing and the raw payload."""
    out: dict[str, Any] = {"type": type(record).__name__}
    for field in fields(record):
        value = getattr(record, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name != "raw" and value != default:
            out[field.name] = _as_json(value)
    return out


def _as_json(value: Any) -> Any:
    return [_as_json(v) for v in value] if isinstance(value, tuple) else value

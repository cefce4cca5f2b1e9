"""What formats of many small text documents share: cutting them into units, sampling, numbers, payloads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from imagelake.formats.base import Tree, Unit
from imagelake.formats.records import Issue
from imagelake.formats.refused import Refused

MAX_RAW = 4000
"""Characters of a payload that are kept for a rejection row."""

MAX_BYTES = 64 << 20
"""Larger documents are not read: they are parsed whole, and no real one of these formats comes near."""

SNIFFED = 20
"""Files that are looked at to recognise a format."""

HEAD = 4096
"""Bytes of each that are looked at."""

BUDGET = 64 << 20
"""Bytes that are looked at in all, where none of those that are looked at first decides."""

_UNIT_FILES = 200
_UNIT_BYTES = 4 << 20
_NUMBER = re.compile(r"\s*[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)\s*", re.ASCII | re.IGNORECASE)


class Unreadable(Refused):
    """The document as a whole cannot be read; `locator` says where."""

    def __init__(self, rule: str, message: str, locator: str = "") -> None:
        super().__init__(rule, message)
        self.locator = locator


def unreadable_issue(path: str, data: bytes, problem: Unreadable) -> Issue:
    """The issue of a document that cannot be read."""
    return Issue(
        document=path,
        entity="file",
        locator=problem.locator,
        rule=problem.rule,
        message=problem.message,
        raw=payload(data),
    )


def cut(tree: Tree, paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The paths in groups of up to 200 files or 4 MB, so that 100,000 files are not 100,000 tasks."""
    group: list[str] = []
    group_bytes = 0
    for path in paths:
        size = tree.size(path)
        if group and (len(group) == _UNIT_FILES or group_bytes + size > _UNIT_BYTES):
            yield tuple(group)
            group, group_bytes = [], 0
        group.append(path)
        group_bytes += size
    if group:
        yield tuple(group)


def spread(paths: Sequence[str]) -> tuple[str, ...]:
    """Up to 20 of the paths, evenly over the whole list."""
    if len(paths) <= SNIFFED:
        return tuple(paths)
    return tuple(paths[place * (len(paths) - 1) // (SNIFFED - 1)] for place in range(SNIFFED))


def too_large(format_name: str, tree: Tree, paths: Sequence[str]) -> tuple[list[str], tuple[Unit, ...]]:
    """The paths that may be read, and a unit for those that are too large, with their sizes."""
    sizes = {path: tree.size(path) for path in paths}
    refused = {path: size for path, size in sizes.items() if size > MAX_BYTES}
    units = (Unit(format_name, tuple(refused), json.dumps({"too_large": refused})),) if refused else ()
    return [path for path in paths if path not in refused], units


def too_large_issues(context: dict[str, Any]) -> Iterator[Issue]:
    """An issue for each document of a unit of `too_large`."""
    for path, size in context.get("too_large", {}).items():
        yield Issue(
            document=path,
            entity="file",
            locator="",
            rule="document.too_large",
            message=f"{path} has {size} bytes; up to {MAX_BYTES} are read",
            raw="",
        )


def number(text: str) -> float | None:
    """The number a text spells, NaN and infinity too; None when it spells none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def payload(data: bytes) -> str:
    """The beginning of a document as text, for a rejection row."""
    return data[: 4 * MAX_RAW].decode("utf-8", "replace")[:MAX_RAW]


def stem(path: str) -> str:
    """A path's last part without its suffix."""
    name = path[path.rfind("/") + 1 :]
    return name[: name.rfind(".")] if name.rfind(".") > 0 else name

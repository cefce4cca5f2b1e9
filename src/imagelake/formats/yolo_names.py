"""Class names of a YOLO data set: data.yaml, classes.txt or obj.names, read without obeying any of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from imagelake.formats.base import Tree, read_or_none
from imagelake.formats.names import category_name
from imagelake.formats.refused import shown
from imagelake.formats.small_documents import HEAD, SNIFFED, Unreadable

MAX_BYTES = 1 << 20
MAX_VALUES = 50_000
"""Values in a YAML document: it takes some 50 microseconds to read one."""

_YAML = (".yaml", ".yml")
_LISTS = ("classes.txt", "_darknet.labels")
_KEYS = re.compile(rb"^(?:names|nc)\s*:", re.MULTILINE)
_INDEX = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True)
class Classes:
    """What a document declares: names by index, and whether rows hold keypoints after their box."""

    names: Mapping[int, str] = field(default_factory=dict)
    keypoints: bool = False


class _Plain(yaml.BaseLoader):
    """Text, lists and mappings only: `no` stays a word, no tag makes an object, and no alias multiplies anything."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuses aliases and too many values, else as ever."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="an alias is not allowed", problem_mark=mark)
        if self._nodes > MAX_VALUES:
            raise Unreadable("document.too_many_items", f"the document has more than {MAX_VALUES} values")
        return super().compose_node(parent, index)


def name_documents(tree: Tree) -> tuple[str, ...]:
    """The files that may declare class names, the one to be believed most first; damaged ones are among them."""
    yamls = [path for path in tree.paths if path.lower().endswith(_YAML)]
    yamls = sorted(yamls, key=lambda p: (_base(p) not in ("data.yaml", "data.yml"), *_depth(p)))[:SNIFFED]
    found = [p for p in yamls if _base(p).startswith("data.") or _may_declare(read_or_none(tree, p, HEAD))]
    lists = [path for path in tree.paths if _base(path) in _LISTS or path.lower().endswith(".names")]
    return (*found, *sorted(lists, key=_depth))


def chosen(tree: Tree, documents: tuple[str, ...]) -> str | None:
    """The first of the documents that declares classes."""
    for path in documents:
        data = read_or_none(tree, path) if tree.size(path) <= MAX_BYTES else None
        if data is not None and _declares(path, data):
            return path
    return None


@lru_cache(maxsize=4)
def classes(path: str, data: bytes) -> Classes:
    """The classes a document declares; Unreadable when it is unusable. Kept: every unit of a worker asks again."""
    if len(data) > MAX_BYTES:
        raise Unreadable("document.too_large", f"{path} has {len(data)} bytes; up to {MAX_BYTES} are read")
    if not path.lower().endswith(_YAML):
        lines = data.decode("utf-8-sig", "replace").split("\n")
        return Classes({index: name for index, line in enumerate(lines) if (name := category_name(line))})
    content = _load(data)
    if not isinstance(content, dict):
        raise Unreadable("document.wrong_shape", f"{shown(content)} is no mapping with names")
    return Classes(_names(content), "kpt_shape" in content)


def _may_declare(head: bytes | None) -> bool:
    return head is None or _KEYS.search(head) is not None


def _declares(path: str, data: bytes) -> bool:
    """Whether the classes a document declares can be read; what is wrong with it is reported when it is parsed."""
    try:
        classes(path, data)
    except Unreadable:
        return False
    return True


def _load(data: bytes) -> Any:
    try:
        return yaml.load(data, Loader=_Plain)  # noqa: S506  (constructs text, lists and mappings only)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        locator = f"line {mark.line + 1} column {mark.column + 1}" if mark is not None else ""
        raise Unreadable("document.invalid_yaml", f"no usable YAML: {problem.problem}", locator) from None
    except RecursionError:
        raise Unreadable("document.too_deep", "the document is nested too deep") from None
    except (yaml.YAMLError, ValueError) as problem:
        if isinstance(problem, Unreadable):
            raise
        raise Unreadable("document.invalid_yaml", f"no usable YAML: {' '.join(str(problem).split())}") from None


def _names(content: Mapping[Any, Any]) -> dict[int, str]:
    """Names by index from `names`, a list or a mapping; `class_0`, … where there is only their number, `nc`."""
    names, count = content.get("names"), content.get("nc")
    if names is None and isinstance(count, str) and _INDEX.fullmatch(count) and int(count) <= MAX_VALUES:
        return {index: f"class_{index}" for index in range(int(count))}
    pairs = list(enumerate(names)) if isinstance(names, list) else []
    if isinstance(names, dict):
        if not all(isinstance(key, str) and _INDEX.fullmatch(key) for key in names):
            raise Unreadable("document.wrong_shape", f"names {shown(names)}; the keys must be class numbers from 0")
        pairs = sorted((int(key), name) for key, name in names.items())
    if not pairs or not all(isinstance(name, str) for _, name in pairs):
        raise Unreadable(
            "document.wrong_shape", f"names {shown(names)}; give a list of names, or names by class number"
        )
    return {index: name for index, written in pairs if (name := category_name(written))}


def _base(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path

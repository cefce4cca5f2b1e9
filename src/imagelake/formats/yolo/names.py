"""Class names and splits of a YOLO data set: data.yaml, classes.txt, obj.names, obj.data, read without obeying any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from imagelake.core.upload_paths import split_name
from imagelake.formats.base import Tree, read_or_none
from imagelake.formats.names import category_name
from imagelake.formats.paths import plain_path
from imagelake.formats.refused import shown
from imagelake.formats.small_documents import Unreadable
from imagelake.formats.text_documents import decoded, lines

MAX_BYTES = 1 << 20
MAX_VALUES = 50_000
"""Values in a YAML document: it takes some 50 microseconds to read one."""

_HEAD = 64 << 10
_BUDGET = 16 << 20
"""Bytes of YAML documents that are looked at for keys."""

_YAML, _DARKNET = (".yaml", ".yml"), ".data"
_LISTS = ("classes.txt", "_darknet.labels")
_KEYS = re.compile(rb"^[\"']?(?:names|nc|train|val|valid|test)[\"']?\s*:", re.MULTILINE | re.IGNORECASE)
_NAMES = re.compile(rb"^[\"']?names[\"']?\s*:", re.MULTILINE)
_MODEL_KEYS = ("backbone", "head", "anchors", "depth_multiple", "width_multiple", "scales")
_MODEL = re.compile(rb"^(?:" + "|".join(_MODEL_KEYS).encode() + rb")\s*:", re.MULTILINE)
_ASSIGNMENT = re.compile(r"(train|valid|val|test)\s*=\s*(\S.*)", re.IGNORECASE)
_INDEX = re.compile(r"\d{1,6}", re.ASCII)
_NOWHERE = ("", "~", "null", "none", "true", "false", "yes", "no")
_ROOTED = re.compile(r"[/~]|[A-Za-z]:")


@dataclass(frozen=True)
class SplitEntry:
    """A folder or list file below a root, as they are called on whatever machine: with `/`, without `..`."""

    root: str
    path: str


@dataclass(frozen=True)
class DeclaredClasses:
    """What a document declares.

    `names` by index, or mere numbers where `is_count`; whether rows hold keypoints after their box; `splits`: the
    entries of each split.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    keypoints: bool = False
    is_count: bool = False
    splits: Mapping[str, tuple[SplitEntry, ...]] = field(default_factory=dict)


class _PlainLoader(yaml.BaseLoader):
    """Text, lists and mappings only: `no` stays a word, no tag makes an object, and no alias multiplies anything."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
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
    """The files that may declare classes or splits, the one to be believed most first; damaged ones are among them."""
    yamls = [path for path in tree.paths if path.lower().endswith(_YAML)]
    yamls = sorted(yamls, key=lambda p: (not _is_data(p), *_depth(p)))
    declaring = [path for path in yamls[: _BUDGET // _HEAD] if _is_data(path) or _declares(tree, path)]
    darknet = [path for path in tree.paths if path.lower().endswith(_DARKNET) and _assigns(tree, path)]
    lists = [path for path in tree.paths if is_class_list(path)]
    return (*declaring, *darknet, *sorted(lists, key=_depth))


def is_class_list(path: str) -> bool:
    """Whether a file is named like a list of class names, one a line."""
    return _base(path) in _LISTS or path.lower().endswith(".names")


def is_declaration(path: str) -> bool:
    """Whether one of `name_documents` declares classes or splits itself, rather than being a list of images."""
    return path.lower().endswith((*_YAML, _DARKNET)) or is_class_list(path)


def grade(path: str) -> int:
    """How much a document of class names is believed among those of one folder; 0 is the most."""
    if path.lower().endswith(_YAML):
        return 0 if _is_data(path) else 1
    return 2


@lru_cache(maxsize=64)
def classes(path: str, data: bytes) -> DeclaredClasses:
    """What a document declares; Unreadable when it is unusable. Kept: every unit of a worker asks again."""
    if len(data) > MAX_BYTES:
        raise Unreadable("document.too_large", f"{path} has {len(data)} bytes; up to {MAX_BYTES} are read")
    text = decoded(path, data)
    if path.lower().endswith(_DARKNET):
        return DeclaredClasses(splits=_assigned(text))
    if not path.lower().endswith(_YAML):
        return DeclaredClasses(
            {index: name for index, line in enumerate(text.split("\n")) if (name := category_name(line))}
        )
    content = _load(text)
    if not isinstance(content, dict):
        raise Unreadable("document.wrong_shape", f"{shown(content)} is no mapping with names")
    splits = _splits(content)
    is_count = "names" not in content
    is_other = is_count and ("nc" not in content or any(key in content for key in _MODEL_KEYS))
    if is_other and (splits or "nc" in content or not _is_data(path)):
        return DeclaredClasses(splits=splits)
    return DeclaredClasses(_names(content), "kpt_shape" in content, is_count, splits)


def _declares(tree: Tree, path: str) -> bool:
    """Whether a YAML document has the keys of a data set; a model's has a count of classes and no names."""
    head = read_or_none(tree, path, _HEAD)
    if head is None or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return _KEYS.search(head) is not None and (_NAMES.search(head) is not None or _MODEL.search(head) is None)


def _assigns(tree: Tree, path: str) -> bool:
    """Whether a file assigns lists to splits, as Darknet's obj.data does."""
    data = read_or_none(tree, path, _HEAD) if tree.size(path) <= _HEAD else None
    try:
        return data is not None and bool(_assigned(decoded(path, data)))
    except Unreadable:
        return False


def _assigned(text: str) -> dict[str, tuple[SplitEntry, ...]]:
    """The lists of each split in lines like `train = data/train.txt`."""
    entries: dict[str, tuple[SplitEntry, ...]] = {}
    for _, line in lines(text):
        assignment = _ASSIGNMENT.fullmatch(line)
        split = split_name(assignment.group(1)) if assignment else None
        if assignment is not None and split is not None:
            entries[split] = tuple(_entries("", [assignment.group(2)]))
    return entries


def _splits(content: Mapping[Any, Any]) -> dict[str, tuple[SplitEntry, ...]]:
    """The folders and lists of each split: a text or a list of texts under train, val, test, or a word for them."""
    root = content.get("path")
    entries: dict[str, tuple[SplitEntry, ...]] = {}
    for key, value in content.items():
        split = split_name(key) if isinstance(key, str) else None
        texts = value if isinstance(value, list) else [value]
        if split is not None and all(isinstance(text, str) for text in texts):
            own = tuple(_entries(root if isinstance(root, str) else "", texts))
            entries[split] = (*entries.get(split, ()), *own)
    return {split: own for split, own in entries.items() if own}


def _entries(root: str, texts: list[str]) -> Iterator[SplitEntry]:
    """The texts as entries below the root; what has a scheme is an address and names nothing here."""
    base = "" if "://" in root else root.strip()
    for text in map(str.strip, texts):
        if text.lower() in _NOWHERE or "://" in text:
            continue
        if _ROOTED.match(text):
            entry = SplitEntry("", plain_path(text))
        elif text.startswith(".."):
            entry = SplitEntry("", plain_path(f"{base}/{text}"))
        else:
            entry = SplitEntry(plain_path(base), plain_path(text))
        if entry.path:
            yield entry


def _load(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506  (constructs text, lists and mappings only)
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


def _is_data(path: str) -> bool:
    return _base(path) in ("data.yaml", "data.yml")


def _base(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path

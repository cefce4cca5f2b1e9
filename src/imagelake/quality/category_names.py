"""The category rules, judged in plain Python: categories are few (thousands at most)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping


def root_names(parents: Mapping[str, str | None], used: Collection[str]) -> frozenset[str]:
    """The names that break `category.root`: exporters prepend such a root, and it must not become a training class.

    `parents` maps each name to its supercategory, `used` are the names that annotations have. A category that is its
    own supercategory, as `person` in COCO, is not a root.
    """
    with_children = {parent for name, parent in parents.items() if parent != name}
    return frozenset(name for name in parents if name in with_children and name not in used)


def without_parent(parents: Mapping[str, str | None]) -> frozenset[str]:
    """The names that break `category.no_parent`: others have a supercategory, so the upload knows of them."""
    without = frozenset(name for name, parent in parents.items() if not parent)
    return without if len(without) < len(parents) else frozenset()


def similar_names(names: Iterable[str]) -> dict[str, str]:
    """The names that break `category.similar_name`, each with the first name it is like.

    The order decides who breaks the rule: give the names of the draft before those of an upload.
    """
    first: dict[str, str] = {}
    similar: dict[str, str] = {}
    for name in names:
        other = first.setdefault(_folded(name), name)
        if other != name:
            similar[name] = other
    return similar


def _folded(name: str) -> str:
    """The name without case and spaces, in one Unicode form."""
    decomposed = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFC", "".join(decomposed.casefold().split()))

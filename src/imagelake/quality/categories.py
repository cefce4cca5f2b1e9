"""Rules on the names of categories, which are few and judged on the driver."""

from __future__ import annotations

from collections.abc import Iterable


def similar_names(names: Iterable[str]) -> frozenset[str]:
    """The names that differ from another one only by case or spaces (category.similar_name)."""
    by_shape: dict[str, set[str]] = {}
    for name in names:
        by_shape.setdefault("".join(name.split()).casefold(), set()).add(name)
    return frozenset(name for group in by_shape.values() if len(group) > 1 for name in group)
